//! The Stream Change frame (draft 5.2.9).

use alloc::vec::Vec;

use super::frame_type;
use crate::{DecodeError, StreamId, cursor::BackReader};

/// Announces the Stream frame that comes first in the next record of this connection:
/// `StreamID:4 NextOffset:8 09`, the order of version 04 (reading A-1).
///
/// A hint: it may prove wrong, and it is never sent again (reading A-36).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamChangeFrame {
    /// The stream of that frame.
    pub stream: StreamId,
    /// Its offset, in bytes.
    pub next_offset: u64,
}

impl StreamChangeFrame {
    /// Bytes of the frame.
    pub const ENCODED_LEN: usize = 13;

    pub(super) fn take_fields(record: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let next_offset = record.u64()?;
        let stream = StreamId::from_wire(record.u32()?);
        Ok(Self {
            stream,
            next_offset,
        })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.stream.as_u32().to_be_bytes());
        out.extend_from_slice(&self.next_offset.to_be_bytes());
        out.push(frame_type::STREAM_CHANGE);
    }
}
