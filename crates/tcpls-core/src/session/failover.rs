//! What happens to the rest of the session when a connection fails (draft 4.2.3, reading A-14).

use std::time::Instant;

use super::{Session, close, doubt, retire};
use crate::{
    CloseReason, ConnectionFailure, ConnectionHandle, Event, Failover, Limit, PeerMisbehaved,
    connection::{Heard, Report},
    sent::{ControlFrame, SentFrame},
    wire::ConnectionId,
};

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
    let moved = connection.state.is_moved();
    let carried = connection.heard == Heard::Yes;
    connection.state.fail(failure.alert());
    connection.report = Report::Sent;
    session.connections.bury(c);
    session.keys.review();
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
    if carried && session.config.failover == Failover::Off {
        close::fail(session, CloseReason::Lost(failure));
    }
    if session.connections.live().is_empty() {
        close::on_last_connection_lost(session, failure, now);
    }
    retire::after_loss(session);
    session.latest_loss = Some(now);
    if !moved {
        doubt::begin(session, c, failure);
    }
    session.connections.remember(c);
    while let Some(oldest) = session.connections.take_beyond_memory() {
        // Late acknowledgments for it will find nothing, which costs a repetition and no data.
        doubt::end(session, oldest);
        if let Some(connection) = session.connections.get_mut(oldest) {
            connection.sent.retire();
        }
    }
    session.control.push(ControlFrame::ConnectionReset(id));
    repeat_acks(session);
}

/// the acknowledgments that a connection carried may be lost with it.
pub(super) fn repeat_acks(session: &mut Session) {
    session
        .connections
        .for_each_live(|connection| connection.acks.redo());
}

/// A connection is over before it began.
pub(super) fn refuse(session: &mut Session, c: ConnectionHandle, failure: ConnectionFailure) {
    if let Some(connection) = session.connections.get_mut(c) {
        connection.state.fail(None);
        connection.report = Report::Sent;
    }
    session.connections.bury(c);
    session.keys.review();
    session.events.push(Event::ConnectionClosed {
        connection: c,
        failure: Some(failure),
    });
}

/// The join with this token came to nothing.
pub(super) fn on_join_failed(session: &mut Session, id: ConnectionId) {
    if session.connections.find(id).is_none() {
        session.control.on_join_failed(id);
        session.keys.review();
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
            // The ACK before it was the last one for this connection.
            if let Some(connection) = session.connections.get_mut(c) {
                connection.sent.retire();
            }
        }
        // The answer to ours, after the last ACK for this connection.
        Some(c) => {
            doubt::end(session, c);
            if let Some(connection) = session.connections.get_mut(c) {
                connection.sent.retire();
                // It ended in order here and broke for the peer, who waits for the answer; and the
                // acknowledgments that it carried may be lost.
                if std::mem::replace(&mut connection.report, Report::Sent) == Report::None {
                    session.control.push(ControlFrame::ConnectionReset(id));
                    repeat_acks(session);
                }
            }
        }
        None if session.connections.was_forgotten(id) => {}
        None if session.control.was_issued(id) => session.control.burn(id)?,
        None => return Err(PeerMisbehaved::ResetOfUnknownConnection.into()),
    }
    Ok(())
}

/// queues the frames of all unacknowledged records of this connection again.
pub(super) fn requeue(session: &mut Session, c: ConnectionHandle) {
    let Some(connection) = session.connections.get(c) else {
        return;
    };
    let unacked: Vec<_> = connection.sent.unacked().collect();
    for frame in unacked {
        match frame {
            SentFrame::Stream(range) => session.streams.on_lost(range),
            SentFrame::Signal(signal) => session.streams.on_signal_lost(signal),
            SentFrame::Control(frame) => push_again(session, frame),
            SentFrame::Ping => {}
        }
    }
}

/// Queues a frame of the session again that went out on a connection that failed, unless it is about a
/// connection which is over for so long that it was forgotten: a peer that acknowledges nothing would
/// otherwise get more of them with each connection that it loses.
pub(super) fn push_again(session: &mut Session, frame: ControlFrame) {
    let connection = match frame {
        ControlFrame::ConnectionReset(id)
        | ControlFrame::ConnectionClose(id)
        | ControlFrame::ConnectionPriority(id, _)
        | ControlFrame::ObservedAddress(id, _) => Some(id),
        ControlFrame::NewToken(_)
        | ControlFrame::RetireToken(_)
        | ControlFrame::TokenRequest
        | ControlFrame::NewAddress(_)
        | ControlFrame::RemoveAddress(_) => None,
    };
    if !connection.is_some_and(|id| session.connections.was_forgotten(id)) {
        session.control.push(frame);
    }
}
