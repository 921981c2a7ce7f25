//! What a session gives out to be sealed and written.

use std::ops::Range;

use crate::wire::RecordSequence;
use bytes::Bytes;

use crate::crypto::{ContentType, Plaintext};

/// One batch of records for one connection; reused from batch to batch to keep its allocations.
///
/// Seal and write the records in their order: [`Session::poll_transmit`](crate::Session::poll_transmit)
/// numbers them as it gives them out.
#[derive(Debug, Default)]
pub struct Transmit {
    /// The records, in sealing order.
    pub records: Vec<OutgoingRecord>,
    /// Bytes that the records refer to with [`OutgoingRecord::tail`].
    pub tails: Vec<u8>,
}

impl Transmit {
    /// An empty batch.
    pub const fn new() -> Self {
        Self {
            records: Vec::new(),
            tails: Vec::new(),
        }
    }

    /// Empties the batch and keeps its allocations.
    pub fn clear(&mut self) {
        self.records.clear();
        self.tails.clear();
    }

    /// Whether there is nothing to seal.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// A record to seal: its plaintext is `lead ‖ tails[tail] ‖ content type ‖ padding zeros`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingRecord {
    /// The number that the connection's sealer must give it.
    pub sequence: RecordSequence,
    /// The inner content type.
    pub content_type: ContentType,
    /// Stream data that starts the record, by reference to what the application wrote; may be empty.
    pub lead: Bytes,
    /// Where the rest of the plaintext is in [`Transmit::tails`].
    pub tail: Range<usize>,
    /// Zero bytes of TLS padding, up to what fits a record.
    pub padding: usize,
}

impl OutgoingRecord {
    /// The record as the connection's sealer takes it; `tails` are those of the same batch.
    pub fn plaintext<'a>(&'a self, tails: &'a [u8]) -> Plaintext<'a> {
        Plaintext {
            content_type: self.content_type,
            lead: &self.lead,
            tail: self.tail(tails),
            padding: self.padding,
        }
    }

    /// The rest of the plaintext, out of `tails` of the same batch; empty when they do not match.
    pub fn tail<'a>(&self, tails: &'a [u8]) -> &'a [u8] {
        tails.get(self.tail.clone()).unwrap_or_default()
    }
}

/// What comes after the records that [`Session::poll_transmit`](crate::Session::poll_transmit) gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "it says whether the connection goes on"]
pub enum TransmitState {
    /// Nothing until something happens; [`Event::TransmitReady`](crate::Event::TransmitReady) says when.
    Idle,
    /// The limit was reached: call again when these are written.
    More,
    /// Nothing ever again on this connection: write these, half-close, keep reading.
    ShutdownWrite,
    /// The connection is over: write these if the socket still takes them, then close it.
    Close,
}
