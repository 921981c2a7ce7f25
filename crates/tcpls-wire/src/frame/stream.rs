//! The Stream frame (draft 5.2.3).

use alloc::vec::Vec;
use core::fmt;

use super::frame_type;
use crate::{DecodeError, EncodeError, StreamId, cursor::BackReader};

/// Bytes of a Stream frame besides its data: `Length:2 Offset:8 StreamID:4 Type:1`.
pub const STREAM_OVERHEAD: usize = 15;

/// Data of one stream: `data[Length] Length:2 Offset:8 StreamID:4 02|03`.
///
/// Without data it opens the stream, and with FIN it only ends it (reading A-29). Debug output gives
/// the number of data bytes, not the bytes: they are the application's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StreamFrame<'a> {
    /// The stream.
    pub stream: StreamId,
    /// Position of the first data byte in the stream, in bytes.
    pub offset: u64,
    /// Whether the stream ends after this data.
    pub fin: Fin,
    /// The data; at most 65535 bytes, ending at offset 2^64-1 at most.
    pub data: &'a [u8],
}

/// Whether a stream goes on after the data of a frame: the last bit of the type byte (reading A-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fin {
    /// The stream may go on.
    More,
    /// The stream ends here: its final size is the frame's end (reading A-3).
    End,
}

impl<'a> StreamFrame<'a> {
    /// The offset after the last data byte, and with [`Fin::End`] the stream's final size (reading
    ///
    ///
    /// A decoded frame never exceeds 2^64-1; one that is built wrongly shows 2^64-1.
    pub fn end(&self) -> u64 {
        end_offset(self.offset, self.data.len()).unwrap_or(u64::MAX)
    }

    /// Bytes of the whole frame.
    pub fn encoded_len(&self) -> usize {
        self.data.len() + STREAM_OVERHEAD
    }

    pub(super) fn take_fields(record: &mut BackReader<'a>, fin: Fin) -> Result<Self, DecodeError> {
        let stream = StreamId::from_wire(record.u32()?);
        let offset = record.u64()?;
        let length = record.u16()?;
        let data = record.take(usize::from(length))?;
        if offset.checked_add(u64::from(length)).is_none() {
            return Err(DecodeError::StreamOffsetOverflow);
        }
        Ok(Self {
            stream,
            offset,
            fin,
            data,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let trailer = stream_trailer(self.stream, self.offset, self.fin, self.data.len())?;
        out.extend_from_slice(self.data);
        out.extend_from_slice(&trailer);
        Ok(())
    }
}

impl fmt::Debug for StreamFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamFrame")
            .field("stream", &self.stream)
            .field("offset", &self.offset)
            .field("fin", &self.fin)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .finish()
    }
}

/// The bytes that follow the data of a Stream frame: `Length:2 Offset:8 StreamID:4 Type:1`.
pub(crate) fn stream_trailer(
    stream: StreamId,
    offset: u64,
    fin: Fin,
    length: usize,
) -> Result<[u8; STREAM_OVERHEAD], EncodeError> {
    let [l0, l1] = u16::try_from(length)
        .map_err(|_| EncodeError::StreamDataTooLong)?
        .to_be_bytes();
    end_offset(offset, length).ok_or(EncodeError::StreamOffsetOverflow)?;
    let [o0, o1, o2, o3, o4, o5, o6, o7] = offset.to_be_bytes();
    let [s0, s1, s2, s3] = stream.as_u32().to_be_bytes();
    let kind = match fin {
        Fin::More => frame_type::STREAM,
        Fin::End => frame_type::STREAM_FIN,
    };
    Ok([l0, l1, o0, o1, o2, o3, o4, o5, o6, o7, s0, s1, s2, s3, kind])
}

fn end_offset(offset: u64, length: usize) -> Option<u64> {
    offset.checked_add(u64::try_from(length).ok()?)
}
