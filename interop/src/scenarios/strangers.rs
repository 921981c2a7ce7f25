//! Peers that do not speak TLS at all.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::authority::SERVER_NAME;
use crate::lab::Lab;
use crate::ours::{self, Setup};
use crate::scenario::Scenario;

/// What a server of the old web says to a hello that it cannot read.
const BANNER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "http-server",
            "an HTTP server",
            "our client says that this is not TLS",
            http_server,
        ),
        Scenario::new(
            "http-client",
            "an HTTP client",
            "our server says that this is not TLS, and goes on serving",
            http_client,
        ),
        Scenario::new(
            "closing-server",
            "a server that hangs up",
            "our client says that the connection was closed",
            closing_server,
        ),
    ]
}

/// A server that answers the first bytes of its only client with `answer` and closes.
async fn stranger(answer: &'static [u8]) -> Result<(JoinHandle<std::io::Result<()>>, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let mut hello = vec![0; 16 * 1024];
        // However much of the hello comes at once is enough to answer.
        let _length = socket.read(&mut hello).await?;
        socket.write_all(answer).await?;
        socket.shutdown().await
    });
    Ok((task, address))
}

async fn http_server(lab: Arc<Lab>) -> Result<String> {
    let (task, address) = stranger(BANNER).await?;
    let client = Setup::default().client(&lab)?;
    let text = ours::expected_error(
        client.connect(address, SERVER_NAME).await,
        &["does not speak TLS"],
    )?;
    task.await??;
    Ok(text)
}

async fn closing_server(lab: Arc<Lab>) -> Result<String> {
    let (task, address) = stranger(b"").await?;
    let client = Setup::default().client(&lab)?;
    let text = ours::expected_error(client.connect(address, SERVER_NAME).await, &["closed"])?;
    task.await??;
    Ok(text)
}

async fn http_client(lab: Arc<Lab>) -> Result<String> {
    let (server, address) = Setup::default().server(&lab)?;
    let mut socket = TcpStream::connect(address).await?;
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let accepted = ours::incoming(&server).await?.accept_or_plain().await;
    let text = ours::expected_error(accepted, &["does not speak TLS"])?;
    let mut answer = Vec::new();
    // Whether the end comes as a FIN or as a reset depends on what was left unread.
    let _ended = socket.read_to_end(&mut answer).await;
    ensure!(
        !answer.starts_with(&[22]),
        "our server answered with a handshake"
    );

    // The next client is served as if nothing had been.
    let client = Setup::default().client(&lab)?;
    let accepting = async { anyhow::Ok(ours::incoming(&server).await?.accept().await?) };
    let (session, theirs) = tokio::try_join!(ours::connect(&client, address), accepting)?;
    ours::echo(&theirs);
    ours::round_trip(&session, b"still there").await?;
    Ok(text)
}
