//! Bytes on their way to a socket.

use core::fmt;

/// A queue of bytes that grows at the end and is taken from the front.
///
/// Unlike with a `Vec`, the room for a record is not filled with zeros before the record is written
/// there, except when the buffer grows beyond anything it held before: the bytes behind the end are
/// whatever was there last.
#[derive(Default)]
pub struct WriteBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl WriteBuffer {
    /// An empty buffer without memory.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
        }
    }

    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: vec![0; capacity],
            start: 0,
            end: 0,
        }
    }

    /// The bytes that are still to be sent.
    pub fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Number of bytes still to be sent.
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing is left to send.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Bytes of memory that it holds, pending or not.
    pub const fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Takes `count` bytes off the front, at most all of them: they were sent.
    pub fn advance(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        if self.is_empty() {
            self.clear();
        }
    }

    /// Forgets everything that is still to be sent, and keeps the memory.
    pub const fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Gives back the memory if it is more than `capacity` bytes and nothing is pending.
    pub fn shrink_when_empty(&mut self, capacity: usize) {
        if self.is_empty() && self.bytes.len() > capacity {
            *self = Self::new();
        }
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.commit(bytes.len());
    }

    /// The `count` bytes behind the end, to be written and then [committed](Self::commit); they hold
    /// arbitrary old bytes.
    pub fn room(&mut self, count: usize) -> &mut [u8] {
        if self.bytes.len() - self.end < count {
            self.grow(count);
        }
        self.bytes
            .get_mut(self.end..self.end + count)
            .unwrap_or_default()
    }

    /// Appends the first `count` bytes of what [`room`](Self::room) gave last.
    pub fn commit(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// Makes room for `count` bytes behind the end.
    ///
    /// What is pending moves to the front only if at least as much was sent since it last moved, so
    /// that each byte is moved once on average, whatever the socket takes at a time.
    fn grow(&mut self, count: usize) {
        if self.start >= self.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let needed = self.end + count;
        if needed > self.bytes.len() {
            self.bytes
                .resize(needed.max(self.bytes.len().saturating_mul(2)), 0);
        }
    }
}

impl fmt::Debug for WriteBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBuffer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_the_order_they_went_in() {
        let (mut buffer, mut expected) = (WriteBuffer::new(), Vec::new());
        for round in 0_u8..200 {
            let chunk = vec![round; usize::from(round % 7)];
            buffer.extend_from_slice(&chunk);
            expected.extend_from_slice(&chunk);
            let take = usize::from(round % 5).min(expected.len());
            assert_eq!(&buffer.pending()[..take], &expected[..take]);
            buffer.advance(take);
            expected.drain(..take);
            assert_eq!(buffer.pending(), expected);
            assert_eq!(buffer.len(), expected.len());
        }
    }

    #[test]
    fn memory_is_reused_and_not_filled_again() {
        let mut buffer = WriteBuffer::with_capacity(8);
        buffer.extend_from_slice(b"12345678");
        buffer.advance(8);
        assert_eq!(buffer.room(8), b"12345678");
        buffer.commit(2);
        assert_eq!(buffer.pending(), b"12");
        assert_eq!(buffer.bytes.len(), 8);
    }

    #[test]
    fn a_slow_socket_costs_no_more_memory_than_what_is_pending() {
        let mut buffer = WriteBuffer::new();
        for _ in 0..10_000 {
            buffer.extend_from_slice(&[7; 100]);
            if buffer.len() > 5000 {
                buffer.advance(100);
            }
        }
        assert!(buffer.bytes.len() <= 4 * 5100, "{}", buffer.bytes.len());
    }

    #[test]
    fn advancing_past_the_end_empties() {
        let mut buffer = WriteBuffer::new();
        buffer.extend_from_slice(b"abc");
        buffer.advance(usize::MAX);
        assert!(buffer.is_empty());
        buffer.shrink_when_empty(0);
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}
