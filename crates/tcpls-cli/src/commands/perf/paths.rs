//! The paths of the measured session: opened, broken on demand, and reported.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use tcpls_tokio::{
    Path, PathError, PathEvent, PathEvents, PathState, PathStats, PathStatus, Session,
};
use tokio::time::Instant;

use super::fault::{Fault, Faults, How};
use crate::exit::{Exit, Failure};
use crate::number::{Size, milliseconds};
use crate::path_arg::PathArg;
use crate::silencer::Silencer;

/// The paths of a session while it is measured.
#[derive(Debug)]
pub(super) struct Paths {
    session: Session,
    events: PathEvents,
    start: Instant,
    faults: Faults,
    silencers: BTreeMap<u32, Silencer>,
    broken: Vec<Broken>,
    /// When paths ended that did.
    ends: BTreeMap<u32, Duration>,
}

impl Paths {
    /// Opens all paths but the first, which goes to `first`. Time starts now.
    pub(super) async fn open(
        session: &Session,
        first: (SocketAddr, Option<Silencer>),
        wanted: &[PathArg],
        faults: &[Fault],
    ) -> Result<Self, Failure> {
        let (address, silencer) = first;
        let mut silencers: BTreeMap<_, _> = silencer.into_iter().map(|one| (0, one)).collect();
        let events = session.path_events();
        for (index, path) in (0..).zip(wanted) {
            if index == 0 {
                for first in session.paths() {
                    first.set_status(path.status);
                }
                continue;
            }
            let opened = if silenced(faults, index) {
                let (opened, silencer) = open_silenced(session, path, path.remote(address)).await?;
                silencers.insert(opened.id().as_u32(), silencer);
                Ok(opened)
            } else {
                session.open_path(&path.options(address)).await
            };
            opened.map_err(|error| unopened(index, &error))?;
        }
        let start = Instant::now();
        Ok(Self {
            session: session.clone(),
            events,
            start,
            faults: Faults::new(faults, start),
            silencers,
            broken: Vec::new(),
            ends: BTreeMap::new(),
        })
    }

    /// Breaks paths when it is time, and notes when paths end. Never returns; cancel safe.
    pub(super) async fn follow(&mut self) -> std::convert::Infallible {
        let mut over = false;
        loop {
            tokio::select! {
                fault = self.faults.due() => self.apply(fault),
                event = self.events.recv(), if !over => match event {
                    Some(PathEvent::Closed { id, .. }) => {
                        self.ends.insert(id.as_u32(), self.start.elapsed());
                    }
                    Some(_) => {}
                    None => over = true,
                },
            }
        }
    }

    fn apply(&mut self, fault: Fault) {
        let is_it = |path: &Path| path.id().as_u32() == fault.path;
        let path = self.session.paths().into_iter().find(is_it);
        let done = match (path, fault.how) {
            (None, _) => false,
            (Some(path), How::Rst) => {
                path.abort();
                true
            }
            (Some(_), How::Down) => {
                let silencer = self.silencers.remove(&fault.path);
                silencer.is_some_and(|silencer| silencer.silence().is_ok())
            }
        };
        self.broken.push(Broken { fault, done });
    }

    /// What is known of every path of the session.
    pub(super) fn report(self) -> (Vec<PathReport>, Vec<Broken>) {
        let now = self.session.path_stats();
        let report = |stats: &PathStats| {
            let end = self.ends.get(&stats.id.as_u32()).copied();
            PathReport::new(stats, end)
        };
        (now.iter().map(report).collect(), self.broken)
    }
}

/// Whether the path of this index is to fall silent.
pub(super) fn silenced(faults: &[Fault], index: u32) -> bool {
    faults
        .iter()
        .any(|fault| fault.path == index && fault.how == How::Down)
}

/// A path that the session cannot open again, since to it there is only the connection.
async fn open_silenced(
    session: &Session,
    path: &PathArg,
    remote: SocketAddr,
) -> Result<(Path, Silencer), Failure> {
    let unreachable = |error| {
        let text = format!("cannot open a path to {remote}: {error}");
        Failure::new(Exit::Unreachable, text)
    };
    let tcp = path.dial(remote).await.map_err(unreachable)?;
    let silencer = Silencer::new(&tcp).map_err(unreachable)?;
    let opened = session.join_over(tcp).await;
    let opened = opened.map_err(|error| Failure::lost(format!("a path did not join: {error}")))?;
    opened.set_status(path.status);
    Ok((opened, silencer))
}

fn unopened(index: u32, error: &PathError) -> Failure {
    let exit = match error {
        PathError::Io(_) | PathError::Device(..) => Exit::Unreachable,
        PathError::NotClient
        | PathError::NoToken
        | PathError::TokensUsedUp
        | PathError::NoAddress
        | PathError::AddressWithdrawn(_)
        | PathError::CongestionControl(..)
        | PathError::TimedOut(_)
        | PathError::NotJoined(_)
        | PathError::Lost(_)
        | PathError::NoRandomness
        | PathError::SessionLost(_)
        | _ => Exit::SessionLost,
    };
    Failure::new(exit, format!("cannot open path {index}: {error}"))
}

/// A failure that was wanted.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Broken {
    #[serde(flatten)]
    fault: Fault,
    /// Whether there was such a path to break.
    done: bool,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { time, path, how } = self.fault;
        write!(
            f,
            "{:6.2} s  path {path} {}",
            time.as_secs_f64(),
            how.name()
        )?;
        if self.done {
            Ok(())
        } else {
            write!(f, ", but there was none")
        }
    }
}

/// One path, as the client saw it.
#[derive(Debug, Serialize)]
pub(super) struct PathReport {
    /// The Connection ID.
    id: u32,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    backup: bool,
    /// `joining`, `open`, `suspect` or `ended`.
    state: &'static str,
    /// Seconds from the start of the measurement.
    ended_at: Option<f64>,
    /// Why it ended; `null` for an orderly end.
    reason: Option<String>,
    /// Bytes in records, before encryption.
    bytes_sent: u64,
    bytes_received: u64,
    /// Of the bytes sent, stream data that another path carried as well.
    bytes_sent_again: u64,
    /// Segments that TCP sent again, until the end of the path; `null` where the system does not tell.
    segments_retransmitted: Option<u64>,
    /// TCP's smoothed round trip time; `null` where the system does not tell.
    srtt_ms: Option<f64>,
}

impl PathReport {
    fn new(path: &PathStats, end: Option<Duration>) -> Self {
        let (state, reason) = match path.state {
            PathState::Joining => ("joining", None),
            PathState::Open => ("open", None),
            PathState::Suspect => ("suspect", None),
            PathState::Ended { reason } => ("ended", reason.map(|reason| reason.to_string())),
            _ => ("unknown", None),
        };
        let round_trip = path.info.map(|info| info.round_trip);
        Self {
            id: path.id.as_u32(),
            local: path.local_address,
            remote: path.remote_address,
            backup: path.status == PathStatus::Backup,
            state,
            ended_at: end.map(|end| end.as_secs_f64()),
            reason,
            bytes_sent: path.counters.bytes_sent,
            bytes_received: path.counters.bytes_received,
            segments_retransmitted: path.segments_retransmitted,
            bytes_sent_again: path.counters.duplicates_sent,
            srtt_ms: round_trip.filter(|time| !time.is_zero()).map(milliseconds),
        }
    }
}

impl fmt::Display for PathReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |address: Option<SocketAddr>| {
            address.map_or_else(|| "?".to_owned(), |address| address.to_string())
        };
        write!(
            f,
            "path {}: {} -> {}, {} out, {} in",
            self.id,
            shown(self.local),
            shown(self.remote),
            Size(self.bytes_sent),
            Size(self.bytes_received),
        )?;
        if let Some(time) = self.srtt_ms {
            write!(f, ", srtt {time:.1} ms")?;
        }
        if let Some(count) = self.segments_retransmitted {
            write!(f, ", {count} retransmitted")?;
        }
        if self.backup {
            write!(f, ", backup")?;
        }
        if self.state != "open" {
            write!(f, ", {}", self.state)?;
        }
        if let Some(end) = self.ended_at {
            write!(f, " at {end:.2} s")?;
        }
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}
