//! The buffers that one connection's records are read into.

use bytes::BytesMut;

/// Length of a buffer in use; [`SessionConfig::receive_buffer`](tcpls_core::SessionConfig) promises the
/// session that none is longer.
pub(crate) const CHUNK: usize = 256 * 1024;

/// The least space worth a read: a whole record.
const ROOM: usize = 16 * 1024 + 5 + 256;

/// Used up buffers that a connection keeps to fill them again once nothing refers to them.
const SPARES: usize = 4;

/// What a connection reads into: each buffer is filled to its end before there is another one, so that a
/// peer cannot make pieces of little data keep many buffers alive.
#[derive(Debug, Default)]
pub(crate) struct ReceiveBuffer {
    /// Received bytes that are not opened yet: at most a partial record between reads.
    pub(crate) bytes: BytesMut,
    /// Buffers that are used up; what was read from them may still be referred to.
    spares: Vec<BytesMut>,
}

impl ReceiveBuffer {
    /// Begins with what was received before.
    pub(crate) fn beginning_with(received: &[u8]) -> Self {
        Self {
            bytes: BytesMut::from(received),
            spares: Vec::new(),
        }
    }

    /// Whether there is a buffer.
    pub(crate) fn is_there(&self) -> bool {
        self.bytes.capacity() > 0
    }

    /// Sees to it that a whole record fits, in a buffer that is used again if there is one.
    pub(crate) fn make_room(&mut self) {
        if self.bytes.capacity() - self.bytes.len() >= ROOM {
            return;
        }
        if self.bytes.try_reclaim(CHUNK - self.bytes.len().min(CHUNK)) {
            return;
        }
        let free = self
            .spares
            .iter_mut()
            .position(|spare| spare.try_reclaim(CHUNK));
        let mut next = match free {
            Some(free) => self.spares.swap_remove(free),
            None => BytesMut::with_capacity(CHUNK),
        };
        next.extend_from_slice(&self.bytes);
        let mut used = std::mem::replace(&mut self.bytes, next);
        used.clear();
        if self.spares.len() < SPARES {
            self.spares.push(used);
        }
    }

    /// Gives the memory back, unless pieces that nobody has read keep it alive anyway: then the buffer
    /// is the next one, too. Returns whether nothing is left.
    pub(crate) fn give_up(&mut self) -> bool {
        self.spares = Vec::new();
        if self.bytes.is_empty() && self.bytes.try_reclaim(CHUNK) {
            self.bytes = BytesMut::new();
        }
        !self.is_there()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A-34 a: a peer that sends little at a time does not get another buffer each time.
    #[test]
    fn a_buffer_is_filled_before_there_is_another() {
        let mut buffer = ReceiveBuffer::default();
        buffer.make_room();
        let mut pieces = Vec::new();
        for _ in 0..50 {
            buffer.bytes.extend_from_slice(&[7; 4096]);
            pieces.push(buffer.bytes.split_to(4096).freeze());
            assert!(!buffer.give_up(), "somebody refers to it");
            buffer.make_room();
        }
        let first = pieces[0].as_ptr();
        for (index, piece) in pieces.iter().enumerate() {
            assert_eq!(piece.as_ptr(), first.wrapping_add(index * 4096));
        }
        pieces.truncate(1);
        assert!(!buffer.give_up());
        pieces.clear();
        assert!(buffer.give_up());
    }

    #[test]
    fn what_is_not_opened_is_kept() {
        let mut buffer = ReceiveBuffer::beginning_with(b"half a record");
        assert!(!buffer.give_up());
        buffer.make_room();
        assert_eq!(buffer.bytes, b"half a record"[..]);
        buffer.bytes.clear();
        assert!(buffer.give_up());
        assert!(buffer.give_up());
    }
}
