//! `tcpls perf`.

use crate::process::{Running, Server, run};

const SIZE: u64 = 3_000_001;

/// Runs a client with these flags in place of a size or time of its own.
fn measure(server: &Server, flags: &[&str]) -> serde_json::Value {
    let args = [
        "perf",
        "client",
        &server.address,
        "--ca",
        server.ca(),
        "--json",
    ];
    let finished = run(&[&args[..], flags].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished.json()
}

#[test]
fn a_given_number_of_bytes_arrives_in_every_direction() {
    let server = Server::start(&["perf", "server"], "perf_bytes", &[]);
    let size = SIZE.to_string();
    for (flags, to_server, to_client) in [
        (&[][..], SIZE, 0),
        (&["-R", "-P", "3"], 0, SIZE),
        (&["--bidir", "-P", "2", "-l", "1000"], SIZE, SIZE),
    ] {
        let json = measure(&server, &[&["-n", &size], flags].concat());
        assert_eq!(json["bytes_to_server"], to_server, "{json}");
        assert_eq!(json["bytes_to_client"], to_client, "{json}");
        assert_eq!(json["bytes"], to_server + to_client, "{json}");
        assert_eq!(json["connections"], 1);
        for key in ["seconds", "gbit_per_s", "streams"] {
            assert!(json[key].as_f64().unwrap() > 0.0, "{key} in {json}");
        }
        for key in ["cpu_s_local", "cpu_s_remote"] {
            assert!(json.get(key).is_some(), "{key} in {json}");
        }
    }
}

#[test]
fn time_ends_a_measurement_and_intervals_add_up_to_no_more() {
    let server = Server::start(&["perf", "server"], "perf_time", &[]);
    let flags = ["-t", "0.4", "-i", "0.1", "-P", "2", "--cipher", "aes128gcm"];
    let json = measure(&server, &flags);
    assert_eq!(json["cipher_suite"], "TLS_AES_128_GCM_SHA256");
    assert_eq!(json["streams"], 2);
    let intervals = json["intervals"].as_array().unwrap();
    assert!(!intervals.is_empty(), "{json}");
    let sum: u64 = intervals
        .iter()
        .map(|interval| interval["bytes"].as_u64().unwrap())
        .sum();
    assert!(sum <= json["bytes"].as_u64().unwrap(), "{json}");
}

#[test]
fn a_report_for_people_names_rate_and_cpu_time() {
    let server = Server::start(&["perf", "server"], "perf_text", &[]);
    let args = [
        "perf",
        "client",
        &server.address,
        "--ca",
        server.ca(),
        "-n",
        "1M",
    ];
    let finished = run(&args);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let text = finished.stdout_text();
    for part in [
        "1.00 MiB to the server",
        "Gbit/s",
        "streams 1, connections 1",
        "CPU here ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_one_off_server_ends_after_its_client() {
    let server = Server::start(&["perf", "server"], "perf_once", &["-1"]);
    let json = measure(&server, &["-n", "1000"]);
    assert_eq!(json["bytes"], 1000);
    let finished = Running::finish(server.running);
    assert_eq!(finished.code, Some(0), "{finished:?}");
}
