//! `tcpls connect`: standard input to a stream, the stream to standard output.

use std::fmt;

use bytes::BytesMut;
use serde::Serialize;
use tcpls_tokio::{
    ClosedStream, ConnectError, Connected, PlainStream, RecvStream, SendStream, Session,
    SessionError, WriteError,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::client::{ClientArgs, Dialled, Wishes};
use crate::exit::Failure;
use crate::report::Format;
use crate::stdio::{Input, Output};

/// Send standard input over one stream and print what comes back
///
/// Ends when both directions have ended. A server that speaks only TLS 1.3 gets plain TLS, and
/// standard error says so.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    client: ClientArgs,
    /// Fail instead of continuing over plain TLS
    #[arg(long)]
    require_tcpls: bool,
}

/// What standard error says when the server does not speak TCPLS.
#[derive(Debug, Serialize)]
struct FellBack {
    tcpls: bool,
    reason: String,
}

impl fmt::Display for FellBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "note: this is plain TLS, not TCPLS: {}", self.reason)
    }
}

pub(crate) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let Dialled {
        connected,
        connector,
        ..
    } = args.client.dial(Wishes::default()).await?;
    let refuse = |error: &ConnectError| Failure::handshake(&args.client.target, error);
    match connected {
        Connected::Plain(_) if args.require_tcpls => connected
            .into_session()
            .await
            .map(drop)
            .map_err(|error| refuse(&error)),
        Connected::Plain(plain) => {
            format.note(&FellBack {
                tcpls: false,
                reason: plain.reason().to_string(),
            })?;
            relay_plain(*plain).await
        }
        Connected::Session(session) => {
            relay_session(&session).await?;
            session.close(0, b"");
            connector.wait_idle().await;
            Ok(())
        }
    }
}

async fn relay_session(session: &Session) -> Result<(), Failure> {
    let (send, recv) = session.open_bi().await.map_err(Failure::open)?;
    tokio::spawn(refuse_streams(session.clone()));
    let upload = async {
        tokio::select! {
            biased;
            uploaded = upload(send) => uploaded.map(|()| None),
            reason = session.closed() => Ok(Some(reason)),
        }
    };
    let (cut_off, ()) = tokio::try_join!(upload, download(recv))?;
    match cut_off {
        // The server ended its stream and said goodbye: it does not want the rest of the input.
        Some(reason) if !reason.is_orderly() => Err(Failure::session(reason)),
        _ => Ok(()),
    }
}

async fn upload(mut send: SendStream) -> Result<(), Failure> {
    let mut input = Input::open();
    while let Some(piece) = input.read().await? {
        match send.write_chunk(piece).await {
            Ok(()) => {}
            // Who waits for the end of the session says why it ended.
            Err(WriteError::SessionLost(_)) => std::future::pending().await,
            Err(error) => return Err(Failure::lost(error)),
        }
    }
    match send.finish() {
        Ok(()) => Ok(()),
        Err(ClosedStream) => std::future::pending().await,
    }
}

async fn download(mut recv: RecvStream) -> Result<(), Failure> {
    let mut output = Output::open();
    while let Some(chunk) = recv.read_chunk(usize::MAX).await.map_err(Failure::read)? {
        output.write(chunk).await?;
    }
    output.finish().await
}

/// Ends streams that the server opens, which nobody here would read: unread they would fill the
/// session's limit and stop it.
async fn refuse_streams(session: Session) -> SessionError {
    loop {
        match session.accept_bi().await {
            Ok((mut send, mut recv)) => {
                recv.stop(0);
                // The session may have ended in between.
                let _finished = send.finish();
            }
            Err(reason) => return reason,
        }
    }
}

async fn relay_plain(plain: PlainStream) -> Result<(), Failure> {
    let (reader, writer) = tokio::io::split(plain);
    tokio::try_join!(upload_plain(writer), download_plain(reader))?;
    Ok(())
}

async fn upload_plain(mut writer: impl AsyncWrite + Unpin) -> Result<(), Failure> {
    let mut input = Input::open();
    while let Some(piece) = input.read().await? {
        writer.write_all(&piece).await.map_err(Failure::lost)?;
        writer.flush().await.map_err(Failure::lost)?;
    }
    writer.shutdown().await.map_err(Failure::lost)
}

async fn download_plain(mut reader: impl AsyncRead + Unpin) -> Result<(), Failure> {
    let mut output = Output::open();
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(16 * 1024);
        if reader.read_buf(&mut buffer).await.map_err(Failure::lost)? == 0 {
            return output.finish().await;
        }
        output.write(buffer.split().freeze()).await?;
    }
}
