//! The content of `tcpls_params`: a list of session parameters (the project's own extension).

mod session;

use alloc::vec::Vec;
use core::fmt;

pub use session::{Features, SessionParams};

use crate::{DecodeError, HelloError, RewriteError, cursor::Reader, unique::first_duplicate};

/// Number of a session parameter, 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(u16);

impl ParamId {
    /// Idle timeout in milliseconds, 4 bytes.
    pub const MAX_IDLE: Self = Self(1);
    /// Bytes of stream data that the peer may send in the session, 8 bytes.
    pub const INITIAL_MAX_DATA: Self = Self(2);
    /// Bytes of data that the peer may send on each stream, 8 bytes.
    pub const INITIAL_MAX_STREAM_DATA: Self = Self(3);
    /// Streams that the peer may open, 4 bytes.
    pub const INITIAL_MAX_STREAMS: Self = Self(4);
    /// Records after which an ACK is sent, 2 bytes.
    pub const ACK_RECORDS: Self = Self(5);
    /// Milliseconds after which an ACK is sent, 2 bytes.
    pub const ACK_DELAY: Self = Self(6);
    /// Connections that the session may have at a time, 2 bytes.
    pub const MAX_CONNECTIONS: Self = Self(7);
    /// Features, one bit each, 8 bytes.
    pub const FEATURES: Self = Self(8);
    /// Bytes of plaintext that a record may have, 2 bytes.
    pub const MAX_RECORD: Self = Self(9);
    /// Keepalive interval in milliseconds, 4 bytes.
    pub const KEEPALIVE: Self = Self(10);
    /// Seconds that a session survives without a connection, 4 bytes.
    pub const LINGER: Self = Self(11);
    /// Unidirectional streams that the peer may open, 4 bytes.
    pub const INITIAL_MAX_UNI_STREAMS: Self = Self(12);

    /// The parameter with this number on the wire.
    pub const fn from_wire(value: u16) -> Self {
        Self(value)
    }

    /// The number on the wire.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ParamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A list of parameters, each `Id:2 Length:2 value[Length]`, no number twice.
///
/// Unknown numbers stay in the list for whoever knows them; the list says nothing about what a
/// value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params<'a> {
    list: &'a [u8],
}

impl<'a> Params<'a> {
    /// Reads the content of a `tcpls_params` extension; an empty one has no parameters.
    pub fn parse(body: &'a [u8]) -> Result<Self, HelloError> {
        let mut ids = Vec::with_capacity((body.len() / 4).min(TYPICAL));
        let mut reader = Reader::new(body);
        while !reader.is_empty() {
            let (id, _) = take_param(&mut reader)?;
            ids.push(id);
        }
        match first_duplicate(&mut ids) {
            Some(id) => Err(HelloError::DuplicateParam(id)),
            None => Ok(Self { list: body }),
        }
    }

    /// The parameters in wire order.
    pub fn iter(&self) -> impl Iterator<Item = (ParamId, &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.list);
        core::iter::from_fn(move || take_param(&mut reader).ok())
    }

    /// The value of a parameter, or `None` when it is absent.
    pub fn get(&self, id: ParamId) -> Option<&'a [u8]> {
        self.iter()
            .find(|(candidate, _)| *candidate == id)
            .map(|(_, value)| value)
    }

    /// The value of a parameter of 2 bytes; an error when it has another size.
    pub fn get_u16(&self, id: ParamId) -> Result<Option<u16>, HelloError> {
        self.get_array(id)
            .map(|value| value.map(u16::from_be_bytes))
    }

    /// The value of a parameter of 4 bytes; an error when it has another size.
    pub fn get_u32(&self, id: ParamId) -> Result<Option<u32>, HelloError> {
        self.get_array(id)
            .map(|value| value.map(u32::from_be_bytes))
    }

    /// The value of a parameter of 8 bytes; an error when it has another size.
    pub fn get_u64(&self, id: ParamId) -> Result<Option<u64>, HelloError> {
        self.get_array(id)
            .map(|value| value.map(u64::from_be_bytes))
    }

    /// Appends one parameter to a list; an error when the value is longer than 65535 bytes.
    ///
    /// The caller gives each number once.
    pub fn push(id: ParamId, value: &[u8], list: &mut Vec<u8>) -> Result<(), RewriteError> {
        let length = u16::try_from(value.len()).map_err(|_| RewriteError::TooLong)?;
        list.extend_from_slice(&id.0.to_be_bytes());
        list.extend_from_slice(&length.to_be_bytes());
        list.extend_from_slice(value);
        Ok(())
    }

    fn get_array<const N: usize>(&self, id: ParamId) -> Result<Option<[u8; N]>, HelloError> {
        self.get(id)
            .map(|value| value.try_into().map_err(|_| HelloError::ParamSize(id)))
            .transpose()
    }
}

/// As many parameters as sides seldom give more of.
const TYPICAL: usize = 16;

fn take_param<'a>(reader: &mut Reader<'a>) -> Result<(ParamId, &'a [u8]), DecodeError> {
    Ok((ParamId(reader.u16()?), reader.bytes_u16()?))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// Reads a list, or gives the alert that its error calls for.
    fn parse(list: &[u8]) -> Result<Params<'_>, u8> {
        Params::parse(list).map_err(|error| error.alert().as_u8())
    }

    #[test]
    fn empty_list_has_no_parameters() {
        let params = parse(&[]).unwrap();
        assert_eq!(params.iter().count(), 0);
        assert_eq!(params.get_u32(ParamId::MAX_IDLE), Ok(None));
    }

    #[test]
    fn parameters_keep_their_order_and_unknown_ones() {
        let mut list = Vec::new();
        let idle = 30_000u32.to_be_bytes();
        Params::push(ParamId::MAX_IDLE, &idle, &mut list).unwrap();
        Params::push(ParamId::from_wire(0x8888), b"?", &mut list).unwrap();
        Params::push(ParamId::ACK_RECORDS, &16u16.to_be_bytes(), &mut list).unwrap();
        Params::push(ParamId::FEATURES, &1u64.to_be_bytes(), &mut list).unwrap();
        assert_eq!(list[..8], [0, 1, 0, 4, 0, 0, 0x75, 0x30]);
        let params = parse(&list).unwrap();
        let ids: Vec<_> = params.iter().map(|(id, _)| id.as_u16()).collect();
        assert_eq!(ids, [1, 0x8888, 5, 8]);
        assert_eq!(params.get_u32(ParamId::MAX_IDLE), Ok(Some(30_000)));
        assert_eq!(params.get_u16(ParamId::ACK_RECORDS), Ok(Some(16)));
        assert_eq!(params.get_u64(ParamId::FEATURES), Ok(Some(1)));
        assert_eq!(params.get(ParamId::from_wire(0x8888)), Some(&b"?"[..]));
        assert_eq!(params.get(ParamId::LINGER), None);
    }

    #[test]
    fn duplicate_parameter_is_an_illegal_parameter() {
        let twice = [0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0];
        assert_eq!(
            Params::parse(&twice),
            Err(HelloError::DuplicateParam(ParamId(1)))
        );
        assert_eq!(parse(&twice), Err(47));
    }

    #[test]
    fn garbage_is_a_decode_error() {
        for garbage in [&[0][..], &[0, 1, 0], &[0, 1, 0, 1], &[0, 1, 0, 0, 9]] {
            assert_eq!(parse(garbage), Err(50), "{garbage:?}");
        }
    }

    #[test]
    fn value_of_another_size_is_an_error() {
        let params = parse(&[0, 1, 0, 2, 0, 9]).unwrap();
        let error = params.get_u32(ParamId::MAX_IDLE).unwrap_err();
        assert_eq!(error, HelloError::ParamSize(ParamId::MAX_IDLE));
        let mut list = vec![1];
        let long = vec![0; 65_536];
        assert_eq!(
            Params::push(ParamId(1), &long, &mut list),
            Err(RewriteError::TooLong)
        );
        assert_eq!(list, [1]);
    }
}
