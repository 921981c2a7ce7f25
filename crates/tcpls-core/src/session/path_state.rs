//! What both sides tell each other about a connection: what it is for, that it is left, and where it is
//! seen (`spec/extensions.md` 6.6, 6.7).

use std::{net::SocketAddr, time::Instant};

use super::{Session, retire};
use crate::{
    ConnectionHandle, Event, PathStatus,
    connection::Heard,
    sent::ControlFrame,
    wire::{
        ConnectionId, ConnectionPriorityFrame, Features, ObservedAddressFrame, PriorityFlags, Role,
    },
};

/// What is known of a connection beyond TCP.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PathState {
    /// What this side's application said it is for.
    own: Option<PathStatus>,
    /// What the peer said, and its epoch.
    wish: Option<(u32, PathStatus)>,
    /// Where the peer sees this side's end, and its epoch.
    observed: Option<(u32, SocketAddr)>,
    /// Whether the peer said that it leaves the connection.
    presence: Presence,
    leaving: Leaving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Presence {
    #[default]
    Stays,
    Leaves,
}

/// Whether this side said that it leaves the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Leaving {
    #[default]
    NotSaid,
    Said,
    /// The peer knows.
    Known,
}

impl PathState {
    /// What the connection is for: as this side's application said, else as the peer wishes.
    pub(crate) fn status(&self) -> PathStatus {
        let wish = self.wish.map(|(_, status)| status);
        self.own.or(wish).unwrap_or_default()
    }

    /// Whether the peer said that it sends nothing more here and waits for what is on its way.
    pub(super) fn is_left(&self) -> bool {
        self.presence == Presence::Leaves
    }

    /// Whether the peer leaves the connection or knows that this side does: then it ends what it sends here
    /// as soon as it has nothing more to say.
    pub(super) fn is_left_or_known_to_be(&self) -> bool {
        self.is_left() || self.leaving == Leaving::Known
    }

    /// Whether the connection may end: the peer knows that it is left, where it is told. Each side may be
    /// about to leave the one that the other keeps, and finds out in time.
    pub(super) fn may_end(&self) -> bool {
        self.leaving != Leaving::Said || self.is_left()
    }

    /// Neither side leaves the connection after all.
    pub(super) fn on_revived(&mut self) {
        self.presence = Presence::Stays;
        self.leaving = Leaving::NotSaid;
    }
}

impl Session {
    /// Command: what this connection is for; all begin as [`PathStatus::Available`]. The peer is told when
    /// both sides agreed on that, and follows unless its application said something itself: what the own
    /// application says wins, on either side. A peer that speaks the draft alone is not told and decides
    /// about its own data.
    pub fn set_path_status(&mut self, c: ConnectionHandle, status: PathStatus) {
        self.next_deadline.forget();
        let Some(connection) = self.connections.get_mut(c) else {
            return;
        };
        connection.path.own = Some(status);
        if !agreed(self, Features::CONNECTION_STATE) {
            return;
        }
        let flags = match status {
            PathStatus::Available => PriorityFlags::AVAILABLE,
            PathStatus::Backup => PriorityFlags::BACKUP,
            PathStatus::Draining => PriorityFlags::DRAIN,
        };
        if let Some(id) = self.about(c) {
            self.control.paths.set_priority(id, flags);
            self.say_about(c);
        }
    }

    /// What the peer wants this connection to be for, as far as it said.
    pub fn peer_path_status(&self, c: ConnectionHandle) -> Option<PathStatus> {
        let (_, status) = self.connections.get(c)?.path.wish?;
        Some(status)
    }

    /// In: where the peer's end of a connection is seen. A server tells the client when both agreed on it.
    pub fn handle_remote_address(&mut self, c: ConnectionHandle, address: SocketAddr) {
        self.next_deadline.forget();
        if self.role == Role::Server
            && agreed(self, Features::PATH_PROBE)
            && let Some(id) = self.about(c)
        {
            self.control.paths.set_observed(id, address);
            self.say_about(c);
        }
    }

    /// Where the server sees this side's end of a connection, as far as it said. Where that is not the
    /// local address, there is a translator of addresses on the path.
    pub fn observed_address(&self, c: ConnectionHandle) -> Option<SocketAddr> {
        let (_, address) = self.connections.get(c)?.path.observed?;
        Some(address)
    }

    /// The identifier of a connection that something is to be said about.
    fn about(&mut self, c: ConnectionHandle) -> Option<ConnectionId> {
        let live: Vec<_> = self
            .connections
            .iter_live()
            .map(|(_, connection)| connection.id)
            .collect();
        self.control.paths.retain(|id| live.contains(&id));
        let connection = self.connections.get(c)?;
        live.contains(&connection.id).then_some(connection.id)
    }

    /// Queues what there is to say about a connection, once the peer has it, too.
    fn say_about(&mut self, c: ConnectionHandle) {
        if let Some(connection) = self.connections.get(c)
            && connection.heard == Heard::Yes
        {
            let words: Vec<_> = self.control.paths.about(connection.id).collect();
            for frame in words {
                self.control.push(frame);
            }
        }
    }
}

/// The peer was heard on a connection that joined: it has it.
pub(super) fn on_heard(session: &mut Session, c: ConnectionHandle) {
    session.say_about(c);
}

/// This side sends nothing more on a connection.
pub(super) fn on_retired(session: &mut Session, c: ConnectionHandle) {
    if !agreed(session, Features::CONNECTION_STATE) {
        return;
    }
    if let Some(connection) = session.connections.get_mut(c) {
        connection.path.leaving = Leaving::Said;
        session
            .control
            .push(ControlFrame::ConnectionClose(connection.id));
    }
}

/// The peer knows that this side leaves a connection.
pub(super) fn on_close_acked(session: &mut Session, id: ConnectionId) {
    if let Some(c) = session.connections.find(id)
        && let Some(connection) = session.connections.get_mut(c)
        && connection.path.leaving == Leaving::Said
    {
        connection.path.leaving = Leaving::Known;
    }
}

/// The peer sends nothing more on a connection, and reads what comes until this side ends it, too.
pub(super) fn on_connection_close(session: &mut Session, id: ConnectionId, now: Instant) {
    if !agreed(session, Features::CONNECTION_STATE) {
        return;
    }
    if let Some(c) = session.connections.find(id)
        && let Some(connection) = session.connections.get_mut(c)
        && connection.state.is_live()
        && connection.path.presence == Presence::Stays
    {
        connection.path.presence = Presence::Leaves;
        session.effort.on_news();
        retire::follow(session, c, now);
    }
}

/// The peer says what a connection is for. The highest epoch holds.
pub(super) fn on_priority(session: &mut Session, frame: &ConnectionPriorityFrame) {
    if !agreed(session, Features::CONNECTION_STATE) {
        return;
    }
    let status = if frame.flags.contains(PriorityFlags::DRAIN) {
        PathStatus::Draining
    } else if frame.flags.contains(PriorityFlags::BACKUP) {
        PathStatus::Backup
    } else {
        PathStatus::Available
    };
    if let Some(c) = session.connections.find(frame.connection)
        && let Some(connection) = session.connections.get_mut(c)
        && connection.state.is_live()
        && connection
            .path
            .wish
            .is_none_or(|(epoch, _)| epoch < frame.epoch)
    {
        let before = connection.path.wish.map(|(_, status)| status);
        connection.path.wish = Some((frame.epoch, status));
        if before != Some(status) {
            session.effort.on_news();
            session.events.push(Event::PeerPathStatus {
                connection: c,
                status,
            });
        }
    }
}

/// The server says where it sees this side's end of a connection. The highest epoch holds.
pub(super) fn on_observed_address(session: &mut Session, frame: &ObservedAddressFrame) {
    if session.role == Role::Server || !agreed(session, Features::PATH_PROBE) {
        return;
    }
    let address = SocketAddr::new(frame.address, frame.port);
    if let Some(c) = session.connections.find(frame.connection)
        && let Some(connection) = session.connections.get_mut(c)
        && connection.state.is_live()
        && connection
            .path
            .observed
            .is_none_or(|(epoch, _)| epoch < frame.epoch)
    {
        let before = connection.path.observed.map(|(_, address)| address);
        connection.path.observed = Some((frame.epoch, address));
        if before != Some(address) {
            session.effort.on_news();
            session.events.push(Event::ObservedAddress {
                connection: c,
                address,
            });
        }
    }
}

pub(super) fn agreed(session: &Session, features: Features) -> bool {
    session.terms.features().contains(features)
}
