//! `tcpls perf idle`.

use crate::peers::relay;
use crate::process::{Server, run, sooner_or_later};

/// So that a test takes no longer than it must, and the server knows of what the client did.
const SHORT: [&str; 4] = ["--settle", "1", "--time", "0.2"];

#[test]
fn sessions_at_rest_are_counted_and_weighed_at_both_ends() {
    let server = Server::start(&["perf", "server"], "idle_sessions", &[]);
    let args = ["perf", "idle", &server.address, "--ca", server.ca()];
    let flags = ["--sessions", "20", "--json"];
    let finished = run(&[&args[..], &flags, &SHORT].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json = finished.json();
    for (key, count) in [
        ("sessions_wanted", 20),
        ("sessions", 20),
        ("sessions_at_server", 20),
        ("sessions_lost", 0),
    ] {
        assert_eq!(json[key], count, "{key} in {json}");
    }
    assert!(json["problem"].is_null(), "{json}");
    assert_eq!(json["file_limit"].is_u64(), cfg!(unix), "{json}");
    for side in ["server", "client"] {
        let cost = &json[side];
        for key in ["bytes_per_session", "bytes_before", "bytes_after"] {
            assert_eq!(cost[key].is_u64(), cfg!(target_os = "linux"), "{json}");
        }
        for key in ["connect_cpu_us_per_session", "idle_cpu_s"] {
            assert!(cost.get(key).is_some(), "{key} in {json}");
        }
    }

    // The sessions were closed: the next client finds none, once the server has seen to that.
    let again = ["1", "20"].into_iter().map(|settle| {
        let flags = ["--sessions", "3", "--json", "--time", "0.2"];
        run(&[&args[..], &flags, &["--settle", settle]].concat()).json()
    });
    let json = sooner_or_later(again, |json| json["sessions_at_server"] == 3);
    assert_eq!(json["sessions_at_server"], 3, "{json}");
}

#[test]
fn a_report_for_people_says_what_a_session_takes() {
    let server = Server::start(&["perf", "server"], "idle_text", &[]);
    let args = ["perf", "idle", &server.address, "--ca", server.ca()];
    let finished = run(&[&args[..], &["--sessions", "2"], &SHORT].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let text = finished.stdout_text();
    for part in [
        "2 sessions of 2 wanted, opened in ",
        "\nserver: ",
        "\nclient: ",
        " for each session (",
        "of rest",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn as_many_as_could_be_opened_are_measured() {
    let server = Server::start(&["perf", "server"], "idle_fewer", &[]);
    // One of the connections asks the server what it uses.
    let address = relay(&server.address, 4).to_string();
    let args = ["perf", "idle", &address, "--ca", server.ca(), "--json"];
    let flags = ["--sessions", "10", "--at-a-time", "1"];
    let finished = run(&[&args[..], &flags, &SHORT].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json = finished.json();
    assert_eq!(json["sessions"], 3, "{json}");
    assert_eq!(json["sessions_at_server"], 3, "{json}");
    assert!(json["problem"].is_string(), "{json}");
}

#[test]
fn without_any_session_there_is_no_report() {
    let server = Server::start(&["perf", "server"], "idle_none", &[]);
    let address = relay(&server.address, 1).to_string();
    let args = ["perf", "idle", &address, "--ca", server.ca()];
    let finished = run(&[&args[..], &["--sessions", "2"], &SHORT].concat());
    assert!(matches!(finished.code, Some(3 | 5)), "{finished:?}");
    assert!(finished.stdout.is_empty(), "{finished:?}");
}

#[test]
fn a_server_that_measures_nothing_is_noticed() {
    let server = Server::start(&["echo"], "idle_echo", &[]);
    let args = ["perf", "idle", &server.address, "--ca", server.ca()];
    let finished = run(&[&args[..], &["--sessions", "1"], &SHORT].concat());
    assert_eq!(finished.code, Some(8), "{finished:?}");
}
