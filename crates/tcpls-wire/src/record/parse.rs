//! Frames out of a decrypted record, last to first (draft 5.2).

use core::{fmt, iter::FusedIterator};

use crate::{DecodeError, Frame, FrameSet, cursor::BackReader, frame::MAX_PLAINTEXT};

/// The frames of one record, all of them valid.
///
/// Parsing reads the whole record before the first frame is handed out, so a record with an error
/// has no effect although frames are processed from the end (reading A-30). The frames borrow from
/// the record; nothing is copied or allocated.
#[derive(Clone, Copy)]
pub struct RecordFrames<'a> {
    plaintext: &'a [u8],
    set: FrameSet,
    ack_eliciting: bool,
}

impl<'a> RecordFrames<'a> {
    /// Reads every frame of `plaintext`: a record of inner type `application_data`, without the TLS
    /// padding and the type byte.
    ///
    /// At most 16384 bytes; none at all is a record without frames (reading A-29).
    pub fn parse(plaintext: &'a [u8], set: FrameSet) -> Result<Self, DecodeError> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(DecodeError::RecordTooLong);
        }
        let mut record = BackReader::new(plaintext);
        let mut ack_eliciting = false;
        while !record.is_empty() {
            ack_eliciting |= Frame::take_last(&mut record, set)?.is_ack_eliciting();
        }
        Ok(Self {
            plaintext,
            set,
            ack_eliciting,
        })
    }

    /// Whether any frame wants the record acknowledged (draft 5.2, table 2, rule N).
    pub fn is_ack_eliciting(&self) -> bool {
        self.ack_eliciting
    }

    /// Whether the record has no frame, not even Padding.
    pub fn is_empty(&self) -> bool {
        self.plaintext.is_empty()
    }

    /// The frames in processing order, last to first.
    pub fn iter(&self) -> Frames<'a> {
        Frames {
            record: BackReader::new(self.plaintext),
            set: self.set,
        }
    }
}

impl<'a> IntoIterator for RecordFrames<'a> {
    type Item = Frame<'a>;
    type IntoIter = Frames<'a>;

    fn into_iter(self) -> Frames<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &RecordFrames<'a> {
    type Item = Frame<'a>;
    type IntoIter = Frames<'a>;

    fn into_iter(self) -> Frames<'a> {
        self.iter()
    }
}

impl fmt::Debug for RecordFrames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterator over the frames of a record, last to first.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    record: BackReader<'a>,
    set: FrameSet,
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.record.is_empty() {
            return None;
        }
        // `RecordFrames::parse` read the same bytes without an error.
        Frame::take_last(&mut self.record, self.set).ok()
    }
}

impl FusedIterator for Frames<'_> {}
