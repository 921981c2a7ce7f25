//! `tcpls probe`.

use crate::peers::{Certificate, plain_tls_server, relay_once};
use crate::process::{Server, run};

const KEYS: [&str; 12] = [
    "joined",
    "join_ms",
    "join_reason",
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
    assert_eq!(json["joined"], true, "{json}");
    assert!(json["join_ms"].as_f64().unwrap() > 0.0, "{json}");
    assert!(json["tokens"].as_u64().unwrap() > 0, "{json}");

    let finished = run(&["probe", &server.address, "--ca", server.ca()]);
    let first = format!("{} speaks TCPLS\n", server.address);
    assert!(finished.stdout_text().starts_with(&first), "{finished:?}");
    let joined = "\n  second path   joined in ";
    assert!(finished.stdout_text().contains(joined), "{finished:?}");
}

#[test]
fn a_second_connection_that_does_not_get_through_is_a_finding() {
    let server = Server::start(&["echo"], "probe_one_connection", &[]);
    let address = relay_once(&server.address).to_string();
    let args = ["probe", &address, "--ca", server.ca(), "--json"];
    let finished = run(&args);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json = finished.json();
    assert_eq!(
        (&json["tcpls"], &json["joined"]),
        (&true.into(), &false.into())
    );
    assert!(json["join_ms"].is_null(), "{json}");
    let reason = json["join_reason"].as_str().unwrap();
    assert!(reason.contains("refused"), "{json}");

    let address = relay_once(&server.address).to_string();
    let finished = run(&["probe", &address, "--ca", server.ca()]);
    let part = "\n  second path   did not join: ";
    assert!(finished.stdout_text().contains(part), "{finished:?}");
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
    assert!(json["joined"].is_null(), "{json}");
    assert!(json.get("profile").is_none(), "{json}");
}

#[test]
fn what_was_agreed_on_beyond_the_draft_is_shown() {
    let server = Server::start(&["echo"], "probe_profile", &[]);
    let args = ["probe", &server.address, "--ca", server.ca()];
    let json = run(&[&args[..], &["--json"]].concat()).json();
    assert_eq!(json["profile"], "extended", "{json}");
    let features = json["features"].as_array().unwrap();
    for feature in ["stream_reset", "session_close", "tokens", "idle"] {
        assert!(features.contains(&feature.into()), "{feature} in {json}");
    }
    for key in ["max_idle_ms", "max_data", "max_streams", "linger_s"] {
        assert!(json["params"].get(key).is_some(), "{key} in {json}");
    }
    let finished = run(&args);
    for part in [
        "\n  profile       extended\n",
        "\n  features      ",
        "\n  parameters    ",
    ] {
        assert!(finished.stdout_text().contains(part), "{finished:?}");
    }
}

#[test]
fn a_side_that_speaks_the_draft_alone_is_recognised() {
    let server = Server::start(&["echo"], "probe_draft", &["--draft-only"]);
    let extended = Server::start(&["echo"], "probe_draft_client", &[]);
    for (server, flags) in [(&server, &[][..]), (&extended, &["--draft-only"])] {
        let args = ["probe", &server.address, "--ca", server.ca()];
        let json = run(&[&args[..], flags, &["--json"]].concat()).json();
        assert_eq!(json["profile"], "draft", "{json}");
        assert_eq!(json["features"], serde_json::json!([]), "{json}");
        assert!(json["params"].is_null(), "{json}");
        assert_eq!(json["joined"], true, "{json}");
        let finished = run(&[&args[..], flags].concat());
        let line = "\n  profile       the draft alone\n";
        assert!(finished.stdout_text().contains(line), "{finished:?}");
    }
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
