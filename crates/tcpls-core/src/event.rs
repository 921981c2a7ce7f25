//! What a session tells its driver.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use crate::wire::{AddressId, ConnectionId, StreamId};
use bytes::Bytes;

use crate::{CloseReason, ConnectionFailure, ConnectionHandle, KeyGenerations, PathStatus};

/// Something that happened in a session, from [`Session::poll_event`](crate::Session::poll_event).
///
/// Events are edges, each reported once: the call that they invite may still find nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// [`Session::accept_bi`](crate::Session::accept_bi) has at least one stream; reported again
    /// after it was found empty.
    StreamIncoming,
    /// The same for [`Session::accept_uni`](crate::Session::accept_uni).
    UniStreamIncoming,
    /// [`Session::open_bi`](crate::Session::open_bi) or
    /// [`Session::open_uni`](crate::Session::open_uni) returned `Blocked` and may now succeed, or fail:
    /// with [`OpenError::StreamLimit`](crate::OpenError::StreamLimit), or because the session closes.
    StreamsAvailable,
    /// The stream has bytes, or its end; reported again after a read call.
    Readable(StreamId),
    /// A write on this stream returned `Blocked` and may now succeed, or fail because the session closes.
    Writable(StreamId),
    /// The peer wants no more of this stream: it was reset with the peer's code, and writes fail.
    Stopped {
        /// The stream.
        stream: StreamId,
        /// Why, in the words of the peer's application.
        code: u32,
    },
    /// Everything written to this stream was given out, after
    /// [`SendStream::poll_sent`](crate::SendStream::poll_sent) said that it was not.
    Sent(StreamId),
    /// The peer has all bytes of this stream and its end.
    SendAcked(StreamId),
    /// [`Session::wants_read`](crate::Session::wants_read) was false for this connection and is true.
    ReadResumed(ConnectionHandle),
    /// [`Session::poll_transmit`](crate::Session::poll_transmit) said `Idle` for this connection and
    /// has something now.
    TransmitReady(ConnectionHandle),
    /// The record of a Ping was acknowledged.
    PingAcked {
        /// The connection that carried the Ping.
        connection: ConnectionHandle,
        /// From the call of `poll_transmit` that gave out the record to its acknowledgment.
        round_trip: Duration,
    },
    /// The peer answered a probe on the connection that carried it.
    Probed {
        /// The connection.
        connection: ConnectionHandle,
        /// From the call of `poll_transmit` that gave out the probe to its answer: TCP's round trip, and
        /// the time in queues and in both sessions.
        round_trip: Duration,
    },
    /// The peer says what a connection is for. This side follows unless its application said so itself:
    /// [`Session::set_path_status`](crate::Session::set_path_status).
    PeerPathStatus {
        /// The connection.
        connection: ConnectionHandle,
        /// What the peer wants it to be for.
        status: PathStatus,
    },
    /// The server says where it sees this side's end of a connection.
    ObservedAddress {
        /// The connection.
        connection: ConnectionHandle,
        /// The address; another one than the local one after a translation of addresses.
        address: SocketAddr,
    },
    /// The server sent a session ticket: the body of a `NewSessionTicket` message (RFC 8446 4.6.1).
    Ticket(Bytes),
    /// There is a token for this connection: the server gave it, or it was returned unspent.
    TokenReceived(ConnectionId),
    /// The client is to get this many more tokens: call
    /// [`Session::issue_token`](crate::Session::issue_token) as often (server, reading A-44).
    TokensWanted(u8),
    /// No connection, and no token that one could join with, needs the keys of generations before these:
    /// they can be erased. Comes between peers that negotiated it; otherwise connections that join start
    /// at the first keys for as long as the session lives (reading A-26).
    KeysOutdated(KeyGenerations),
    /// The first record arrived on a connection that joined: the peer has it in the session.
    ConnectionEstablished(ConnectionHandle),
    /// Read what TCP says about this connection, and call
    /// [`Session::handle_path_info`](crate::Session::handle_path_info).
    PathInfoWanted(ConnectionHandle),
    /// The peer's TCP does not answer on this connection: what it carries goes out on others, too, and
    /// nothing new on it as long as another one works (reading A-45).
    ConnectionSuspect(ConnectionHandle),
    /// The peer's TCP answers again.
    ConnectionRecovered(ConnectionHandle),
    /// This connection was to be retired and is not: no other is left to carry the session (reading A-16).
    ConnectionKept(ConnectionHandle),
    /// The peer advertised an address (draft 5.2.7).
    AddressAdded {
        /// The identifier that it has at the peer.
        id: AddressId,
        /// Where: a destination for the client, a possible source for the server (port 0 = any).
        address: SocketAddr,
    },
    /// The peer withdrew an address: connections that use it are to be closed, and no new one is to
    /// use it (draft 5.2.8).
    AddressRemoved {
        /// The identifier that it had at the peer.
        id: AddressId,
        /// The address.
        address: SocketAddr,
    },
    /// The connection is over for the session; its socket can go once what `poll_transmit` gave is
    /// flushed.
    ConnectionClosed {
        /// Which.
        connection: ConnectionHandle,
        /// `None` after an orderly end: `close_notify` in both directions, or one side retired the
        /// connection and the other has all that it carried.
        failure: Option<ConnectionFailure>,
    },
    /// The session is over. Always the last event.
    Closed(CloseReason),
}

/// Events that wait to be polled.
///
/// Bounded by what can be open: streams report each kind of event once until the application acts on
/// it, and tickets beyond [`MAX_TICKETS`] are dropped.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    tickets: usize,
    state: QueueState,
}

/// Whether more events may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum QueueState {
    #[default]
    Open,
    /// [`Event::Closed`] was queued.
    Closed,
}

/// How many session tickets wait to be polled at most.
const MAX_TICKETS: usize = 16;

impl EventQueue {
    /// Adds an event; after [`Event::Closed`] there are none.
    pub(crate) fn push(&mut self, event: Event) {
        if self.state == QueueState::Closed {
            return;
        }
        if matches!(event, Event::Ticket(_)) {
            if self.tickets == MAX_TICKETS {
                return;
            }
            self.tickets += 1;
        }
        if matches!(event, Event::Closed(_)) {
            self.state = QueueState::Closed;
        }
        self.events.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        if matches!(event, Event::Ticket(_)) {
            self.tickets -= 1;
        }
        Some(event)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}
