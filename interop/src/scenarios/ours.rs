//! Our client and our server, over every suite, backend and key exchange group.

use std::sync::Arc;

use anyhow::{Result, ensure};
use rustls::{CipherSuite, NamedGroup};
use tcpls_tokio::core::crypto::Backend;

use crate::lab::Lab;
use crate::ours::{self, ClientCertificate, Setup};
use crate::scenario::Scenario;

const PEER: &str = "ourselves";

/// Bytes on each of the streams of a row.
const LENGTHS: [usize; 4] = [0, 1, 16_370, 1 << 20];

/// The rows of this module.
pub(super) fn rows() -> Vec<Scenario> {
    let mut rows = Vec::new();
    for (suite, name) in ours::SUITES {
        for &client in Backend::ALL {
            for &server in Backend::ALL {
                let labels = [client, server].map(ours::label);
                let [client_label, server_label] = &labels;
                let row = Scenario::new(
                    format!("ours-{name}-{client_label}-{server_label}"),
                    PEER,
                    format!("{name}: client on {client_label}, server on {server_label}"),
                    move |lab| streams(lab, with(suite, client), with(suite, server)),
                );
                rows.push(if client == server {
                    row
                } else {
                    row.full_only()
                });
            }
        }
    }
    for (group, name) in [
        (NamedGroup::X25519MLKEM768, "x25519mlkem768"),
        (NamedGroup::X25519, "x25519"),
        (NamedGroup::secp256r1, "p-256"),
        (NamedGroup::secp384r1, "p-384"),
    ] {
        let setup = Setup {
            groups: vec![group],
            ..Setup::default()
        };
        let checked = format!("key exchange by {name}");
        let row = Scenario::new(format!("ours-{name}"), PEER, checked, move |lab| {
            streams(lab, setup.clone(), setup)
        });
        rows.push(row.full_only());
    }
    rows.push(Scenario::new(
        "ours-client-certificate",
        PEER,
        "the server sees the certificate that the client shows",
        |lab| {
            let setup = Setup {
                client_certificate: ClientCertificate::Used,
                ..Setup::default()
            };
            streams(lab, setup.clone(), setup)
        },
    ));
    rows.push(Scenario::new(
        "ours-resumption",
        PEER,
        "the second session resumes the first by a ticket",
        resumption,
    ));
    rows
}

fn with(suite: CipherSuite, backend: Backend) -> Setup {
    Setup {
        suite: Some(suite),
        backend: Some(backend),
        ..Setup::default()
    }
}

/// Streams of several lengths at once from both sides, echoed by the other.
async fn streams(lab: Arc<Lab>, client: Setup, server: Setup) -> Result<String> {
    let (server_endpoint, address) = server.server(&lab)?;
    let client_endpoint = client.client(&lab)?;
    let accepting = async { anyhow::Ok(ours::incoming(&server_endpoint).await?.accept().await?) };
    let (ours, theirs) = tokio::try_join!(ours::connect(&client_endpoint, address), accepting)?;
    if server.client_certificate == ClientCertificate::Used {
        let shown = &theirs.handshake().peer_certificates;
        ensure!(
            *shown == lab.authority.client.chain(),
            "not the client's certificate"
        );
    }
    ours::echo(&ours);
    ours::echo(&theirs);
    let mut tasks = tokio::task::JoinSet::new();
    for (seed, length) in (1..).zip(LENGTHS) {
        for session in [ours.clone(), theirs.clone()] {
            tasks.spawn(
                async move { ours::round_trip(&session, &ours::payload(seed, length)).await },
            );
        }
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    ours.close(0, b"");
    ours::closed_by_peer(&theirs).await?;
    client_endpoint.wait_idle().await;
    server_endpoint.wait_idle().await;
    Ok(ours::facts(ours.handshake()))
}

async fn resumption(lab: Arc<Lab>) -> Result<String> {
    let (server, address) = Setup::default().server(&lab)?;
    let client = Setup::default().client(&lab)?;
    let mut resumed = Vec::new();
    for seed in [1, 2] {
        let accepting = async { anyhow::Ok(ours::incoming(&server).await?.accept().await?) };
        let (ours, theirs) = tokio::try_join!(ours::connect(&client, address), accepting)?;
        ours::echo(&theirs);
        // The tickets stand before the echo, so they have arrived with it.
        ours::round_trip(&ours, &ours::payload(seed, 1000)).await?;
        resumed.push((
            ours.handshake().is_resumed(),
            theirs.handshake().is_resumed(),
        ));
        ours.close(0, b"");
        ours::closed_by_peer(&theirs).await?;
        client.wait_idle().await;
    }
    ensure!(
        resumed == [(false, false), (true, true)],
        "resumed: {resumed:?}"
    );
    Ok(String::new())
}
