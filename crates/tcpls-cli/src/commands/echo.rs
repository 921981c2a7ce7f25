//! `tcpls echo`: sends back what clients send.

use tcpls_tokio::{Connected, PlainStream, RecvStream, SendStream, Session, SessionConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::exit::Failure;
use crate::report::Format;
use crate::server::{Serve, ServerArgs, serve};

/// Echo every stream of every client, TCPLS or plain TLS
///
/// A stream is finished when the client has finished it. Prints "listening ADDR:PORT" when ready.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let endpoint = args.server.listen(SessionConfig::new(), format)?;
    serve(&endpoint, Serve::Forever, echo).await;
    Ok(())
}

async fn echo(connected: Connected) -> Result<(), Failure> {
    match connected {
        Connected::Session(session) => echo_session(&session).await,
        Connected::Plain(plain) => echo_plain(*plain).await.map_err(Failure::lost),
    }
}

async fn echo_session(session: &Session) -> Result<(), Failure> {
    loop {
        match session.accept_bi().await {
            Ok((send, recv)) => {
                // A stream fails only with its session, which is told about below.
                tokio::spawn(async move { echo_stream(send, recv).await.ok() });
            }
            Err(reason) if reason.is_orderly() => return Ok(()),
            Err(reason) => return Err(Failure::session(reason)),
        }
    }
}

/// A client that does not read stops this stream and, in the end, its own connection: waiting to
/// write is also not reading.
async fn echo_stream(mut send: SendStream, mut recv: RecvStream) -> std::io::Result<()> {
    while let Some(chunk) = recv.read_chunk(usize::MAX).await? {
        send.write_chunk(chunk).await?;
    }
    send.shutdown().await
}

async fn echo_plain(mut plain: PlainStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = plain.read(&mut buffer).await?;
        let received = buffer.get(..count).unwrap_or_default();
        if received.is_empty() {
            return plain.shutdown().await;
        }
        plain.write_all(received).await?;
        plain.flush().await?;
    }
}
