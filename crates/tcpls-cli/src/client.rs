//! The client's side of every command: flags, TCP connection and handshake.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tcpls_tokio::rustls::pki_types::ServerName;
use tcpls_tokio::rustls::{self, RootCertStore};
use tcpls_tokio::{
    ClientConfig, Connected, Connector, Path, Session, SessionConfig, TransportConfig,
};
use tokio::time::Instant;

use crate::certificates::{Identity, read_roots, system_roots};
use crate::dialler::Dialler;
use crate::exit::{Exit, Failure};
use crate::number::{LONGEST, parse_seconds};
use crate::path_arg::PathArg;
use crate::profile_arg::ProfileArg;
use crate::silencer::Silencer;
use crate::target::Target;
use crate::tls::{AnyCertificate, TlsArgs};

/// Where to connect to, and whom to trust there.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ClientArgs {
    /// Where to connect to
    #[arg(value_name = "HOST:PORT")]
    pub(crate) target: Target,
    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, value_name = "PEM", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Name that the server's certificate must be for [default: HOST]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    server_name: Option<String>,
    /// Client certificate chain, with --key
    #[arg(long, value_name = "PEM", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of the client certificate
    #[arg(long, value_name = "PEM", requires = "cert")]
    key: Option<PathBuf>,
    /// Do not verify the server's certificate: anybody in between can read everything
    #[arg(long)]
    insecure: bool,
    /// How long the TCP connection may take to come about, and then the handshake
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) connect_timeout: Duration,
    #[command(flatten)]
    profile: ProfileArg,
    #[command(flatten)]
    tls: TlsArgs,
}

/// What a command wants of its session.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) session: SessionConfig,
    /// How the first connection is to go.
    pub(crate) path: PathArg,
    pub(crate) silencing: Silencing,
}

/// Whether the first connection is to fall silent at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silencing {
    No,
    Prepared,
}

impl Default for Wishes {
    /// One connection, which the session ends with.
    fn default() -> Self {
        let mut session = SessionConfig::new();
        session.orphan_timeout(None);
        Self {
            session,
            path: PathArg::default(),
            silencing: Silencing::No,
        }
    }
}

/// A connection that is ready for use.
#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) connected: Connected,
    pub(crate) connector: Connector,
    pub(crate) address: SocketAddr,
    pub(crate) silencer: Option<Silencer>,
    /// Name resolution and TCP handshake.
    pub(crate) connect_time: Duration,
    pub(crate) handshake_time: Duration,
}

/// A TCPLS session that a command works with.
#[derive(Debug)]
pub(crate) struct ClientSession {
    pub(crate) session: Session,
    /// Where its first connection went.
    pub(crate) address: SocketAddr,
    /// Of its first connection.
    pub(crate) silencer: Option<Silencer>,
    connector: Connector,
}

impl ClientArgs {
    /// Connects and runs the handshake; what the peer speaks is for the caller to look at.
    pub(crate) async fn dial(&self, wishes: Wishes) -> Result<Dialled, Failure> {
        let Wishes {
            session,
            path,
            silencing,
        } = wishes;
        let dialler = self.dialler(session)?;
        let start = Instant::now();
        let (tcp, address) = dialler.connect(&path).await?;
        let silencer = match silencing {
            Silencing::No => None,
            Silencing::Prepared => Some(Silencer::new(&tcp).map_err(unusable)?),
        };
        let connect_time = start.elapsed();
        let start = Instant::now();
        let connected = dialler.handshake(tcp, &path.options(address)).await?;
        let handshake_time = start.elapsed();
        Ok(Dialled {
            connected,
            connector: dialler.connector,
            address,
            silencer,
            connect_time,
            handshake_time,
        })
    }

    /// Opens connections to the target for sessions like `session`.
    pub(crate) fn dialler(&self, session: SessionConfig) -> Result<Dialler, Failure> {
        let config = self.config(session)?;
        let host = self.server_name.as_ref().unwrap_or(&self.target.host);
        Dialler::new(&self.target, host, self.connect_timeout, config)
    }

    /// Connects to a peer that must speak TCPLS.
    pub(crate) async fn session(&self, wishes: Wishes) -> Result<ClientSession, Failure> {
        let dialled = self.dial(wishes).await?;
        let session = dialled
            .connected
            .into_session()
            .await
            .map_err(|error| Failure::handshake(&self.target, &error))?;
        Ok(ClientSession {
            session,
            address: dialled.address,
            silencer: dialled.silencer,
            connector: dialled.connector,
        })
    }

    fn config(&self, mut session: SessionConfig) -> Result<ClientConfig, Failure> {
        self.profile.apply(&mut session);
        let provider = self.tls.provider();
        let versions = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?;
        let trusting = if self.insecure {
            let verifier = Arc::new(AnyCertificate::new(provider));
            versions
                .dangerous()
                .with_custom_certificate_verifier(verifier)
        } else {
            versions.with_root_certificates(self.roots()?)
        };
        let mut tls = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let Identity {
                    chain,
                    key: private,
                } = Identity::from_files(cert, key)?;
                trusting
                    .with_client_auth_cert(chain, private)
                    .map_err(|error| Failure::file(cert, error))?
            }
            _ => trusting.with_no_client_auth(),
        };
        tls.alpn_protocols = self.tls.protocols();
        tls.key_log = self.tls.key_log()?;
        let mut config = ClientConfig::new(&Arc::new(tls)).map_err(unusable)?;
        let mut transport = TransportConfig::default();
        transport.handshake_timeout(self.connect_timeout);
        transport.session(session);
        config.transport_config(Arc::new(transport));
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, Failure> {
        match &self.ca {
            Some(path) => read_roots(path),
            None => system_roots(),
        }
    }
}

impl ClientSession {
    /// Closes the session and waits until the peer has everything and the connections are gone. One that
    /// fell silent is not waited for.
    pub(crate) async fn close(self) {
        self.session.close(0, b"");
        let silent = self.session.paths().iter().any(Path::is_suspect);
        let patience = if silent { PATIENCE } else { LONGEST };
        let _idle = tokio::time::timeout(patience, self.connector.wait_idle()).await;
    }
}

/// How long the end of a session takes that has a silent connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// A configuration that rustls or the library refuses although every flag was fine.
pub(crate) fn unusable(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, error)
}

fn parse_name(text: &str) -> Result<String, &'static str> {
    match ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a DNS name or an IP address"),
    }
}
