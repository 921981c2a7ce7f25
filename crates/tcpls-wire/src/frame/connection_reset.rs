//! The Connection Reset frame (draft 5.2.6).

use alloc::vec::Vec;

use super::frame_type;
use crate::{ConnectionId, DecodeError, cursor::BackReader};

/// Tells the peer that a connection failed: `ConnID:4 06`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionResetFrame {
    /// The connection that failed.
    pub connection: ConnectionId,
}

impl ConnectionResetFrame {
    /// Bytes of the frame.
    pub const ENCODED_LEN: usize = 5;

    pub(super) fn take_fields(record: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            connection: ConnectionId::from_wire(record.u32()?),
        })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.connection.as_u32().to_be_bytes());
        out.push(frame_type::CONNECTION_RESET);
    }
}
