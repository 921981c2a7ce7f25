//! What a peer may send that brings nothing, and how much of it came.
//!
//! Bytes and streams have limits of their own in [`SessionConfig`](crate::SessionConfig); these are
//! about effort. Most are an allowance: what is used of it comes back within ten seconds of the session's
//! own clock, and sooner with records that bring something, so that neither keep-alives over months nor
//! repetitions at full speed use it up. A peer that goes beyond one has its session closed.

/// Allowances of one session for its peer, over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    pub(crate) idle_frames: u32,
    pub(crate) idle_records: u32,
    pub(crate) empty_records: u32,
    pub(crate) pings: u32,
    pub(crate) resets: u32,
    pub(crate) key_updates: u32,
    pub(crate) tickets: u32,
    pub(crate) peer_addresses: u32,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            idle_frames: 1 << 17,
            idle_records: 1 << 14,
            empty_records: 8,
            pings: 10_000,
            resets: 1 << 14,
            key_updates: 32,
            tickets: 256,
            peer_addresses: 64,
        }
    }
}

impl Budgets {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Frames that change nothing: Pings, hints, padding, repeated acknowledgments and addresses, and
    /// stream data that was there, which also counts for each received piece that it is compared with;
    /// default 131072. A frame that changes something makes up for 256 of them, so that data which every
    /// connection repeats is free.
    pub fn idle_frames(&mut self, frames: u32) -> &mut Self {
        self.idle_frames = frames;
        self
    }

    /// Records with nothing in them but padding, warnings or an unfinished handshake message; default
    /// 16384. It bounds cover traffic at rest to 1638 records a second.
    pub fn idle_records(&mut self, records: u32) -> &mut Self {
        self.idle_records = records;
        self
    }

    /// Records without any frame in a row on one connection that are too many; default 8, at least 1
    /// (reading A-29). They do not come back.
    pub fn empty_records(&mut self, records: u32) -> &mut Self {
        self.empty_records = records.max(1);
        self
    }

    /// Records with Pings or probes, each of which is answered; default 10000.
    pub fn pings(&mut self, records: u32) -> &mut Self {
        self.pings = records;
        self
    }

    /// Streams that the peer resets, and twice those that it stops; default 16384. Each stream that it ends
    /// in order makes up for one, so that as many may be given up at any speed.
    pub fn resets(&mut self, streams: u32) -> &mut Self {
        self.resets = streams;
        self
    }

    /// Key updates that go further than any before; default 32 (reading A-26). Those with which another
    /// connection follows do not count.
    pub fn key_updates(&mut self, updates: u32) -> &mut Self {
        self.key_updates = updates;
        self
    }

    /// Session tickets; default 256. Sixteen wait for the application, more are dropped.
    pub fn tickets(&mut self, tickets: u32) -> &mut Self {
        self.tickets = tickets;
        self
    }

    /// Addresses that the peer advertises and does not withdraw, at a time; default 64. In its life a
    /// session has 256 (reading A-32).
    pub fn peer_addresses(&mut self, addresses: u32) -> &mut Self {
        self.peer_addresses = addresses;
        self
    }
}

/// How much came of what [`Budgets`] allows, over the life of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BudgetStats {
    /// Frames that changed nothing, and received pieces that they were compared with.
    pub idle_frames: u64,
    /// Records with nothing in them but padding, warnings or an unfinished handshake message.
    pub idle_records: u64,
    /// Records without any frame.
    pub empty_records: u64,
    /// Records with Pings or probes.
    pub pings: u64,
    /// Streams that the peer reset, and twice those that it stopped.
    pub resets: u64,
    /// Key updates that went further than any before.
    pub key_updates: u64,
    /// Session tickets.
    pub tickets: u64,
    /// Addresses that the peer advertised.
    pub peer_addresses: u64,
    /// Records that did not authenticate, over all connections: see
    /// [`SessionConfig::failed_records`](crate::SessionConfig::failed_records).
    pub failed_records: u64,
}
