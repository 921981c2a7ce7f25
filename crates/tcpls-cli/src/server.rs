//! The server's side of every command: flags, listening, one task per client, a clean stop.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tcpls_tokio::rustls;
use tcpls_tokio::rustls::server::WebPkiClientVerifier;
use tcpls_tokio::{Connected, Endpoint, Incoming, ServerConfig, SessionConfig, TransportConfig};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::certificates::{Identity, SelfSigned, read_roots};
use crate::client::unusable;
use crate::exit::{Exit, Failure};
use crate::profile_arg::ProfileArg;
use crate::report::Format;
use crate::tls::TlsArgs;

/// Where to listen, and who to be there.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Certificate chain, with --key; without it the certificate is made for this run
    #[arg(long, value_name = "PEM", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of the certificate
    #[arg(long, value_name = "PEM", requires = "cert")]
    key: Option<PathBuf>,
    /// Write the certificate made for this run to this file, for the client's --ca
    #[arg(long, value_name = "PEM", conflicts_with = "cert")]
    self_signed: Option<PathBuf>,
    /// Demand a client certificate that leads to one in this file
    #[arg(long, value_name = "PEM")]
    client_ca: Option<PathBuf>,
    #[command(flatten)]
    profile: ProfileArg,
    #[command(flatten)]
    tls: TlsArgs,
}

/// How many clients to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serve {
    /// All that come, until a signal.
    Forever,
    /// One, to its end.
    Once,
}

/// The line that says that clients can come.
#[derive(Debug, Serialize)]
struct Listening {
    listening: SocketAddr,
}

impl std::fmt::Display for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "listening {}", self.listening)
    }
}

impl ServerArgs {
    /// Starts to listen and says so on standard output. Sessions are like `session`.
    pub(crate) fn listen(
        &self,
        mut session: SessionConfig,
        format: Format,
    ) -> Result<Endpoint, Failure> {
        self.profile.apply(&mut session);
        let mut config = self.config()?;
        let mut transport = TransportConfig::default();
        transport.session(session);
        config.transport_config(Arc::new(transport));
        let cannot = |error| {
            Failure::new(
                Exit::Listen,
                format!("cannot listen on {}: {error}", self.listen),
            )
        };
        let endpoint = Endpoint::server(config, self.listen).map_err(cannot)?;
        format.print(&Listening {
            listening: endpoint.local_addr().map_err(cannot)?,
        })?;
        Ok(endpoint)
    }

    fn config(&self) -> Result<ServerConfig, Failure> {
        let provider = self.tls.provider();
        let versions = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?;
        let authenticating = match &self.client_ca {
            Some(path) => {
                let roots = Arc::new(read_roots(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|error| Failure::file(path, error))?;
                versions.with_client_cert_verifier(verifier)
            }
            None => versions.with_no_client_auth(),
        };
        let Identity { chain, key } = self.identity()?;
        let mut tls = authenticating
            .with_single_cert(chain, key)
            .map_err(|error| Failure::new(Exit::File, format!("the certificate: {error}")))?;
        tls.alpn_protocols = self.tls.protocols();
        tls.key_log = self.tls.key_log()?;
        ServerConfig::new(&Arc::new(tls)).map_err(unusable)
    }

    fn identity(&self) -> Result<Identity, Failure> {
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            return Identity::from_files(cert, key);
        }
        let made = SelfSigned::generate(self.listen.ip())?;
        if let Some(path) = &self.self_signed {
            std::fs::write(path, &made.pem).map_err(|error| Failure::file(path, error))?;
        }
        Ok(made.identity)
    }
}

/// Runs `client` for each client in a task of its own, until a signal, or once. Then closes what
/// is open; a second signal does not wait for that.
pub(crate) async fn serve<C, F>(endpoint: &Endpoint, how: Serve, client: C)
where
    C: Fn(Connected) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut clients = JoinSet::new();
    let mut stop = pin!(stop_signal());
    loop {
        tokio::select! {
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => {
                    clients.spawn(serve_one(Box::new(incoming), client.clone()));
                }
                None => break,
            },
            Some(_ended) = clients.join_next() => {
                if how == Serve::Once {
                    break;
                }
            }
            () = &mut stop => break,
        }
    }
    endpoint.close();
    let idle = timeout(GOODBYE, endpoint.wait_idle());
    tokio::select! {
        // Clients that do not answer the goodbye are left alone.
        _idle = idle => {}
        () = stop_signal() => {}
    }
}

/// How long clients have to answer the goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// In boxes is what is only needed for a while: sessions may rest for long.
async fn serve_one<C, F>(incoming: Box<Incoming>, client: C)
where
    C: Fn(Connected) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    let remote = incoming.remote_address();
    let connected = match Box::pin(incoming.accept_or_plain()).await {
        Ok(connected) => connected,
        Err(error) => {
            tracing::info!(target: "tcpls", %remote, "no handshake: {error}");
            return;
        }
    };
    match &connected {
        Connected::Session(_) => tracing::info!(target: "tcpls", %remote, "TCPLS session"),
        Connected::Plain(plain) => {
            tracing::info!(target: "tcpls", %remote, "plain TLS: {}", plain.reason());
        }
    }
    match client(connected).await {
        Ok(()) => tracing::info!(target: "tcpls", %remote, "done"),
        Err(failure) => tracing::info!(target: "tcpls", %remote, "{}", failure.message),
    }
}

/// Waits for Ctrl-C or, on Unix, SIGTERM.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _received = terminate.recv() => return,
                () = interrupt() => return,
            }
        }
    }
    interrupt().await;
}

async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler the signal ends the process by itself.
        std::future::pending::<()>().await;
    }
}
