//! Bodies for records and alerts.

use alloc::vec::Vec;

use crate::{
    Alert, DecodeError, EncodeError, Fin, Frame, FrameSet, PushError, RecordBuilder, RecordFrames,
    StreamFrame, StreamId, cursor::Reader, frame::MAX_PLAINTEXT,
};

/// Reads a record; written back, its frames give the same bytes.
///
/// # Panics
///
/// When they do not.
pub fn record(data: &[u8]) {
    let Ok(frames) = RecordFrames::parse(data, FrameSet::Extended) else {
        return;
    };
    let mut in_wire_order: Vec<_> = frames.iter().collect();
    in_wire_order.reverse();
    let mut written = Vec::new();
    for frame in &in_wire_order {
        let before = written.len();
        assert_eq!(
            frame.encode(&mut written),
            Ok(()),
            "a frame that was read can be written"
        );
        assert_eq!(written.len() - before, frame.encoded_len());
    }
    assert_eq!(written, data, "frames are written as they were read");
    let eliciting = in_wire_order.iter().any(Frame::is_ack_eliciting);
    assert_eq!(frames.is_ack_eliciting(), eliciting);
    assert_eq!(frames.is_empty(), in_wire_order.is_empty());
}

/// Builds records from instructions in `data`; read back, they hold what was put in.
///
/// The first two bytes are the limit of the records. An instruction byte of 16 and above adds a
/// Stream frame: two more bytes make its stream, FIN and offset, and the instruction less 16 is the
/// length of the data that follows. One from 1 to 15 is the length of frames that follow in their
/// wire form and are added as control frames. 0 ends the record.
///
/// # Panics
///
/// When a record holds something else, or the builder takes too much or too little.
pub fn build_record(data: &[u8]) {
    let mut input = Reader::new(data);
    let Ok(limit) = input.u16() else { return };
    let limit = usize::from(limit);
    let mut builder = RecordBuilder::new(limit);
    while !input.is_empty() {
        let mut expected = Expected::default();
        while let Ok(instruction @ 1..) = input.u8() {
            let step = match instruction.checked_sub(16) {
                Some(length) => expected.push_stream(&mut builder, &mut input, length),
                None => expected.push_control(&mut builder, &mut input, instruction),
            };
            if step.is_err() {
                break;
            }
        }
        expected.finish(&mut builder);
        assert_eq!(
            builder.remaining(),
            limit.min(MAX_PLAINTEXT),
            "finishing resets the builder"
        );
        assert!(builder.is_empty() && !builder.is_ack_eliciting());
    }
}

/// What the record that is being built must turn out to be.
#[derive(Default)]
struct Expected<'a> {
    streams: Vec<StreamFrame<'a>>,
    control: Vec<u8>,
}

impl<'a> Expected<'a> {
    fn push_stream(
        &mut self,
        builder: &mut RecordBuilder<&'a [u8]>,
        input: &mut Reader<'a>,
        length: u8,
    ) -> Result<(), DecodeError> {
        let name = input.u8()?;
        let from_end = input.u8()?;
        let frame = StreamFrame {
            stream: StreamId::from_wire(u32::from(name / 2)),
            offset: u64::MAX - u64::from(from_end),
            fin: if name.is_multiple_of(2) {
                Fin::More
            } else {
                Fin::End
            },
            data: input.take(usize::from(length))?,
        };
        let room = builder.remaining();
        match builder.push_stream(frame.stream, frame.offset, frame.fin, frame.data) {
            Ok(()) => {
                assert_eq!(builder.remaining(), room - frame.encoded_len());
                self.streams.push(frame);
            }
            Err(PushError::RecordFull) => assert!(frame.encoded_len() > room),
            Err(PushError::StreamRepeated) => {
                assert!(
                    self.streams
                        .iter()
                        .any(|other| other.stream == frame.stream)
                );
            }
            Err(error) => {
                assert_eq!(error, PushError::Encode(EncodeError::StreamOffsetOverflow));
                assert!(from_end < length);
            }
        }
        Ok(())
    }

    fn push_control(
        &mut self,
        builder: &mut RecordBuilder<&'a [u8]>,
        input: &mut Reader<'a>,
        length: u8,
    ) -> Result<(), DecodeError> {
        for frame in RecordFrames::parse(input.take(usize::from(length))?, FrameSet::Extended)? {
            let room = builder.remaining();
            match builder.push_control(&frame) {
                Ok(()) => {
                    assert_eq!(builder.remaining(), room - frame.encoded_len());
                    assert_eq!(frame.encode(&mut self.control), Ok(()));
                }
                Err(PushError::StreamAsControl) => assert!(matches!(frame, Frame::Stream(_))),
                Err(error) => {
                    assert_eq!(error, PushError::RecordFull);
                    assert!(frame.encoded_len() > room);
                }
            }
        }
        Ok(())
    }

    /// Ends the record and compares.
    fn finish(mut self, builder: &mut RecordBuilder<&'a [u8]>) {
        let eliciting = builder.is_ack_eliciting();
        let mut tail = Vec::new();
        let mut plaintext = builder.finish(&mut tail).unwrap_or_default().to_vec();
        let lead = plaintext.len();
        plaintext.extend_from_slice(&tail);
        let frames = RecordFrames::parse(&plaintext, FrameSet::Extended);
        assert_eq!(
            frames.map(|frames| frames.is_ack_eliciting()),
            Ok(eliciting)
        );

        let data = plaintext.strip_suffix(&self.control[..]);
        let data = RecordFrames::parse(data.unwrap_or(&[0x0a]), FrameSet::Extended)
            .map(|frames| frames.iter());
        let mut streams = Vec::new();
        for frame in data.into_iter().flatten() {
            if let Frame::Stream(frame) = frame {
                streams.push(frame);
            }
        }
        assert_eq!(streams.last().map_or(0, |first| first.data.len()), lead);
        assert!(
            streams.iter().all(|frame| frame.data.len() <= lead),
            "the largest comes first"
        );
        streams.sort_unstable_by_key(|frame| frame.stream);
        self.streams.sort_unstable_by_key(|frame| frame.stream);
        assert_eq!(streams, self.streams);
    }
}

/// Reads an alert; written back, it gives the same bytes.
///
/// # Panics
///
/// When it does not.
pub fn alert(data: &[u8]) {
    if let Ok(alert) = Alert::parse(data) {
        assert_eq!(alert.encode(), *data);
    }
}
