//! Refcounted chunks of a stream, several at a time.

use bytes::Bytes;

/// How many chunks are taken at a time.
const AT_ONCE: usize = 16;

/// Places for chunks.
pub(super) fn no_chunks() -> [Bytes; AT_ONCE] {
    [const { Bytes::new() }; AT_ONCE]
}

/// The bytes of the first `count` chunks; none at the end of a stream.
pub(super) fn length(chunks: &[Bytes], count: Option<usize>) -> usize {
    chunks.iter().take(count.unwrap_or(0)).map(Bytes::len).sum()
}
