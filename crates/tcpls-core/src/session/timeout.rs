//! Deadlines: which is next, and what happens at it.

use std::time::Instant;

use super::{Session, close, liveness, retire, state::Lifecycle, tokens};
use crate::{
    CloseReason, TimeoutReason,
    connection::{ConnectionState, Ping},
};

/// The next deadline.
pub(super) fn poll(session: &Session) -> Option<(Instant, TimeoutReason)> {
    let live = || {
        session
            .connections
            .iter_live()
            .map(|(_, connection)| connection)
    };
    let acks = live()
        .filter_map(|connection| connection.acks.deadline())
        .min();
    let leaving = live()
        .filter_map(|connection| connection.state.deadline())
        .min();
    let drain = session.lifecycle.deadline();
    let orphan = session.orphaned.map(|orphaned| orphaned.deadline);
    let (idle, keep_alive) = silence(session);
    let (check, quiet) = liveness::deadlines(session);
    [
        (acks, TimeoutReason::AckDelay),
        (leaving, TimeoutReason::Leaving),
        (check, TimeoutReason::PathCheck),
        (quiet, TimeoutReason::Silence),
        (drain, TimeoutReason::Drain),
        (orphan, TimeoutReason::Orphan),
        (idle, TimeoutReason::Idle),
        (keep_alive, TimeoutReason::KeepAlive),
        (tokens::deadline(session), TimeoutReason::Tokens),
    ]
    .into_iter()
    .filter_map(|(deadline, reason)| Some((deadline?, reason)))
    .min_by_key(|(deadline, _)| *deadline)
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
