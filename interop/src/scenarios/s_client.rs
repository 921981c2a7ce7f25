//! `openssl s_client`, which knows nothing of `tcpls`, and our server: plain TLS on the same port.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tcpls_tokio::{Endpoint, PlainStream};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::authority::CLIENT_NAME;
use crate::lab::Lab;
use crate::ours::{self, ClientCertificate, Setup};
use crate::peers::program::{self, Program, Until};
use crate::scenario::Scenario;

const PEER: &str = "openssl s_client";

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "s-client-plain",
            PEER,
            "plain TLS on our port, a line echoed",
            |lab| one_line(lab, &["-tls1_3"]),
        ),
        Scenario::new(
            "s-client-retry",
            PEER,
            "the same after our HelloRetryRequest, as the client's first group is P-521",
            |lab| one_line(lab, &["-tls1_3", "-groups", "P-521:X25519"]),
        ),
        Scenario::new(
            "s-client-key-update",
            PEER,
            "the same after the client updated its keys and asked for ours",
            key_update,
        ),
        Scenario::new(
            "s-client-resumption",
            PEER,
            "the second connection resumes the first by our ticket",
            resumption,
        ),
        Scenario::new(
            "s-client-certificate",
            PEER,
            "the client certificate that our server demands, seen by our server",
            certificate,
        ),
        Scenario::new(
            "s-client-tls12",
            PEER,
            "a client of TLS 1.2 alone gets an alert, our server an error that names the version",
            tls12,
        ),
    ]
}

/// Accepts one client that speaks plain TLS and echoes one line.
async fn echo_line(endpoint: &Endpoint) -> Result<PlainStream> {
    let incoming = ours::incoming(endpoint).await?;
    let connected = incoming.accept_or_plain().await.context("our server")?;
    let mut stream = BufReader::new(ours::plain(connected)?);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    stream.write_all(format!("heard {line}").as_bytes()).await?;
    stream.flush().await?;
    Ok(stream.into_inner())
}

/// Has the client say `line`, after `command` was typed in, and ends it.
async fn converse(
    endpoint: &Endpoint,
    client: &mut Program,
    command: &[u8],
    line: &str,
) -> Result<PlainStream> {
    let talking = async {
        if !command.is_empty() {
            client.wait_for("read R BLOCK", Until::Seen).await?;
            client.write(command).await?;
            client
                .wait_for(program::SENT_KEY_UPDATE, Until::Seen)
                .await?;
        }
        client.write(format!("{line}\n").as_bytes()).await?;
        client.wait_for(&format!("heard {line}"), Until::Seen).await
    };
    let (_, mut stream) = tokio::try_join!(talking, echo_line(endpoint))?;
    stream.shutdown().await?;
    client.close_input();
    let status = client.ended().await?;
    ensure!(
        status.success(),
        "{PEER} ended with {status}: {}",
        client.output()
    );
    Ok(stream)
}

async fn one_line(lab: Arc<Lab>, arguments: &'static [&str]) -> Result<String> {
    let (endpoint, address) = Setup::default().server(&lab)?;
    let mut client = Program::client(&lab, address, arguments)?;
    let stream = converse(&endpoint, &mut client, &[], "hello").await?;
    Ok(format!(
        "{}; {}",
        stream.reason(),
        ours::facts(stream.handshake())
    ))
}

async fn key_update(lab: Arc<Lab>) -> Result<String> {
    let (endpoint, address) = Setup::default().server(&lab)?;
    let mut client = Program::client(&lab, address, &["-tls1_3", "-msg"])?;
    converse(&endpoint, &mut client, b"K\n", "under new keys").await?;
    let answered = client.output().contains(program::RECEIVED_KEY_UPDATE);
    ensure!(answered, "our server did not update its own keys");
    Ok(String::new())
}

async fn resumption(lab: Arc<Lab>) -> Result<String> {
    let (endpoint, address) = Setup::default().server(&lab)?;
    let file = lab.file("s-client.session").display().to_string();
    let mut first = Program::client(&lab, address, &["-tls1_3", "-sess_out", &file])?;
    converse(&endpoint, &mut first, &[], "first").await?;
    let mut second = Program::client(&lab, address, &["-tls1_3", "-sess_in", &file])?;
    let stream = converse(&endpoint, &mut second, &[], "second").await?;
    ensure!(stream.handshake().is_resumed(), "our server did not resume");
    ensure!(
        second.output().contains("Reused, TLSv1.3"),
        "{PEER} saw no resumption"
    );
    Ok(ours::facts(stream.handshake()))
}

async fn certificate(lab: Arc<Lab>) -> Result<String> {
    let setup = Setup {
        client_certificate: ClientCertificate::Used,
        ..Setup::default()
    };
    let (endpoint, address) = setup.server(&lab)?;
    let identity = &lab.authority.client;
    let chain = identity.certificate_file.display().to_string();
    let key = identity.key_file.display().to_string();
    let arguments = ["-tls1_3", "-cert", chain.as_str(), "-key", key.as_str()];
    let mut client = Program::client(&lab, address, &arguments)?;
    let stream = converse(&endpoint, &mut client, &[], "who I am").await?;
    // s_client adds the authority's certificate, which it was told to trust.
    let shown = stream.handshake().peer_certificates.first();
    ensure!(
        shown == identity.chain().first(),
        "our server saw another certificate"
    );
    Ok(CLIENT_NAME.to_owned())
}

async fn tls12(lab: Arc<Lab>) -> Result<String> {
    let (endpoint, address) = Setup::default().server(&lab)?;
    let mut client = Program::client(&lab, address, &["-tls1_2"])?;
    let accepted = ours::incoming(&endpoint).await?.accept_or_plain().await;
    let text = ours::expected_error(accepted, &["TLS 1.3"])?;
    client
        .wait_for("alert protocol version", Until::Seen)
        .await?;
    Ok(text)
}
