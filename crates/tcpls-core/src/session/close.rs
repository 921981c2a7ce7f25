//! The end of a session: in order, by error, or for want of connections (draft 4.4, reading A-17).

use std::time::Instant;

use super::{
    Session, farewell,
    state::{Closer, Draining, Lifecycle, Orphaned},
};
use crate::{
    CloseReason, ConnectionFailure, ConnectionHandle, Event,
    connection::{Health, WriteHalf},
};

/// Begins to close: what was finished is acknowledged first.
pub(super) fn close(session: &mut Session, now: Instant) {
    if session.lifecycle != Lifecycle::Open {
        return;
    }
    session.lifecycle = Lifecycle::Finishing(now + session.config.drain_timeout);
    session.streams.begin_closing(&mut session.events);
    advance(session, now);
}

/// Goes on to drain once nothing is left to be acknowledged.
fn advance(session: &mut Session, now: Instant) {
    if matches!(session.lifecycle, Lifecycle::Finishing(_)) && !session.streams.is_finishing() {
        drain(session, Closer::Local, now);
    }
}

/// The peer acknowledged something of a stream: a slow path gets its time, as long as it brings us further.
/// What else is acknowledged does not.
pub(super) fn on_acked(session: &mut Session, now: Instant) {
    if let Lifecycle::Finishing(deadline) = &mut session.lifecycle {
        *deadline = now + session.config.drain_timeout;
    }
    advance(session, now);
}

/// A connection that comes too late ends with the others.
pub(super) fn on_connection_added(session: &mut Session, c: ConnectionHandle) {
    let Some(connection) = session.connections.get_mut(c) else {
        return;
    };
    match session.lifecycle {
        Lifecycle::Open | Lifecycle::Finishing(_) => {}
        Lifecycle::Draining(_) => connection.state.notify(),
        Lifecycle::Closed(reason) => {
            connection.state.fail(reason.alert());
            session.connections.bury(c);
        }
    }
}

/// The peer sent `close_notify` on this connection: it is answered at once on all of them.
pub(super) fn on_close_notify(session: &mut Session, c: ConnectionHandle, now: Instant) {
    if let Some(connection) = session.connections.get_mut(c) {
        connection.state.on_notified();
    }
    match session.lifecycle {
        Lifecycle::Open => drain(session, Closer::Peer, now),
        Lifecycle::Finishing(_) => drain(session, Closer::Local, now),
        Lifecycle::Draining(_) | Lifecycle::Closed(_) => {}
    }
    if let Lifecycle::Draining(draining) = &mut session.lifecycle {
        draining.received = true;
    }
    bury_if_over(session, c);
}

/// The last record of this connection was given out.
pub(super) fn on_last_record(session: &mut Session, c: ConnectionHandle) {
    if let Some(connection) = session.connections.get_mut(c) {
        connection.state.on_last_record();
        if let Lifecycle::Draining(draining) = &mut session.lifecycle
            && connection.state.write == WriteHalf::Shutdown
        {
            draining.sent = true;
        }
    }
    bury_if_over(session, c);
}

/// The state of the session has lasted too long.
pub(super) fn on_timeout(session: &mut Session, now: Instant) {
    if let Some(orphaned) = session.orphaned.filter(|orphaned| orphaned.deadline <= now) {
        return end_without_connections(session, orphaned.failure);
    }
    if session
        .lifecycle
        .deadline()
        .is_none_or(|deadline| deadline > now)
    {
        return;
    }
    match session.lifecycle {
        Lifecycle::Finishing(_) => drain(session, Closer::Local, now),
        Lifecycle::Draining(draining) => {
            if farewell::defer(session, draining, now) {
                return;
            }
            let failure = ConnectionFailure::TimedOut;
            if farewell::is_said(session, draining, now) {
                end(session, draining.closer.reason(), failure);
            } else {
                end_without_connections(session, failure);
            }
        }
        Lifecycle::Open | Lifecycle::Closed(_) => {}
    }
}

/// The last connection failed. Where another may still join, the session waits for it (reading A-19).
pub(super) fn on_last_connection_lost(
    session: &mut Session,
    failure: ConnectionFailure,
    now: Instant,
) {
    let waits = matches!(session.lifecycle, Lifecycle::Open | Lifecycle::Finishing(_))
        && !session.farewell.is_heard();
    match session.config.orphan_timeout {
        Some(timeout) if waits && session.control.may_join() => {
            session.orphaned = Some(Orphaned {
                deadline: now + timeout,
                failure,
            });
        }
        _ => end_without_connections(session, failure),
    }
}

/// A join came to nothing: a session without connections may have waited for it alone (reading A-44).
pub(super) fn on_join_failed(session: &mut Session) {
    if let Some(orphaned) = session.orphaned
        && !session.control.may_join()
    {
        end_without_connections(session, orphaned.failure);
    }
}

/// Ends the session at once, with a fatal alert where there is somebody to tell.
pub(super) fn fail(session: &mut Session, reason: CloseReason) {
    end(session, reason, ConnectionFailure::SessionEnded);
}

fn drain(session: &mut Session, closer: Closer, now: Instant) {
    let draining = Draining {
        closer,
        deadline: now + farewell::drain_time(session),
        until: now + session.config.drain_timeout,
        sent: false,
        received: false,
    };
    session.lifecycle = Lifecycle::Draining(draining);
    session.streams.begin_closing(&mut session.events);
    session
        .connections
        .for_each_live(|connection| connection.state.notify());
    if session.connections.live().is_empty() {
        match session.orphaned {
            Some(orphaned) => end_without_connections(session, orphaned.failure),
            None => end(
                session,
                CloseReason::LocalClose,
                ConnectionFailure::SessionEnded,
            ),
        }
    }
}

/// An orderly end of the connection, and of the session if it was the last.
fn bury_if_over(session: &mut Session, c: ConnectionHandle) {
    let over = session
        .connections
        .get(c)
        .is_some_and(|connection| !connection.state.is_live());
    if !over || !session.connections.live().contains(&c) {
        return;
    }
    session.connections.bury(c);
    session.events.push(Event::ConnectionClosed {
        connection: c,
        failure: None,
    });
    if session.connections.live().is_empty() {
        end_without_connections(session, ConnectionFailure::SessionEnded);
    }
    leave_silent(session);
}

/// Ends a session that said goodbye and heard it, once nothing is left but connections that are silent:
/// what they carried went out on others (reading A-45).
pub(super) fn leave_silent(session: &mut Session) {
    let Lifecycle::Draining(draining) = session.lifecycle else {
        return;
    };
    let silent = session
        .connections
        .iter_live()
        .all(|(_, connection)| connection.liveness.health() == Health::Suspect);
    if draining.sent && draining.received && silent {
        end_without_connections(session, ConnectionFailure::SessionEnded);
    }
}

fn end_without_connections(session: &mut Session, failure: ConnectionFailure) {
    let reason = session.lifecycle.reason_without_connections(failure);
    end(session, reason, failure);
}

fn end(session: &mut Session, reason: CloseReason, failure: ConnectionFailure) {
    if matches!(session.lifecycle, Lifecycle::Closed(_)) {
        return;
    }
    let reason = session.farewell.explain(reason);
    session.lifecycle = Lifecycle::Closed(reason);
    session.orphaned = None;
    for c in session.connections.live().to_vec() {
        if let Some(connection) = session.connections.get_mut(c) {
            connection.state.fail(reason.alert());
        }
        session.connections.bury(c);
        session.events.push(Event::ConnectionClosed {
            connection: c,
            failure: Some(failure),
        });
    }
    session.streams.end(reason);
    session.events.push(Event::Closed(reason));
}
