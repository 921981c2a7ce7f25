//! Frames beyond the draft, for peers that negotiated them (`spec/extensions.md`).
//!
//! Each is `Value[Length] Length:2 Type`, so that one whose type is not known can be skipped. They
//! exist between peers that both sent `tcpls_params`; with any other peer their types are errors.

mod ending;
mod flow;
mod path;
mod stream;
mod token;

use alloc::vec::Vec;
use core::ops::RangeInclusive;

pub use ending::{CloseSpace, ConnectionCloseFrame, SessionCloseFrame};
pub use flow::StreamDataLimitFrame;
pub use path::{ConnectionPriorityFrame, ObservedAddressFrame, PriorityFlags};
pub use stream::{ResetStreamFrame, StopSendingFrame};
pub use token::ExtendedTokenFrame;

use crate::{ConnectionId, DecodeError, StreamId, cursor::BackReader};

/// The type bytes, each the last byte of its frame.
pub mod extended_type {
    /// The session's data limit
    pub const MAX_DATA: u8 = 0x10;
    /// A stream's data limit
    pub const MAX_STREAM_DATA: u8 = 0x11;
    /// The limit on streams
    pub const MAX_STREAMS: u8 = 0x12;
    /// The session's data limit is in the way
    pub const DATA_BLOCKED: u8 = 0x13;
    /// A stream's data limit is in the way
    pub const STREAM_DATA_BLOCKED: u8 = 0x14;
    /// The limit on streams is in the way
    pub const STREAMS_BLOCKED: u8 = 0x15;
    /// A sender gives a stream up
    pub const RESET_STREAM: u8 = 0x16;
    /// A receiver wants no more of a stream
    pub const STOP_SENDING: u8 = 0x17;
    /// The session ends, with a code and a reason
    pub const SESSION_CLOSE: u8 = 0x18;
    /// One connection ends
    pub const CONNECTION_CLOSE: u8 = 0x19;
    /// A token with a 32-bit Connection ID
    pub const NEW_TOKEN: u8 = 0x1a;
    /// A token is withdrawn
    pub const RETIRE_TOKEN: u8 = 0x1b;
    /// How many tokens the client wants to hold
    pub const TOKEN_REQUEST: u8 = 0x1c;
    /// What a connection is for
    pub const CONNECTION_PRIORITY: u8 = 0x1d;
    /// Asks for an answer on the same connection
    pub const PROBE: u8 = 0x1e;
    /// Answers a probe
    pub const PROBE_REPLY: u8 = 0x1f;
    /// Where the peer's end of a connection is seen
    pub const OBSERVED_ADDRESS: u8 = 0x20;
    /// A stream has one direction
    pub const STREAM_UNI: u8 = 0x24;

    /// Types that a peer that does not know them skips: 0x10 to 0x3f and 0x80 to 0xff.
    pub(super) const IGNORABLE: [core::ops::RangeInclusive<u8>; 2] = [0x10..=0x3f, 0x80..=0xff];
}

/// Bytes of each frame beside its value: the length and the type.
pub const EXTENDED_OVERHEAD: usize = 3;

/// One frame beyond the draft; byte shapes are those of the record, left to right, without
/// `Length:2 Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtendedFrame<'a> {
    /// `Max:8`: stream bytes that the receiver of this frame may have sent, over all streams.
    MaxData(u64),
    /// `Max:8 StreamID:4`: how far the receiver of this frame may send on a stream.
    MaxStreamData(StreamDataLimitFrame),
    /// `Count:4`: streams that the receiver of this frame may have opened, of both kinds.
    MaxStreams(u32),
    /// `Max:8`: the sender has more for its streams than this limit allows.
    DataBlocked(u64),
    /// `Max:8 StreamID:4`: the sender has data beyond this limit of a stream.
    StreamDataBlocked(StreamDataLimitFrame),
    /// `Count:4`: the sender would open more streams than this.
    StreamsBlocked(u32),
    /// `FinalSize:8 Code:4 StreamID:4`.
    ResetStream(ResetStreamFrame),
    /// `Code:4 StreamID:4`.
    StopSending(StopSendingFrame),
    /// `Reason[..] Code:4 Space:1`.
    SessionClose(SessionCloseFrame<'a>),
    /// `Code:4 ConnID:4`.
    ConnectionClose(ConnectionCloseFrame),
    /// `Token:32 RxGen:4 TxGen:4 ConnID:4 LifetimeS:4`.
    NewToken(ExtendedTokenFrame<'a>),
    /// `ConnID:4`: the server takes this token back.
    RetireToken(ConnectionId),
    /// `Want:1`: how many unused tokens the client wants to hold.
    TokenRequest(u8),
    /// `Epoch:4 Flags:1 ConnID:4`.
    ConnectionPriority(ConnectionPriorityFrame),
    /// `Opaque:8`: to be answered on the same connection.
    Probe(u64),
    /// `Opaque:8`: the answer, with the content of the probe.
    ProbeReply(u64),
    /// `Port:2 Address:4|16 Version:1 Epoch:4 ConnID:4`.
    ObservedAddress(ObservedAddressFrame),
    /// `StreamID:4`: the stream whose first Stream frame is in the same record has one direction.
    StreamUni(StreamId),
    /// A type that is not known here and may be ignored.
    Unknown(UnknownFrame<'a>),
}

/// A frame whose type is not known here, and that says of itself that it may be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownFrame<'a> {
    /// The type byte.
    pub frame_type: u8,
    /// What stands before the length.
    pub value: &'a [u8],
}

impl<'a> ExtendedFrame<'a> {
    /// Reads the rest of a frame whose type byte was taken.
    pub(super) fn take_fields(
        frame_type: u8,
        record: &mut BackReader<'a>,
    ) -> Result<Self, DecodeError> {
        let ignorable = |range: &RangeInclusive<u8>| range.contains(&frame_type);
        if !extended_type::IGNORABLE.iter().any(ignorable) {
            return Err(DecodeError::UnknownFrameType(frame_type));
        }
        let length = record.u16()?;
        let value = record.take(usize::from(length))?;
        let mut fields = BackReader::new(value);
        let frame = Self::read(frame_type, &mut fields)?;
        match frame {
            Some(frame) if fields.is_empty() => Ok(frame),
            Some(_) => Err(DecodeError::ExtendedFrameLength(frame_type)),
            None => Ok(Self::Unknown(UnknownFrame { frame_type, value })),
        }
    }

    fn read(frame_type: u8, value: &mut BackReader<'a>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match frame_type {
            extended_type::MAX_DATA => Self::MaxData(value.u64()?),
            extended_type::MAX_STREAM_DATA => {
                Self::MaxStreamData(StreamDataLimitFrame::take_fields(value)?)
            }
            extended_type::MAX_STREAMS => Self::MaxStreams(value.u32()?),
            extended_type::DATA_BLOCKED => Self::DataBlocked(value.u64()?),
            extended_type::STREAM_DATA_BLOCKED => {
                Self::StreamDataBlocked(StreamDataLimitFrame::take_fields(value)?)
            }
            extended_type::STREAMS_BLOCKED => Self::StreamsBlocked(value.u32()?),
            extended_type::RESET_STREAM => Self::ResetStream(ResetStreamFrame::take_fields(value)?),
            extended_type::STOP_SENDING => Self::StopSending(StopSendingFrame::take_fields(value)?),
            extended_type::SESSION_CLOSE => {
                Self::SessionClose(SessionCloseFrame::take_fields(value)?)
            }
            extended_type::CONNECTION_CLOSE => {
                Self::ConnectionClose(ConnectionCloseFrame::take_fields(value)?)
            }
            extended_type::NEW_TOKEN => Self::NewToken(ExtendedTokenFrame::take_fields(value)?),
            extended_type::RETIRE_TOKEN => Self::RetireToken(ConnectionId::from_wire(value.u32()?)),
            extended_type::TOKEN_REQUEST => Self::TokenRequest(value.u8()?),
            extended_type::CONNECTION_PRIORITY => {
                Self::ConnectionPriority(ConnectionPriorityFrame::take_fields(value)?)
            }
            extended_type::PROBE => Self::Probe(value.u64()?),
            extended_type::PROBE_REPLY => Self::ProbeReply(value.u64()?),
            extended_type::OBSERVED_ADDRESS => {
                Self::ObservedAddress(ObservedAddressFrame::take_fields(value)?)
            }
            extended_type::STREAM_UNI => Self::StreamUni(StreamId::from_wire(value.u32()?)),
            _ => return Ok(None),
        }))
    }

    /// The type byte.
    pub fn frame_type(&self) -> u8 {
        match self {
            Self::MaxData(_) => extended_type::MAX_DATA,
            Self::MaxStreamData(_) => extended_type::MAX_STREAM_DATA,
            Self::MaxStreams(_) => extended_type::MAX_STREAMS,
            Self::DataBlocked(_) => extended_type::DATA_BLOCKED,
            Self::StreamDataBlocked(_) => extended_type::STREAM_DATA_BLOCKED,
            Self::StreamsBlocked(_) => extended_type::STREAMS_BLOCKED,
            Self::ResetStream(_) => extended_type::RESET_STREAM,
            Self::StopSending(_) => extended_type::STOP_SENDING,
            Self::SessionClose(_) => extended_type::SESSION_CLOSE,
            Self::ConnectionClose(_) => extended_type::CONNECTION_CLOSE,
            Self::NewToken(_) => extended_type::NEW_TOKEN,
            Self::RetireToken(_) => extended_type::RETIRE_TOKEN,
            Self::TokenRequest(_) => extended_type::TOKEN_REQUEST,
            Self::ConnectionPriority(_) => extended_type::CONNECTION_PRIORITY,
            Self::Probe(_) => extended_type::PROBE,
            Self::ProbeReply(_) => extended_type::PROBE_REPLY,
            Self::ObservedAddress(_) => extended_type::OBSERVED_ADDRESS,
            Self::StreamUni(_) => extended_type::STREAM_UNI,
            Self::Unknown(frame) => frame.frame_type,
        }
    }

    /// Bytes of the whole frame.
    pub fn encoded_len(&self) -> usize {
        let value = match self {
            Self::TokenRequest(_) => 1,
            Self::MaxStreams(_)
            | Self::StreamsBlocked(_)
            | Self::RetireToken(_)
            | Self::StreamUni(_) => 4,
            Self::MaxData(_)
            | Self::DataBlocked(_)
            | Self::StopSending(_)
            | Self::ConnectionClose(_)
            | Self::Probe(_)
            | Self::ProbeReply(_) => 8,
            Self::ConnectionPriority(_) => 9,
            Self::MaxStreamData(_) | Self::StreamDataBlocked(_) => 12,
            Self::ResetStream(_) => 16,
            Self::SessionClose(frame) => frame.value_len(),
            Self::NewToken(_) => 48,
            Self::ObservedAddress(frame) => frame.value_len(),
            Self::Unknown(frame) => frame.value.len(),
        };
        value + EXTENDED_OVERHEAD
    }

    /// Appends the frame to `out`, type byte last.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        match self {
            Self::MaxData(number)
            | Self::DataBlocked(number)
            | Self::Probe(number)
            | Self::ProbeReply(number) => out.extend_from_slice(&number.to_be_bytes()),
            Self::MaxStreams(number) | Self::StreamsBlocked(number) => {
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::MaxStreamData(frame) | Self::StreamDataBlocked(frame) => frame.encode(out),
            Self::ResetStream(frame) => frame.encode(out),
            Self::StopSending(frame) => frame.encode(out),
            Self::SessionClose(frame) => frame.encode(out),
            Self::ConnectionClose(frame) => frame.encode(out),
            Self::NewToken(frame) => frame.encode(out),
            Self::RetireToken(connection) => {
                out.extend_from_slice(&connection.as_u32().to_be_bytes());
            }
            Self::TokenRequest(want) => out.push(*want),
            Self::ConnectionPriority(frame) => frame.encode(out),
            Self::ObservedAddress(frame) => frame.encode(out),
            Self::StreamUni(stream) => out.extend_from_slice(&stream.as_u32().to_be_bytes()),
            Self::Unknown(frame) => out.extend_from_slice(frame.value),
        }
        // No value is longer than a record: the longest are cut (a reason) or came from one.
        let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.push(self.frame_type());
    }
}
