//! What a session tells its driver.

use std::{net::SocketAddr, time::Duration};

use crate::wire::{AddressId, StreamId, TokenSequence};
use bytes::Bytes;

use crate::{CloseReason, ConnectionFailure, ConnectionHandle};

/// Something that happened in a session, from [`Session::poll_event`](crate::Session::poll_event).
///
/// Events are edges, each reported once: the call that they invite may still find nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// [`Session::accept_bi`](crate::Session::accept_bi) has at least one stream; reported again
    /// after it was found empty.
    StreamIncoming,
    /// [`Session::open_bi`](crate::Session::open_bi) returned `Blocked` and may now succeed.
    StreamsAvailable,
    /// The stream has bytes, or its end; reported again after a read call.
    Readable(StreamId),
    /// A write on this stream returned `Blocked` and may now succeed.
    Writable(StreamId),
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
    /// The server sent a session ticket: the whole `NewSessionTicket` message with its header.
    Ticket(Bytes),
    /// The server gave a token for one more connection.
    TokenReceived(TokenSequence),
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
        /// `None` after `close_notify` in both directions.
        failure: Option<ConnectionFailure>,
    },
    /// The session is over. Always the last event.
    Closed(CloseReason),
}
