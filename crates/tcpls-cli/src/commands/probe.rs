//! `tcpls probe`: what does this peer speak?

mod beyond;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tcpls_tokio::{Connected, PathOptions, Session};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

use self::beyond::Beyond;
use crate::client::{ClientArgs, Dialled, Wishes};
use crate::exit::Failure;
use crate::number::milliseconds;
use crate::report::Format;
use crate::tls::{kx_group_name, suite_name};

/// Say whether a server speaks TCPLS, or why not
///
/// With TCPLS it also tries whether another connection can join the session, and shows what both sides
/// agreed on beyond the draft. Falling back to plain TLS
/// is a finding, not an error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    client: ClientArgs,
}

/// What was found out.
#[derive(Debug, Serialize)]
struct Report {
    peer: String,
    address: String,
    tcpls: bool,
    tls_version: &'static str,
    cipher_suite: &'static str,
    kx_group: Option<String>,
    alpn: Option<String>,
    /// Name resolution and TCP handshake.
    connect_ms: f64,
    handshake_ms: f64,
    /// What was agreed on beyond the draft; left out without TCPLS.
    #[serde(flatten)]
    beyond: Option<Beyond>,
    /// Tokens for further connections that the server gave.
    tokens: u32,
    /// Whether another connection joined the session; `null` without TCPLS.
    joined: Option<bool>,
    /// How long that took, TCP handshake included.
    join_ms: Option<f64>,
    /// Why none joined.
    join_reason: Option<String>,
    /// Addresses for further connections that the server advertised.
    addresses: Vec<String>,
    /// Why not TCPLS.
    reason: Option<String>,
}

pub(crate) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let dialled = args.client.dial(Wishes::default()).await?;
    let mut report = Report::new(args, &dialled);
    let Dialled {
        connected,
        connector,
        ..
    } = dialled;
    match connected {
        Connected::Session(session) => {
            report.join(&session).await;
            say_goodbye(&session).await;
            report.tokens = session.stats().tokens;
            let addresses = session.peer_addresses();
            report.addresses = addresses.iter().map(ToString::to_string).collect();
            connector.wait_idle().await;
        }
        Connected::Plain(mut plain) => {
            report.reason = Some(plain.reason().to_string());
            // The server may be gone already, which changes nothing of what was found out.
            let _closed = timeout(GOODBYE, plain.shutdown()).await;
        }
    }
    format.print(&report)
}

/// How long a server has to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Closes, so that everything is read that the server sent right after the handshake.
async fn say_goodbye(session: &Session) {
    session.close(0, b"");
    // How it ended does not matter any more.
    let _reason = timeout(GOODBYE, session.closed()).await;
}

impl Report {
    fn new(args: &Args, dialled: &Dialled) -> Self {
        let (tcpls, info) = match &dialled.connected {
            Connected::Session(session) => (true, session.handshake()),
            Connected::Plain(plain) => (false, plain.handshake()),
        };
        Self {
            peer: args.client.target.to_string(),
            address: dialled.address.to_string(),
            tcpls,
            tls_version: "1.3",
            cipher_suite: suite_name(info.suite),
            kx_group: kx_group_name(info),
            alpn: info
                .alpn
                .as_deref()
                .map(|alpn| alpn.escape_ascii().to_string()),
            connect_ms: milliseconds(dialled.connect_time),
            handshake_ms: milliseconds(dialled.handshake_time),
            beyond: match &dialled.connected {
                Connected::Session(session) => Some(Beyond::new(session)),
                Connected::Plain(_) => None,
            },
            tokens: 0,
            joined: None,
            join_ms: None,
            join_reason: None,
            addresses: Vec::new(),
            reason: None,
        }
    }

    /// Tries whether another connection joins the session.
    async fn join(&mut self, session: &Session) {
        let start = Instant::now();
        let joined = session.open_path(&PathOptions::new()).await;
        self.joined = Some(joined.is_ok());
        match joined {
            Ok(_path) => self.join_ms = Some(milliseconds(start.elapsed())),
            Err(error) => self.join_reason = Some(error.to_string()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        match &self.reason {
            None => writeln!(f, "{} speaks TCPLS", self.peer)?,
            Some(reason) => writeln!(f, "{} does not speak TCPLS: {reason}", self.peer)?,
        }
        writeln!(f, "  address       {}", self.address)?;
        writeln!(f, "  TLS version   {}", self.tls_version)?;
        writeln!(f, "  cipher suite  {}", self.cipher_suite)?;
        writeln!(f, "  key exchange  {}", or_none(&self.kx_group))?;
        writeln!(f, "  ALPN          {}", or_none(&self.alpn))?;
        if let Some(beyond) = &self.beyond {
            writeln!(f, "{beyond}")?;
        }
        if self.tcpls {
            writeln!(f, "  tokens        {}", self.tokens)?;
            match (self.join_ms, &self.join_reason) {
                (Some(time), _) => writeln!(f, "  second path   joined in {time:.1} ms")?,
                (None, Some(reason)) => writeln!(f, "  second path   did not join: {reason}")?,
                (None, None) => {}
            }
            let addresses = self.addresses.join(", ");
            writeln!(
                f,
                "  addresses     {}",
                if addresses.is_empty() {
                    "none"
                } else {
                    &addresses
                }
            )?;
        }
        writeln!(f, "  connected in  {:.1} ms", self.connect_ms)?;
        write!(f, "  handshake in  {:.1} ms", self.handshake_ms)
    }
}
