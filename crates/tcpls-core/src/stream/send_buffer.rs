//! The bytes of one stream between the application's write and the peer's acknowledgment.

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

use crate::{
    number::{length, offset},
    range_set::RangeSet,
    wire::frame::{MAX_PLAINTEXT, STREAM_OVERHEAD},
};

/// The most stream data that one record carries, in bytes.
pub(crate) const MAX_PIECE: usize = MAX_PLAINTEXT - STREAM_OVERHEAD;

/// Chunks below this are gathered with their neighbours instead of kept by reference.
const GATHER_BELOW: usize = 1024;

/// What the first small write of a block reserves.
const SMALLEST_BLOCK: usize = 64;

/// Bytes written and not yet acknowledged, held in refcounted blocks that records refer to.
///
/// What was copied in lies in blocks of at most [`MAX_PIECE`] bytes, and small writes are gathered in
/// `open` until a record takes them. Records are full as long as there is enough: what one takes of
/// several blocks is copied together.
///
/// Invariant: `base <= sent <= end`; the blocks cover `base..` without a gap up to where `open`
/// starts; `lost` lies within `base..sent` and shares nothing with `acked`.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    blocks: VecDeque<Block>,
    /// The block that is still being written to; nothing of it was sent.
    open: Vec<u8>,
    /// Everything below is acknowledged.
    base: u64,
    /// Everything below was sent at least once.
    sent: u64,
    /// How many bytes were written.
    end: u64,
    /// Acknowledged above `base`.
    acked: RangeSet,
    /// Sent on a connection that failed, to be sent again.
    lost: RangeSet,
    /// What a record that carries the first byte has no room for.
    reserved: usize,
}

#[derive(Debug)]
struct Block {
    start: u64,
    data: Bytes,
}

/// Data for one Stream frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) data: Bytes,
}

/// Where the bytes of a piece lay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// In one block, which they are a part of.
    Block,
    /// In several, from which they were copied.
    Blocks,
}

impl SendBuffer {
    /// Leaves this much room in a record that carries the first byte; nothing was written yet.
    pub(crate) fn reserve_in_first_record(&mut self, bytes: usize) {
        self.reserved = bytes;
    }

    /// What is to be left of a record with a piece that begins there.
    pub(crate) fn reserved_at(&self, start: u64) -> usize {
        if start == 0 { self.reserved } else { 0 }
    }

    /// Copies `data` in.
    pub(crate) fn write(&mut self, mut data: &[u8]) {
        self.end += offset(data.len());
        while !data.is_empty() {
            let most = self.most_at(self.end - offset(self.open.len() + data.len()));
            if self.open.is_empty()
                && let Some((block, rest)) = data.split_at_checked(most)
            {
                self.push_block(Bytes::copy_from_slice(block));
                data = rest;
                continue;
            }
            let room = most - self.open.len();
            let (part, rest) = data.split_at(room.min(data.len()));
            self.reserve_open(part.len());
            self.open.extend_from_slice(part);
            data = rest;
            if self.open.len() == most {
                self.close_open();
            }
        }
    }

    /// Takes `chunk` in by reference, or copies it when it is small.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if chunk.len() < GATHER_BELOW {
            self.write(&chunk);
            return;
        }
        self.close_open();
        self.end += offset(chunk.len());
        self.push_block(chunk);
    }

    /// How long the next piece is; `None` when nothing waits to be sent.
    /// What was never sent goes up to `limit` at most.
    pub(crate) fn next_len(&self, limit: u64) -> Option<usize> {
        if let Some(lost) = self.lost.first() {
            return Some(self.piece_len(&lost));
        }
        let limit = limit.min(self.end);
        (self.sent < limit).then(|| self.piece_len(&(self.sent..limit)))
    }

    /// Where the next piece begins.
    pub(crate) fn next_offset(&self) -> u64 {
        self.lost.first().map_or(self.sent, |lost| lost.start)
    }

    /// Takes the next piece: what was lost first, then what was never sent, up to `limit`.
    pub(crate) fn take(&mut self, limit: u64) -> Option<Piece> {
        if let Some(lost) = self.lost.first() {
            let piece = self.take_piece(lost)?;
            self.lost.remove(piece.offset..piece.end());
            return Some(piece);
        }
        let limit = limit.min(self.end);
        if self.sent >= limit {
            return None;
        }
        if self.sent + offset(self.piece_len(&(self.sent..limit))) > self.open_start() {
            self.close_open();
        }
        let piece = self.take_piece(self.sent..limit)?;
        self.sent = piece.end();
        Some(piece)
    }

    /// The peer has `range`. Returns how many bytes this freed.
    pub(crate) fn ack(&mut self, range: Range<u64>) -> usize {
        let range = range.start.max(self.base)..range.end.min(self.sent);
        if range.is_empty() {
            return 0;
        }
        let before = self.base;
        self.lost.remove(range.clone());
        if range.start > self.base {
            self.acked.insert(range);
            return 0;
        }
        self.base = range.end;
        while let Some(end) = self.acked.take_reachable(self.base) {
            self.base = self.base.max(end);
        }
        while self
            .blocks
            .front()
            .is_some_and(|block| block.end() <= self.base)
        {
            self.blocks.pop_front();
        }
        length(self.base - before)
    }

    /// `range` went out on a connection that failed. Returns how many bytes of it are to be sent again.
    pub(crate) fn lose(&mut self, range: Range<u64>) -> u64 {
        let range = range.start.max(self.base)..range.end.min(self.sent);
        if range.is_empty() {
            return 0;
        }
        let mut bytes = 0;
        for missing in self.acked.missing_from(range) {
            bytes += missing.end - missing.start;
            self.lost.insert(missing);
        }
        bytes
    }

    /// What of `range`, which was one piece, is not acknowledged from its start on.
    pub(crate) fn copy(&self, range: Range<u64>) -> Option<Piece> {
        let range = range.start.max(self.base)..range.end.min(self.sent);
        if range.is_empty() || self.acked.missing_from(range.clone()).is_empty() {
            return None;
        }
        self.piece(range).map(|(piece, _)| piece)
    }

    /// Drops everything that is not acknowledged, as if it had never been written beyond what was
    /// sent. Returns how many bytes that were.
    pub(crate) fn cut_off(&mut self) -> usize {
        let held = self.held();
        self.blocks = VecDeque::new();
        self.open = Vec::new();
        self.acked = RangeSet::default();
        self.lost = RangeSet::default();
        self.base = self.sent;
        self.end = self.sent;
        held
    }

    /// Bytes that wait to be sent, for the first time or again.
    pub(crate) fn waiting(&self) -> usize {
        length(self.end - self.sent + self.lost.count())
    }

    /// Bytes that are unsent or unacknowledged.
    pub(crate) fn held(&self) -> usize {
        length(self.end - self.base)
    }

    /// How many bytes were written.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes were sent at least once.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many bytes the peer has without a gap.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Whether the peer has everything that was written.
    pub(crate) fn is_acked(&self) -> bool {
        self.base == self.end
    }

    /// How long the piece at the start of `range` is.
    fn piece_len(&self, range: &Range<u64>) -> usize {
        length(range.end - range.start).min(self.most_at(range.start))
    }

    /// The piece at the start of `range`, which is to be sent.
    fn take_piece(&mut self, range: Range<u64>) -> Option<Piece> {
        let (piece, source) = self.piece(range)?;
        if source == Source::Blocks {
            self.replace_with(&piece);
        }
        Some(piece)
    }

    /// Has `piece` take the place of the blocks that lie in it, if there are several: what small blocks cost
    /// beside their bytes is not to add up.
    fn replace_with(&mut self, piece: &Piece) {
        let starts_before = |block: &Block| block.start < piece.offset;
        let first = self.blocks.partition_point(starts_before);
        let after = self
            .blocks
            .partition_point(|block| block.end() <= piece.end());
        let Some(last) = after.checked_sub(1).filter(|last| *last > first) else {
            return;
        };
        let end = self.blocks.get(last).map(Block::end);
        if let (Some(block), Some(end)) = (self.blocks.get_mut(first), end) {
            let part = length(block.start - piece.offset)..length(end - piece.offset);
            block.data = piece.data.slice(part);
            self.blocks.drain(first + 1..after);
        }
    }

    /// The piece at the start of `range`, which lies in the blocks.
    fn piece(&self, range: Range<u64>) -> Option<(Piece, Source)> {
        let start = range.start;
        let len = self.piece_len(&range);
        let first = self.blocks.partition_point(|block| block.end() <= start);
        let block = self.blocks.get(first)?;
        let from = length(start - block.start);
        let (data, source) = match block.data.get(from..from + len) {
            Some(whole) => (block.data.slice_ref(whole), Source::Block),
            None => (self.join(first, from, len), Source::Blocks),
        };
        let offset = start;
        Some((Piece { offset, data }, source))
    }

    /// Copies `len` bytes together, beginning at `from` in block `first`: one more full record costs both
    /// ends more than that.
    fn join(&self, first: usize, from: usize, len: usize) -> Bytes {
        let mut joined = Vec::with_capacity(len);
        let mut from = from;
        for block in self.blocks.range(first..) {
            let part = block.data.get(from..).unwrap_or_default();
            let missing = len - joined.len();
            joined.extend_from_slice(part.get(..missing).unwrap_or(part));
            if joined.len() == len {
                break;
            }
            from = 0;
        }
        joined.into()
    }

    fn open_start(&self) -> u64 {
        self.end - offset(self.open.len())
    }

    fn close_open(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let data = Bytes::from(std::mem::take(&mut self.open));
        self.push_block(data);
    }

    /// The most that a piece has which begins there.
    fn most_at(&self, start: u64) -> usize {
        MAX_PIECE - self.reserved_at(start)
    }

    /// Appends a block to the others, while `open` is empty.
    fn push_block(&mut self, data: Bytes) {
        let start = self.blocks.back().map_or(self.base, Block::end);
        self.blocks.push_back(Block { start, data });
    }

    /// Makes room for `more` bytes: doubling, and never beyond what a record takes.
    fn reserve_open(&mut self, more: usize) {
        let wanted = self.open.len() + more;
        if wanted > self.open.capacity() {
            let capacity = wanted
                .max(self.open.capacity() * 2)
                .clamp(SMALLEST_BLOCK, MAX_PIECE);
            self.open.reserve_exact(capacity - self.open.len());
        }
    }
}

impl Block {
    fn end(&self) -> u64 {
        self.start + offset(self.data.len())
    }
}

impl Piece {
    /// The offset after the last byte.
    pub(crate) fn end(&self) -> u64 {
        self.offset + offset(self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn byte(at: u64) -> u8 {
        (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]
    }

    fn bytes(from: u64, len: usize) -> Vec<u8> {
        (from..from + offset(len)).map(byte).collect()
    }

    #[derive(Debug, Clone, Copy)]
    enum Op {
        Write(usize),
        Push(usize),
        Take,
        Ack(usize),
        Lose(usize),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        proptest::collection::vec(
            prop_oneof![
                (0_usize..40_000).prop_map(Op::Write),
                (1_usize..40_000).prop_map(Op::Push),
                Just(Op::Take),
                (0_usize..100).prop_map(Op::Ack),
                (0_usize..100).prop_map(Op::Lose),
            ],
            1..120,
        )
    }

    #[test]
    fn what_waits_goes_out_in_full_records_however_it_was_written() {
        let mut buffer = SendBuffer::default();
        for len in [65_536, 10, 2000, 65_536, 5000, 40_000] {
            buffer.push(bytes(buffer.end(), len).into());
        }
        let end = buffer.end();
        let mut pieces = Vec::new();
        while let Some(piece) = buffer.take(u64::MAX) {
            assert!(piece.data == bytes(piece.offset, piece.data.len()));
            pieces.push(piece);
        }
        let (last, full) = pieces.split_last().unwrap();
        assert!(full.iter().all(|piece| piece.data.len() == MAX_PIECE));
        assert_eq!(last.end(), end);
        // And once more, when the connection fails that they went out on.
        for piece in &pieces {
            assert_eq!(buffer.copy(piece.offset..piece.end()).as_ref(), Some(piece));
        }
        buffer.lose(0..end);
        for piece in &pieces {
            assert_eq!(buffer.take(u64::MAX).as_ref(), Some(piece));
        }
    }

    #[test]
    fn a_record_refers_to_what_lies_in_one_piece() {
        let mut buffer = SendBuffer::default();
        let chunk = Bytes::from(bytes(0, 3 * MAX_PIECE));
        buffer.push(chunk.clone());
        for index in 0..3 {
            let piece = buffer.take(u64::MAX).unwrap();
            assert_eq!(piece.data.as_ptr(), chunk[index * MAX_PIECE..].as_ptr());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        /// whatever is acknowledged and lost in whatever order, each piece holds the bytes of its
        /// place, none goes out that the peer has or that is on its way, and all go out.
        #[test]
        fn pieces_are_the_bytes_that_are_missing(ops in ops(), reserved in 0_usize..20) {
            let mut buffer = SendBuffer::default();
            buffer.reserve_in_first_record(reserved);
            // For each byte written: on its way so many times, and whether the peer has it.
            let mut model: Vec<(u32, bool)> = Vec::new();
            // All that was ever given out and not acknowledged or lost.
            let mut on_the_way: Vec<Range<u64>> = Vec::new();
            for op in ops.into_iter().chain(std::iter::repeat_n(Op::Take, 300)) {
                match op {
                    Op::Write(len) => {
                        buffer.write(&bytes(buffer.end(), len));
                        model.resize(model.len() + len, (0, false));
                    }
                    Op::Push(len) => {
                        buffer.push(bytes(buffer.end(), len).into());
                        model.resize(model.len() + len, (0, false));
                    }
                    Op::Take => {
                        let expected = buffer.next_len(u64::MAX);
                        let piece = buffer.take(u64::MAX);
                        prop_assert_eq!(piece.as_ref().map(|piece| piece.data.len()), expected);
                        if let Some(piece) = piece {
                            prop_assert!(!piece.data.is_empty());
                            let most = MAX_PIECE - buffer.reserved_at(piece.offset);
                            prop_assert!(piece.data.len() <= most);
                            prop_assert!(piece.data == bytes(piece.offset, piece.data.len()));
                            for at in piece.offset..piece.end() {
                                let (count, acked) = &mut model[length(at)];
                                prop_assert!(*count == 0 && !*acked, "{at} was not missing");
                                *count += 1;
                            }
                            on_the_way.push(piece.offset..piece.end());
                        }
                    }
                    Op::Ack(_) | Op::Lose(_) if on_the_way.is_empty() => {}
                    Op::Ack(index) => {
                        // An acknowledgment may come late, for what was sent again meanwhile.
                        let range = on_the_way.swap_remove(index % on_the_way.len());
                        let before = buffer.held();
                        let freed = buffer.ack(range.clone());
                        prop_assert_eq!(before - freed, buffer.held());
                        for at in range {
                            model[length(at)] = (0, true);
                        }
                    }
                    Op::Lose(index) => {
                        let range = on_the_way[index % on_the_way.len()].clone();
                        buffer.lose(range.clone());
                        for at in range {
                            model[length(at)].0 = 0;
                        }
                    }
                }
            }
            prop_assert!(model.iter().all(|(count, acked)| *count > 0 || *acked));
            for range in on_the_way {
                buffer.ack(range);
            }
            prop_assert!(buffer.is_acked() && buffer.blocks.is_empty() && buffer.held() == 0);
        }
    }
}
