//! `tcpls perf idle`: what do sessions cost that rest?

pub(super) mod message;
mod report;
pub(super) mod serve;
mod source;

use std::sync::Arc;
use std::time::Duration;

use tcpls_tokio::{Session, SessionConfig};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use self::message::{Figures, Look, Purpose, RestRequest};
use self::report::{Measured, Report};
use self::source::Sources;
use super::control::{Receiver, Reply, Sender, VERSION};
use crate::client::ClientArgs;
use crate::dialler::Dialler;
use crate::exit::{Exit, Failure};
use crate::number::parse_seconds;
use crate::path_arg::PathArg;
use crate::progress::Progress;
use crate::report::Format;
use crate::{cpu, file_limit, memory};

/// Open many sessions at a "tcpls perf server" and measure what they cost while they rest
///
/// Each session has one connection and exchanges a message before it rests. Memory is what both
/// processes have of their own, with what their allocators hold back; that of Linux is called
/// `RssAnon`. What came with the sessions is divided by their number. CPU time is that of
/// both processes while nothing happens. The limit on open files is raised where the system allows
/// it; a server on the loopback interface is reached from several addresses when ports run out.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    #[command(flatten)]
    client: ClientArgs,
    /// Sessions to open
    #[arg(long, value_name = "N", default_value = "10000",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    sessions: u32,
    /// Sessions that are being opened at a time
    #[arg(long, value_name = "N", default_value = "32",
        value_parser = clap::value_parser!(u32).range(1..=512))]
    at_a_time: u32,
    /// How long the sessions rest before memory is looked at, so that buffers are given back
    #[arg(long, value_name = "SECS", default_value = "5", value_parser = parse_seconds)]
    settle: Duration,
    /// How long to measure CPU time after that
    #[arg(short = 't', long, value_name = "SECS", default_value = "10", value_parser = parse_seconds)]
    time: Duration,
}

/// Sockets and files that a process has open beside those of sessions.
const OTHER_FILES: u32 = 200;

pub(super) async fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let wanted = u64::from(args.sessions.saturating_add(OTHER_FILES));
    let limit = file_limit::raise(wanted);
    let mut session = SessionConfig::new();
    session.orphan_timeout(None);
    let dialler = Arc::new(args.client.dialler(session)?);
    let (mut watch, sources) = Watch::start(&dialler, args.client.connect_timeout).await?;
    let before = watch.look().await?;
    let start = Instant::now();
    let opened = open_all(args, &dialler, &sources).await;
    let connect_time = start.elapsed();
    if opened.sessions.is_empty() {
        return Err(opened
            .problem
            .unwrap_or_else(|| Failure::lost("no session")));
    }
    sleep(args.settle).await;
    let settled = watch.look().await?;
    sleep(args.time).await;
    let after = watch.look().await?;
    let lost = opened
        .sessions
        .iter()
        .filter_map(Session::close_reason)
        .count();
    let report = Report::new(&Measured {
        wanted: args.sessions,
        opened: u32::try_from(opened.sessions.len()).unwrap_or(u32::MAX),
        lost: u32::try_from(lost).unwrap_or(u32::MAX),
        problem: opened.problem.map(|problem| problem.message),
        file_limit: limit,
        connect_time,
        idle_time: args.time,
        before,
        settled,
        after,
    });
    let sessions = opened.sessions;
    for session in sessions.iter().chain([&watch.session]) {
        session.close(0, b"");
    }
    // Who does not answer the goodbye is left alone.
    let _idle = timeout(GOODBYE, dialler.connector.wait_idle()).await;
    format.print(&report)
}

/// How long the end of all sessions may take.
const GOODBYE: Duration = Duration::from_secs(20);

/// The sessions that came about.
struct Opened {
    sessions: Vec<Session>,
    /// Why there are no more, if there were to be more.
    problem: Option<Failure>,
}

/// Opens sessions until there are enough, or one fails.
async fn open_all(args: &Args, dialler: &Arc<Dialler>, sources: &Arc<Sources>) -> Opened {
    let progress = Progress::count(args.sessions.into(), "sessions");
    let mut opened = Opened {
        sessions: Vec::new(),
        problem: None,
    };
    let patience = args.client.connect_timeout;
    let mut tasks = JoinSet::new();
    let mut started = 0;
    loop {
        let full = tasks.len() >= usize::try_from(args.at_a_time).unwrap_or(usize::MAX);
        if started < args.sessions && opened.problem.is_none() && !full {
            started += 1;
            tasks.spawn(open(Arc::clone(dialler), Arc::clone(sources), patience));
            continue;
        }
        match tasks.join_next().await {
            Some(Ok(Ok(session))) => {
                progress.add(1);
                opened.sessions.push(session);
            }
            Some(Ok(Err(failure))) => opened.problem = Some(failure),
            Some(Err(error)) => opened.problem = Some(Failure::new(Exit::Internal, error)),
            None => break,
        }
    }
    progress.clear();
    opened
}

/// Opens a session that rests from now on.
async fn open(
    dialler: Arc<Dialler>,
    sources: Arc<Sources>,
    patience: Duration,
) -> Result<Session, Failure> {
    let (tcp, options) = sources
        .dial()
        .await
        .map_err(|error| dialler.unreachable(&error))?;
    let connected = dialler.handshake(tcp, &options).await?;
    let session = connected
        .into_session()
        .await
        .map_err(|error| Failure::new(Exit::NotTcpls, error))?;
    let (_sender, mut receiver) = ask(&session, Purpose::Rest, patience).await?;
    match receiver.receive::<Reply>().await? {
        None => Ok(session),
        Some(_) => Err(out_of_turn()),
    }
}

/// Opens the control stream of a session and says what the session is for.
async fn ask(
    session: &Session,
    purpose: Purpose,
    patience: Duration,
) -> Result<(Sender, Receiver), Failure> {
    let (send, recv) = session.open_bi().await.map_err(Failure::open)?;
    let (mut sender, mut receiver) = (Sender(send), Receiver::new(recv));
    let request = RestRequest {
        version: VERSION,
        idle: purpose,
    };
    sender.send(&request).await?;
    if purpose == Purpose::Rest {
        sender.finish();
    }
    match timeout(patience, receiver.receive()).await {
        Ok(reply) => match reply? {
            Some(Reply::Ready) => Ok((sender, receiver)),
            Some(Reply::Refused { reason }) => Err(Failure::lost(format!(
                "the server refuses to measure: {reason}"
            ))),
            Some(Reply::Progress { .. } | Reply::Done(_)) | None => Err(out_of_turn()),
        },
        Err(_elapsed) => Err(Failure::lost(
            "the server does not answer; is it 'tcpls perf server'?",
        )),
    }
}

fn out_of_turn() -> Failure {
    Failure::lost("the server ended the measurement out of turn")
}

/// The session over which the server tells what it uses.
struct Watch {
    session: Session,
    sender: Sender,
    receiver: Receiver,
}

/// What both processes used so far.
#[derive(Clone, Copy, Debug)]
struct Both {
    here: Figures,
    there: Figures,
}

impl Watch {
    /// Also finds out which of the target's addresses answers.
    async fn start(dialler: &Dialler, patience: Duration) -> Result<(Self, Arc<Sources>), Failure> {
        let path = PathArg::default();
        let (tcp, address) = dialler.connect(&path).await?;
        let connected = dialler.handshake(tcp, &path.options(address)).await?;
        let session = connected
            .into_session()
            .await
            .map_err(|error| Failure::new(Exit::NotTcpls, error))?;
        let (sender, receiver) = ask(&session, Purpose::Watch, patience).await?;
        let watch = Self {
            session,
            sender,
            receiver,
        };
        Ok((watch, Arc::new(Sources::new(address))))
    }

    async fn look(&mut self) -> Result<Both, Failure> {
        self.sender.send(&Look::Now).await?;
        let there = self.receiver.receive().await?.ok_or_else(out_of_turn)?;
        Ok(Both {
            here: Figures::of_this_process(0),
            there,
        })
    }
}

impl Figures {
    /// What this process uses, with so many sessions at rest.
    fn of_this_process(resting: u32) -> Self {
        Self {
            resting,
            memory: memory::used(),
            cpu_seconds: cpu::used().map(|time| time.as_secs_f64()),
        }
    }
}
