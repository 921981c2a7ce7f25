//! The graceful end of one connection while the session goes on (reading A-16).
//!
//! The side that retires a connection gives out nothing new there, waits until the peer has what it
//! carried, and half-closes it without `close_notify`. The peer does the same once it sees that. What
//! is unacknowledged after two round trips goes out on other connections; nobody reports a failure.

use std::time::{Duration, Instant};

use super::{Session, close, failover, path_state, state::Lifecycle};
use crate::{
    ConnectionFailure, ConnectionHandle, Event, Failover, RetireError, TransmitState,
    connection::{Connection, Pump, Rank, ReadHalf, WriteHalf},
};

/// How long acknowledgments are awaited where no round trip is known.
const GRACE: Duration = Duration::from_millis(250);

/// How long they are awaited at least: the peer is to read and to apply what arrived.
const LEAST_GRACE: Duration = Duration::from_millis(100);

/// Begins to retire a connection.
pub(super) fn begin(
    session: &mut Session,
    c: ConnectionHandle,
    now: Instant,
) -> Result<(), RetireError> {
    if session.lifecycle != Lifecycle::Open {
        return Err(RetireError::Closing);
    }
    let others = session
        .connections
        .iter_live()
        .any(|(other, connection)| other != c && connection.rank().is_some_and(Rank::is_usable));
    let deadline = now + grace(session);
    match session.connections.get_mut(c) {
        Some(connection) if connection.state.is_live() => {
            if connection.state.is_writable() && !others {
                return Err(RetireError::LastConnection);
            }
            if connection.state.write == WriteHalf::Open {
                connection.state.retire(deadline);
                path_state::on_retired(session, c);
            }
            Ok(())
        }
        _ => Err(RetireError::Over),
    }
}

/// The peer begins to retire a connection: this side does, too. Where no other takes its place, it goes
/// on, as the peer does once it sees that.
pub(super) fn follow(session: &mut Session, c: ConnectionHandle, now: Instant) {
    let deadline = now + grace(session);
    if let Some(connection) = session.connections.get_mut(c) {
        connection.state.retire(deadline);
        after_loss(session);
    }
}

/// The peer half-closed the connection without `close_notify`. With other connections that is no
/// failure yet: acknowledgments for what it carried may come on these.
pub(super) fn on_eof(session: &mut Session, c: ConnectionHandle, now: Instant) {
    let alone = session.connections.live() == [c];
    let deadline = now + grace(session);
    let Some(connection) = session.connections.get_mut(c) else {
        return;
    };
    if !connection.state.is_readable() {
        return;
    }
    match connection.state.write {
        WriteHalf::Retired(_) => bury(session, c, now),
        WriteHalf::Open | WriteHalf::Retiring(_) | WriteHalf::EndDue(_) if !alone => {
            connection.state.on_half_closed(deadline);
            after_loss(session);
        }
        WriteHalf::Open
        | WriteHalf::Retiring(_)
        | WriteHalf::EndDue(_)
        | WriteHalf::NotifyDue
        | WriteHalf::Shutdown
        | WriteHalf::AlertDue(_)
        | WriteHalf::Ended => failover::fail(session, c, ConnectionFailure::Eof, now),
    }
}

/// Whether this side has nothing more to do on a connection that is being left but to end it.
pub(super) fn is_end_due(connection: &Connection) -> bool {
    match connection.state.write {
        WriteHalf::Retiring(_) => {
            // The last one is this side's: the acknowledgments of a connection end with it.
            let acknowledged = connection.state.is_readable() || !connection.acks.is_wanted();
            acknowledged && connection.sent.is_settled() && connection.path.may_end()
        }
        WriteHalf::EndDue(_) => true,
        WriteHalf::Open
        | WriteHalf::Retired(_)
        | WriteHalf::NotifyDue
        | WriteHalf::Shutdown
        | WriteHalf::AlertDue(_)
        | WriteHalf::Ended => false,
    }
}

/// What there is to transmit on a connection that is being left: its end, when that is due.
pub(super) fn poll(session: &mut Session, c: ConnectionHandle, now: Instant) -> TransmitState {
    let deadline = give_up_at(session, now);
    let Some(connection) = session.connections.get_mut(c) else {
        return TransmitState::Close;
    };
    if is_end_due(connection) {
        connection.state.on_end(deadline);
    }
    if matches!(connection.state.write, WriteHalf::Retiring(_)) {
        connection.pump = Pump::Idle;
        return TransmitState::Idle;
    }
    if connection.state.is_live() {
        return TransmitState::ShutdownWrite;
    }
    bury(session, c, now);
    TransmitState::Close
}

/// A deadline of a connection that is being left has passed.
pub(super) fn on_deadline(session: &mut Session, c: ConnectionHandle, now: Instant) {
    let given_up = give_up_at(session, now);
    let grace = grace(session);
    let Some(connection) = session.connections.get_mut(c) else {
        return;
    };
    // What waits in the socket is not lost: sending it again would only take longer.
    let delivered = connection.liveness.delivered(now);
    if let Some(deadline) = delivered.map(|since| since + grace).filter(|at| *at > now)
        && connection.state.defer(deadline)
    {
        return;
    }
    let state = connection.state;
    match (state.read, state.write) {
        (ReadHalf::HalfClosed(deadline), _) if deadline <= now => {
            let retiring = matches!(state.write, WriteHalf::Retiring(_));
            if state.is_moved() || retiring && connection.sent.is_settled() {
                bury(session, c, now);
            } else if retiring && connection.path.is_left_or_known_to_be() {
                // The peer reads all that was sent here, and may be slow at it: nothing failed.
                connection.state.on_moved(given_up);
                failover::requeue(session, c);
            } else if retiring && session.config.failover == Failover::Off {
                // Stream data is TCP's alone; what else went out here can go again.
                failover::requeue(session, c);
                bury(session, c, now);
            } else {
                failover::fail(session, c, ConnectionFailure::Eof, now);
            }
        }
        (_, WriteHalf::Retiring(_)) => {
            connection.state.on_moved(given_up);
            failover::requeue(session, c);
        }
        _ => failover::fail(session, c, ConnectionFailure::Abandoned, now),
    }
}

/// A connection is gone or takes nothing more. Where no other takes its place, those go on that were
/// to be retired: retiring never costs the session.
pub(super) fn after_loss(session: &mut Session) {
    let best = session.connections.best_rank();
    if best.is_some_and(|rank| rank != Rank::Unheard) {
        return;
    }
    for index in 0..session.connections.live().len() {
        let Some(&c) = session.connections.live().get(index) else {
            return;
        };
        if let Some(connection) = session.connections.get_mut(c)
            && connection.state.revive()
        {
            connection.path.on_revived();
            session.events.push(Event::ConnectionKept(c));
        }
    }
}

/// The orderly end. TCP's FIN is not authentic: where it was forged, acknowledgments that were sent here
/// did not arrive, so they are repeated. Where the peer ended one connection after the other until none
/// was left, the last one did not end in order.
fn bury(session: &mut Session, c: ConnectionHandle, now: Instant) {
    if !session.connections.live().contains(&c) {
        return;
    }
    let Some(connection) = session.connections.get_mut(c) else {
        return;
    };
    let half_closed = matches!(connection.state.read, ReadHalf::HalfClosed(_));
    connection.state.end();
    connection.sent.retire();
    session.connections.bury(c);
    session.keys.review();
    let is_last = session.connections.live().is_empty();
    session.events.push(Event::ConnectionClosed {
        connection: c,
        failure: (half_closed && is_last).then_some(ConnectionFailure::Eof),
    });
    failover::repeat_acks(session);
    if session.connections.live().is_empty() {
        close::on_last_connection_lost(session, ConnectionFailure::Eof, now);
    }
}

/// When the end of a connection has taken too long. A peer whose application is slow reads it late: that
/// costs nothing where what it carried is sent again, and the session where it is not.
fn give_up_at(session: &Session, now: Instant) -> Option<Instant> {
    match session.config.failover {
        Failover::Resend => Some(now + session.config.drain_timeout),
        Failover::Off => None,
    }
}

/// Two round trips and the delay that an acknowledgment may have. It may come on any connection, so
/// the longest one counts.
fn grace(session: &Session) -> Duration {
    let round_trips = session
        .connections
        .iter_live()
        .filter_map(|(_, connection)| connection.liveness.info())
        .map(|info| info.round_trip)
        .filter(|round_trip| !round_trip.is_zero());
    match round_trips.max() {
        Some(longest) => longest
            .saturating_mul(2)
            .saturating_add(session.config.ack_delay)
            .max(LEAST_GRACE)
            .min(session.config.drain_timeout),
        None => GRACE,
    }
}
