//! `tcpls perf`.

use crate::process::{Running, Server, run, sooner_or_later};

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
        "--connect-timeout",
        "60",
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
fn bytes_arrive_where_a_side_speaks_the_draft_alone() {
    let size = SIZE.to_string();
    for (name, server, client) in [
        ("perf_draft_server", &["--draft-only"][..], &[][..]),
        ("perf_draft_client", &[], &["--draft-only"]),
    ] {
        let server = Server::start(&["perf", "server"], name, server);
        let flags = ["--bidir", "-n", &size, "--connections", "2"];
        let json = measure(&server, &[&flags[..], client].concat());
        assert_eq!(json["bytes"], 2 * SIZE, "{json}");
        assert_eq!(json["connections"], 2, "{json}");
    }
}

#[test]
fn idle_streams_are_there_beside_those_that_are_measured() {
    let server = Server::start(&["perf", "server"], "perf_idle_streams", &[]);
    let size = SIZE.to_string();
    for flags in [&[][..], &["-R"]] {
        let idle = ["-n", &size, "--idle-streams", "1000"];
        let json = measure(&server, &[&idle[..], flags].concat());
        assert_eq!(json["bytes"], SIZE, "{json}");
        assert_eq!(
            (&json["streams"], &json["idle_streams"]),
            (&1.into(), &1000.into())
        );
    }
}

#[test]
fn streams_that_nobody_reads_hold_up_nobody_else() {
    let server = Server::start(&["perf", "server"], "perf_stalled_streams", &[]);
    let size = SIZE.to_string();
    for flags in [&[][..], &["-R"], &["--bidir"]] {
        let stalled = ["-n", &size, "--stalled-streams", "3"];
        let json = measure(&server, &[&stalled[..], flags].concat());
        assert_eq!(json["stalled_streams"], 3, "{json}");
    }
}

/// The same for a time, and for longer ones until something shows.
fn measure_until(
    server: &Server,
    times: [&str; 3],
    flags: &[&str],
    shows: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let results = times.map(|time| [&["-t", time], flags].concat());
    let results = results.iter().map(|flags| measure(server, flags));
    sooner_or_later(results, shows)
}

/// The same for so many bytes, again and for more until something shows.
fn measure_more_until(
    server: &Server,
    flags: &[&str],
    shows: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let results = ["8M", "8M", "64M", "64M"].map(|size| [&["-n", size], flags].concat());
    let results = results.iter().map(|flags| measure(server, flags));
    sooner_or_later(results, shows)
}

/// Whether a path is there, maybe silent for a moment.
fn is_there(path: &serde_json::Value) -> bool {
    path["state"] == "open" || path["state"] == "suspect"
}

#[test]
fn time_ends_a_measurement_and_intervals_add_up_to_no_more() {
    let server = Server::start(&["perf", "server"], "perf_time", &[]);
    let flags = ["-i", "0.1", "-P", "2", "--cipher", "aes128gcm"];
    let has_intervals = |json: &serde_json::Value| json["intervals"][0].is_object();
    let json = measure_until(&server, ["0.4", "2", "10"], &flags, has_intervals);
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

/// The paths of a report.
fn paths(json: &serde_json::Value) -> &[serde_json::Value] {
    json["paths"].as_array().unwrap()
}

#[test]
fn one_connection_is_one_path() {
    let server = Server::start(&["perf", "server"], "perf_path", &[]);
    let json = measure(&server, &["-n", "1M"]);
    let [path] = paths(&json) else {
        panic!("{json}");
    };
    assert_eq!(path["id"], 0);
    assert!(is_there(path), "{json}");
    assert_eq!(path["remote"], server.address);
    assert!(path["bytes_sent"].as_u64().unwrap() > 1 << 20, "{json}");
    assert!(path["bytes_received"].as_u64().unwrap() > 0, "{json}");
    for key in ["ended_at", "reason"] {
        assert!(path[key].is_null(), "{json}");
    }
    for key in ["srtt_ms", "segments_retransmitted"] {
        assert_eq!(path[key].is_number(), cfg!(target_os = "linux"), "{json}");
    }
    assert_eq!(json["failures"], serde_json::json!([]));
}

#[test]
fn every_scheduler_measures_over_several_connections() {
    let server = Server::start(&["perf", "server"], "perf_schedulers", &[]);
    let every = [
        "lowest-rtt",
        "earliest-completion",
        "round-robin",
        "redundant",
        "backup",
    ];
    for scheduler in every {
        let sent = |json: &serde_json::Value, index: usize| {
            let sent = &paths(json)[index]["bytes_sent"];
            sent.as_u64().unwrap()
        };
        let shows = |json: &serde_json::Value| match scheduler {
            "redundant" => (0..3).all(|index| sent(json, index) > 1 << 20),
            "round-robin" => (0..3).all(|index| sent(json, index) > 1 << 19),
            // Unless the first one is silent for a moment.
            "backup" => sent(json, 0) > 8 << 20 && sent(json, 1) < 10_000,
            _ => true,
        };
        let flags = ["--connections", "3", "--scheduler", scheduler];
        let json = measure_more_until(&server, &flags, shows);
        assert!(json["bytes"].as_u64().unwrap() >= 8 << 20, "{json}");
        assert!(json["connections"].as_u64().unwrap() >= 3, "{json}");
        let backups = paths(&json).iter().filter(|path| path["backup"] == true);
        assert_eq!(backups.count(), if scheduler == "backup" { 2 } else { 0 });
        assert!(shows(&json), "{json}");
    }
}

#[test]
fn the_server_spreads_what_it_sends_as_it_is_told() {
    let server = Server::start(
        &["perf", "server"],
        "perf_redundant",
        &["--scheduler", "redundant"],
    );
    let spare = |json: &serde_json::Value| {
        let received = paths(json).iter().map(|path| &path["bytes_received"]);
        let sum: u64 = received.map(|bytes| bytes.as_u64().unwrap()).sum();
        sum - json["bytes_to_client"].as_u64().unwrap()
    };
    let shows = |json: &serde_json::Value| spare(json) > 1 << 19;
    let json = measure_more_until(&server, &["-R", "--connections", "2"], shows);
    assert!(shows(&json), "{json}");
}

#[test]
fn paths_come_from_where_they_are_told() {
    let server = Server::start(&["perf", "server"], "perf_paths", &[]);
    let to = format!("127.0.0.4={},backup", server.address);
    let flags = [
        "--path",
        "127.0.0.2",
        "--path",
        "127.0.0.3%lo",
        "--path",
        &to,
    ];
    let json = measure(&server, &[&["-n", "4M"], &flags[..]].concat());
    assert_eq!(paths(&json).len(), 3, "{json}");
    for (path, local) in paths(&json)
        .iter()
        .zip(["127.0.0.2:", "127.0.0.3:", "127.0.0.4:"])
    {
        assert!(path["local"].as_str().unwrap().starts_with(local), "{json}");
        assert_eq!(path["remote"], server.address);
        assert_eq!(path["backup"], local == "127.0.0.4:");
    }
}

#[test]
fn a_measurement_outlives_a_path_that_is_aborted() {
    let server = Server::start(&["perf", "server"], "perf_rst", &[]);
    let flags = ["--connections", "2", "--fail-at", "0.3:path=0:rst"];
    let is_replaced = |json: &serde_json::Value| paths(json).get(2).is_some_and(is_there);
    let json = measure_until(&server, ["1", "5", "20"], &flags, is_replaced);
    let first = &paths(&json)[0];
    assert_eq!(first["state"], "ended", "{json}");
    let end = first["ended_at"].as_f64().unwrap();
    assert!((0.3..300.0).contains(&end), "{json}");
    assert_eq!(first["reason"], "the connection was given up here");
    let counted = first["segments_retransmitted"].is_number();
    assert_eq!(counted, cfg!(target_os = "linux"), "{json}");
    // Another one takes its place.
    for index in [1, 2] {
        assert!(is_there(&paths(&json)[index]), "{json}");
    }
    let failure = serde_json::json!([{"at": 0.3, "path": 0, "how": "rst", "done": true}]);
    assert_eq!(json["failures"], failure);
}

#[test]
fn a_path_that_is_not_there_cannot_fail() {
    let server = Server::start(&["perf", "server"], "perf_no_path", &[]);
    let json = measure(&server, &["-t", "0.3", "--fail-at", "0.1:path=7:rst"]);
    assert_eq!(json["failures"][0]["done"], false, "{json}");
    assert!(is_there(&paths(&json)[0]), "{json}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_measurement_outlives_a_path_that_falls_silent() {
    // In turn, so that both paths have something to carry.
    let in_turn = ["--scheduler", "round-robin"];
    let server = Server::start(&["perf", "server"], "perf_down", &in_turn);
    for (index, path) in ["0", "1"].into_iter().enumerate() {
        let fault = format!("0.2:path={path}:down");
        let flags = ["--bidir", "--connections", "2", "--fail-at", &fault];
        let flags = [&flags[..], &in_turn].concat();
        let is_noticed = |json: &serde_json::Value| paths(json)[index]["state"] != "open";
        let json = measure_until(&server, ["0.6", "3", "10"], &flags, is_noticed);
        assert_eq!(json["failures"][0]["done"], true, "{json}");
        assert!(is_noticed(&json), "{json}");
        assert!(json["bytes_to_server"].as_u64().unwrap() > 0, "{json}");
        assert!(json["bytes_to_client"].as_u64().unwrap() > 0, "{json}");
    }
}

#[test]
fn a_report_for_people_has_a_line_for_each_path() {
    let server = Server::start(&["perf", "server"], "perf_path_lines", &[]);
    let args = ["perf", "client", &server.address, "--ca", server.ca()];
    let flags = [
        "-t",
        "0.5",
        "--connections",
        "2",
        "--fail-at",
        "0.1:path=1:rst",
    ];
    let finished = run(&[&args[..], &flags].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let text = finished.stdout_text();
    for part in [
        "  0.10 s  path 1 rst\n",
        "\npath 0: 127.0.0.1:",
        "\npath 1: ",
        ", ended at ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
