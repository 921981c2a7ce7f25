//! Our client and an `openssl s_server` that knows nothing of `tcpls`, or cannot speak TLS 1.3.

use std::sync::Arc;

use anyhow::{Result, ensure};
use rustls::CipherSuite;
use tcpls_tokio::PlainStream;
use tcpls_tokio::core::crypto::Backend;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::authority::SERVER_NAME;
use crate::lab::Lab;
use crate::ours::{self, Setup};
use crate::peers::program::Program;
use crate::scenario::Scenario;

const PEER: &str = "openssl s_server";

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let mut rows = vec![
        Scenario::new(
            "s-server-plain",
            PEER,
            "plain TLS, with the reason, where the caller allows it; lines come back reversed",
            |lab| fallback(lab, Setup::default()),
        ),
        Scenario::new(
            "s-server-tcpls-required",
            PEER,
            "a caller that insists on tcpls gets an error that says so",
            required,
        ),
        Scenario::new(
            "s-server-tls12",
            PEER,
            "a server of TLS 1.2 alone is an error that names the version",
            tls12,
        ),
    ];
    for (suite, name) in ours::SUITES {
        for &backend in Backend::ALL {
            let label = ours::label(backend);
            let row = Scenario::new(
                format!("s-server-plain-{name}-{label}"),
                PEER,
                format!("plain TLS under {name} with backend {label}"),
                move |lab| fallback(lab, setup(suite, backend)),
            );
            rows.push(row.full_only());
        }
    }
    rows
}

fn setup(suite: CipherSuite, backend: Backend) -> Setup {
    Setup {
        suite: Some(suite),
        backend: Some(backend),
        ..Setup::default()
    }
}

async fn fallback(lab: Arc<Lab>, setup: Setup) -> Result<String> {
    let (mut server, address) = Program::server(&lab, &["-tls1_3", "-rev"]).await?;
    let client = setup.client(&lab)?;
    let mut stream = ours::connect_plain(&client, address).await?;
    let facts = format!("{}; {}", stream.reason(), ours::facts(stream.handshake()));
    for line in ["stressed", "drawer"] {
        let reversed: String = line.chars().rev().collect();
        let heard = say(&mut stream, line).await?;
        ensure!(heard == reversed, "heard `{heard}` instead of `{reversed}`");
    }
    stream.shutdown().await?;
    server.close_input();
    let status = server.ended().await?;
    ensure!(
        status.success(),
        "{PEER} ended with {status}: {}",
        server.output()
    );
    Ok(facts)
}

/// Writes one line and reads one.
async fn say(stream: &mut PlainStream, line: &str) -> Result<String> {
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    stream.flush().await?;
    let mut heard = String::new();
    BufReader::new(stream).read_line(&mut heard).await?;
    Ok(heard.trim_end().to_owned())
}

async fn required(lab: Arc<Lab>) -> Result<String> {
    let (_server, address) = Program::server(&lab, &["-tls1_3", "-rev"]).await?;
    let client = Setup::default().client(&lab)?;
    ours::expected_error(client.connect(address, SERVER_NAME).await, &["tcpls"])
}

async fn tls12(lab: Arc<Lab>) -> Result<String> {
    let (_server, address) = Program::server(&lab, &["-tls1_2"]).await?;
    let client = Setup::default().client(&lab)?;
    ours::expected_error(client.connect(address, SERVER_NAME).await, &["TLS 1.3"])
}
