//! `tcpls echo` and `tcpls connect`.

use sha2::{Digest as _, Sha256};

use crate::peers::{Certificate, plain_tls_client, plain_tls_server};
use crate::process::{Running, Server, run};

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// More than all buffers on the way together, so that back-pressure has to work.
#[test]
fn many_megabytes_come_back_as_they_went() {
    let server = Server::start(&["echo"], "echo_megabytes", &[]);
    let mut client = Running::start(&["connect", &server.address, "--ca", server.ca()]);
    let input = noise(24 << 20);
    client.write(&input);
    let finished = client.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.stderr, "");
    assert_eq!(Sha256::digest(&finished.stdout), Sha256::digest(&input));
}

#[test]
fn no_input_gives_no_output() {
    let server = Server::start(&["echo"], "echo_nothing", &[]);
    let finished = run(&["connect", &server.address, "--ca", server.ca()]);
    assert_eq!(
        (finished.code, finished.stdout.len()),
        (Some(0), 0),
        "{finished:?}"
    );
}

/// Each answer comes before the next question is asked.
#[test]
fn a_line_comes_back_while_the_input_is_open() {
    let server = Server::start(&["echo"], "echo_line", &[]);
    let mut client = Running::start_speaking(&["connect", &server.address, "--ca", server.ca()]);
    client.write(b"first\n");
    assert_eq!(client.first_line(), "first\n");
    client.write(b"second\n");
    let finished = client.finish();
    assert_eq!(finished.stdout_text(), "first\nsecond\n");
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn one_port_serves_plain_tls_too() {
    let server = Server::start(&["echo"], "echo_plain", &[]);
    let input = noise(100_000);
    assert_eq!(
        plain_tls_client(&server.address, server.ca(), &input),
        input
    );
}

#[test]
fn a_plain_server_gets_plain_tls_and_the_user_is_told() {
    let certificate = Certificate::make("connect_plain");
    let address = plain_tls_server(&certificate).to_string();
    let ca = certificate.cert.to_str().unwrap();
    let mut client = Running::start(&["connect", &address, "--ca", ca]);
    client.write(b"hello");
    let finished = client.finish();
    assert_eq!(
        (finished.code, finished.stdout_text()),
        (Some(0), "hello"),
        "{finished:?}"
    );
    let note = "note: this is plain TLS, not TCPLS: the server did not accept TCPLS\n";
    assert_eq!(finished.stderr, note);
}

#[test]
fn client_certificates_alpn_and_suites_are_taken_from_the_flags() {
    let client = Certificate::make("flags_client");
    let server_identity = Certificate::make("flags_server");
    let (cert, key) = (client.cert.to_str().unwrap(), client.key.to_str().unwrap());
    let server_cert = server_identity.cert.to_str().unwrap();
    let server_key = server_identity.key.to_str().unwrap();
    let listen = [
        "echo",
        "--listen",
        "127.0.0.1:0",
        "--cert",
        server_cert,
        "--key",
        server_key,
    ];
    let demand = ["--client-ca", cert, "--alpn", "echo,other"];
    let mut server = Running::start_speaking(&[&listen[..], &demand].concat());
    let address = server
        .first_line()
        .trim()
        .strip_prefix("listening ")
        .unwrap()
        .to_owned();
    let identity = ["--ca", server_cert, "--cert", cert, "--key", key];
    let choice = [
        "--alpn",
        "other",
        "--cipher",
        "chacha20",
        "--server-name",
        "localhost",
    ];
    let args = [&["probe", &address, "--json"], &identity[..], &choice].concat();
    let finished = run(&args);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json = finished.json();
    assert_eq!(json["alpn"], "other");
    assert_eq!(json["cipher_suite"], "TLS_CHACHA20_POLY1305_SHA256");
    assert_eq!(json["tcpls"], true);
}

#[test]
fn listening_is_data_with_json() {
    let mut server = Running::start_speaking(&["echo", "--listen", "127.0.0.1:0", "--json"]);
    let line: serde_json::Value = serde_json::from_str(&server.first_line()).unwrap();
    let address = line["listening"].as_str().unwrap();
    assert!(
        address.starts_with("127.0.0.1:") && !address.ends_with(":0"),
        "{address}"
    );
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_server_cleanly_and_tells_its_clients() {
    let server = Server::start(&["echo"], "echo_signal", &[]);
    let mut client = Running::start_speaking(&["connect", &server.address, "--ca", server.ca()]);
    client.write(b"here\n");
    assert_eq!(client.first_line(), "here\n");
    server.running.terminate();
    let finished = server.running.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    // The stream was not finished: the client must not take its end for a clean one.
    let finished = client.wait();
    assert_eq!(finished.code, Some(8), "{finished:?}");
}

#[test]
fn secrets_are_logged_on_demand() {
    let server = Server::start(&["echo"], "echo_keylog", &[]);
    let log = crate::process::scratch("echo_keylog.txt");
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_tcpls"))
        .args(["probe", &server.address, "--ca", server.ca(), "--keylog"])
        .env("SSLKEYLOGFILE", log.as_os_str())
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    let lines = std::fs::read_to_string(&*log).unwrap();
    assert!(lines.contains("CLIENT_TRAFFIC_SECRET_0 "), "{lines}");
}
