//! Memory of bulk writers, used again instead of returned to the allocator.
//!
//! A bulk writer fills and frees some megabytes all the time; left to the allocator, each of them is
//! given back to the system and faulted in again. Kept per process, not per session, so that a
//! session at rest holds none.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tcpls_core::crypto::WriteBuffer;
use tcpls_core::wire::frame::{MAX_PLAINTEXT, STREAM_OVERHEAD};

/// Stream data of a full record (draft 5.2.3): 2^14 bytes less the frame's own fields.
pub(crate) const RECORD_DATA: usize = MAX_PLAINTEXT - STREAM_OVERHEAD;

/// The most bytes in a block: some full records.
pub(crate) const BLOCK: usize = 16 * RECORD_DATA;

/// Bytes of free blocks that the process keeps at most: as much as a stream has on its way by default, so
/// that a bulk writer finds again what it filled before.
const KEPT: usize = 4 << 20;

/// How many write buffers the process keeps, and up to which size each: 4 MiB. A batch of full records fits,
/// and no buffer has to grow once it had one.
const BUFFERS_KEPT: usize = 6;
const BUFFER: usize = 640 * 1024;

static FREE: Mutex<Free> = Mutex::new(Free {
    blocks: Vec::new(),
    bytes: 0,
});
static FREE_BUFFERS: Mutex<Vec<WriteBuffer>> = Mutex::new(Vec::new());

/// Blocks that nothing refers to; the one that was freed last is used first.
struct Free {
    blocks: Vec<Vec<u8>>,
    /// What they hold together.
    bytes: usize,
}

impl Free {
    fn take(&mut self) -> Vec<u8> {
        let block = self.blocks.pop().unwrap_or_default();
        self.bytes -= block.capacity();
        block
    }

    fn give(&mut self, block: Vec<u8>) {
        if self.bytes + block.capacity() <= KEPT {
            self.bytes += block.capacity();
            self.blocks.push(block);
        }
    }
}

/// An empty buffer for sealed records.
pub(crate) fn take_buffer() -> WriteBuffer {
    let free = FREE_BUFFERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop();
    free.unwrap_or_default()
}

/// Gives an empty buffer to whoever needs one next.
pub(crate) fn give_buffer(mut buffer: WriteBuffer) {
    buffer.clear();
    if buffer.capacity() == 0 || buffer.capacity() > BUFFER {
        return;
    }
    let mut free = FREE_BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
    if free.len() < BUFFERS_KEPT {
        free.push(buffer);
    }
}

/// Copies `data`, at most [`BLOCK`] bytes of it, into a block that is free again once nothing refers
/// to it.
pub(crate) fn copy(data: &[u8]) -> Bytes {
    let mut block = FREE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let data = data.get(..BLOCK).unwrap_or(data);
    block.reserve_exact(data.len());
    block.extend_from_slice(data);
    Bytes::from_owner(Block(block))
}

struct Block(Vec<u8>);

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut block = std::mem::take(&mut self.0);
        block.clear();
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.give(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_blocks_are_kept_up_to_a_limit_and_used_again() {
        let mut free = Free {
            blocks: Vec::new(),
            bytes: 0,
        };
        for _ in 0..KEPT / BLOCK + 5 {
            free.give(Vec::with_capacity(BLOCK));
        }
        assert_eq!(free.blocks.len(), KEPT / BLOCK);
        free.take();
        free.give(Vec::with_capacity(RECORD_DATA));
        assert_eq!(free.take().capacity(), RECORD_DATA);
        while !free.blocks.is_empty() {
            assert_eq!(free.take().capacity(), BLOCK);
        }
        assert_eq!(free.bytes, 0);
        assert_eq!(free.take().capacity(), 0);
    }

    #[test]
    fn a_block_holds_a_copy_of_at_most_its_size() {
        let data: Vec<u8> = (0..=255).cycle().take(BLOCK + 100).collect();
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 100] {
            let copied = copy(&data[..length]);
            assert!(copied == data[..length.min(BLOCK)], "{length} bytes");
        }
        let (one, two) = (copy(b"one"), copy(b"two"));
        assert_eq!((&one[..], &two[..]), (&b"one"[..], &b"two"[..]));
    }
}
