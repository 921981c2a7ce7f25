//! What happens to the rest of the session when a connection fails (draft 4.2.3, reading A-14).

use std::time::{Duration, Instant};

use super::{Session, close};
use crate::{
    CloseReason, ConnectionFailure, ConnectionHandle, Event, Limit, PeerMisbehaved,
    sent::{ControlFrame, SentFrame},
    wire::{ConnectionId, TokenSequence},
};

/// How long a connection that the peer half-closed is kept while others live (reading A-16).
const HALF_CLOSED_GRACE: Duration = Duration::from_millis(250);

/// Gives a connection up. What it carried and the peer did not acknowledge goes out on the others,
/// after Connection Reset and the last ACK of this one; without others the session is lost.
pub(super) fn fail(
    session: &mut Session,
    c: ConnectionHandle,
    failure: ConnectionFailure,
    now: Instant,
) {
    let Some(connection) = session.connections.get_mut(c).filter(|c| c.state.is_live()) else {
        return;
    };
    let id = connection.id;
    connection.state.fail(failure.alert());
    session.connections.bury(c);
    session.events.push(Event::ConnectionClosed {
        connection: c,
        failure: Some(failure),
    });
    if matches!(failure, ConnectionFailure::Unauthenticated(_)) {
        session.failed_records += 1;
        if session.failed_records > session.config.failed_records {
            close::fail(session, Limit::FailedRecords.into());
        }
    }
    if session.connections.live().is_empty() {
        close::on_last_connection_lost(session, failure, now);
    }
    requeue(session, c);
    session.control.push(ControlFrame::ConnectionReset(id));
    session
        .connections
        .for_each_live(|connection| connection.acks.redo());
}

/// A connection is over before it began.
pub(super) fn refuse(session: &mut Session, c: ConnectionHandle, failure: ConnectionFailure) {
    if let Some(connection) = session.connections.get_mut(c) {
        connection.state.fail(None);
    }
    session.connections.bury(c);
    session.events.push(Event::ConnectionClosed {
        connection: c,
        failure: Some(failure),
    });
}

/// The join with this token came to nothing.
pub(super) fn on_join_failed(session: &mut Session, sequence: TokenSequence) {
    let id = sequence.connection_id();
    if session.connections.find(id).is_none() {
        session.control.burn(id);
        close::on_join_failed(session);
    }
}

/// A Connection Reset frame came (reading A-15).
pub(super) fn on_connection_reset(
    session: &mut Session,
    id: ConnectionId,
    now: Instant,
) -> Result<(), CloseReason> {
    match session.connections.find(id) {
        Some(c) if session.connections.live().contains(&c) => {
            fail(session, c, ConnectionFailure::ReportedByPeer, now);
        }
        // The answer to ours: the ACK before it was the last one for this connection.
        Some(c) => {
            if let Some(connection) = session.connections.get_mut(c) {
                connection.sent.retire();
            }
        }
        None if session.control.was_issued(id) => session.control.burn(id),
        None => return Err(PeerMisbehaved::ResetOfUnknownConnection.into()),
    }
    Ok(())
}

/// The peer half-closed without `close_notify` (reading A-16). With other connections that is no
/// failure yet: acknowledgments for what it carried may come on these.
pub(super) fn on_eof(session: &mut Session, c: ConnectionHandle, now: Instant) {
    let alone = session.connections.live() == [c];
    let Some(connection) = session.connections.get_mut(c) else {
        return;
    };
    if !connection.state.is_readable() {
        return;
    }
    if alone || !connection.state.is_writable() {
        fail(session, c, ConnectionFailure::Eof, now);
    } else {
        connection.state.on_half_closed(now + HALF_CLOSED_GRACE);
    }
}

/// queues the frames of all unacknowledged records of this connection again.
fn requeue(session: &mut Session, c: ConnectionHandle) {
    let Some(connection) = session.connections.get(c) else {
        return;
    };
    for frame in connection.sent.unacked() {
        match frame {
            SentFrame::Stream(range) => session.streams.on_lost(range),
            SentFrame::Control(frame) => session.control.push(frame),
            SentFrame::Ping => {}
        }
    }
}
