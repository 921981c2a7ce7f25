//! Stream data that was decrypted where the application wants it, before the session saw its record
//! (draft 4.5 and 5.2.9, reading A-36).
//!
//! The data of a record's largest Stream frame lies at its front, and everything else after it. A record
//! that goes on with the stream that is expected next can so be opened into the memory of who reads that
//! stream: the next one, opened right behind the data, takes the place of the rest. Whether the guess was
//! right is seen when the record is open and authentic; whether the bytes are the next ones of the stream,
//! the session says when it is handed what was found.

use std::time::Instant;

use bytes::Bytes;

use super::{Session, close, receive};
use crate::{
    ConnectionHandle,
    number::offset,
    wire::{
        Fin, Frame, FrameSet, RecordFrames, RecordSequence, StreamFrame, StreamId,
        frame::STREAM_OVERHEAD,
    },
};

/// Where the next bytes of a stream begin that can be decrypted for its reader, from
/// [`Session::landing`].
#[derive(Debug, Clone, Copy)]
pub struct Landing {
    stream: StreamId,
    next: u64,
    frames: FrameSet,
}

/// A record that brought the next bytes of a stream, without these.
#[derive(Debug)]
pub struct LandedRecord {
    sequence: RecordSequence,
    /// Bytes of the whole plaintext.
    length: usize,
    stream: StreamId,
    offset: u64,
    data: usize,
    fin: Fin,
    /// The frames after the one with the data.
    others: Bytes,
}

/// What became of the bytes of a [`LandedRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// They count as read: the application has them.
    Read,
    /// They do not: as far as they are new, they are read in the usual way.
    Kept,
}

impl Landing {
    /// Looks at the `plaintext` of an application data record with this number: `None` when it does not
    /// begin with the next bytes of the stream, or is not well formed.
    pub fn land(&mut self, sequence: RecordSequence, plaintext: &[u8]) -> Option<LandedRecord> {
        let frames = RecordFrames::parse(plaintext, self.frames).ok()?;
        let Some(Frame::Stream(lead)) = frames.iter().last() else {
            return None;
        };
        if lead.stream != self.stream || lead.offset != self.next || lead.data.is_empty() {
            return None;
        }
        self.next = lead.offset.checked_add(offset(lead.data.len()))?;
        let others = plaintext.get(lead.data.len() + STREAM_OVERHEAD..)?;
        Some(LandedRecord {
            sequence,
            length: plaintext.len(),
            stream: lead.stream,
            offset: lead.offset,
            data: lead.data.len(),
            fin: lead.fin,
            others: Bytes::copy_from_slice(others),
        })
    }
}

impl LandedRecord {
    /// How many bytes of the stream it brought: they are the first ones of its plaintext.
    pub fn data_len(&self) -> usize {
        self.data
    }
}

impl Session {
    /// Out: where the next bytes of a stream begin, when nothing that came before is unread: they can be
    /// decrypted for its reader, who asks again once [`handle_landed`](Self::handle_landed) was called.
    pub fn landing(&self, stream: StreamId) -> Option<Landing> {
        Some(Landing {
            stream,
            next: self.streams.next_delivery(stream)?,
            frames: self.terms.frames(),
        })
    }

    /// In: as [`handle_record`](Self::handle_record), of a record whose first bytes, `data`, are where the
    /// reader of its stream wants them. Says whether they are the next ones of the stream and now count as
    /// read.
    pub fn handle_landed(
        &mut self,
        c: ConnectionHandle,
        record: &LandedRecord,
        data: &[u8],
        now: Instant,
    ) -> Delivery {
        self.next_deadline.forget();
        let lead = StreamFrame {
            stream: record.stream,
            offset: record.offset,
            fin: record.fin,
            data,
        };
        let arrival = receive::Landed {
            sequence: record.sequence,
            length: record.length,
            lead,
            others: &record.others,
        };
        receive::landed(self, c, &arrival, now).unwrap_or_else(|reason| {
            close::fail(self, reason);
            Delivery::Kept
        })
    }
}
