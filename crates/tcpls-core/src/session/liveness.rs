//! What is done about connections that fall silent (reading A-45).

use std::time::Instant;

use super::{Reading, Session, close, failover, state::Lifecycle};
use crate::{
    ConnectionFailure, ConnectionHandle, Event, PathInfo,
    connection::{Connection, Ping, Verdict},
    sent::SentFrame,
};

/// Takes in what TCP says.
pub(super) fn on_info(session: &mut Session, c: ConnectionHandle, info: PathInfo, now: Instant) {
    let timeout = session.config.path_timeout;
    let Some(connection) = live_mut(session, c) else {
        return;
    };
    let load = connection.load();
    match connection.liveness.on_info(info, load, timeout, now) {
        Verdict::Unchanged => {}
        Verdict::Suspect => {
            session.events.push(Event::ConnectionSuspect(c));
            repeat_control(session, c);
            close::leave_silent(session);
        }
        Verdict::Recovered => session.events.push(Event::ConnectionRecovered(c)),
        Verdict::Dead => failover::fail(session, c, ConnectionFailure::TimedOut, now),
    }
}

/// When something is to be done about silence, of TCP and of the peer.
pub(super) fn deadlines(session: &Session) -> (Option<Instant>, Option<Instant>) {
    let live = || {
        session
            .connections
            .iter_live()
            .map(|(_, connection)| connection)
    };
    let checks = live().filter_map(|connection| connection.liveness.check_deadline());
    let silences = live().filter_map(|connection| silence_deadline(session, connection));
    (checks.min(), silences.min())
}

/// Acts on what is due.
pub(super) fn on_timeout(session: &mut Session, now: Instant) {
    for index in 0..session.connections.live().len() {
        let Some(&c) = session.connections.live().get(index) else {
            return;
        };
        let silent = session
            .connections
            .get(c)
            .and_then(|connection| silence_deadline(session, connection))
            .is_some_and(|at| at <= now);
        let Some(connection) = session.connections.get_mut(c) else {
            continue;
        };
        if connection.liveness.take_check(now) {
            session.events.push(Event::PathInfoWanted(c));
        }
        if silent {
            connection.liveness.on_silence(now);
            if connection.ping == Ping::None {
                connection.ping = Ping::Due;
            }
        }
    }
}

/// A receiver asks only while there is something to expect, and while it reads itself.
fn silence_deadline(session: &Session, connection: &Connection) -> Option<Instant> {
    let expects = session.lifecycle == Lifecycle::Open
        && session.reading == Reading::Wanted
        && session.streams.are_open()
        && connection.state.is_readable();
    expects
        .then(|| connection.liveness.silence_deadline())
        .flatten()
}

/// What a silent connection carries beside stream data goes out on others as well: none of it does harm
/// when it comes twice.
fn repeat_control(session: &mut Session, c: ConnectionHandle) {
    let Some(connection) = session.connections.get(c) else {
        return;
    };
    for frame in connection.sent.unacked() {
        match frame {
            SentFrame::Control(frame) => session.control.push(frame),
            SentFrame::Signal(signal) => session.streams.on_signal_lost(signal),
            SentFrame::Stream(_) | SentFrame::Ping => {}
        }
    }
    failover::repeat_acks(session);
}

fn live_mut(session: &mut Session, c: ConnectionHandle) -> Option<&mut Connection> {
    session
        .connections
        .get_mut(c)
        .filter(|connection| connection.state.is_live())
}
