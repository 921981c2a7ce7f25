//! The limit on the data of one stream, as it is granted and as it is in the way.

use alloc::vec::Vec;

use crate::{DecodeError, StreamId, cursor::BackReader};

/// How far data may go on a stream: `Max:8 StreamID:4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamDataLimitFrame {
    /// The stream.
    pub stream: StreamId,
    /// The offset that its data may reach.
    pub max: u64,
}

impl StreamDataLimitFrame {
    pub(super) fn take_fields(value: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let stream = StreamId::from_wire(value.u32()?);
        let max = value.u64()?;
        Ok(Self { stream, max })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.max.to_be_bytes());
        out.extend_from_slice(&self.stream.as_u32().to_be_bytes());
    }
}
