//! The server of a measurement.

use std::time::Duration;

use clap::ValueEnum as _;
use tcpls_tokio::{Connected, Session, SessionConfig};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::control::{Outcome, Receiver, Reply, Request, Sender};
use super::idle::message::Asked;
use super::idle::serve::{self as idle, Resting};
use super::load::{Load, Part, ReadCount};
use super::scheduler::Scheduler;
use crate::cpu;
use crate::exit::{Exit, Failure};
use crate::file_limit;
use crate::report::Format;
use crate::server::{Serve, ServerArgs, serve};

/// Serve measurements, several at a time
///
/// Prints "listening ADDR:PORT" when ready. CPU time is that of the whole process: measure it with
/// one client at a time.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// Serve one client and end
    #[arg(short = '1', long)]
    one_off: bool,
    /// How what the server sends is spread over the connections of a session [default:
    /// earliest-completion]
    #[arg(long, value_name = "POLICY", value_parser = parse_scheduler)]
    scheduler: Option<Scheduler>,
}

/// A policy that needs nothing said about single paths.
fn parse_scheduler(text: &str) -> Result<Scheduler, String> {
    let policy = Scheduler::from_str(text, false)?;
    if policy == Scheduler::Backup {
        return Err("which connections are spare is for the client to say".to_owned());
    }
    Ok(policy)
}

pub(crate) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let mut session = SessionConfig::new();
    if let Some(scheduler) = args.scheduler {
        session.scheduler(scheduler.policy());
    }
    let endpoint = args.server.listen(session, format)?;
    let how = if args.one_off {
        Serve::Once
    } else {
        Serve::Forever
    };
    file_limit::raise(FILES);
    let resting = Resting::default();
    let client = move |connected| client(connected, resting.clone());
    serve(&endpoint, how, client).await;
    Ok(())
}

/// How many files and sockets the server may need: as many sessions as a client asks for, and more.
const FILES: u64 = 128 * 1024;
/// How often progress is reported.
const REPORT: Duration = Duration::from_millis(100);
/// How long a client may take to say what it wants, and to say goodbye.
const PATIENCE: Duration = Duration::from_secs(10);

async fn client(connected: Connected, resting: Resting) -> Result<(), Failure> {
    let session = connected
        .into_session()
        .await
        .map_err(|error| Failure::new(Exit::NotTcpls, error))?;
    let asked = timeout(PATIENCE, Box::pin(asked(&session))).await;
    let (sender, receiver, asked) =
        asked.map_err(|_| Failure::lost("the client asks for nothing"))??;
    // There may be many that rest, and few that work: the state of the others is not theirs.
    match asked {
        Asked::Load(request) => Box::pin(measure(session, sender, request)).await,
        Asked::Idle(request) => {
            Box::pin(idle::serve(session, request, (sender, receiver), resting)).await
        }
    }
}

async fn measure(session: Session, mut sender: Sender, request: Request) -> Result<(), Failure> {
    if let Err(reason) = request.check() {
        let failure = Failure::lost(format!("the request was refused: {reason}"));
        sender.send(&Reply::Refused { reason }).await?;
        sender.finish();
        return leave(&session).await.and(Err(failure));
    }
    let cpu = cpu::used();
    sender.send(&Reply::Ready).await?;
    let count = ReadCount::default();
    let part = Part {
        sends: request.direction.client_reads(),
        reads: request.direction.server_reads(),
    };
    let mut load = Load::accept(&session, &request, part, &count).await?;
    if request.progress {
        finish_with_progress(&mut load, &count, &mut sender).await?;
    } else {
        load.finish().await?;
    }
    let cpu_seconds = cpu::since(cpu).map(|time| time.as_secs_f64());
    sender
        .send(&Reply::Done(Outcome {
            bytes: count.get(),
            cpu_seconds,
        }))
        .await?;
    sender.finish();
    leave(&session).await
}

/// The first stream of a session is the control stream.
async fn asked(session: &Session) -> Result<(Sender, Receiver, Asked), Failure> {
    let (send, recv) = session.accept_bi().await.map_err(Failure::session)?;
    let mut receiver = Receiver::new(recv);
    let asked = receiver.receive().await?;
    let asked = asked.ok_or_else(|| Failure::lost("the client asks for nothing"))?;
    Ok((Sender(send), receiver, asked))
}

async fn finish_with_progress(
    load: &mut Load,
    count: &ReadCount,
    sender: &mut Sender,
) -> Result<(), Failure> {
    let mut ticks = interval(REPORT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            done = load.finish() => return done,
            _tick = ticks.tick() => sender.send(&Reply::Progress { bytes: count.get() }).await?,
        }
    }
}

/// The client closes; it knows when it has everything.
async fn leave(session: &Session) -> Result<(), Failure> {
    match timeout(PATIENCE, session.closed()).await {
        Ok(reason) if reason.is_orderly() => Ok(()),
        Ok(reason) => Err(Failure::session(reason)),
        Err(_elapsed) => {
            session.close(0, b"");
            Ok(())
        }
    }
}
