//! Counters for people who look at a session from outside.

use crate::{BudgetStats, wire::Frame};

/// How many frames of each type; a run of Padding counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounts {
    /// Runs of Padding frames.
    pub padding: u64,
    /// Ping frames.
    pub ping: u64,
    /// Stream frames.
    pub stream: u64,
    /// ACK frames.
    pub ack: u64,
    /// New Token frames.
    pub new_token: u64,
    /// Connection Reset frames.
    pub connection_reset: u64,
    /// New Address frames.
    pub new_address: u64,
    /// Remove Address frames.
    pub remove_address: u64,
    /// Stream Change frames.
    pub stream_change: u64,
    /// Frames beyond the draft, of all types.
    pub extended: u64,
}

impl FrameCounts {
    pub(crate) fn count(&mut self, frame: &Frame<'_>) {
        let counter = match frame {
            Frame::Padding(_) => &mut self.padding,
            Frame::Ping => &mut self.ping,
            Frame::Stream(_) => &mut self.stream,
            Frame::Ack(_) => &mut self.ack,
            Frame::NewToken(_) => &mut self.new_token,
            Frame::ConnectionReset(_) => &mut self.connection_reset,
            Frame::NewAddress(_) => &mut self.new_address,
            Frame::RemoveAddress(_) => &mut self.remove_address,
            Frame::StreamChange(_) => &mut self.stream_change,
            Frame::Extended(_) => &mut self.extended,
        };
        *counter += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.padding += other.padding;
        self.ping += other.ping;
        self.stream += other.stream;
        self.ack += other.ack;
        self.new_token += other.new_token;
        self.connection_reset += other.connection_reset;
        self.new_address += other.new_address;
        self.remove_address += other.remove_address;
        self.stream_change += other.stream_change;
        self.extended += other.extended;
    }
}

/// One connection's counters; they stay readable after it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionStats {
    /// Protected records given out by `poll_transmit`.
    pub records_sent: u64,
    /// Their plaintext bytes.
    pub bytes_sent: u64,
    /// Protected records taken in by `handle_record`.
    pub records_received: u64,
    /// Their plaintext bytes.
    pub bytes_received: u64,
    /// Frames in the records sent.
    pub frames_sent: FrameCounts,
    /// Frames in the records received.
    pub frames_received: FrameCounts,
    /// Stream bytes that it sent a second time while another connection carried them, too.
    pub duplicates_sent: u64,
    /// Frames sent but not acknowledged: what a failure of this connection would send again.
    pub frames_in_flight: u64,
    /// Key generation of the records sent (reading A-26).
    pub send_generation: u32,
}

/// One stream's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamStats {
    /// Bytes that the application wrote.
    pub bytes_written: u64,
    /// Of these, bytes sent at least once.
    pub bytes_sent: u64,
    /// Of these, bytes that the peer acknowledged without a gap.
    pub bytes_acked: u64,
    /// Bytes that arrived without a gap.
    pub bytes_received: u64,
    /// Of these, bytes that the application read or that were discarded for it.
    pub bytes_read: u64,
}

/// The session's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionStats {
    /// Connections that were ever added.
    pub connections: u32,
    /// Connections that are not over.
    pub live_connections: u32,
    /// Tokens for further connections that the server gave the client, used ones included.
    pub tokens: u32,
    /// Of these, tokens that a connection can still join with, as far as this side knows.
    pub unused_tokens: u32,
    /// Streams opened by this side.
    pub streams_opened: u64,
    /// Streams opened by the peer.
    pub streams_accepted: u64,
    /// Streams that still have state here.
    pub streams_live: u64,
    /// Bytes unsent or unacknowledged.
    pub bytes_unacked: u64,
    /// Bytes in order that nobody read.
    pub bytes_unread: u64,
    /// Bytes behind a gap, with their overhead.
    pub bytes_out_of_order: u64,
    /// Stream bytes queued a second time because their connection failed.
    pub bytes_retransmitted: u64,
    /// Frames queued a second time because their connection failed.
    pub frames_retransmitted: u64,
    /// Bytes that arrived a second time, or for a stream that nobody reads, and were dropped.
    pub bytes_discarded: u64,
    /// What came that the session has budgets for.
    pub budgets: BudgetStats,
}
