//! A TCPLS session of ours.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tcpls_tokio::{
    ClientConfig, Endpoint, FollowPaths, PathEvent, PathOptions, RecvStream, SendStream,
    ServerConfig, Session, TransportConfig,
};
use tokio::task::JoinSet;

use super::protocol::{Command, Event, Follow, Role, Server, Setup};
use super::transfer::{Origin, receive, send};
use super::{Commands, tell};
use crate::authority::SERVER_NAME;
use crate::lab::clock::Moment;

/// How long the end of a session may take: on a path that is a hole, longer than anybody waits here.
const GOODBYE: Duration = Duration::from_secs(1);

/// Connects, opens paths and transfers as told, until told to end.
pub(super) async fn client(
    setup: &Setup,
    remotes: &[SocketAddr],
    root_file: &Path,
    commands: &mut Commands,
) -> Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root_file)?)?;
    let mut config = ClientConfig::with_root_certificates(roots)?;
    config.transport_config(Arc::new(transport(setup)));
    let endpoint = Endpoint::client(config);
    let begun = Moment::now();
    let session = endpoint
        .connect(remotes, SERVER_NAME)
        .await
        .context("no session")?;
    tell(&Event::Connected {
        begun,
        done: Moment::now(),
    });
    tokio::spawn(tell_paths(session.clone()));
    let mut transfers = JoinSet::new();
    let ended = loop {
        tokio::select! {
            command = commands.next() => match command? {
                Command::Go => start(&session, setup, &mut transfers).await?,
                Command::OpenPath { remote, local } => {
                    let options = options(remote, local);
                    tokio::spawn(open_path(session.clone(), options));
                }
                Command::KeepPath { remote, local } => {
                    let options = options(remote, local);
                    session.keep_path(&options).context("cannot keep a path")?;
                }
                Command::Migrate { remote, local } => {
                    let options = options(remote, local);
                    tokio::spawn(migrate(session.clone(), options));
                }
                command @ Command::Withdraw { .. } => bail!("{command:?} is for servers"),
                Command::End => break Ok(()),
            },
            Some(transfer) = transfers.join_next() => if let Err(error) = transfer? {
                break Err(error);
            },
        }
    };
    session.close(0, b"");
    let _late = tokio::time::timeout(GOODBYE, endpoint.wait_idle()).await;
    ended
}

/// Accepts one session, transfers, and ends when told.
pub(super) async fn server(setup: &Setup, server: &Server, commands: &mut Commands) -> Result<()> {
    let chain = vec![CertificateDer::from_pem_file(&server.certificate_file)?];
    let key = PrivateKeyDer::from_pem_file(&server.key_file)?;
    let mut config = ServerConfig::with_single_cert(chain, key)?;
    config.transport_config(Arc::new(transport(setup)));
    let endpoint = Endpoint::server(config, server.address)?;
    tell(&Event::Listening(endpoint.local_addr()?));
    let begun = Moment::now();
    let incoming = endpoint.accept().await.context("the endpoint is closed")?;
    let session = incoming.accept().await.context("no session")?;
    tell(&Event::Connected {
        begun,
        done: Moment::now(),
    });
    tokio::spawn(tell_paths(session.clone()));
    for address in &server.advertised {
        session.advertise(*address).context("cannot advertise")?;
    }
    let mut transfers = JoinSet::new();
    for _ in 0..setup.streams.len() {
        let halves = tokio::select! {
            halves = session.accept_bi() => halves.context("no stream")?,
            command = commands.next() => bail!("{command:?} before the transfers"),
        };
        run(&mut transfers, &session, setup, halves)?;
    }
    let ended = loop {
        tokio::select! {
            command = commands.next() => match command? {
                Command::Withdraw { address } => {
                    session.withdraw(address).context("cannot withdraw")?;
                }
                Command::End => break Ok(()),
                command @ (Command::Go
                | Command::OpenPath { .. }
                | Command::KeepPath { .. }
                | Command::Migrate { .. }) => bail!("{command:?} is for clients"),
            },
            Some(transfer) = transfers.join_next() => if let Err(error) = transfer? {
                break Err(error);
            },
        }
    };
    session.close(0, b"");
    let _late = tokio::time::timeout(GOODBYE, endpoint.wait_idle()).await;
    ended
}

fn transport(setup: &Setup) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport.congestion_control(&setup.congestion_control);
    if let Role::Client {
        follow: Follow::Interfaces,
        ..
    } = setup.role
    {
        transport.follow_paths(FollowPaths::EveryInterface);
    }
    transport
}

async fn start(
    session: &Session,
    setup: &Setup,
    transfers: &mut JoinSet<Result<()>>,
) -> Result<()> {
    for _ in 0..setup.streams.len() {
        let halves = session.open_bi().await.context("no stream")?;
        run(transfers, session, setup, halves)?;
    }
    Ok(())
}

/// Transfers what the setup says on one of its streams. Over several paths they may come in any order.
fn run(
    transfers: &mut JoinSet<Result<()>>,
    session: &Session,
    setup: &Setup,
    (mut writer, mut reader): (SendStream, RecvStream),
) -> Result<()> {
    let number = usize::try_from(writer.id().index())?;
    let transfer = setup.streams.get(number).context("no such stream")?;
    if let Some(index) = transfer.path {
        let paths = session.paths();
        let path = paths.get(index).context("no such path")?;
        writer.set_paths(std::slice::from_ref(path))?;
    }
    let (origin, outgoing, incoming) = match setup.role {
        Role::Client { .. } => (Origin::Client, transfer.upload, transfer.download),
        Role::Server(_) => (Origin::Server, transfer.download, transfer.upload),
    };
    transfers.spawn(async move {
        receive(&mut reader, number, incoming, Moment::now()).await?;
        // Dropped before its end, the stream would be stopped, and the peer not finish it.
        let _end = reader.read_chunk(1).await;
        Ok(())
    });
    transfers.spawn(async move {
        send(&mut writer, number, origin, outgoing).await?;
        writer.finish().context("cannot finish")
    });
    Ok(())
}

async fn open_path(session: Session, options: PathOptions) {
    let opened = session.open_path(&options).await;
    tell(&Event::PathOpened {
        at: Moment::now(),
        failure: opened.err().map(|error| error.to_string()),
    });
}

async fn migrate(session: Session, options: PathOptions) {
    let opened = session.migrate(&options).await;
    tell(&Event::PathOpened {
        at: Moment::now(),
        failure: opened.err().map(|error| error.to_string()),
    });
}

fn options(remote: SocketAddr, local: IpAddr) -> PathOptions {
    let mut options = PathOptions::new();
    options.remote(remote).local(local);
    options
}

/// Tells of paths that come and go.
async fn tell_paths(session: Session) {
    let mut events = session.path_events();
    while let Some(event) = events.recv().await {
        let at = Moment::now();
        if let PathEvent::Closed { id, reason } = event {
            tell(&Event::PathClosed {
                at,
                id: id.as_u32(),
                reason: reason.map(|reason| reason.to_string()),
            });
        } else if let PathEvent::Established { id } = event {
            let id = id.as_u32();
            tell(&Event::PathJoined { at, id });
        } else {
            tell(&Event::Note(format!("{event:?}")));
        }
    }
}
