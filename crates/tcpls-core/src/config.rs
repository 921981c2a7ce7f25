//! What an application can set for a session, each knob with its cost.

mod windows;

use std::{sync::Arc, time::Duration};

use crate::{
    Budgets, Profile,
    scheduler::{EarliestCompletion, Scheduler},
};

/// Whether [`Session::open_bi`](crate::Session::open_bi) tells the peer at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamAnnouncement {
    /// With an empty Stream frame, so that the peer accepts the stream before data comes. The default.
    #[default]
    AtOpen,
    /// With the first data, which saves 15 bytes for each stream; a stream that is never written
    /// then stays unknown to the peer.
    WithData,
}

/// Whether what was sent is kept until the peer acknowledges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Failover {
    /// It is, and goes out on another connection when its own fails. The default.
    #[default]
    Resend,
    /// It is not: sending takes as little memory as with plain TLS, and the loss of a connection is the
    /// loss of the session. That the peer has everything is then not known either:
    /// [`poll_acked`](crate::SendStream::poll_acked) says that it was given out.
    Off,
}

/// The longest time that can be set, a year: deadlines must not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The least [`SessionConfig::path_timeout`].
const SHORTEST_PATH_TIMEOUT: Duration = Duration::from_millis(100);

/// The least [`SessionConfig::keep_alive`]: a deadline that is always due would keep a driver busy.
pub(crate) const SHORTEST_KEEP_ALIVE: Duration = Duration::from_millis(1);

/// Limits and delays of one session; the defaults are meant for production. Times are at most a year.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    pub(crate) announcement: StreamAnnouncement,
    pub(crate) stream_send_buffer: usize,
    pub(crate) session_send_buffer: usize,
    pub(crate) stream_window: u64,
    pub(crate) max_stream_window: u64,
    pub(crate) session_window: u64,
    pub(crate) max_session_window: u64,
    pub(crate) unread_soft_cap: usize,
    pub(crate) unread_hard_cap: usize,
    pub(crate) out_of_order_cap: usize,
    pub(crate) copy_below: usize,
    pub(crate) receive_buffer: usize,
    pub(crate) own_streams: u32,
    pub(crate) peer_streams: u32,
    pub(crate) peer_uni_streams: u32,
    pub(crate) failed_records: u32,
    pub(crate) budgets: Budgets,
    pub(crate) key_update_after: u64,
    pub(crate) spare_tokens: u8,
    pub(crate) requested_tokens: u8,
    pub(crate) token_lifetime: Option<Duration>,
    pub(crate) connections: u32,
    pub(crate) ack_after_records: u32,
    pub(crate) ack_after_bytes: usize,
    pub(crate) ack_delay: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) orphan_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) path_timeout: Duration,
    pub(crate) failover: Failover,
    pub(crate) scheduler: Arc<dyn Scheduler>,
    pub(crate) profile: Profile,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            announcement: StreamAnnouncement::AtOpen,
            stream_send_buffer: 4 << 20,
            session_send_buffer: 8 << 20,
            stream_window: 4 << 20,
            max_stream_window: 16 << 20,
            session_window: 16 << 20,
            max_session_window: 64 << 20,
            unread_soft_cap: 4 << 20,
            unread_hard_cap: 64 << 20,
            out_of_order_cap: 16 << 20,
            copy_below: 2048,
            receive_buffer: 256 << 10,
            own_streams: 256,
            peer_streams: 4096,
            peer_uni_streams: 256,
            failed_records: 1000,
            budgets: Budgets::new(),
            key_update_after: 1 << 23,
            spare_tokens: 8,
            requested_tokens: 32,
            token_lifetime: None,
            connections: 32,
            ack_after_records: 16,
            ack_after_bytes: 256 << 10,
            ack_delay: Duration::from_millis(25),
            drain_timeout: Duration::from_secs(5),
            orphan_timeout: Some(Duration::from_secs(30)),
            idle_timeout: None,
            keep_alive: None,
            path_timeout: Duration::from_secs(5),
            failover: Failover::Resend,
            scheduler: Arc::new(EarliestCompletion),
            profile: Profile::Extended,
        }
    }
}

impl SessionConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// When a stream that is opened here is announced; default [`StreamAnnouncement::AtOpen`].
    pub fn announcement(&mut self, announcement: StreamAnnouncement) -> &mut Self {
        self.announcement = announcement;
        self
    }

    /// Bytes of one stream, unsent or unacknowledged, at which writes block; default 4 MiB, at least
    /// 1. It bounds the throughput of a stream to this over the round trip time.
    pub fn stream_send_buffer(&mut self, bytes: usize) -> &mut Self {
        self.stream_send_buffer = bytes.max(1);
        self
    }

    /// The same summed over all streams of the session; default 8 MiB, at least 1. Half of it is for streams
    /// whose peer reads: of the others each takes 64 KiB there beyond what the peer lets it send. Beside them, each
    /// connection remembers up to 16384 frames that are not acknowledged, at most 256 bytes each with what
    /// blocks of single bytes cost, and all that failed remember as many together.
    pub fn session_send_buffer(&mut self, bytes: usize) -> &mut Self {
        self.session_send_buffer = bytes.max(1);
        self
    }

    /// Bytes that arrived in order and were not read, over all streams, at which
    /// [`wants_read`](crate::Session::wants_read) turns false unless somebody waits for what may lie
    /// behind them; default 4 MiB, at least 1 (reading A-34 a).
    pub fn unread_soft_cap(&mut self, bytes: usize) -> &mut Self {
        self.unread_soft_cap = bytes.max(1);
        self
    }

    /// Unread bytes that end the session; default 64 MiB (reading A-34 a). From a quarter of it on,
    /// nothing is acknowledged, so that a peer with a bounded send buffer does not get there.
    ///
    /// Whatever the peer sends, received bytes take at most 5/4 of the sum of this,
    /// [`out_of_order_cap`](Self::out_of_order_cap) and twice
    /// [`unread_soft_cap`](Self::unread_soft_cap): pieces that would keep more receive buffers alive
    /// than the soft cap has room for are copied.
    pub fn unread_hard_cap(&mut self, bytes: usize) -> &mut Self {
        self.unread_hard_cap = bytes;
        self
    }

    /// Bytes behind gaps that end the session, each piece charged with 128 bytes of overhead;
    /// default 16 MiB (reading A-34 b). It bounds how far connections may drift apart.
    pub fn out_of_order_cap(&mut self, bytes: usize) -> &mut Self {
        self.out_of_order_cap = bytes;
        self
    }

    /// Received pieces shorter than this are copied, longer ones refer into the received record;
    /// default 2048 bytes. A piece that refers keeps its whole receive buffer alive until it is read, so
    /// only as many do as the buffers in the soft cap of unread bytes have; others are copied.
    pub fn copy_below(&mut self, bytes: usize) -> &mut Self {
        self.copy_below = bytes;
        self
    }

    /// The largest buffer that the driver reads records into, in bytes, which one piece of it keeps
    /// alive; default 256 KiB, at least 1. With buffers larger than this, the bounds of memory that are
    /// given here do not hold.
    pub fn receive_buffer(&mut self, bytes: usize) -> &mut Self {
        self.receive_buffer = bytes.max(1);
        self
    }

    /// Streams of this side that are open at a time; default 256 (reading A-34 c).
    pub fn own_streams(&mut self, streams: u32) -> &mut Self {
        self.own_streams = streams;
        self
    }

    /// Streams of the peer, open at a time, beyond which the session ends; default 4096 (reading
    /// A-34 c).
    pub fn peer_streams(&mut self, streams: u32) -> &mut Self {
        self.peer_streams = streams;
        self
    }

    /// Unidirectional streams of the peer, open at a time, which is told to it; one more ends the session.
    /// Default 256; 0 for none. A stream counts until all of it came, or its reset; it also counts among
    /// [`peer_streams`](Self::peer_streams).
    pub fn peer_uni_streams(&mut self, streams: u32) -> &mut Self {
        self.peer_uni_streams = streams;
        self
    }

    /// Records that did not authenticate, over the life of the session, beyond which it ends; default
    /// 1000 (reading A-18).
    pub fn failed_records(&mut self, records: u32) -> &mut Self {
        self.failed_records = records;
        self
    }

    /// What the peer may send that brings nothing; see [`Budgets`] for each.
    pub fn budgets(&mut self, budgets: Budgets) -> &mut Self {
        self.budgets = budgets;
        self
    }

    /// Records sealed under one key generation, over all connections, after which each connection
    /// moves to the next; default 2^23, at least 1 (reading A-26). AES-GCM allows 2^24.5. So few that more
    /// than [`Budgets::key_updates`] of such generations are under way at a time, as 5 are for several
    /// connections on a fast path, look like a flood to the peer where one connection overtakes another.
    pub fn key_update_after(&mut self, records: u64) -> &mut Self {
        self.key_update_after = records.max(1);
        self
    }

    /// Connections of the session at a time, the first included, for which the server gives out tokens;
    /// default 32 (R13). Each live one costs a socket, and buffers while it is in use.
    pub fn connections(&mut self, connections: u32) -> &mut Self {
        self.connections = connections;
        self
    }

    /// How many ack-eliciting records are acknowledged at once at the latest; default 16, at least 1
    /// (reading A-11). Fewer cost the peer less memory and both sides more records.
    pub fn ack_after_records(&mut self, records: u32) -> &mut Self {
        self.ack_after_records = records.max(1);
        self
    }

    /// How many bytes of ack-eliciting records are acknowledged at once at the latest; default 256 KiB
    /// (reading A-11).
    pub fn ack_after_bytes(&mut self, bytes: usize) -> &mut Self {
        self.ack_after_bytes = bytes;
        self
    }

    /// How long an acknowledgment waits for company; default 25 ms (reading A-11).
    pub fn ack_delay(&mut self, delay: Duration) -> &mut Self {
        self.ack_delay = delay.min(LONGEST);
        self
    }

    /// How long closing waits, first for each further acknowledgment of what a stream carried, and then for
    /// the peer; default 5 s each (reading A-17).
    pub fn drain_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.drain_timeout = timeout.min(LONGEST);
        self
    }

    /// How long a session without connections waits for one to join, if a token for it is out; default
    /// 30 s (reading A-19). With none the session is lost at once. A server keeps the state of a client
    /// that is gone for as long: at most what the buffers of the session hold. Hours or days let a session
    /// outlive the sleep of its computer. Between peers that agreed on it the shorter one of both sides
    /// counts, in whole seconds of the peer's.
    pub fn orphan_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.orphan_timeout = timeout.map(|time| time.min(LONGEST));
        self
    }

    /// After how long a silence of the peer the session ends; default none (reading A-46). Between peers
    /// that agreed on it the shorter one of both sides counts, in whole milliseconds of the peer's.
    pub fn idle_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.idle_timeout = timeout.map(|time| time.min(LONGEST));
        self
    }

    /// After how long without a received record a Ping asks for one; default none, at least 1 ms. Below a third of
    /// the idle timeout it keeps a session alive (reading A-46); between peers that agreed on an idle
    /// timeout it is never above that.
    pub fn keep_alive(&mut self, interval: Option<Duration>) -> &mut Self {
        self.keep_alive = interval.map(|time| time.clamp(SHORTEST_KEEP_ALIVE, LONGEST));
        self
    }

    /// How long a connection may wait for the peer's TCP to acknowledge anything before it is given up;
    /// default 5 s, at least 100 ms (reading A-45). What it carries is sent on another one long before.
    /// A peer that does not read is not meant: its TCP answers all the same.
    pub fn path_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.path_timeout = timeout.clamp(SHORTEST_PATH_TIMEOUT, LONGEST);
        self
    }

    /// Whether what was sent is kept until the peer acknowledges it; default [`Failover::Resend`].
    pub fn failover(&mut self, failover: Failover) -> &mut Self {
        self.failover = failover;
        self
    }

    /// Which connection carries what is next when several work; default [`EarliestCompletion`].
    pub fn scheduler(&mut self, scheduler: Arc<dyn Scheduler>) -> &mut Self {
        self.scheduler = scheduler;
        self
    }

    /// Whether the session offers what the draft does not have; default [`Profile::Extended`].
    pub fn profile(&mut self, profile: Profile) -> &mut Self {
        self.profile = profile;
        self
    }
}
