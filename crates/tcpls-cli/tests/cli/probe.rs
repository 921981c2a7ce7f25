//! `tcpls probe`.

use crate::peers::{Certificate, plain_tls_server};
use crate::process::{Server, run};

const KEYS: [&str; 9] = [
    "tcpls",
    "tls_version",
    "cipher_suite",
    "kx_group",
    "alpn",
    "handshake_ms",
    "tokens",
    "addresses",
    "reason",
];

#[test]
fn a_tcpls_server_is_recognised() {
    let server = Server::start(&["echo"], "probe_tcpls", &[]);
    let finished = run(&["probe", &server.address, "--ca", server.ca(), "--json"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json = finished.json();
    for key in KEYS {
        assert!(json.get(key).is_some(), "{key} in {json}");
    }
    assert_eq!(json["tcpls"], true);
    assert_eq!(json["tls_version"], "1.3");
    assert!(json["reason"].is_null() && json["alpn"].is_null(), "{json}");
    assert!(json["handshake_ms"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!(json["addresses"], serde_json::json!([]));

    let finished = run(&["probe", &server.address, "--ca", server.ca()]);
    let first = format!("{} speaks TCPLS\n", server.address);
    assert!(finished.stdout_text().starts_with(&first), "{finished:?}");
}

#[test]
fn a_plain_tls_server_is_a_finding_with_its_reason() {
    let certificate = Certificate::make("probe_plain");
    let address = plain_tls_server(&certificate).to_string();
    let ca = certificate.cert.to_str().unwrap();
    let finished = run(&["probe", &address, "--ca", ca, "--json"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json = finished.json();
    assert_eq!(json["tcpls"], false);
    assert_eq!(json["reason"], "the server did not accept TCPLS");
    assert!(json["kx_group"].is_string(), "{json}");
}

#[test]
fn an_unverified_certificate_is_accepted_only_on_demand() {
    let server = Server::start(&["echo"], "probe_insecure", &[]);
    let finished = run(&["probe", &server.address, "--insecure"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let finished = run(&["probe", &server.address]);
    // Without any certificate on the system there is nothing to verify against.
    assert!(matches!(finished.code, Some(4 | 7)), "{finished:?}");
}
