//! Which connection carries acknowledgments, and when they call for a record of their own.

use super::{
    Session,
    transmit::{self, not_built},
};
use crate::{
    CloseReason, ConnectionHandle,
    connection::{AckState, Connection, Outlet, WriteHalf},
    wire::{AckFrame, ConnectionId, Frame, RecordSequence},
};

/// Whether an acknowledgment is to go out by itself on this connection: that of what came on it, or one
/// that another connection cannot carry now. Else each would wake the writers of all connections.
pub(super) fn wants(session: &Session, c: ConnectionHandle) -> bool {
    let wanted = |(other, connection): (ConnectionHandle, &Connection)| {
        connection.acks.is_wanted_now() && (other == c || !carries_its_own(session, connection))
    };
    session.streams.wants_acknowledging() && session.connections.iter_live().any(wanted)
}

/// Whether a connection carries its own acknowledgments at once; they are not to make the first records of
/// one that joined longer than those of a handshake.
fn carries_its_own(session: &Session, connection: &Connection) -> bool {
    let best = connection
        .rank()
        .is_some_and(|rank| session.connections.is_best(rank));
    best && transmit::padded_size(connection) == 0
        && connection.state.write == WriteHalf::Open
        && connection.outlet == Outlet::Open
        && connection.liveness.view().has_room()
}

/// The acknowledgments that `take` finds in each connection, as far as there is room.
pub(super) fn push(
    session: &mut Session,
    c: ConnectionHandle,
    mut take: impl FnMut(&mut AckState) -> Option<RecordSequence>,
) -> Result<(), CloseReason> {
    let builder = &mut session.builder;
    let mut pushed = Ok(0);
    session.connections.for_each_live(|other| {
        if builder.remaining() < AckFrame::ENCODED_LEN {
            return;
        }
        if let Some(highest) = take(&mut other.acks) {
            let frame = Frame::Ack(AckFrame {
                connection: other.id,
                highest,
            });
            pushed = pushed.and_then(|count: u64| {
                builder.push_control(&frame)?;
                Ok(count + 1)
            });
        }
    });
    let pushed = pushed.map_err(not_built)?;
    if pushed > 0
        && let Some(connection) = session.connections.get_mut(c)
    {
        connection.stats.frames_sent.ack += pushed;
    }
    Ok(())
}

/// what was applied of a connection that failed, after the Connection Reset that names it.
pub(super) fn push_last(
    session: &mut Session,
    c: ConnectionHandle,
    failed: ConnectionId,
) -> Result<(), CloseReason> {
    let highest = session.connections.find(failed).and_then(|failed| {
        session
            .connections
            .get_mut(failed)
            .and_then(|connection| connection.acks.take())
    });
    if let Some(highest) = highest {
        let frame = Frame::Ack(AckFrame {
            connection: failed,
            highest,
        });
        session.builder.push_control(&frame).map_err(not_built)?;
        if let Some(connection) = session.connections.get_mut(c) {
            connection.stats.frames_sent.count(&frame);
        }
    }
    Ok(())
}
