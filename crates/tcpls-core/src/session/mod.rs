//! The session: streams, connections and their meeting.

use std::{io::IoSlice, net::SocketAddr, time::Instant};

use crate::wire::{AddressId, ConnectionId, RecordSequence, Role, StreamId, Token, TokenSequence};
use bytes::Bytes;

use crate::{
    AddressError, CloseReason, ConnectionFailure, ConnectionHandle, ConnectionStats, Event,
    FinishError, OpenError, OpenedRecord, ReadError, ResetError, SessionConfig, SessionStats,
    StreamStats, TimeoutReason, TokenError, Transmit, TransmitState, WriteError,
};

/// Where the records of a connection start, on both halves.
///
/// The connection that carried the handshake starts where the handshake left off (0 and 0 unless it
/// handed over later); one that joined starts at 0 (reading A-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionStart {
    /// Its identifier on the wire. Never the same twice in a session.
    pub id: ConnectionId,
    /// The number of the first record that this side will seal.
    pub first_sent: RecordSequence,
    /// The number of the first record that is still to be opened.
    pub first_received: RecordSequence,
}

/// One TCPLS session, without sockets, clock or randomness.
///
/// # The law of driving
///
/// 1. Give in what happened: a `handle_` method for records, ends, failures and passed deadlines, or
///    a command of the application.
/// 2. For each connection whose socket has room: `poll_transmit`, seal the records in their order,
///    write them, until it no longer says [`TransmitState::More`].
/// 3. Call `poll_event` until it returns `None`.
/// 4. Arm one timer for `poll_timeout`; read a socket only while `wants_read` is true.
/// 5. Wait for whichever comes first and start over.
///
/// `now` is the caller's clock and must not go backwards. Records are plaintext here: each
/// connection's sealer and opener live beside the session, so that cryptography needs no lock on it.
#[derive(Debug)]
pub struct Session {
    role: Role,
    config: SessionConfig,
}

impl Session {
    /// A session without connections, for one side of it.
    pub fn new(role: Role, config: SessionConfig, now: Instant) -> Self {
        let _ = now;
        Self { role, config }
    }

    /// In: a connection is ready for protected records. The first has the identifier
    /// [`ConnectionId::FIRST`]; using an identifier twice ends the session, because it would repeat
    /// nonces.
    pub fn add_connection(&mut self, start: ConnectionStart, now: Instant) -> ConnectionHandle {
        let _ = (start, now);
        ConnectionHandle::nth(0)
    }

    /// In: the token out of the server's `EncryptedExtensions`, sequence 1 (client, draft 5.1.3).
    pub fn handle_early_token(&mut self, token: Token) {
        drop(token);
    }

    /// In: the next record of connection `c`. What the peer did wrong ends the session or the
    /// connection inside; events and `poll_transmit` tell.
    pub fn handle_record(&mut self, c: ConnectionHandle, record: OpenedRecord, now: Instant) {
        let _ = (c, now);
        drop(record);
    }

    /// In: the peer half-closed the TCP connection and everything before that was handed in.
    pub fn handle_eof(&mut self, c: ConnectionHandle, now: Instant) {
        let _ = (c, now);
    }

    /// In: the connection failed; its unacknowledged frames are sent again on another one.
    pub fn handle_failure(&mut self, c: ConnectionHandle, reason: ConnectionFailure, now: Instant) {
        let _ = (c, reason, now);
    }

    /// In: a deadline of `poll_timeout` has passed. Too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// Command: opens a bidirectional stream.
    pub fn open_bi(&mut self, now: Instant) -> Result<StreamId, OpenError> {
        let _ = now;
        Err(OpenError::Blocked)
    }

    /// Command: the next stream that the peer opened, in the order of identifiers.
    pub fn accept_bi(&mut self) -> Option<StreamId> {
        None
    }

    /// Command: the sending half of a stream.
    pub fn send(&mut self, stream: StreamId) -> SendStream<'_> {
        SendStream {
            session: self,
            id: stream,
        }
    }

    /// Command: the receiving half of a stream.
    pub fn recv(&mut self, stream: StreamId) -> RecvStream<'_> {
        RecvStream {
            session: self,
            id: stream,
        }
    }

    /// Command: the application gave up its handle of the sending half. A stream that was not finished
    /// never ends for the peer and keeps counting against the limit (reading A-34 d).
    pub fn drop_send(&mut self, stream: StreamId) {
        let _ = stream;
    }

    /// Command: the application gave up its handle of the receiving half: as [`RecvStream::stop`].
    pub fn drop_recv(&mut self, stream: StreamId) {
        let _ = stream;
    }

    /// Command: sends a Ping on this connection; [`Event::PingAcked`] answers. One is in flight at a
    /// time, more are one.
    pub fn ping(&mut self, c: ConnectionHandle) {
        let _ = c;
    }

    /// Command: gives the session a token for one more connection, to be sent in a New Token frame
    /// (server, draft 5.2.5). Token values come from a cryptographic generator.
    pub fn issue_token(&mut self, token: Token) -> Result<TokenSequence, TokenError> {
        drop(token);
        Err(TokenError::NotServer)
    }

    /// Command: takes the unused token of the lowest sequence (client). It is gone from the session.
    pub fn take_token(&mut self) -> Option<(TokenSequence, Token)> {
        None
    }

    /// Command: advertises an address of this side (draft 5.2.7).
    pub fn advertise_address(&mut self, address: SocketAddr) -> Result<AddressId, AddressError> {
        let _ = address;
        Err(AddressError::UsedUp)
    }

    /// Command: withdraws an address of this side (draft 5.2.8), once the peer acknowledged that it
    /// was advertised.
    pub fn withdraw_address(&mut self, id: AddressId) -> Result<(), AddressError> {
        let _ = id;
        Err(AddressError::Unknown)
    }

    /// Command: closes the session in order: finished streams are acknowledged first, then
    /// `close_notify` goes out on every connection; unfinished streams are lost (reading A-17).
    pub fn close(&mut self, now: Instant) {
        let _ = now;
    }

    /// Command: ends the session at once with a fatal alert on every connection.
    pub fn abort(&mut self, now: Instant) {
        let _ = now;
    }

    /// Out: appends to `out` records for this connection, until their plaintexts reach `limit` bytes
    /// (the last one may go beyond it by less than one record).
    pub fn poll_transmit(
        &mut self,
        c: ConnectionHandle,
        limit: usize,
        now: Instant,
        out: &mut Transmit,
    ) -> TransmitState {
        let _ = (c, limit, now, out);
        TransmitState::Idle
    }

    /// Out: the next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// Out: when `handle_timeout` is wanted, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        None
    }

    /// Out: whether this connection's socket is to be read; when it turns true again,
    /// [`Event::ReadResumed`] says so.
    pub fn wants_read(&self, c: ConnectionHandle) -> bool {
        let _ = c;
        true
    }

    /// Out: whether `poll_transmit` has something for this connection.
    pub fn wants_transmit(&self, c: ConnectionHandle) -> bool {
        let _ = c;
        false
    }

    /// Which side of the session this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Why the session is over, or `None` while it is not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        None
    }

    /// The connections that are not over.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionHandle> + '_ {
        std::iter::empty()
    }

    /// The wire's identifier of a connection, also after it ended.
    pub fn connection_id(&self, c: ConnectionHandle) -> Option<ConnectionId> {
        let _ = c;
        None
    }

    /// The addresses that the peer advertised and did not withdraw.
    pub fn peer_addresses(&self) -> impl Iterator<Item = (AddressId, SocketAddr)> + '_ {
        std::iter::empty()
    }

    /// Counters of the session.
    pub fn stats(&self) -> SessionStats {
        SessionStats::default()
    }

    /// Counters of a connection, also after it ended.
    pub fn connection_stats(&self, c: ConnectionHandle) -> Option<ConnectionStats> {
        let _ = c;
        None
    }

    /// Counters of a stream that still has state.
    pub fn stream_stats(&self, stream: StreamId) -> Option<StreamStats> {
        let _ = stream;
        None
    }
}

/// The sending half of one stream.
#[derive(Debug)]
pub struct SendStream<'a> {
    session: &'a mut Session,
    id: StreamId,
}

impl SendStream<'_> {
    /// Copies a prefix of `data` into the send buffer and returns its length; 0 only for no data.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        let _ = data;
        Err(WriteError::Blocked)
    }

    /// Takes a prefix off `chunk` without copying it (small ones are copied) and returns its length.
    pub fn write_chunk(&mut self, chunk: &mut Bytes) -> Result<usize, WriteError> {
        let _ = chunk;
        Err(WriteError::Blocked)
    }

    /// As [`write`](Self::write) for several slices in a row.
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, WriteError> {
        let _ = slices;
        Err(WriteError::Blocked)
    }

    /// Ends the stream after what was written; [`Event::SendAcked`] says when the peer has it all.
    pub fn finish(&mut self) -> Result<(), FinishError> {
        Err(FinishError::UnknownStream)
    }

    /// Would break the stream off; a peer that speaks the draft alone cannot be told (reading
    /// A-34 d).
    pub fn reset(&mut self) -> Result<(), ResetError> {
        Err(ResetError::UnsupportedByPeer)
    }

    /// Whether the peer has all bytes and the end. While it has not, the session knows that a writer
    /// waits and keeps its sockets read (reading A-34 a); [`Event::SendAcked`] says when to ask again.
    pub fn poll_acked(&mut self) -> Result<bool, WriteError> {
        Err(WriteError::UnknownStream)
    }

    /// Bytes that a write would take now.
    pub fn capacity(&self) -> usize {
        let _ = (&self.session.config, self.id);
        0
    }
}

/// The receiving half of one stream.
#[derive(Debug)]
pub struct RecvStream<'a> {
    session: &'a mut Session,
    id: StreamId,
}

impl RecvStream<'_> {
    /// The next bytes in order, at most `max` and at least 1 of them, without copying; `None` at the
    /// end of the stream.
    pub fn read_chunk(&mut self, max: usize) -> Result<Option<Bytes>, ReadError> {
        let _ = (max, self.session.role, self.id);
        Err(ReadError::Blocked)
    }

    /// Copies the next bytes into `buffer` and returns how many; 0 at the end of the stream (or for an
    /// empty buffer).
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let _ = buffer;
        Err(ReadError::Blocked)
    }

    /// Reads no more: what is unread and what still comes is discarded and counted, so that the peer
    /// is never held up by it.
    pub fn stop(&mut self) {}
}
