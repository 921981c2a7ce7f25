//! The ACK frame (draft 5.2.4).

use alloc::vec::Vec;

use super::frame_type;
use crate::{ConnectionId, DecodeError, RecordSequence, cursor::BackReader};

/// Acknowledges every record of `connection` up to `highest`: `HighestSeq:8 ConnID:4 04`.
///
/// It may travel on any connection of the session. There is no form for "nothing received yet"
/// (reading A-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckFrame {
    /// The connection whose records are acknowledged.
    pub connection: ConnectionId,
    /// The last of them.
    pub highest: RecordSequence,
}

impl AckFrame {
    /// Bytes of the frame.
    pub const ENCODED_LEN: usize = 13;

    pub(super) fn take_fields(record: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let connection = ConnectionId::from_wire(record.u32()?);
        let highest = RecordSequence::from_wire(record.u64()?);
        Ok(Self {
            connection,
            highest,
        })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.highest.as_u64().to_be_bytes());
        out.extend_from_slice(&self.connection.as_u32().to_be_bytes());
        out.push(frame_type::ACK);
    }
}
