//! Building a record plaintext: stream data first, largest first, then control frames (draft 4.5).

use alloc::vec::Vec;
use core::{fmt, mem};

use thiserror::Error;

use crate::{
    EncodeError, Fin, Frame, StreamId,
    frame::{MAX_PLAINTEXT, STREAM_OVERHEAD, stream_trailer},
};

/// Collects the frames of one record at a time, keeping its allocations from record to record.
///
/// The plaintext is `data of the largest Stream frame ‖ tail`, where the tail holds that frame's
/// trailer, the other Stream frames in no promised order, and the control frames in the order they
/// were pushed. So the largest data starts the record (draft 4.5) and can be sealed from where it
/// lies; the peer, which reads from the end, processes the control frame pushed last first.
///
/// `D` is how the caller holds stream data (say `Bytes` or `&[u8]`); it is only read by reference.
pub struct RecordBuilder<D> {
    limit: usize,
    used: usize,
    /// The Stream frame with the most data, the first pushed of several.
    lead: Option<PendingStream<D>>,
    others: Vec<PendingStream<D>>,
    control: Vec<u8>,
    ack_eliciting: bool,
}

struct PendingStream<D> {
    stream: StreamId,
    trailer: [u8; STREAM_OVERHEAD],
    data: D,
}

/// Why a frame does not go into the record that is being built; the record is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PushError {
    /// Not enough room is left.
    #[error("the record has no room left for this frame")]
    RecordFull,
    /// The record already has a Stream frame of this stream (draft 4.5): the caller joins the data
    /// or sends another record.
    #[error("the record already carries data of this stream")]
    StreamRepeated,
    /// A Stream frame came as a control frame.
    #[error("a Stream frame is not a control frame")]
    StreamAsControl,
    /// The frame has no encoding.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl<D: AsRef<[u8]>> RecordBuilder<D> {
    /// An empty builder of records with at most `limit` bytes of plaintext; what exceeds 16384 is
    /// cut to that.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.min(MAX_PLAINTEXT),
            used: 0,
            lead: None,
            others: Vec::new(),
            control: Vec::new(),
            ack_eliciting: false,
        }
    }

    /// Adds a Stream frame.
    pub fn push_stream(
        &mut self,
        stream: StreamId,
        offset: u64,
        fin: Fin,
        data: D,
    ) -> Result<(), PushError> {
        let length = data.as_ref().len();
        let used = self.used_with(length.saturating_add(STREAM_OVERHEAD))?;
        if self.carries(stream) {
            return Err(PushError::StreamRepeated);
        }
        let trailer = stream_trailer(stream, offset, fin, length)?;
        let pending = PendingStream {
            stream,
            trailer,
            data,
        };
        match &mut self.lead {
            None => self.lead = Some(pending),
            Some(lead) if lead.data.as_ref().len() < length => {
                self.others.push(mem::replace(lead, pending));
            }
            Some(_) => self.others.push(pending),
        }
        self.used = used;
        self.ack_eliciting = true;
        Ok(())
    }

    /// Adds a frame that is not a Stream frame, after the control frames already there.
    pub fn push_control(&mut self, frame: &Frame<'_>) -> Result<(), PushError> {
        if matches!(frame, Frame::Stream(_)) {
            return Err(PushError::StreamAsControl);
        }
        let used = self.used_with(frame.encoded_len())?;
        frame.encode(&mut self.control)?;
        self.used = used;
        self.ack_eliciting |= frame.is_ack_eliciting();
        Ok(())
    }

    /// Ends the record: appends its tail to `tail` and gives back the data that goes before it, then
    /// starts the next record.
    ///
    /// `None` when there is no Stream frame: the tail is the whole plaintext.
    pub fn finish(&mut self, tail: &mut Vec<u8>) -> Option<D> {
        let lead = self.lead.take().map(|lead| {
            tail.extend_from_slice(&lead.trailer);
            lead.data
        });
        for other in self.others.drain(..) {
            tail.extend_from_slice(other.data.as_ref());
            tail.extend_from_slice(&other.trailer);
        }
        tail.append(&mut self.control);
        self.used = 0;
        self.ack_eliciting = false;
        lead
    }

    /// Bytes that still fit.
    pub fn remaining(&self) -> usize {
        self.limit - self.used
    }

    /// Bytes of data that still fit in one more Stream frame; 0 also when not even an empty one does.
    pub fn stream_room(&self) -> usize {
        self.remaining().saturating_sub(STREAM_OVERHEAD)
    }

    /// Whether a Stream frame of this stream was pushed since the last record.
    pub fn carries(&self, stream: StreamId) -> bool {
        self.lead
            .iter()
            .chain(&self.others)
            .any(|pending| pending.stream == stream)
    }

    /// Whether nothing was pushed since the last record.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Whether a frame pushed since the last record wants an acknowledgment.
    pub fn is_ack_eliciting(&self) -> bool {
        self.ack_eliciting
    }

    fn used_with(&self, more: usize) -> Result<usize, PushError> {
        match self.used.checked_add(more) {
            Some(used) if used <= self.limit => Ok(used),
            _ => Err(PushError::RecordFull),
        }
    }
}

impl<D> fmt::Debug for RecordBuilder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordBuilder({} of {} bytes)", self.used, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::PaddingRun;

    #[test]
    fn building_the_same_again_allocates_nothing() {
        let data = vec![7; 4000];
        let mut builder = RecordBuilder::new(MAX_PLAINTEXT);
        let mut tail = Vec::new();
        let mut first = None;
        for _ in 0..50 {
            tail.clear();
            for stream in 0..3 {
                let stream = StreamId::from_wire(stream);
                builder
                    .push_stream(stream, 0, Fin::More, &data[..])
                    .unwrap();
            }
            let padding = Frame::Padding(PaddingRun { length: 300 });
            builder.push_control(&padding).unwrap();
            builder.finish(&mut tail).unwrap();
            let room = [
                (builder.others.as_ptr().addr(), builder.others.capacity()),
                (builder.control.as_ptr().addr(), builder.control.capacity()),
                (tail.as_ptr().addr(), tail.capacity()),
            ];
            assert_eq!(*first.get_or_insert(room), room);
        }
    }
}
