//! Frames: what a record carries between its data and its end (draft 5.2).
//!
//! A frame is read from its last byte, the type, towards its first. This module reads one frame off
//! the end of a record and appends one frame to a buffer; [`crate::record`] does whole records.

mod ack;
mod address;
mod connection_reset;
mod extended;
mod new_token;
mod stream;
mod stream_change;

use alloc::vec::Vec;

pub use ack::AckFrame;
pub use address::{NewAddressFrame, RemoveAddressFrame};
pub use connection_reset::ConnectionResetFrame;
pub use extended::{
    CloseSpace, ConnectionCloseFrame, ConnectionPriorityFrame, EXTENDED_OVERHEAD, ExtendedFrame,
    ExtendedTokenFrame, ObservedAddressFrame, PriorityFlags, ResetStreamFrame, SessionCloseFrame,
    StopSendingFrame, StreamDataLimitFrame, UnknownFrame, extended_type,
};
pub use new_token::NewTokenFrame;
pub(crate) use stream::stream_trailer;
pub use stream::{Fin, STREAM_OVERHEAD, StreamFrame};
pub use stream_change::StreamChangeFrame;

use crate::{DecodeError, EncodeError, cursor::BackReader};

/// The longest plaintext of a TLS record, in bytes (RFC 8446 section 5.1, reading A-39).
pub const MAX_PLAINTEXT: usize = 16_384;

/// The type bytes (draft table 2), each the last byte of its frame.
///
/// 0x0a to 0x0f are not used; for those above see [`extended_type`].
pub mod frame_type {
    /// Padding
    pub const PADDING: u8 = 0x00;
    /// Ping
    pub const PING: u8 = 0x01;
    /// Stream whose data goes on (reading A-2)
    pub const STREAM: u8 = 0x02;
    /// Stream whose data ends here: the last bit is FIN (reading A-2)
    pub const STREAM_FIN: u8 = 0x03;
    /// ACK
    pub const ACK: u8 = 0x04;
    /// New Token
    pub const NEW_TOKEN: u8 = 0x05;
    /// Connection Reset
    pub const CONNECTION_RESET: u8 = 0x06;
    /// New Address
    pub const NEW_ADDRESS: u8 = 0x07;
    /// Remove Address
    pub const REMOVE_ADDRESS: u8 = 0x08;
    /// Stream Change
    pub const STREAM_CHANGE: u8 = 0x09;
}

/// Which types of frames a record may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrameSet {
    /// Those of the draft; all others are errors.
    #[default]
    Draft,
    /// Those that come with a length, too: both sides sent `tcpls_params`.
    Extended,
}

/// One frame; byte shapes are those of the record, left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A run of Padding frames, `00` each (draft 5.2.1).
    Padding(PaddingRun),
    /// Asks for an acknowledgment, `01` (draft 5.2.2).
    Ping,
    /// Data of a stream (draft 5.2.3).
    Stream(StreamFrame<'a>),
    /// Acknowledges records of one connection (draft 5.2.4).
    Ack(AckFrame),
    /// Gives the client a token (draft 5.2.5).
    NewToken(NewTokenFrame<'a>),
    /// Reports a failed connection (draft 5.2.6).
    ConnectionReset(ConnectionResetFrame),
    /// Advertises an address (draft 5.2.7).
    NewAddress(NewAddressFrame),
    /// Withdraws an address (draft 5.2.8).
    RemoveAddress(RemoveAddressFrame),
    /// Announces what the next record on this connection carries (draft 5.2.9).
    StreamChange(StreamChangeFrame),
    /// One beyond the draft.
    Extended(ExtendedFrame<'a>),
}

impl<'a> Frame<'a> {
    /// Takes the last frame off `record`; a run of Padding comes as one (reading A-28).
    ///
    /// On an error the cursor stays where it was.
    pub fn take_last(record: &mut BackReader<'a>, set: FrameSet) -> Result<Self, DecodeError> {
        let padding = record.zeros();
        if padding > 0 {
            return Ok(Self::Padding(PaddingRun { length: padding }));
        }
        let mut attempt = *record;
        let frame = Self::take_typed(&mut attempt, set)?;
        *record = attempt;
        Ok(frame)
    }

    /// Whether a record with this frame must be acknowledged: all but Padding and ACK (draft 5.2,
    /// table 2, rule N).
    pub fn is_ack_eliciting(&self) -> bool {
        match self {
            Self::Padding(_) | Self::Ack(_) => false,
            Self::Ping
            | Self::Stream(_)
            | Self::NewToken(_)
            | Self::ConnectionReset(_)
            | Self::NewAddress(_)
            | Self::RemoveAddress(_)
            | Self::StreamChange(_)
            | Self::Extended(_) => true,
        }
    }

    /// How many bytes [`Self::encode`] appends.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Padding(run) => run.length,
            Self::Ping => 1,
            Self::Stream(frame) => frame.encoded_len(),
            Self::Ack(_) => AckFrame::ENCODED_LEN,
            Self::NewToken(_) => NewTokenFrame::ENCODED_LEN,
            Self::ConnectionReset(_) => ConnectionResetFrame::ENCODED_LEN,
            Self::NewAddress(frame) => frame.encoded_len(),
            Self::RemoveAddress(_) => RemoveAddressFrame::ENCODED_LEN,
            Self::StreamChange(_) => StreamChangeFrame::ENCODED_LEN,
            Self::Extended(frame) => frame.encoded_len(),
        }
    }

    /// Appends the frame to `out`, type byte last.
    ///
    /// Only a Stream frame can fail, and then nothing was appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Padding(run) => out.resize(out.len() + run.length, frame_type::PADDING),
            Self::Ping => out.push(frame_type::PING),
            Self::Stream(frame) => frame.encode(out)?,
            Self::Ack(frame) => frame.encode(out),
            Self::NewToken(frame) => frame.encode(out),
            Self::ConnectionReset(frame) => frame.encode(out),
            Self::NewAddress(frame) => frame.encode(out),
            Self::RemoveAddress(frame) => frame.encode(out),
            Self::StreamChange(frame) => frame.encode(out),
            Self::Extended(frame) => frame.encode(out),
        }
        Ok(())
    }

    fn take_typed(record: &mut BackReader<'a>, set: FrameSet) -> Result<Self, DecodeError> {
        Ok(match record.u8()? {
            frame_type::PADDING => Self::Padding(PaddingRun { length: 1 }),
            frame_type::PING => Self::Ping,
            frame_type::STREAM => Self::Stream(StreamFrame::take_fields(record, Fin::More)?),
            frame_type::STREAM_FIN => Self::Stream(StreamFrame::take_fields(record, Fin::End)?),
            frame_type::ACK => Self::Ack(AckFrame::take_fields(record)?),
            frame_type::NEW_TOKEN => Self::NewToken(NewTokenFrame::take_fields(record)?),
            frame_type::CONNECTION_RESET => {
                Self::ConnectionReset(ConnectionResetFrame::take_fields(record)?)
            }
            frame_type::NEW_ADDRESS => Self::NewAddress(NewAddressFrame::take_fields(record)?),
            frame_type::REMOVE_ADDRESS => {
                Self::RemoveAddress(RemoveAddressFrame::take_fields(record)?)
            }
            frame_type::STREAM_CHANGE => {
                Self::StreamChange(StreamChangeFrame::take_fields(record)?)
            }
            extended if set == FrameSet::Extended => {
                Self::Extended(ExtendedFrame::take_fields(extended, record)?)
            }
            unknown => return Err(DecodeError::UnknownFrameType(unknown)),
        })
    }
}

/// Padding frames in a row, taken as one because each is a single zero byte (reading A-28).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaddingRun {
    /// How many Padding frames, and so bytes.
    pub length: usize,
}
