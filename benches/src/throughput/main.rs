//! Bulk goodput of one stream over one loopback connection: TCPLS beside its ceiling and its floor.
//!
//! Every transport moves the same bytes with the same write size in the same process, in turn,
//! several times; the table shows medians and the ratio to each other of the same run. A byte counts
//! when the receiving application has it.
#![allow(
    clippy::print_stdout,
    reason = "a measuring program prints its figures"
)]

mod bare;
mod bulk;
mod session;
#[cfg(feature = "peers")]
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use session::Setup;
use tcpls_benches::{Error, Identity, Spread};
use tcpls_tokio::Failover;
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Parser)]
#[command(about = "Bulk goodput of TCPLS beside raw TCP, bare AEAD over TCP, and tokio-rustls")]
struct Arguments {
    /// Bytes to move in each round, in MiB.
    #[arg(long, default_value_t = 1024)]
    mebibytes: u64,
    /// Rounds of each transport.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Bytes of one write, in KiB.
    #[arg(long, default_value_t = 128)]
    write: usize,
    /// Worker threads of the runtime that runs both ends.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Only transports whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What one round moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Bytes of one write.
    pub(crate) write: usize,
}

/// The transports, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    RawTcp,
    BareRecords,
    #[cfg(feature = "peers")]
    TokioRustls,
    Tcpls,
    TcplsChunks,
    TcplsWithoutFailover,
    TcplsTwoConnections,
}

impl Kind {
    const ALL: &'static [Self] = &[
        Self::RawTcp,
        Self::BareRecords,
        #[cfg(feature = "peers")]
        Self::TokioRustls,
        Self::Tcpls,
        Self::TcplsChunks,
        Self::TcplsWithoutFailover,
        Self::TcplsTwoConnections,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::RawTcp => "raw TCP",
            Self::BareRecords => "bare records",
            #[cfg(feature = "peers")]
            Self::TokioRustls => "tokio-rustls",
            Self::Tcpls => "TCPLS, AsyncRead/AsyncWrite",
            Self::TcplsChunks => "TCPLS, Bytes",
            Self::TcplsWithoutFailover => "TCPLS, Bytes, no failover",
            Self::TcplsTwoConnections => "TCPLS, Bytes, 2 connections",
        }
    }

    async fn run(self, load: Load, identity: Arc<Identity>) -> Result<Duration, Error> {
        match self {
            Self::RawTcp => bare::raw(load).await,
            Self::BareRecords => bare::records(load).await,
            #[cfg(feature = "peers")]
            Self::TokioRustls => tls::run(load, &identity).await,
            Self::Tcpls => session::copying(load, &identity).await,
            Self::TcplsChunks => session::chunks(load, &identity, Setup::default()).await,
            Self::TcplsWithoutFailover => {
                let setup = Setup {
                    failover: Failover::Off,
                    ..Setup::default()
                };
                session::chunks(load, &identity, setup).await
            }
            Self::TcplsTwoConnections => {
                let setup = Setup {
                    connections: 2,
                    ..Setup::default()
                };
                session::chunks(load, &identity, setup).await
            }
        }
    }
}

fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.workers)
        .enable_all()
        .build()?;
    let identity = Arc::new(Identity::generate()?);
    let load = Load {
        bytes: arguments.mebibytes << 20,
        write: arguments.write << 10,
    };
    let kinds: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| kind.name().contains(&arguments.only))
        .collect();
    let mut rates = vec![Vec::new(); kinds.len()];
    // Interleaved, so that a slower minute of the machine is a slower minute of all.
    for _ in 0..arguments.rounds {
        for (kind, rates) in kinds.iter().zip(&mut rates) {
            let round = kind.run(load, Arc::clone(&identity));
            let took = runtime.block_on(async { tokio::spawn(round).await })??;
            rates.push(gigabits(load.bytes, took));
        }
    }
    let rows = kinds
        .iter()
        .zip(&rates)
        .filter_map(|(kind, rates)| Spread::of(rates).map(|spread| (kind.name(), spread)));
    report(&rows.collect::<Vec<_>>(), arguments.json)
}

fn report(rows: &[(&str, Spread)], json: bool) -> Result<(), Error> {
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, spread)| serde_json::json!({ "transport": name, "gbit_per_s": spread }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let median = |name: &str| {
        rows.iter()
            .find(|(row, _)| *row == name)
            .map_or(f64::NAN, |(_, spread)| spread.median)
    };
    let (ceiling, floor) = (median("bare records"), median("tokio-rustls"));
    println!(
        "{:<30} {:>8} {:>8} {:>8} {:>10} {:>14}",
        "Gbit/s", "min", "median", "max", "of bare", "of tokio-rustls"
    );
    for (name, spread) in rows {
        println!(
            "{name:<30} {:>8.2} {:>8.2} {:>8.2} {:>10.3} {:>14.3}",
            spread.min,
            spread.median,
            spread.max,
            spread.median / ceiling,
            spread.median / floor
        );
    }
    Ok(())
}

#[allow(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a rate needs no 64 exact bits"
)]
fn gigabits(bytes: u64, took: Duration) -> f64 {
    bytes as f64 * 8.0 / 1e9 / took.as_secs_f64()
}

/// Two ends of a loopback connection.
pub(crate) async fn tcp_pair() -> Result<(TcpStream, TcpStream), Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (near, accepted) = tokio::join!(
        TcpStream::connect(listener.local_addr()?),
        listener.accept()
    );
    let (near, far) = (near?, accepted?.0);
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// Starts the stopwatch of a round.
#[allow(
    clippy::disallowed_methods,
    reason = "measuring is what this program is for"
)]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}
