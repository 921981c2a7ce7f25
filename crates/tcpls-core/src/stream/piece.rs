//! Received pieces, and how much memory those keep alive that refer into receive buffers.

use std::{collections::BTreeMap, num::NonZeroU64};

use bytes::Bytes;

use crate::SessionConfig;

/// What a record takes in its buffer beside its content, at least: header, type and tag.
const RECORD_OVERHEAD: usize = 22;

/// Some received bytes of a stream.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Bytes,
    /// The stretch that it refers into; `None` for a copy.
    stretch: Option<NonZeroU64>,
}

/// A part of what one connection received that is as long as a receive buffer.
///
/// Where buffers begin is not known here, so a stretch lies in two of them at most.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stretch {
    number: Option<NonZeroU64>,
    left: usize,
}

/// Counts the stretches that pieces refer into, and has pieces copied when these are too many.
///
/// A piece keeps its whole receive buffer alive, whatever else was in it: by counting buffers and not
/// bytes, a peer that fills them with what nobody keeps cannot make them many.
#[derive(Debug)]
pub(crate) struct Holding {
    copy_below: usize,
    receive_buffer: usize,
    /// How many stretches may be referred into.
    limit: usize,
    /// Pieces that refer into each.
    held: BTreeMap<NonZeroU64, u32>,
    /// The stretch of the record that is being applied.
    current: Option<NonZeroU64>,
    last: u64,
}

impl Holding {
    pub(crate) fn new(config: &SessionConfig) -> Self {
        Self {
            copy_below: config.copy_below,
            receive_buffer: config.receive_buffer,
            limit: config.unread_soft_cap / config.receive_buffer,
            held: BTreeMap::new(),
            current: None,
            last: 0,
        }
    }

    /// A record of so many bytes came on the connection that has this stretch.
    pub(crate) fn begin_record(&mut self, stretch: &mut Stretch, bytes: usize) {
        let taken = bytes.saturating_add(RECORD_OVERHEAD);
        if stretch.left < taken {
            self.last = self.last.saturating_add(1);
            stretch.number = NonZeroU64::new(self.last);
            stretch.left = self.receive_buffer;
        }
        stretch.left = stretch.left.saturating_sub(taken);
        self.current = stretch.number;
    }

    /// A piece of `data`, which lies in `payload`.
    pub(crate) fn take(&mut self, data: &[u8], payload: &Bytes) -> Piece {
        if self.copies(data.len()) {
            return Piece::copied(Bytes::copy_from_slice(data));
        }
        if let Some(stretch) = self.current {
            *self.held.entry(stretch).or_default() += 1;
        }
        Piece {
            bytes: payload.slice_ref(data),
            stretch: self.current,
        }
    }

    /// Whether a piece of this length is copied.
    pub(crate) fn copies(&self, len: usize) -> bool {
        len < self.copy_below || !self.may_refer()
    }

    /// Whether a piece of this length is put together with others rather than kept by itself.
    pub(crate) fn gathers(&self, len: usize) -> bool {
        len < self.copy_below
    }

    /// The piece is not kept any more.
    pub(crate) fn release(&mut self, piece: Piece) -> Bytes {
        if let Some(stretch) = piece.stretch
            && let Some(pieces) = self.held.get_mut(&stretch)
        {
            *pieces -= 1;
            if *pieces == 0 {
                self.held.remove(&stretch);
            }
        }
        piece.bytes
    }

    fn may_refer(&self) -> bool {
        let Some(current) = self.current else {
            return false;
        };
        self.held.len() < self.limit || self.held.contains_key(&current)
    }
}

impl Piece {
    /// One that keeps nothing alive but itself.
    pub(crate) fn copied(bytes: Bytes) -> Self {
        Self {
            bytes,
            stretch: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Its first `len` bytes, which it no longer has.
    pub(crate) fn split_to(&mut self, len: usize) -> Bytes {
        self.bytes.split_to(len)
    }
}
