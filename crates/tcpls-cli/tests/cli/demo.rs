//! `tcpls demo`.

use crate::process::run;

#[test]
fn random_bytes_go_both_ways_and_arrive_equal() {
    let finished = run(&["demo", "--size", "4M", "--streams", "5"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let text = finished.stdout_text();
    assert_eq!(text.matches("  equal\n").count(), 10, "{text}");
    assert!(text.contains("4.00 MiB on 5 streams"), "{text}");
    assert!(text.ends_with("all bytes arrived as sent\n"), "{text}");
    assert_eq!(finished.stderr, "");
}

#[test]
fn the_report_is_data_with_json() {
    let finished = run(&["demo", "--size", "3M", "--streams", "2", "--json"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json = finished.json();
    assert_eq!(json["equal"], true);
    assert_eq!(json["bytes"], 3 << 20);
    assert_eq!(json["streams"], 2);
    let transfers = json["transfers"].as_array().unwrap();
    assert_eq!(transfers.len(), 4);
    for transfer in transfers {
        assert_eq!(transfer["sha256_sent"], transfer["sha256_received"]);
        assert_eq!(transfer["sha256_sent"].as_str().unwrap().len(), 64);
    }
    for key in [
        "records_to_server",
        "records_to_client",
        "acks_to_server",
        "acks_to_client",
    ] {
        assert!(json[key].as_u64().unwrap() > 0, "{key} in {json}");
    }
    for key in ["cipher_suite", "kx_group"] {
        assert!(json[key].is_string(), "{key} in {json}");
    }
    assert!(json["gbit_per_s"].as_f64().unwrap() > 0.0, "{json}");
}

#[test]
fn the_draft_alone_will_do() {
    let finished = run(&["demo", "--size", "3M", "--streams", "2", "--draft-only"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn nothing_to_send_is_equal_too() {
    let finished = run(&["demo", "--size", "0", "--streams", "1", "--json"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.json()["equal"], true);
}

#[test]
fn one_damaged_byte_is_noticed() {
    let finished = run(&["demo", "--size", "1M", "--damage"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_eq!(
        finished.stdout_text().matches("DIFFERENT").count(),
        1,
        "{finished:?}"
    );
    let line = "error: what arrived differs from what was sent: stream 0 from the server\n";
    assert_eq!(finished.stderr, line);
}

#[test]
fn an_aborted_connection_is_survived_and_replaced() {
    let finished = run(&["demo", "--size", "16M", "--json"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let json = finished.json();
    assert_eq!(json["equal"], true);
    assert_eq!(json["aborted_path"], 0);
    // On a busy machine silence may bring more than the one in its place.
    for (key, least) in [("healed_path", 2), ("connections", 3)] {
        assert!(json[key].as_u64().unwrap() >= least, "{key} in {json}");
    }
    let gap = json["longest_gap_ms"].as_f64().unwrap();
    assert!(
        gap > 0.0 && gap / 1e3 <= json["seconds"].as_f64().unwrap(),
        "{json}"
    );
    for key in ["aborted_at", "healed_after_ms"] {
        assert!(json[key].as_f64().unwrap() > 0.0, "{key} in {json}");
    }
    assert!(json["bytes_retransmitted"].is_u64(), "{json}");

    let finished = run(&["demo", "--size", "8M"]);
    let text = finished.stdout_text();
    for part in [
        "connection 0 was aborted with a RST after ",
        " came in its place ",
        "longest gap between data at an application: ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
