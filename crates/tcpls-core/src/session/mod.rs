//! The session: where streams and connections meet.

mod acknowledging;
mod activity;
mod close;
mod control;
mod doubt;
mod duplicate;
mod edges;
mod effort;
mod extended;
mod failover;
mod farewell;
mod inspect;
mod keys;
mod landing;
mod liveness;
mod path_state;
mod path_words;
mod probe;
mod receive;
mod retire;
mod schedule;
mod signals;
mod state;
mod stream_change;
mod timeout;
mod tokens;
mod transmit;

use std::{net::SocketAddr, time::Instant};

use activity::Activity;
use bytes::Bytes;
use control::Control;
use effort::Effort;
use farewell::Farewell;
pub use farewell::SessionClose;
use keys::KeyUsage;
pub use landing::{Delivery, LandedRecord, Landing};
pub(crate) use path_state::PathState;
pub(crate) use probe::Probes;
use state::{Lifecycle, Orphaned};
pub(crate) use stream_change::{Expected, Lead};
use timeout::NextDeadline;

use crate::{
    AddressError, CloseReason, ConnectionFailure, ConnectionHandle, ConnectionStart, Event,
    OpenError, OpenedRecord, PathInfo, RecvStream, RetireError, SendStream, SessionConfig,
    TimeoutReason, Transmit, TransmitState,
    connection::{Connections, Outlet, Ping, Uniqueness},
    crypto::{self, SealError},
    event::EventQueue,
    profile::Terms,
    stream::Streams,
    wire::{AddressId, RecordBuilder, Role, SessionParams, StreamId, frame::MAX_PLAINTEXT},
};

/// One TCPLS session, without sockets, clock or randomness.
///
/// # The law of driving
///
/// 1. Give in what happened: a `handle_` method for records, ends, failures and passed deadlines, or
///    a command of the application.
/// 2. For each connection whose socket has room: `poll_transmit`, seal the records in their order,
///    write them, until it no longer says [`TransmitState::More`]; `handle_blocked` when the socket is full.
/// 3. Call `poll_event` until it returns `None`. After [`Event::ConnectionClosed`], ask that connection's
///    `poll_transmit` once more: it may have an alert for the peer.
/// 4. Arm one timer for `poll_timeout`; read a socket only while `wants_read` is true.
/// 5. Wait for whichever comes first and start over.
///
/// `now` is the caller's clock and must not go backwards. Records are plaintext here: each
/// connection's sealer and opener live beside the session, so that cryptography needs no lock on it.
/// What a connection's opener gives must be handed in, in its order and all of it, and before its end
/// or failure is: an ACK covers what was handed in, and nothing else (reading A-14).
#[derive(Debug)]
pub struct Session {
    role: Role,
    config: SessionConfig,
    terms: Terms,
    lifecycle: Lifecycle,
    orphaned: Option<Orphaned>,
    farewell: Farewell,
    streams: Streams,
    connections: Connections,
    control: Control,
    keys: KeyUsage,
    activity: Activity,
    next_deadline: NextDeadline,
    effort: Effort,
    events: EventQueue,
    builder: RecordBuilder<Bytes>,
    reading: Reading,
    /// Connections that failed and may have delivered some of what they carried.
    doubtful: Vec<ConnectionHandle>,
    /// When a connection failed that others took over from.
    latest_loss: Option<Instant>,
    /// The connection that was given new stream data last.
    carrier: Option<ConnectionHandle>,
    /// Bytes that the connection takes that is being polled before the scheduler is asked again.
    granted: u64,
    /// The latest time that the driver told.
    clock: Instant,
    /// Records that did not authenticate.
    failed_records: u32,
}

/// Whether the driver was seen to be told not to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Wanted,
    Paused,
}

impl Session {
    /// A session without connections, for one side of it.
    pub fn new(role: Role, config: SessionConfig, now: Instant) -> Self {
        Self {
            role,
            terms: Terms::default(),
            lifecycle: Lifecycle::Open,
            orphaned: None,
            farewell: Farewell::default(),
            streams: Streams::new(role, &config),
            connections: Connections::default(),
            control: Control::new(role),
            keys: KeyUsage::new(config.key_update_after, now),
            activity: Activity::new(now),
            next_deadline: NextDeadline::Unknown,
            effort: Effort::new(config.budgets, now),
            events: EventQueue::default(),
            builder: RecordBuilder::new(MAX_PLAINTEXT),
            reading: Reading::Wanted,
            doubtful: Vec::new(),
            latest_loss: None,
            carrier: None,
            granted: 0,
            clock: now,
            failed_records: 0,
            config,
        }
    }

    /// In: a connection is ready for protected records. The first has the identifier
    /// [`ConnectionId::FIRST`](crate::wire::ConnectionId::FIRST), each other one that of its token, which is spent with this. Using an
    /// identifier twice ends the session, because it would repeat nonces. A connection that is added to a session on its way out ends with it.
    ///
    /// One that joined carries Ping alone until the peer was heard on it, as long as another connection
    /// can carry the rest, so both sides `ping` it; the server adds it with its first record at hand. It is over at once when the peer reported it as failed before
    /// (reading A-15).
    pub fn add_connection(&mut self, start: ConnectionStart, now: Instant) -> ConnectionHandle {
        self.next_deadline.forget();
        self.connections.forget_old(&self.doubtful);
        let (handle, uniqueness) = self.connections.add(start, self.role, &self.config, now);
        if uniqueness == Uniqueness::Repeated {
            close::fail(
                self,
                CloseReason::Internal("a connection identifier was used twice"),
            );
        }
        if !self.control.on_joined(start.id) {
            failover::refuse(self, handle, ConnectionFailure::ReportedByPeer);
            return handle;
        }
        if self.connections.live().len() == 1 {
            self.activity = Activity::new(now);
        }
        self.orphaned = None;
        self.connections
            .for_each_live(|connection| connection.turns = 0);
        close::on_connection_added(self, handle);
        handle
    }

    /// In: what the peer said in `tcpls_params`, before the first connection is added. Without it, or
    /// with none on either side, the session follows the draft alone.
    pub fn handle_params(&mut self, peer: Option<SessionParams>) {
        self.next_deadline.forget();
        extended::on_params(self, peer);
    }

    /// In: the next record of connection `c`. What the peer did wrong ends the session or the
    /// connection inside; events and `poll_transmit` tell.
    pub fn handle_record(&mut self, c: ConnectionHandle, record: OpenedRecord, now: Instant) {
        self.next_deadline.forget();
        if let Err(reason) = receive::record(self, c, record, now) {
            close::fail(self, reason);
        }
    }

    /// In: a record of connection `c` could not be opened; nothing more can be read from it. By blame
    /// that ends the connection or the session (reading A-18).
    pub fn handle_open_error(
        &mut self,
        c: ConnectionHandle,
        error: crypto::OpenError,
        now: Instant,
    ) {
        self.next_deadline.forget();
        receive::on_open_error(self, c, error, now);
    }

    /// In: a record that `poll_transmit` gave for connection `c` could not be sealed.
    pub fn handle_seal_error(&mut self, error: SealError) {
        self.next_deadline.forget();
        transmit::on_seal_error(self, error);
    }

    /// In: the peer half-closed the TCP connection, and every record before that was handed in.
    pub fn handle_eof(&mut self, c: ConnectionHandle, now: Instant) {
        self.next_deadline.forget();
        retire::on_eof(self, c, now);
    }

    /// In: the connection failed; its unacknowledged frames are sent again on another one. Without
    /// another one the session is lost.
    pub fn handle_failure(&mut self, c: ConnectionHandle, reason: ConnectionFailure, now: Instant) {
        self.next_deadline.forget();
        failover::fail(self, c, reason, now);
    }

    /// In: the socket of connection `c` takes no more for now. Until `poll_transmit` is called for it again,
    /// others carry what it would have. To leave it out costs speed, where there are several connections.
    pub fn handle_blocked(&mut self, c: ConnectionHandle) {
        if let Some(connection) = self.connections.get_mut(c) {
            connection.outlet = Outlet::Blocked;
        }
    }

    /// In: what TCP says about a connection.
    pub fn handle_path_info(&mut self, c: ConnectionHandle, info: PathInfo, now: Instant) {
        self.next_deadline.forget();
        self.clock = now;
        liveness::on_info(self, c, info, now);
    }

    /// In: a deadline of `poll_timeout` has passed. Too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.next_deadline.forget();
        timeout::handle(self, now);
    }

    /// Command: ends one connection in order while the session goes on (reading A-16). Nothing new is
    /// given out on it; once the peer acknowledged what it carried, or after two round trips, when the
    /// rest is sent again on others, `poll_transmit` says [`TransmitState::ShutdownWrite`]. Records of the
    /// peer are taken until it half-closes too, for [`SessionConfig::drain_timeout`] at most. Then
    /// [`Event::ConnectionClosed`] comes without a failure. Calling it again changes nothing.
    ///
    /// It does nothing and returns an error when no other connection could carry the session, or the
    /// connection is over, or the session closes. When all others are lost before
    /// [`TransmitState::ShutdownWrite`] was said, the connection goes on as if this had not been called.
    pub fn retire(&mut self, c: ConnectionHandle, now: Instant) -> Result<(), RetireError> {
        self.next_deadline.forget();
        retire::begin(self, c, now)
    }

    /// Command: opens a bidirectional stream.
    pub fn open_bi(&mut self) -> Result<StreamId, OpenError> {
        self.streams.open()
    }

    /// Command: opens a unidirectional stream: this side sends, the peer receives. As many are open at a
    /// time as the peer allows, which [`OpenError::Blocked`] says.
    pub fn open_uni(&mut self) -> Result<StreamId, OpenError> {
        self.streams.open_uni()
    }

    /// Command: the next unidirectional stream that the peer opened: only its receiving half is there.
    pub fn accept_uni(&mut self) -> Option<StreamId> {
        self.streams.accept_uni()
    }

    /// Command: the next bidirectional stream that the peer opened: of those that wait, the one that was
    /// opened first. With a peer that also opens streams of one direction, a stream waits once its first
    /// data came, which that of a later one may overtake on another connection.
    pub fn accept_bi(&mut self) -> Option<StreamId> {
        self.streams.accept()
    }

    /// Command: the sending half of a stream.
    pub fn send(&mut self, stream: StreamId) -> SendStream<'_> {
        SendStream::new(&mut self.streams, &mut self.events, stream)
    }

    /// Command: the receiving half of a stream.
    pub fn recv(&mut self, stream: StreamId) -> RecvStream<'_> {
        RecvStream::new(&mut self.streams, &mut self.events, stream)
    }

    /// Command: the application gave up its handle of the sending half; until then the session
    /// remembers what became of a half that was reset or stopped. A stream that was not finished is reset
    /// with code 0. With a peer that speaks the draft alone, what was written is still sent, but the
    /// stream never ends for the peer and keeps counting against the limit (reading A-34 d).
    pub fn drop_send(&mut self, stream: StreamId) {
        self.streams.drop_send(stream, &mut self.events);
    }

    /// Command: the application gave up its handle of the receiving half: as [`RecvStream::stop_sending`]
    /// with code 0. Until then the session remembers that the peer reset it.
    pub fn drop_recv(&mut self, stream: StreamId) {
        self.streams.stop(stream, 0, &mut self.events);
    }

    /// Command: sends a Ping on this connection; [`Event::PingAcked`] answers. One is in flight at a
    /// time, more are one.
    pub fn ping(&mut self, c: ConnectionHandle) {
        if let Some(connection) = self.connections.get_mut(c)
            && connection.ping == Ping::None
        {
            connection.ping = Ping::Due;
        }
    }

    /// Command: advertises an address of this side (draft 5.2.7).
    pub fn advertise_address(&mut self, address: SocketAddr) -> Result<AddressId, AddressError> {
        if self.lifecycle != Lifecycle::Open {
            return Err(AddressError::Closing);
        }
        self.control.advertise(address)
    }

    /// Command: withdraws an address of this side (draft 5.2.8), once the peer acknowledged that it
    /// was advertised.
    pub fn withdraw_address(&mut self, id: AddressId) -> Result<(), AddressError> {
        if self.lifecycle != Lifecycle::Open {
            return Err(AddressError::Closing);
        }
        self.control.withdraw(id)
    }

    /// Command: closes the session in order: finished streams are acknowledged first, then
    /// `close_notify` goes out on every connection; unfinished streams are lost (reading A-17).
    pub fn close(&mut self, now: Instant) {
        self.next_deadline.forget();
        close::close(self, now);
    }

    /// Whether the session is on its way to its end, by [`close`](Self::close), the peer's, or an error.
    pub fn is_closing(&self) -> bool {
        self.lifecycle != Lifecycle::Open
    }

    /// Command: ends the session at once with a fatal alert on every connection.
    pub fn abort(&mut self) {
        self.next_deadline.forget();
        close::fail(self, CloseReason::Aborted);
    }

    /// Out: appends to `out` records for this connection, until their plaintexts reach `limit` bytes;
    /// the last one may go beyond it by less than one record, and the acknowledgments and the alert
    /// that end a connection come whole. 64 to 256 KiB make good batches.
    pub fn poll_transmit(
        &mut self,
        c: ConnectionHandle,
        limit: usize,
        now: Instant,
        out: &mut Transmit,
    ) -> TransmitState {
        transmit::poll(self, c, limit, now, out)
    }

    /// Out: the next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty() && !matches!(self.lifecycle, Lifecycle::Closed(_)) {
            edges::note(self);
        }
        self.events.pop()
    }

    /// Out: when `handle_timeout` is wanted, and why.
    pub fn poll_timeout(&mut self) -> Option<(Instant, TimeoutReason)> {
        timeout::poll(self)
    }

    /// Out: whether this connection's socket is to be read (reading A-34 a); when it turns true again,
    /// [`Event::ReadResumed`] says so.
    pub fn wants_read(&self, c: ConnectionHandle) -> bool {
        self.streams.wants_read()
            && self
                .connections
                .get(c)
                .is_some_and(|connection| connection.state.is_readable())
    }

    /// Out: whether `poll_transmit` has something for this connection.
    pub fn wants_transmit(&self, c: ConnectionHandle) -> bool {
        transmit::wants(self, c)
    }
}
