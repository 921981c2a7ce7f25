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

/// Bytes in a block: some full records.
pub(crate) const BLOCK: usize = 16 * RECORD_DATA;

/// How many free blocks the process keeps: 4 MiB.
const KEPT: usize = 16;

/// How many write buffers the process keeps, and up to which size each: 4 MiB. A batch of full records fits,
/// and no buffer has to grow once it had one.
const BUFFERS_KEPT: usize = 6;
const BUFFER: usize = 640 * 1024;

static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static FREE_BUFFERS: Mutex<Vec<WriteBuffer>> = Mutex::new(Vec::new());

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
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut block = free.unwrap_or_else(|| Vec::with_capacity(BLOCK));
    block.extend_from_slice(data.get(..BLOCK).unwrap_or(data));
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
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            let mut block = std::mem::take(&mut self.0);
            block.clear();
            free.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
