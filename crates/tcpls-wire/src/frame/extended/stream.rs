//! Streams that end before their data does.

use alloc::vec::Vec;

use crate::{DecodeError, StreamId, cursor::BackReader};

/// The sender of a stream gives it up: `FinalSize:8 Code:4 StreamID:4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetStreamFrame {
    /// The stream.
    pub stream: StreamId,
    /// Why, in the application's words.
    pub code: u32,
    /// The highest offset that was sent, which counts against the limits of the receiver.
    pub final_size: u64,
}

/// The receiver of a stream wants no more of it: `Code:4 StreamID:4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopSendingFrame {
    /// The stream.
    pub stream: StreamId,
    /// Why, in the application's words.
    pub code: u32,
}

impl ResetStreamFrame {
    pub(super) fn take_fields(value: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let stream = StreamId::from_wire(value.u32()?);
        let code = value.u32()?;
        let final_size = value.u64()?;
        Ok(Self {
            stream,
            code,
            final_size,
        })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.final_size.to_be_bytes());
        out.extend_from_slice(&self.code.to_be_bytes());
        out.extend_from_slice(&self.stream.as_u32().to_be_bytes());
    }
}

impl StopSendingFrame {
    pub(super) fn take_fields(value: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let stream = StreamId::from_wire(value.u32()?);
        let code = value.u32()?;
        Ok(Self { stream, code })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.code.to_be_bytes());
        out.extend_from_slice(&self.stream.as_u32().to_be_bytes());
    }
}
