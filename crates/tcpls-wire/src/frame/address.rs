//! The New Address and Remove Address frames (draft 5.2.7 and 5.2.8).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frame_type;
use crate::{AddressId, DecodeError, cursor::BackReader};

const VERSION_4: u8 = 4;
const VERSION_6: u8 = 6;

/// Advertises a local address: `Port:2 Address:4|16 Version:1 AddrID:1 07`.
///
/// The version byte is 4 or 6 and fixes the length of the address. A server's addresses are where
/// connections may go, a client's where they may come from (port 0 = any, reading A-32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewAddressFrame {
    /// The sender's name for the address.
    pub id: AddressId,
    /// The address.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
}

impl NewAddressFrame {
    /// Bytes of the frame: 9 for IPv4, 21 for IPv6.
    pub fn encoded_len(&self) -> usize {
        match self.address {
            IpAddr::V4(_) => 9,
            IpAddr::V6(_) => 21,
        }
    }

    pub(super) fn take_fields(record: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        let id = AddressId::from_wire(record.u8()?);
        let (address, port) = take_address(record)?;
        Ok(Self { id, address, port })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        encode_address(self.address, self.port, out);
        out.push(self.id.as_u8());
        out.push(frame_type::NEW_ADDRESS);
    }
}

/// Reads `Port:2 Address:4|16 Version:1`.
pub(super) fn take_address(record: &mut BackReader<'_>) -> Result<(IpAddr, u16), DecodeError> {
    let address = match record.u8()? {
        VERSION_4 => IpAddr::V4(Ipv4Addr::from(*record.array::<4>()?)),
        VERSION_6 => IpAddr::V6(Ipv6Addr::from(*record.array::<16>()?)),
        unknown => return Err(DecodeError::UnknownAddressVersion(unknown)),
    };
    Ok((address, record.u16()?))
}

/// Appends `Port:2 Address:4|16 Version:1`.
pub(super) fn encode_address(address: IpAddr, port: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&port.to_be_bytes());
    match address {
        IpAddr::V4(address) => {
            out.extend_from_slice(&address.octets());
            out.push(VERSION_4);
        }
        IpAddr::V6(address) => {
            out.extend_from_slice(&address.octets());
            out.push(VERSION_6);
        }
    }
}

/// Withdraws an address that the sender advertised: `AddrID:1 08`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveAddressFrame {
    /// The sender's name for the address.
    pub id: AddressId,
}

impl RemoveAddressFrame {
    /// Bytes of the frame.
    pub const ENCODED_LEN: usize = 2;

    pub(super) fn take_fields(record: &mut BackReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: AddressId::from_wire(record.u8()?),
        })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.push(self.id.as_u8());
        out.push(frame_type::REMOVE_ADDRESS);
    }
}
