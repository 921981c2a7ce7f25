//! Limits on the data of one stream, and the news that one is in the way.

use alloc::vec::Vec;

use crate::{DecodeError, StreamId, cursor::BackReader};

/// How far the receiver of this frame may send on a stream: `Max:8 StreamID:4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamDataLimitFrame {
    /// The stream.
    pub stream: StreamId,
    /// The offset that its data may reach.
    pub max: u64,
}

/// The sender has data beyond the limit of a stream: `Max:8 StreamID:4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamDataBlockedFrame {
    /// The stream.
    pub stream: StreamId,
    /// The limit that is in the way.
    pub max: u64,
}

impl StreamDataLimitFrame {
    pub(super) fn take_fields(value: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let (stream, max) = take_pair(value)?;
        Ok(Self { stream, max })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        encode_pair(self.stream, self.max, out);
    }
}

impl StreamDataBlockedFrame {
    pub(super) fn take_fields(value: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let (stream, max) = take_pair(value)?;
        Ok(Self { stream, max })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        encode_pair(self.stream, self.max, out);
    }
}

fn take_pair(value: &mut BackReader<'_>) -> Result<(StreamId, u64), DecodeError> {
    let stream = StreamId::from_wire(value.u32()?);
    Ok((stream, value.u64()?))
}

fn encode_pair(stream: StreamId, max: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&max.to_be_bytes());
    out.extend_from_slice(&stream.as_u32().to_be_bytes());
}
