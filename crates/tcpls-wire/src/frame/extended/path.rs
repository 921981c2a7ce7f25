//! What one side tells the other about a connection of theirs.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::{ConnectionId, DecodeError, cursor::BackReader, frame::address};

/// What a connection is for, as its sender wants it: `Epoch:4 Flags:1 ConnID:4`. Of several the one
/// with the highest epoch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionPriorityFrame {
    /// The connection.
    pub connection: ConnectionId,
    /// Counts up with each change.
    pub epoch: u32,
    /// What it is for.
    pub flags: PriorityFlags,
}

/// What a connection is for, one bit each. Unknown bits are kept and mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PriorityFlags(u8);

/// Where the sender sees the receiver's end of a connection:
/// `Port:2 Address:4|16 Version:1 Epoch:4 ConnID:4`. Of several the one with the highest epoch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedAddressFrame {
    /// The connection.
    pub connection: ConnectionId,
    /// Counts up with each change.
    pub epoch: u32,
    /// The address.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
}

impl ConnectionPriorityFrame {
    pub(super) fn take_fields(value: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let connection = ConnectionId::from_wire(value.u32()?);
        let flags = PriorityFlags(value.u8()?);
        let epoch = value.u32()?;
        Ok(Self {
            connection,
            epoch,
            flags,
        })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.push(self.flags.0);
        out.extend_from_slice(&self.connection.as_u32().to_be_bytes());
    }
}

impl PriorityFlags {
    /// Nothing special.
    pub const AVAILABLE: Self = Self(0);
    /// Send on it only when nothing else works.
    pub const BACKUP: Self = Self(1);
    /// Send nothing new on it; it is about to go.
    pub const DRAIN: Self = Self(2);

    /// The flags with this value on the wire.
    pub const fn from_wire(value: u8) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl ObservedAddressFrame {
    pub(super) fn take_fields(value: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let connection = ConnectionId::from_wire(value.u32()?);
        let epoch = value.u32()?;
        let (address, port) = address::take_address(value)?;
        Ok(Self {
            connection,
            epoch,
            address,
            port,
        })
    }

    pub(super) fn value_len(&self) -> usize {
        match self.address {
            IpAddr::V4(_) => 15,
            IpAddr::V6(_) => 27,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        address::encode_address(self.address, self.port, out);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.connection.as_u32().to_be_bytes());
    }
}
