//! The New Token frame (draft 5.2.5).

use alloc::vec::Vec;

use super::frame_type;
use crate::{DecodeError, TokenRef, TokenSequence, cursor::BackReader};

/// Gives the client a token; only a server sends it: `Token:32 Sequence:1 05`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTokenFrame<'a> {
    /// Which token it is, and so which connection will join with it.
    pub sequence: TokenSequence,
    /// Its value.
    pub token: TokenRef<'a>,
}

impl<'a> NewTokenFrame<'a> {
    /// Bytes of the frame.
    pub const ENCODED_LEN: usize = 34;

    pub(super) fn take_fields(record: &mut BackReader<'a>) -> Result<Self, DecodeError> {
        let sequence = record.u8()?;
        let token = TokenRef::from_bytes(record.array()?);
        let sequence =
            TokenSequence::from_wire(sequence).ok_or(DecodeError::ReservedTokenSequence)?;
        Ok(Self { sequence, token })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.token.as_bytes());
        out.push(self.sequence.as_u8());
        out.push(frame_type::NEW_TOKEN);
    }
}
