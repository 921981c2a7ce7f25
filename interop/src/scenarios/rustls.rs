//! Plain rustls, as most programs in Rust use it.

use std::sync::Arc;

use anyhow::{Result, ensure};
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::authority::SERVER_NAME;
use crate::lab::Lab;
use crate::ours::{self, Setup};
use crate::scenario::Scenario;

const PEER: &str = "rustls";

/// Enough for many records.
const LENGTH: usize = 1 << 20;

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "rustls-client",
            PEER,
            "a plain rustls client and our server: 1 MiB echoed, both ends closed cleanly",
            client,
        ),
        Scenario::new(
            "rustls-server",
            PEER,
            "our client and a plain rustls server: 1 MiB echoed, both ends closed cleanly",
            server,
        ),
    ]
}

async fn client(lab: Arc<Lab>) -> Result<String> {
    let (endpoint, address) = Setup::default().server(&lab)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(&lab.authority.roots))
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let theirs = async {
        let socket = TcpStream::connect(address).await?;
        let stream = connector
            .connect(ServerName::try_from(SERVER_NAME)?, socket)
            .await?;
        send_and_compare(stream).await
    };
    let ours = async {
        let connected = ours::incoming(&endpoint).await?.accept_or_plain().await?;
        let stream = ours::plain(connected)?;
        let facts = format!("{}; {}", stream.reason(), ours::facts(stream.handshake()));
        echo_to_the_end(stream).await?;
        Ok(facts)
    };
    let ((), facts) = tokio::try_join!(theirs, ours)?;
    Ok(facts)
}

async fn server(lab: Arc<Lab>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let identity = &lab.authority.server;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(identity.chain(), identity.key())?;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let theirs = async {
        let (socket, _) = listener.accept().await?;
        echo_to_the_end(acceptor.accept(socket).await?).await
    };
    let endpoint = Setup::default().client(&lab)?;
    let ours = async {
        let stream = ours::connect_plain(&endpoint, address).await?;
        let facts = format!("{}; {}", stream.reason(), ours::facts(stream.handshake()));
        send_and_compare(stream).await?;
        Ok(facts)
    };
    let ((), facts) = tokio::try_join!(theirs, ours)?;
    Ok(facts)
}

/// Echoes until the other end closes, then closes.
async fn echo_to_the_end(stream: impl AsyncRead + AsyncWrite) -> Result<()> {
    let (mut read, mut write) = tokio::io::split(stream);
    tokio::io::copy(&mut read, &mut write).await?;
    write.shutdown().await?;
    Ok(())
}

/// Sends, closes, and expects the same bytes and then a clean end.
async fn send_and_compare(stream: impl AsyncRead + AsyncWrite) -> Result<()> {
    let payload = ours::payload(7, LENGTH);
    let (mut read, mut write) = tokio::io::split(stream);
    let mut received = Vec::new();
    let sending = async {
        write.write_all(&payload).await?;
        write.shutdown().await
    };
    tokio::try_join!(sending, read.read_to_end(&mut received))?;
    ensure!(received == payload, "the echo differs from what was sent");
    Ok(())
}
