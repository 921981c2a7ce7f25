//! The client of a measurement.

use std::time::Duration;

use tcpls_tokio::{PathStatus, SessionConfig};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::control::{
    Amount, Direction, MAX_IDLE_STREAMS, MAX_LENGTH, MAX_STALLED_STREAMS, MAX_STREAMS, Outcome,
    Receiver, Reply, Request, Sender, VERSION,
};
use super::fault::{Fault, How};
use super::load::{Load, Part, ReadCount};
use super::paths::{Paths, silenced};
use super::report::{Interval, Measured, Report};
use super::scheduler::Scheduler;
use crate::client::{ClientArgs, ClientSession, Silencing, Wishes};
use crate::cpu;
use crate::exit::{Exit, Failure};
use crate::number::{parse_seconds, parse_size};
use crate::path_arg::PathArg;
use crate::report::Format;
use crate::tls::suite_name;

/// Measure against a "tcpls perf server"
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    client: ClientArgs,
    /// Send for this long
    #[arg(short = 't', long, value_name = "SECS", default_value = "10", value_parser = parse_seconds)]
    time: Duration,
    /// Send this many bytes (K, M, G), over all streams of a direction, instead of for a time
    #[arg(short = 'n', long, value_name = "BYTES", conflicts_with = "time", value_parser = parse_size)]
    bytes: Option<u64>,
    /// Streams at a time
    #[arg(short = 'P', long, value_name = "N", default_value = "1",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_STREAMS)))]
    parallel: u32,
    /// Streams that are opened before those, and on which nothing is sent
    #[arg(long, value_name = "N", default_value = "0",
        value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_IDLE_STREAMS)))]
    idle_streams: u32,
    /// Streams that are opened before those, written to, and read by nobody; not with a peer that speaks the
    /// draft alone, which has no way to hold up one stream only
    #[arg(long, value_name = "N", default_value = "0",
        value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_STALLED_STREAMS)))]
    stalled_streams: u32,
    /// The server sends
    #[arg(short = 'R', long, conflicts_with = "bidir")]
    reverse: bool,
    /// Both sides send
    #[arg(long)]
    bidir: bool,
    /// Report every so many seconds, too
    #[arg(short = 'i', long, value_name = "SECS", value_parser = parse_seconds)]
    interval: Option<Duration>,
    /// Bytes that are written at a time (K, M)
    #[arg(short = 'l', long, value_name = "LEN", default_value = "128K", value_parser = parse_length)]
    length: u64,
    /// A TCP connection of the session; the first one listed carries the handshake, the others join.
    /// LOCAL is an address and DEV a network interface; REMOTE is an address of the server, with a
    /// port or without [default: where the first connection goes]
    #[arg(long, value_name = "LOCAL[%DEV][=REMOTE][,backup]")]
    path: Vec<PathArg>,
    /// TCP connections to the target
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "path",
        value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_PATHS)))]
    connections: u8,
    /// How what the client sends is spread over its connections [default: earliest-completion]
    #[arg(long, value_name = "POLICY")]
    scheduler: Option<Scheduler>,
    /// Let a path fail at this time: rst aborts its connection, and another takes its place; down makes
    /// the system drop what arrives on it, for good and without telling anybody (Linux). Paths
    /// count from 0
    #[arg(long, value_name = "TIME:path=N:rst|down")]
    fail_at: Vec<Fault>,
}

/// How many connections a server takes at a time, unless it is configured otherwise.
const MAX_PATHS: u8 = 32;

pub(crate) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let wanted = args.paths()?;
    let mut client = args.client.session(args.wishes(&wanted)).await?;
    let request = args.request();
    let first = (client.address, client.silencer.take());
    let session = &client.session;
    let paths = Paths::open(session, first, &wanted, &args.fail_at).await?;
    let measured = measure(args, format, &client, paths, &request).await?;
    let report = Report::new(&request, measured);
    client.close().await;
    format.print(&report)
}

async fn measure(
    args: &Args,
    format: Format,
    client: &ClientSession,
    mut paths: Paths,
    request: &Request,
) -> Result<Measured, Failure> {
    let session = &client.session;
    let (send, recv) = session.open_bi().await.map_err(Failure::open)?;
    let (mut sender, mut receiver) = (Sender(send), Receiver::new(recv));
    sender.send(request).await?;
    sender.finish();
    let ready = timeout(args.client.connect_timeout, await_ready(&mut receiver)).await;
    ready
        .map_err(|_| Failure::lost("the server does not answer; is it 'tcpls perf server'?"))??;

    let part = Part {
        sends: request.direction.server_reads(),
        reads: request.direction.client_reads(),
    };
    let mut load = Load::beside(session, request, part).await?;
    let (start, cpu) = (Instant::now(), cpu::used());
    let count = ReadCount::default();
    load.open(session, request, part, &count).await?;
    let mut watch = Watch::new(args.interval, start, format);
    let mut done = None;
    let mut finished = false;
    while !finished || done.is_none() {
        tokio::select! {
            result = load.finish(), if !finished => {
                result?;
                finished = true;
            }
            reply = receiver.receive(), if done.is_none() => match reply? {
                Some(Reply::Progress { bytes }) => watch.remote = bytes,
                Some(Reply::Done(outcome)) => done = Some(outcome),
                Some(Reply::Ready | Reply::Refused { .. }) | None => return Err(out_of_turn()),
            },
            now = watch.tick() => watch.report(now, count.get())?,
            never = paths.follow() => match never {},
        }
    }
    let Outcome {
        bytes: to_server,
        cpu_seconds: cpu_remote,
    } = done.ok_or_else(out_of_turn)?;
    let time = start.elapsed();
    let (paths, failures) = paths.report();
    Ok(Measured {
        to_server,
        to_client: count.get(),
        time,
        cpu_local: cpu::since(cpu).map(|time| time.as_secs_f64()),
        cpu_remote,
        connections: session.stats().connections,
        cipher_suite: suite_name(session.handshake().suite),
        bytes_retransmitted: session.stats().bytes_retransmitted,
        paths,
        failures,
        intervals: watch.intervals,
    })
}

async fn await_ready(receiver: &mut Receiver) -> Result<(), Failure> {
    match receiver.receive().await? {
        Some(Reply::Ready) => Ok(()),
        Some(Reply::Refused { reason }) => Err(Failure::lost(format!(
            "the server refuses to measure: {reason}"
        ))),
        Some(Reply::Progress { .. } | Reply::Done(_)) | None => Err(out_of_turn()),
    }
}

fn out_of_turn() -> Failure {
    Failure::lost("the server ended the measurement out of turn")
}

/// The reports on the way.
struct Watch {
    ticks: Option<tokio::time::Interval>,
    start: Instant,
    format: Format,
    /// Bytes that the server has read, as it last said.
    remote: u64,
    intervals: Vec<Interval>,
}

impl Watch {
    fn new(every: Option<Duration>, start: Instant, format: Format) -> Self {
        let ticks = every.map(|every| {
            let mut ticks = interval_at(start + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            ticks
        });
        Self {
            ticks,
            start,
            format,
            remote: 0,
            intervals: Vec::new(),
        }
    }

    /// Waits for the next report to be due. Cancel safe.
    async fn tick(&mut self) -> Instant {
        match &mut self.ticks {
            Some(ticks) => ticks.tick().await,
            None => std::future::pending().await,
        }
    }

    /// Text comes as it happens, JSON together at the end.
    fn report(&mut self, now: Instant, local: u64) -> Result<(), Failure> {
        let last = self.intervals.last();
        let interval = Interval::after(
            last,
            now.duration_since(self.start),
            local.saturating_add(self.remote),
        );
        self.intervals.push(interval);
        match self.format {
            Format::Text => self.format.print(&interval),
            Format::Json => Ok(()),
        }
    }
}

impl Args {
    /// All connections that are wanted, the first one first.
    fn paths(&self) -> Result<Vec<PathArg>, Failure> {
        let mut paths = self.path.clone();
        if paths.is_empty() {
            paths.resize(usize::from(self.connections), PathArg::default());
        }
        if paths.len() > usize::from(MAX_PATHS) {
            let text = format!("--path: at most {MAX_PATHS} connections are possible");
            return Err(Failure::new(Exit::Usage, text));
        }
        if self.scheduler == Some(Scheduler::Backup) {
            for spare in paths.iter_mut().skip(1) {
                spare.status = PathStatus::Backup;
            }
        }
        let count = u32::try_from(paths.len()).unwrap_or(u32::MAX);
        let missing = |fault: &&Fault| fault.how == How::Down && fault.path >= count;
        if let Some(fault) = self.fail_at.iter().find(missing) {
            let text = format!("--fail-at: there is no path {} to take down", fault.path);
            return Err(Failure::new(Exit::Usage, text));
        }
        Ok(paths)
    }

    fn wishes(&self, paths: &[PathArg]) -> Wishes {
        let Wishes { mut session, .. } = Wishes::default();
        if paths.len() > 1 || !self.fail_at.is_empty() {
            session = SessionConfig::new();
        }
        // The control stream is one, too.
        let beside = self.idle_streams.saturating_add(self.stalled_streams);
        session.own_streams(self.parallel.saturating_add(beside).max(255) + 1);
        if let Some(scheduler) = self.scheduler {
            session.scheduler(scheduler.policy());
        }
        Wishes {
            session,
            path: paths.first().cloned().unwrap_or_default(),
            silencing: if silenced(&self.fail_at, 0) {
                Silencing::Prepared
            } else {
                Silencing::No
            },
        }
    }

    fn request(&self) -> Request {
        Request {
            version: VERSION,
            direction: match (self.bidir, self.reverse) {
                (true, _) => Direction::Both,
                (false, true) => Direction::ToClient,
                (false, false) => Direction::ToServer,
            },
            streams: self.parallel,
            length: self.length,
            amount: match self.bytes {
                Some(bytes) => Amount::Bytes(bytes),
                None => Amount::Seconds(self.time.as_secs_f64()),
            },
            progress: self.interval.is_some(),
            idle_streams: self.idle_streams,
            stalled_streams: self.stalled_streams,
        }
    }
}

fn parse_length(text: &str) -> Result<u64, String> {
    let length = parse_size(text)?;
    if (1..=MAX_LENGTH).contains(&length) {
        Ok(length)
    } else {
        Err("expected between 1 and 16M".to_owned())
    }
}
