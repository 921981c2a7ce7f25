//! What a server computes for a connection that joins, beside what it computes for a TLS handshake.
//!
//! Everything is in memory, and the time is CPU time of the server's part alone. At the end stands
//! what the project promises: a join costs at most a twentieth of a full handshake.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench that cannot start shall say where"
)]

mod join;
mod tls;

use std::time::Duration;

use criterion::Criterion;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::kx_group::{X25519, X25519MLKEM768};
use tcpls_benches::Spread;
use tcpls_crypto::wire::hello::join::JoinShape;

use self::join::Joins;
use self::tls::{Handshakes, Kind};

/// One thing that a server does, over and over.
trait Work {
    /// Does it once and tells what it cost the server.
    fn once(&mut self) -> Duration;
}

/// The key exchange groups that are compared: rustls' default, and the classical one.
fn groups() -> [(&'static str, &'static dyn SupportedKxGroup); 2] {
    [("X25519MLKEM768", X25519MLKEM768), ("X25519", X25519)]
}

/// What a server does for a client of this group; the full handshake comes first.
fn works(group: &'static dyn SupportedKxGroup) -> Vec<(&'static str, Box<dyn Work>)> {
    vec![
        (
            "full handshake",
            Box::new(Handshakes::new(group, Kind::Full)),
        ),
        (
            "resumption",
            Box::new(Handshakes::new(group, Kind::Resumed)),
        ),
        ("join, 1-RTT", Box::new(Joins::new(group, JoinShape::Full))),
        (
            "join, 0-RTT",
            Box::new(Joins::new(group, JoinShape::Resumption)),
        ),
    ]
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, group) in groups() {
        let mut measured = criterion.benchmark_group(name);
        for (name, mut work) in works(group) {
            measured.bench_function(name, |bencher| {
                bencher.iter_custom(|count| (0..count).map(|_| work.once()).sum());
            });
        }
        measured.finish();
    }
    criterion.final_summary();
    // As a test it only has to run.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    for (name, group) in groups() {
        print_ratios(name, works(group));
    }
}

/// Rounds in which everything has its turn, so that what disturbs the machine disturbs all alike.
const ROUNDS: usize = 100;
/// How often each is done in its turn.
const TURN: u32 = 50;
/// How many joins a full handshake has to pay for.
const PROMISED: f64 = 20.0;

/// Prints medians of interleaved rounds, and how often each fits into the first.
#[allow(clippy::print_stdout, reason = "the output is what a bench is for")]
fn print_ratios(group: &str, mut works: Vec<(&str, Box<dyn Work>)>) {
    let mut times = vec![Vec::new(); works.len()];
    for _ in 0..ROUNDS {
        for ((_, work), times) in works.iter_mut().zip(&mut times) {
            let turn: Duration = (0..TURN).map(|_| work.once()).sum();
            times.push(turn.as_secs_f64() * 1e6 / f64::from(TURN));
        }
    }
    println!("\n{group}, ECDSA P-256: CPU time of the server, medians of {ROUNDS} rounds");
    let medians = times.iter().map(|times| Spread::of(times).unwrap().median);
    let mut full = None;
    for ((name, _), median) in works.iter().zip(medians) {
        let full = *full.get_or_insert(median);
        let ratio = full / median;
        let verdict = match (name.starts_with("join"), ratio >= PROMISED) {
            (false, _) => "",
            (true, true) => ", at most a twentieth",
            (true, false) => ", MORE than a twentieth",
        };
        println!("  {name:<16}{median:>8.1} us   1/{ratio:.1} of a full handshake{verdict}");
    }
}
