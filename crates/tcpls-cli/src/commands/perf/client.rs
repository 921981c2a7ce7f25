//! The client of a measurement.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::control::{
    Amount, Direction, MAX_LENGTH, MAX_STREAMS, Outcome, Receiver, Reply, Request, Sender, VERSION,
};
use super::load::{Load, Part, ReadCount};
use super::report::{Interval, Measured, Report};
use crate::client::{ClientArgs, ClientSession};
use crate::cpu;
use crate::exit::Failure;
use crate::number::{parse_seconds, parse_size};
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
}

pub(crate) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let client = args.client.session().await?;
    let request = args.request();
    let measured = measure(args, format, &client, &request).await?;
    let report = Report::new(&request, measured);
    client.close().await;
    format.print(&report)
}

async fn measure(
    args: &Args,
    format: Format,
    client: &ClientSession,
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

    let (start, cpu) = (Instant::now(), cpu::used());
    let count = ReadCount::default();
    let part = Part {
        sends: request.direction.server_reads(),
        reads: request.direction.client_reads(),
    };
    let mut load = Load::open(session, request, part, &count).await?;
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
        }
    }
    let Outcome {
        bytes: to_server,
        cpu_seconds: cpu_remote,
    } = done.ok_or_else(out_of_turn)?;
    Ok(Measured {
        to_server,
        to_client: count.get(),
        time: start.elapsed(),
        cpu_local: cpu::since(cpu).map(|time| time.as_secs_f64()),
        cpu_remote,
        connections: session.stats().connections,
        cipher_suite: suite_name(session.handshake().suite),
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
