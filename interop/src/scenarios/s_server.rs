//! Our client and a stock `openssl s_server` that answers `tcpls` through `-serverinfo`.
//!
//! What is typed into `s_server` leaves it as one record, and what it receives it prints: fed with
//! frames, a stock OpenSSL speaks TCPLS.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use rustls::NamedGroup;
use tcpls_tokio::{Endpoint, Session};
use tokio::io::AsyncWriteExt;

use crate::frames::{Frame, encode};
use crate::lab::Lab;
use crate::ours::{self, ClientCertificate, Setup};
use crate::peers::program::{self, Program, Until};
use crate::peers::serverinfo;
use crate::scenario::Scenario;

const PEER: &str = "openssl s_server";

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "s-server-tcpls",
            PEER,
            "a session after tcpls in both hellos; frames typed in and printed; a clean close",
            |lab| session(lab, Setup::default(), &[]),
        ),
        Scenario::new(
            "s-server-retry",
            PEER,
            "the same after a HelloRetryRequest for P-384",
            |lab| session(lab, Setup::default(), &["-groups", "P-384"]),
        ),
        Scenario::new(
            "s-server-key-update",
            PEER,
            "frames both ways after the server updated its keys and asked for ours",
            key_update,
        ),
        Scenario::new(
            "s-server-resumption",
            PEER,
            "a plain connection resumes the session by a ticket, as s_server then omits tcpls",
            resumption,
        ),
        Scenario::new(
            "s-server-our-key-update",
            PEER,
            "the server follows when we update our keys every few records",
            our_key_update,
        ),
        Scenario::new(
            "s-server-client-certificate",
            PEER,
            "a session with a client certificate that the server demands",
            client_certificate,
        ),
        Scenario::new(
            "s-server-no-certificate",
            PEER,
            "a client without the certificate that the server demands learns why it ends",
            no_certificate,
        ),
    ]
}

/// A server that answers `tcpls`.
async fn start(lab: &Lab, arguments: &[&str]) -> Result<(Program, SocketAddr)> {
    let file = serverinfo::tcpls_file(lab)?.display().to_string();
    let mut all = vec!["-tls1_3", "-serverinfo", &file];
    all.extend(arguments);
    Program::server(lab, &all).await
}

async fn session(lab: Arc<Lab>, setup: Setup, arguments: &'static [&str]) -> Result<String> {
    let (mut server, address) = start(&lab, arguments).await?;
    let client = setup.client(&lab)?;
    let session = ours::connect(&client, address).await?;
    talk(&session, &mut server, "first words").await?;
    let facts = ours::facts(session.handshake());
    if arguments.contains(&"P-384") {
        let group = session.handshake().key_exchange;
        ensure!(
            group == Some(NamedGroup::secp384r1),
            "{facts} without P-384"
        );
    }
    close(&client, &session, &mut server).await?;
    Ok(facts)
}

/// Has the server open its first stream with `words`, and ours sent to it.
async fn talk(session: &Session, server: &mut Program, words: &str) -> Result<()> {
    let data = words.as_bytes().to_vec();
    let stream = Frame::Stream {
        stream: 1,
        offset: 0,
        fin: true,
        data,
    };
    server.write(&encode(&[stream, Frame::Ping])?).await?;
    let (_, mut recv) = session.accept_bi().await?;
    let heard = recv.read_to_end(1000).await?;
    ensure!(
        heard == words.as_bytes(),
        "heard {heard:?} instead of `{words}`"
    );

    let (mut send, _) = session.open_bi().await?;
    let answer = format!("we heard {words}");
    send.write_all(answer.as_bytes()).await?;
    server.wait_for(&answer, Until::Seen).await?;
    // Nothing will ever acknowledge the stream, and it is not finished: it fails with the session.
    Ok(())
}

/// Closes on our side; the server must see it and end.
async fn close(client: &Endpoint, session: &Session, server: &mut Program) -> Result<()> {
    session.close(0, b"");
    server.close_input();
    let reason = session.closed().await;
    client.wait_idle().await;
    let status = server.ended().await?;
    ensure!(
        status.success(),
        "{PEER} ended with {status} after {reason}: {}",
        server.output()
    );
    Ok(())
}

async fn key_update(lab: Arc<Lab>) -> Result<String> {
    let (mut server, address) = start(&lab, &["-msg"]).await?;
    let client = Setup::default().client(&lab)?;
    let session = ours::connect(&client, address).await?;
    // The command to update the keys of both directions.
    server.write(b"K\n").await?;
    server
        .wait_for(program::SENT_KEY_UPDATE, Until::Seen)
        .await?;
    talk(&session, &mut server, "under new keys").await?;
    server
        .wait_for(program::RECEIVED_KEY_UPDATE, Until::Seen)
        .await?;
    close(&client, &session, &mut server).await?;
    Ok(String::new())
}

/// Sends enough for our own keys to be updated several times.
async fn our_key_update(lab: Arc<Lab>) -> Result<String> {
    let (mut server, address) = start(&lab, &["-msg"]).await?;
    let setup = Setup {
        key_update_after: Some(4),
        ..Setup::default()
    };
    let client = setup.client(&lab)?;
    let session = ours::connect(&client, address).await?;
    let (mut send, _recv) = session.open_bi().await?;
    for number in 0..20 {
        // Waiting for each line keeps it in a record of its own.
        let line = format!("line {number}.");
        send.write_all(line.as_bytes()).await?;
        server.wait_for(&line, Until::Seen).await?;
    }
    let updates = server
        .output()
        .matches(program::RECEIVED_KEY_UPDATE)
        .count();
    ensure!(updates >= 3, "{updates} updates of our keys in 20 records");
    close(&client, &session, &mut server).await?;
    Ok(format!("{updates} updates"))
}

/// OpenSSL's `-serverinfo` stands beside a certificate, so a resumed connection is plain TLS.
async fn resumption(lab: Arc<Lab>) -> Result<String> {
    let (mut server, address) = start(&lab, &["-naccept", "2"]).await?;
    let client = Setup::default().client(&lab)?;
    let first = ours::connect(&client, address).await?;
    ensure!(
        !first.handshake().is_resumed(),
        "the first session cannot be a resumption"
    );
    // The tickets stand before the words, so they have arrived with them.
    talk(&first, &mut server, "first session").await?;
    first.close(0, b"");
    client.wait_idle().await;

    let mut second = ours::connect_plain(&client, address).await?;
    ensure!(
        second.handshake().is_resumed(),
        "the second connection is not a resumption"
    );
    second.write_all(b"second connection").await?;
    second.flush().await?;
    server.wait_for("second connection", Until::Seen).await?;
    ensure!(
        server.output().contains("Reused session-id"),
        "{PEER} saw no resumption"
    );
    Ok(ours::facts(second.handshake()))
}

/// Arguments by which the server demands a certificate of the lab's.
fn demand(lab: &Lab) -> Vec<String> {
    let root = lab.authority.root_file.display().to_string();
    ["-Verify", "2", "-verify_return_error", "-CAfile", &root]
        .map(str::to_owned)
        .to_vec()
}

async fn client_certificate(lab: Arc<Lab>) -> Result<String> {
    let demand = demand(&lab);
    let arguments: Vec<&str> = demand.iter().map(String::as_str).collect();
    let (mut server, address) = start(&lab, &arguments).await?;
    let setup = Setup {
        client_certificate: ClientCertificate::Used,
        ..Setup::default()
    };
    let client = setup.client(&lab)?;
    let session = ours::connect(&client, address).await?;
    talk(&session, &mut server, "who I am").await?;
    let named = server.output().contains(crate::authority::CLIENT_NAME);
    ensure!(
        named,
        "{PEER} does not name the client: {}",
        server.output()
    );
    close(&client, &session, &mut server).await?;
    Ok(String::new())
}

async fn no_certificate(lab: Arc<Lab>) -> Result<String> {
    let demand = demand(&lab);
    let arguments: Vec<&str> = demand.iter().map(String::as_str).collect();
    let (_server, address) = start(&lab, &arguments).await?;
    let client = Setup::default().client(&lab)?;
    // In TLS 1.3 the client is done before the server misses the certificate, so the refusal may
    // come as the end of the session.
    let text = match client.connect(address, crate::authority::SERVER_NAME).await {
        Ok(session) => session.closed().await.to_string(),
        Err(error) => error.to_string(),
    };
    ensure!(
        text.contains("certificate"),
        "`{text}` does not speak of a certificate"
    );
    Ok(text)
}
