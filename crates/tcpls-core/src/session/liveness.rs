//! What is done about connections that fall silent (reading A-45).

use std::time::Instant;

use super::{Reading, Session, close, failover, state::Lifecycle};
use crate::{
    ConnectionFailure, ConnectionHandle, Event, PathInfo,
    connection::{Connection, Health, Ping, Verdict},
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
        Verdict::Recovered => {
            session.events.push(Event::ConnectionRecovered(c));
            on_way_found(session);
        }
        Verdict::Dead => failover::fail(session, c, ConnectionFailure::TimedOut, now),
    }
}

/// Acts on what is due.
pub(super) fn on_timeout(session: &mut Session, now: Instant) {
    let expecting = is_expecting(session);
    for index in 0..session.connections.live().len() {
        let Some(&c) = session.connections.live().get(index) else {
            return;
        };
        let silent = session
            .connections
            .get(c)
            .filter(|_| expecting)
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
pub(super) fn is_expecting(session: &Session) -> bool {
    session.lifecycle == Lifecycle::Open
        && session.reading == Reading::Wanted
        && session.streams.are_open()
}

/// When something is to be done about the silence of a peer of which something [is
/// expected](is_expecting).
pub(super) fn silence_deadline(session: &Session, connection: &Connection) -> Option<Instant> {
    let readable = connection.state.is_readable();
    readable
        .then(|| connection.liveness.silence_deadline(session.role))
        .flatten()
}

/// A connection gets through, for the first time or again. What silent ones took along while there was none
/// like it goes out on it.
pub(super) fn on_way_found(session: &mut Session) {
    let is_silent = |connection: &Connection| connection.liveness.health() == Health::Suspect;
    let silent: Vec<_> = session
        .connections
        .iter_live()
        .filter(|(_, connection)| is_silent(connection))
        .map(|(c, _)| c)
        .collect();
    for c in silent {
        repeat_control(session, c);
    }
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
