//! Tokens whose Connection IDs have 32 bits.

use alloc::vec::Vec;

use crate::{ConnectionId, DecodeError, TokenRef, cursor::BackReader};

/// Gives the client a token; only a server sends it:
/// `Token:32 RxGen:4 TxGen:4 ConnID:4 LifetimeS:4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedTokenFrame<'a> {
    /// The connection that will join with it, 1 or above.
    pub connection: ConnectionId,
    /// Its value.
    pub token: TokenRef<'a>,
    /// The key generation at which the client opens the first record of that connection.
    pub receive_generation: u32,
    /// The key generation at which the client seals the first record of that connection.
    pub send_generation: u32,
    /// How long the server takes it, in seconds from when it was issued; 0 = as long as the session.
    pub lifetime: u32,
}

impl<'a> ExtendedTokenFrame<'a> {
    pub(super) fn take_fields(value: &mut BackReader<'a>) -> Result<Self, DecodeError> {
        let lifetime = value.u32()?;
        let connection = ConnectionId::from_wire(value.u32()?);
        let send_generation = value.u32()?;
        let receive_generation = value.u32()?;
        let token = TokenRef::from_bytes(value.array()?);
        if connection == ConnectionId::FIRST {
            return Err(DecodeError::ReservedTokenSequence);
        }
        Ok(Self {
            connection,
            token,
            receive_generation,
            send_generation,
            lifetime,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.token.as_bytes());
        out.extend_from_slice(&self.receive_generation.to_be_bytes());
        out.extend_from_slice(&self.send_generation.to_be_bytes());
        out.extend_from_slice(&self.connection.as_u32().to_be_bytes());
        out.extend_from_slice(&self.lifetime.to_be_bytes());
    }
}
