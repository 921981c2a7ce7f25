//! Bad input gets one line on standard error and the exit code that `--help` lists.

use std::net::TcpListener;

use crate::peers::{Certificate, closed_port, greeting_server, plain_tls_server};
use crate::process::{Finished, Running, Server, run, scratch};

/// Checks the exit code, that there is exactly one line, and that it names the problem.
#[track_caller]
fn refused(finished: &Finished, code: i32, problem: &str) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    assert!(finished.stderr.starts_with("error: "), "{finished:?}");
    assert!(finished.stderr.contains(problem), "{finished:?}");
}

#[test]
fn wrong_flags_are_usage_errors() {
    for (args, problem) in [
        (&[][..], "a command is missing"),
        (&["nonsense"], "unrecognized subcommand 'nonsense'"),
        (&["demo", "--nonsense"], "unexpected argument '--nonsense'"),
        (&["demo", "--size", "much"], "invalid value 'much'"),
        (&["demo", "--streams", "0"], "invalid value '0'"),
        (&["echo"], "--listen"),
        (&["echo", "--listen", "nowhere"], "invalid value 'nowhere'"),
        (&["echo", "--listen", "127.0.0.1:0", "--cert", "a"], "--key"),
        (&["connect"], "HOST:PORT"),
        (
            &["connect", "host:99999"],
            "the port must be a number from 1 to 65535",
        ),
        (&["connect", "host"], "expected HOST:PORT"),
        (
            &["connect", "host:1", "--cipher", "rot13"],
            "invalid value 'rot13'",
        ),
        (
            &["connect", "host:1", "--ca", "a", "--insecure"],
            "cannot be used with",
        ),
        (
            &["probe", "host:1", "--server-name", "not a name"],
            "expected a DNS name",
        ),
        (&["perf", "client", "host:1", "-t", "-1"], "error"),
        (
            &["perf", "client", "host:1", "-P", "1000"],
            "invalid value '1000'",
        ),
    ] {
        refused(&run(args), 2, problem);
    }
}

#[test]
fn wrong_flags_about_paths_are_usage_errors() {
    for (args, problem) in [
        (
            &["perf", "client", "host:1", "--path", "eth0"][..],
            "'eth0' is not an IP address",
        ),
        (
            &["perf", "client", "host:1", "--path", "127.0.0.1,spare"],
            "'spare' is not 'backup'",
        ),
        (
            &["perf", "client", "host:1", "--connections", "33"],
            "33 is not in 1..=32",
        ),
        (
            &[
                "perf",
                "client",
                "h:1",
                "--path",
                "::1",
                "--connections",
                "2",
            ],
            "cannot be used with",
        ),
        (
            &["perf", "client", "host:1", "--scheduler", "fastest"],
            "invalid value 'fastest'",
        ),
        (
            &[
                "perf",
                "server",
                "--listen",
                "[::1]:0",
                "--scheduler",
                "backup",
            ],
            "for the client to say",
        ),
        (
            &["perf", "client", "host:1", "--fail-at", "1:path=0:fin"],
            "not by 'fin'",
        ),
        (
            &["perf", "client", "host:1", "--fail-at", "1:path=1:down"],
            "there is no path 1 to take down",
        ),
    ] {
        refused(&run(args), 2, problem);
    }
}

#[test]
fn a_key_log_without_a_file_is_a_usage_error() {
    refused(
        &run(&["probe", "127.0.0.1:1", "--insecure", "--keylog"]),
        2,
        "SSLKEYLOGFILE",
    );
}

#[test]
fn a_port_without_a_listener_is_unreachable() {
    let (_socket, address) = closed_port();
    let address = address.to_string();
    for command in [&["connect"][..], &["probe"], &["perf", "client"]] {
        let finished = run(&[command, &[&address, "--insecure"]].concat());
        refused(&finished, 3, &format!("cannot connect to {address}"));
    }
}

#[test]
fn a_path_that_cannot_be_opened_is_named() {
    let server = Server::start(&["perf", "server"], "unopened", &[]);
    let (_socket, closed) = closed_port();
    let closed = format!("={closed}");
    let args = ["perf", "client", &server.address, "--ca", server.ca()];
    for (path, problem) in [
        (closed.as_str(), "cannot open path 1: "),
        ("192.0.2.1", "cannot open path 1: "),
        ("%none0", "network interface 'none0'"),
    ] {
        let flags = ["--path", "127.0.0.1", "--path", path];
        refused(&run(&[&args[..], &flags].concat()), 3, problem);
        let flags = ["--path", path];
        refused(&run(&[&args[..], &flags].concat()), 3, "cannot connect to");
    }
}

#[test]
fn a_name_without_an_address_is_unreachable() {
    let args = [
        "probe",
        "nowhere.invalid:443",
        "--insecure",
        "--connect-timeout",
        "5",
    ];
    refused(&run(&args), 3, "cannot resolve 'nowhere.invalid'");
}

#[test]
fn a_certificate_of_somebody_else_is_refused() {
    let server = Server::start(&["echo"], "stranger_server", &[]);
    let other = Certificate::make("stranger_other");
    let ca = other.cert.to_str().unwrap();
    refused(
        &run(&["connect", &server.address, "--ca", ca]),
        4,
        "certificate",
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let server = Server::start(&["echo"], "misnamed_server", &[]);
    let args = [
        "probe",
        &server.address,
        "--ca",
        server.ca(),
        "--server-name",
        "example.org",
    ];
    refused(&run(&args), 4, "certificate");
}

#[test]
fn a_missing_client_certificate_is_told_as_such() {
    let client = Certificate::make("demanded_client");
    let demands = ["--client-ca", client.cert.to_str().unwrap()];
    let server = Server::start(&["echo"], "demanding_server", &demands);
    refused(
        &run(&["connect", &server.address, "--ca", server.ca()]),
        4,
        "certificate_required",
    );
}

#[test]
fn a_peer_that_speaks_something_else_is_no_handshake() {
    let address = greeting_server(b"SSH-2.0-OpenSSH_9.9\r\n").to_string();
    refused(
        &run(&["probe", &address, "--insecure"]),
        5,
        "does not speak TLS",
    );
}

#[test]
fn a_silent_peer_is_given_up() {
    let address = greeting_server(b"").to_string();
    let args = ["connect", &address, "--insecure", "--connect-timeout", "1"];
    refused(&run(&args), 5, "did not finish within 1s");
}

#[test]
fn plain_tls_is_refused_where_tcpls_is_required() {
    let certificate = Certificate::make("required");
    let ca = certificate.cert.to_str().unwrap();
    for command in [&["connect", "--require-tcpls"][..], &["perf", "client"]] {
        let address = plain_tls_server(&certificate).to_string();
        let finished = run(&[command, &[&address, "--ca", ca]].concat());
        refused(&finished, 6, "the server did not accept TCPLS");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let text = scratch("no_certificate.pem");
    std::fs::write(&*text, "nothing to see here\n").unwrap();
    let text = text.to_str().unwrap();
    let missing = scratch("missing.pem");
    let missing = missing.to_str().unwrap();
    let nowhere = scratch("missing_directory").join("x.pem");
    let nowhere = nowhere.to_str().unwrap();
    for (args, file) in [
        (&["connect", "127.0.0.1:1", "--ca", missing][..], missing),
        (&["probe", "127.0.0.1:1", "--ca", text], text),
        (
            &["probe", "127.0.0.1:1", "--cert", text, "--key", text],
            text,
        ),
        (
            &[
                "echo",
                "--listen",
                "127.0.0.1:0",
                "--cert",
                missing,
                "--key",
                missing,
            ],
            missing,
        ),
        (
            &["echo", "--listen", "127.0.0.1:0", "--self-signed", nowhere],
            nowhere,
        ),
        (
            &[
                "perf",
                "server",
                "--listen",
                "127.0.0.1:0",
                "--client-ca",
                text,
            ],
            text,
        ),
    ] {
        refused(&run(args), 7, file);
    }
}

#[test]
fn a_server_that_dies_is_a_lost_session() {
    let mut server = Server::start(&["echo"], "dying_server", &[]);
    let args = ["connect", &server.address, "--ca", server.ca()];
    let mut client = Running::start_speaking(&args);
    client.write(b"are you there?\n");
    assert_eq!(client.first_line(), "are you there?\n");
    server.running.kill();
    refused(&client.wait(), 8, "lost");
}

#[test]
fn a_peer_that_does_not_measure_is_told_from_one_that_does() {
    let server = Server::start(&["echo"], "unmeasured", &[]);
    let args = [
        "perf",
        "client",
        &server.address,
        "--ca",
        server.ca(),
        "-n",
        "1",
    ];
    refused(
        &run(&args),
        8,
        "does not speak the language of 'tcpls perf'",
    );
}

#[test]
fn an_address_in_use_cannot_be_listened_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for command in [&["echo"][..], &["perf", "server"]] {
        let finished = run(&[command, &["--listen", &address]].concat());
        refused(&finished, 9, &format!("cannot listen on {address}"));
    }
}

#[test]
fn failures_are_data_with_json() {
    let (_socket, address) = closed_port();
    let address = address.to_string();
    let finished = run(&["--json", "probe", &address, "--insecure"]);
    refused(&finished, 3, "cannot connect");
    let json = finished.json();
    assert_eq!(json["exit_code"], 3);
    assert!(
        json["error"].as_str().unwrap().contains("cannot connect"),
        "{json}"
    );
}

#[test]
fn help_lists_every_exit_code() {
    let finished = run(&["--help"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let (_, table) = finished.stdout_text().split_once("Exit codes:").unwrap();
    for code in 0..=10 {
        let start = format!("{code} ");
        assert!(
            table
                .lines()
                .any(|line| line.trim_start().starts_with(&start)),
            "{code}"
        );
    }
}
