//! The received bytes of one stream, from any order to the order of the stream.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::piece::{Holding, Piece};
use crate::number::{length, offset};

/// What one piece ahead of a gap is charged beyond its bytes, so that tiny pieces cannot hold much
/// more memory than the cap says.
const AHEAD_OVERHEAD: usize = 128;

/// The most bytes that small pieces are gathered into.
const GATHER_UP_TO: usize = 16 * 1024;

/// Bytes by which gathered ones get more room at least; beyond that, by a quarter of what they have.
const LEAST_GROWTH: usize = 64;

/// Received bytes that the application has not read.
///
/// The first copy of a byte stays, later ones are dropped (reading A-37). In-order data goes straight
/// to the read queue; only data behind a gap costs a map entry.
///
/// Invariant: `ready ‖ gathered` are the bytes `read..received`; the pieces of `ahead` are disjoint
/// and start above `received`.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    ready: VecDeque<Piece>,
    /// Small pieces copied together; they follow what is in `ready`.
    gathered: Vec<u8>,
    ahead: BTreeMap<u64, Piece>,
    ahead_cost: usize,
    read: u64,
    received: u64,
}

/// A part of a record's payload with its place in the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) offset: u64,
    pub(crate) data: &'a [u8],
    /// The record's payload that `data` lies in.
    pub(crate) payload: &'a Bytes,
}

/// What an arrival changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inserted {
    /// Bytes that can now be read.
    pub(crate) in_order: usize,
    /// Bytes that were there already.
    pub(crate) duplicate: usize,
    /// How many pieces behind gaps it was compared with.
    pub(crate) compared: usize,
}

impl Assembler {
    /// Takes in one piece of the stream.
    pub(crate) fn insert(&mut self, arrival: Arrival<'_>, holding: &mut Holding) -> Inserted {
        if arrival.offset == self.received && self.ahead.is_empty() {
            self.append(arrival, holding);
            return Inserted {
                in_order: arrival.data.len(),
                duplicate: 0,
                compared: 0,
            };
        }
        let before = self.received;
        let len = arrival.data.len();
        let (kept, compared) = self.insert_ahead(arrival, holding);
        self.move_ready(holding);
        Inserted {
            in_order: length(self.received - before),
            duplicate: len - kept,
            compared,
        }
    }

    /// Where the next bytes begin, when there are none, neither in order nor behind a gap.
    pub(crate) fn next_if_empty(&self) -> Option<u64> {
        (self.unread() == 0 && self.ahead.is_empty()).then_some(self.received)
    }

    /// The next bytes were received and read elsewhere; there are none here.
    pub(crate) fn pass(&mut self, length: usize) {
        self.received += offset(length);
        self.read = self.received;
    }

    /// The next bytes in order, at most `max` of them; `None` when there are none.
    pub(crate) fn read_chunk(&mut self, max: usize, holding: &mut Holding) -> Option<Bytes> {
        if self.ready.is_empty() && !self.gathered.is_empty() {
            self.close_gathered();
        }
        let front = self.ready.front_mut()?;
        let chunk = if front.len() <= max {
            holding.release(self.ready.pop_front()?)
        } else {
            front.split_to(max)
        };
        self.read += offset(chunk.len());
        Some(chunk)
    }

    /// Copies the next bytes into `buffer` and returns how many.
    pub(crate) fn read(&mut self, buffer: &mut [u8], holding: &mut Holding) -> usize {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let Some(chunk) = self.read_chunk(rest.len(), holding) else {
                break;
            };
            if let Some(target) = rest.get_mut(..chunk.len()) {
                target.copy_from_slice(&chunk);
            }
            filled += chunk.len();
        }
        filled
    }

    /// Drops everything that is not read.
    pub(crate) fn discard(&mut self, holding: &mut Holding) {
        let ready = std::mem::take(&mut self.ready);
        let ahead = std::mem::take(&mut self.ahead);
        for piece in ready.into_iter().chain(ahead.into_values()) {
            holding.release(piece);
        }
        self.gathered = Vec::new();
        self.ahead_cost = 0;
        self.read = self.received;
    }

    /// Bytes in order that were not read.
    pub(crate) fn unread(&self) -> usize {
        length(self.received - self.read)
    }

    /// Bytes behind a gap, with their overhead.
    pub(crate) fn ahead_cost(&self) -> usize {
        self.ahead_cost
    }

    /// How many bytes arrived without a gap.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// How many bytes were read or discarded.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read
    }

    fn append(&mut self, arrival: Arrival<'_>, holding: &mut Holding) {
        if arrival.data.is_empty() {
            return;
        }
        self.received += offset(arrival.data.len());
        if holding.gathers(arrival.data.len()) {
            self.gather(arrival.data);
        } else {
            self.close_gathered();
            self.ready
                .push_back(holding.take(arrival.data, arrival.payload));
        }
    }

    /// Puts the parts of `arrival` that are new into `ahead`; returns how many bytes that were, and how
    /// many pieces were in the way.
    fn insert_ahead(&mut self, arrival: Arrival<'_>, holding: &mut Holding) -> (usize, usize) {
        let (mut kept, mut compared) = (0, 0);
        let mut rest = arrival.skip_to(self.received);
        if let Some((&start, piece)) = self.ahead.range(..=rest.offset).next_back() {
            rest = rest.skip_to(start + offset(piece.len()));
        }
        while !rest.data.is_empty() {
            let next = self.ahead.range(rest.offset..).next();
            let next = next.map(|(&start, piece)| (start, start + offset(piece.len())));
            let gap = next.map_or(rest.data.len(), |(start, _)| length(start - rest.offset));
            let new = rest.first(gap);
            if !new.data.is_empty() {
                kept += new.data.len();
                self.ahead_cost += new.data.len() + AHEAD_OVERHEAD;
                let piece = holding.take(new.data, new.payload);
                self.ahead.insert(new.offset, piece);
            }
            match next {
                Some((_, end)) => {
                    compared += 1;
                    rest = rest.skip_to(end);
                }
                None => break,
            }
        }
        (kept, compared)
    }

    fn move_ready(&mut self, holding: &mut Holding) {
        while let Some(entry) = self
            .ahead
            .first_entry()
            .filter(|e| *e.key() == self.received)
        {
            let piece = entry.remove();
            self.ahead_cost -= piece.len() + AHEAD_OVERHEAD;
            self.received += offset(piece.len());
            if holding.gathers(piece.len()) {
                self.gather(&holding.release(piece));
            } else {
                self.close_gathered();
                self.ready.push_back(piece);
            }
        }
    }

    fn gather(&mut self, data: &[u8]) {
        if self.gathered.len() + data.len() > GATHER_UP_TO {
            self.close_gathered();
        }
        if self.gathered.capacity() - self.gathered.len() < data.len() {
            let more = (self.gathered.len() / 4).max(LEAST_GROWTH);
            self.gathered.reserve_exact(data.len().max(more));
        }
        self.gathered.extend_from_slice(data);
    }

    fn close_gathered(&mut self) {
        if !self.gathered.is_empty() {
            let mut gathered = std::mem::take(&mut self.gathered);
            gathered.shrink_to_fit();
            self.ready.push_back(Piece::copied(Bytes::from(gathered)));
        }
    }
}

impl Arrival<'_> {
    /// What of it lies at or after `start`.
    fn skip_to(self, start: u64) -> Self {
        let skipped = length(start.saturating_sub(self.offset)).min(self.data.len());
        let data = self.data.get(skipped..).unwrap_or_default();
        Self {
            offset: self.offset + offset(skipped),
            data,
            ..self
        }
    }

    /// Its first `len` bytes, or all when there are fewer.
    fn first(self, len: usize) -> Self {
        Self {
            data: self.data.get(..len).unwrap_or(self.data),
            ..self
        }
    }
}
