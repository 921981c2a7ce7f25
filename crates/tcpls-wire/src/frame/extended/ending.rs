//! The end of a session or of one connection, with its reason.

use alloc::vec::Vec;

use crate::{ConnectionId, DecodeError, cursor::BackReader};

/// Whose code ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseSpace {
    /// The protocol's: see `spec/extensions.md`.
    Transport,
    /// The application's own.
    Application,
}

/// The session is over: `Reason[..] Code:4 Space:1`, where the space is 0 for the transport and 1 for
/// the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCloseFrame<'a> {
    /// Whose code it is.
    pub space: CloseSpace,
    /// The code.
    pub code: u32,
    /// Why, for people; not necessarily text. Of a longer one the first
    /// [`MAX_REASON`](Self::MAX_REASON) bytes are sent.
    pub reason: &'a [u8],
}

/// The sender will send nothing more on a connection: `Code:4 ConnID:4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionCloseFrame {
    /// The connection.
    pub connection: ConnectionId,
    /// Why; 0 when there is nothing to say.
    pub code: u32,
}

impl<'a> SessionCloseFrame<'a> {
    /// The longest reason that is sent, in bytes.
    pub const MAX_REASON: usize = 1024;

    pub(super) fn take_fields(value: &mut BackReader<'a>) -> Result<Self, DecodeError> {
        let space = match value.u8()? {
            0 => CloseSpace::Transport,
            1 => CloseSpace::Application,
            unknown => return Err(DecodeError::UnknownCloseSpace(unknown)),
        };
        let code = value.u32()?;
        let reason = value.take(value.rest().len())?;
        Ok(Self {
            space,
            code,
            reason,
        })
    }

    pub(super) fn value_len(&self) -> usize {
        self.reason.len() + 5
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.reason);
        out.extend_from_slice(&self.code.to_be_bytes());
        out.push(match self.space {
            CloseSpace::Transport => 0,
            CloseSpace::Application => 1,
        });
    }
}

impl ConnectionCloseFrame {
    pub(super) fn take_fields(value: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let connection = ConnectionId::from_wire(value.u32()?);
        let code = value.u32()?;
        Ok(Self { connection, code })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.code.to_be_bytes());
        out.extend_from_slice(&self.connection.as_u32().to_be_bytes());
    }
}
