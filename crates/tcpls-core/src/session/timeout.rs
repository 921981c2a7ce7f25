//! Deadlines: which is next, and what happens at it.

use std::time::Instant;

use super::{Session, close, liveness, retire, state::Lifecycle, tokens};
use crate::{
    CloseReason, TimeoutReason,
    connection::{ConnectionState, Ping},
};

/// What [`poll`] found last, for as long as it holds.
///
/// Every way into the session that may move a deadline forgets it. What the application does with its
/// streams moves none, but that silence of the peer counts while there is a stream, which is looked at here.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum NextDeadline {
    #[default]
    Unknown,
    Known {
        next: Option<(Instant, TimeoutReason)>,
        streams: StreamsOpen,
    },
}

/// Whether there were streams that are not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamsOpen {
    Some,
    None,
}

impl StreamsOpen {
    fn of(session: &Session) -> Self {
        if session.streams.are_open() {
            Self::Some
        } else {
            Self::None
        }
    }
}

impl NextDeadline {
    /// Some deadline may have moved.
    pub(super) fn forget(&mut self) {
        *self = Self::Unknown;
    }
}

/// The next deadline.
pub(super) fn poll(session: &mut Session) -> Option<(Instant, TimeoutReason)> {
    let open = StreamsOpen::of(session);
    if let NextDeadline::Known { next, streams } = session.next_deadline
        && streams == open
    {
        debug_assert_eq!(next, earliest(session), "a deadline moved unnoticed");
        return next;
    }
    let next = earliest(session);
    session.next_deadline = NextDeadline::Known {
        next,
        streams: open,
    };
    next
}

#[cfg(feature = "testing")]
impl Session {
    /// What [`poll_timeout`](Self::poll_timeout) has to say, worked out anew.
    pub fn earliest_deadline(&self) -> Option<(Instant, TimeoutReason)> {
        earliest(self)
    }
}

/// The next deadline, from all that there are.
fn earliest(session: &Session) -> Option<(Instant, TimeoutReason)> {
    let mut earliest = Earliest(None);
    let expecting = liveness::is_expecting(session);
    for (_, connection) in session.connections.iter_live() {
        earliest.offer(connection.acks.deadline(), TimeoutReason::AckDelay);
        earliest.offer(connection.state.deadline(), TimeoutReason::Leaving);
        let check = connection.liveness.check_deadline();
        earliest.offer(check, TimeoutReason::PathCheck);
        if expecting {
            let quiet = liveness::silence_deadline(session, connection);
            earliest.offer(quiet, TimeoutReason::Silence);
        }
    }
    let orphan = session.orphaned.map(|orphaned| orphaned.deadline);
    let (idle, keep_alive) = silence(session);
    earliest.offer(session.lifecycle.deadline(), TimeoutReason::Drain);
    earliest.offer(orphan, TimeoutReason::Orphan);
    earliest.offer(idle, TimeoutReason::Idle);
    earliest.offer(keep_alive, TimeoutReason::KeepAlive);
    earliest.offer(tokens::deadline(session), TimeoutReason::Tokens);
    let stall = session.streams.stall_deadline();
    earliest.offer(stall, TimeoutReason::Writers);
    earliest.0
}

/// The earliest of the deadlines that were looked at, the first of those of one time.
struct Earliest(Option<(Instant, TimeoutReason)>);

impl Earliest {
    fn offer(&mut self, deadline: Option<Instant>, reason: TimeoutReason) {
        if let Some(at) = deadline
            && self.0.is_none_or(|(earliest, _)| at < earliest)
        {
            self.0 = Some((at, reason));
        }
    }
}

/// Acts on every deadline that has passed.
pub(super) fn handle(session: &mut Session, now: Instant) {
    session.clock = now;
    session
        .connections
        .for_each_live(|connection| connection.acks.on_timeout(now));
    let given_up = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
    for c in session.connections.live().to_vec() {
        let state = session
            .connections
            .get(c)
            .map(|connection| connection.state);
        if given_up(state.and_then(ConnectionState::deadline)) {
            retire::on_deadline(session, c, now);
        }
    }
    liveness::on_timeout(session, now);
    tokens::on_timeout(session, now);
    session.streams.on_timeout(now, &mut session.events);
    close::on_timeout(session, now);
    let (idle, keep_alive) = silence(session);
    if given_up(idle) {
        if !session.activity.excuse(session.reading, now) {
            close::fail(session, CloseReason::IdleTimeout);
        }
    } else if given_up(keep_alive) {
        session.activity.on_keep_alive(now);
        session
            .connections
            .for_each_live(|connection| connection.ping = Ping::Due);
    }
}

/// The deadlines of silence; none once the session closes.
fn silence(session: &Session) -> (Option<Instant>, Option<Instant>) {
    if session.lifecycle != Lifecycle::Open || session.connections.live().is_empty() {
        return (None, None);
    }
    let (activity, config) = (&session.activity, &session.config);
    (
        activity.idle_deadline(config),
        activity.keep_alive_deadline(config),
    )
}
