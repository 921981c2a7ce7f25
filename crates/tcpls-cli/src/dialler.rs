//! From a target to connections that are ready for use.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tcpls_tokio::rustls::pki_types::ServerName;
use tcpls_tokio::{ClientConfig, Connected, Connector, PathOptions, default_provider};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::exit::{Exit, Failure};
use crate::path_arg::PathArg;
use crate::target::Target;

/// Opens connections to one target, any number of them.
#[derive(Debug)]
pub(crate) struct Dialler {
    target: Target,
    name: ServerName<'static>,
    connect_timeout: Duration,
    pub(crate) connector: Connector,
}

impl Dialler {
    /// `host` is the name that the server's certificate must be for. A TCP connection may take
    /// `connect_timeout` to come about.
    pub(crate) fn new(
        target: &Target,
        host: &str,
        connect_timeout: Duration,
        config: ClientConfig,
    ) -> Result<Self, Failure> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            Failure::new(
                Exit::Usage,
                format!("'{host}' cannot be the name of a server"),
            )
        })?;
        warm_up();
        Ok(Self {
            target: target.clone(),
            name,
            connect_timeout,
            connector: Connector::new(config),
        })
    }

    /// Resolves the name and opens a TCP connection, in time or not at all.
    pub(crate) async fn connect(&self, path: &PathArg) -> Result<(TcpStream, SocketAddr), Failure> {
        let Target { host, port } = &self.target;
        let limit = self.connect_timeout;
        let deadline = Instant::now() + limit;
        let late = || {
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {limit:?}"),
            )
        };
        let addresses: Vec<_> = match path.own_remote(*port) {
            Some(address) => vec![address],
            None => timeout_at(deadline, tokio::net::lookup_host((host.as_str(), *port)))
                .await
                .unwrap_or_else(|_| Err(late()))
                .map_err(|error| unreachable(&format!("resolve '{host}'"), &error))?
                .collect(),
        };
        let mut problem = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            let attempt = timeout_at(deadline, path.dial(address)).await;
            match attempt.unwrap_or_else(|_| Err(late())) {
                Ok(tcp) => return Ok((tcp, address)),
                Err(error) => problem = error,
            }
        }
        Err(self.unreachable(&problem))
    }

    /// Runs the handshake on a TCP connection that was opened as `options` say.
    pub(crate) async fn handshake(
        &self,
        tcp: TcpStream,
        options: &PathOptions,
    ) -> Result<Connected, Failure> {
        self.connector
            .connect_opened(self.name.clone(), tcp, options)
            .await
            .map_err(|error| Failure::handshake(&self.target, &error))
    }

    /// The target cannot be connected to.
    pub(crate) fn unreachable(&self, error: &io::Error) -> Failure {
        unreachable(&format!("connect to {}", self.target), error)
    }
}

fn unreachable(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Unreachable, format!("cannot {what}: {error}"))
}

/// Draws a random number. The first one of a process takes tens of milliseconds, which are not the
/// handshake's.
fn warm_up() {
    // If there is no randomness, the handshake says so.
    let _drawn = default_provider().secure_random.fill(&mut [0]);
}
