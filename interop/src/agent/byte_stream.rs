//! TLS over one byte stream: plain TCP, or Multipath TCP.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::protocol::{Command, Event, Server, Setup};
use super::transfer::{Origin, receive, send};
use super::{Commands, sockets, tell};
use crate::authority::SERVER_NAME;
use crate::lab::clock::Moment;

/// Connects, transfers, and ends when told.
pub(super) async fn client(
    setup: &Setup,
    remotes: &[SocketAddr],
    root_file: &Path,
    commands: &mut Commands,
) -> Result<()> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root_file)?)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let remote = *remotes.first().context("no address")?;
    let begun = Moment::now();
    let socket = sockets::connect(setup, remote).await?;
    let stream = connector
        .connect(ServerName::try_from(SERVER_NAME)?, socket)
        .await
        .context("no handshake")?;
    tell(&Event::Connected {
        begun,
        done: Moment::now(),
    });
    match commands.next().await? {
        Command::Go => {}
        Command::End => return Ok(()),
        command @ (Command::OpenPath { .. }
        | Command::KeepPath { .. }
        | Command::Migrate { .. }
        | Command::Withdraw { .. }) => bail!("{command:?} needs a session"),
    }
    transfer(setup, stream, Origin::Client, commands).await
}

/// Accepts one client, transfers, and ends when told.
pub(super) async fn server(setup: &Setup, server: &Server, commands: &mut Commands) -> Result<()> {
    let chain = vec![CertificateDer::from_pem_file(&server.certificate_file)?];
    let key = PrivateKeyDer::from_pem_file(&server.key_file)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = sockets::listen(setup, server.address)?;
    tell(&Event::Listening(listener.local_addr()?));
    let begun = Moment::now();
    let (socket, _) = listener.accept().await?;
    let stream = acceptor.accept(socket).await.context("no handshake")?;
    tell(&Event::Connected {
        begun,
        done: Moment::now(),
    });
    transfer(setup, stream, Origin::Server, commands).await
}

async fn transfer(
    setup: &Setup,
    stream: impl AsyncRead + AsyncWrite,
    origin: Origin,
    commands: &mut Commands,
) -> Result<()> {
    let transfer = setup.streams.first().context("no stream")?;
    let (outgoing, incoming) = match origin {
        Origin::Client => (transfer.upload, transfer.download),
        Origin::Server => (transfer.download, transfer.upload),
    };
    let (reader, mut writer) = tokio::io::split(stream);
    tokio::try_join!(
        send(&mut writer, 0, origin, outgoing),
        receive(reader, 0, incoming, Moment::now()),
    )?;
    commands.end().await?;
    writer.shutdown().await.context("cannot close")
}
