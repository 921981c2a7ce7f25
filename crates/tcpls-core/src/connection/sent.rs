//! The records sent on one connection, until they are acknowledged.

use std::{collections::VecDeque, time::Instant};

use crate::{
    PeerMisbehaved,
    sent::{ControlFrame, SentFrame, SentRange},
    stream::Signal,
    wire::{RecordSequence, StreamId},
};

/// How many frames of a connection are unacknowledged at most. Full records reach 256 MiB before that;
/// tiny ones would otherwise cost more memory than the data in them.
pub(super) const MAX_IN_FLIGHT: usize = 16_384;

/// What to redo of the records that the peer has not acknowledged, in sending order.
///
/// Records count whatever is in them (reading A-8); only frames that matter have an entry.
#[derive(Debug)]
pub(crate) struct SentRecords {
    /// The number of the next record; `None` when all 2^64 are used.
    next: Option<RecordSequence>,
    frames: VecDeque<Sent>,
    /// How many frames were taken off the front of `frames`, which numbers the others.
    taken: u64,
    /// Stream frames that another connection sent first: it redoes them.
    duplicates: VecDeque<(RecordSequence, SentRange)>,
    /// The first and the last unacknowledged record with Stream frames that nobody redoes.
    unkept: Option<(RecordSequence, RecordSequence)>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    sequence: RecordSequence,
    frame: SentFrame,
    /// When it should have arrived, if that can be told.
    due: Option<Instant>,
}

/// A Stream frame that this connection sent first and that is not acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outstanding {
    /// Its place among all frames that were ever sent here.
    pub(crate) number: u64,
    pub(crate) range: SentRange,
    /// When it should have arrived, if that can be told.
    pub(crate) due: Option<Instant>,
}

impl SentRecords {
    pub(crate) fn new(first: RecordSequence) -> Self {
        Self {
            next: Some(first),
            frames: VecDeque::new(),
            taken: 0,
            duplicates: VecDeque::new(),
            unkept: None,
        }
    }

    /// The number of the record that is being built.
    pub(crate) fn next_sequence(&self) -> Option<RecordSequence> {
        self.next
    }

    /// Remembers a frame of the record that is being built, and when it should arrive.
    pub(crate) fn push(&mut self, frame: SentFrame, due: Option<Instant>) {
        if let Some(sequence) = self.next {
            self.frames.push_back(Sent {
                sequence,
                frame,
                due,
            });
        }
    }

    /// Remembers a Stream frame that another connection sent first.
    pub(crate) fn push_duplicate(&mut self, range: SentRange) {
        if let Some(sequence) = self.next {
            self.duplicates.push_back((sequence, range));
        }
    }

    /// The record that is being built has a Stream frame that nobody redoes.
    pub(crate) fn note_unkept(&mut self) {
        if let Some(sequence) = self.next {
            let first = self.unkept.map_or(sequence, |(first, _)| first);
            self.unkept = Some((first, sequence));
        }
    }

    /// Whether an acknowledgment up to `highest` is the first one of Stream frames that nobody redoes.
    pub(crate) fn takes_unkept(&mut self, highest: RecordSequence) -> bool {
        let Some((first, last)) = self.unkept.filter(|(first, _)| *first <= highest) else {
            return false;
        };
        let next = highest.next().filter(|next| *next <= last);
        self.unkept = next.map(|next| (next.max(first), last));
        true
    }

    /// The record is given out.
    pub(crate) fn end_record(&mut self) {
        self.next = self.next.and_then(RecordSequence::next);
    }

    /// an ACK can only cover what was sent.
    pub(crate) fn check_ack(&self, highest: RecordSequence) -> Result<(), PeerMisbehaved> {
        match self.next {
            Some(next) if highest >= next => Err(PeerMisbehaved::AckOfUnsentRecord),
            _ => Ok(()),
        }
    }

    /// Whether an acknowledgment up to `highest` is one of everything that was given out.
    pub(crate) fn is_all(&self, highest: RecordSequence) -> bool {
        highest.next() == self.next
    }

    /// Takes out the next frame that is acknowledged when everything up to `highest` is. A lower value
    /// than before finds nothing.
    pub(crate) fn take_acked(&mut self, highest: RecordSequence) -> Option<SentFrame> {
        let is_acked = |sequence: &RecordSequence| *sequence <= highest;
        if self
            .frames
            .front()
            .is_some_and(|sent| is_acked(&sent.sequence))
        {
            self.taken += 1;
            return self.frames.pop_front().map(|sent| sent.frame);
        }
        let (sequence, range) = self.duplicates.front()?;
        if !is_acked(sequence) {
            return None;
        }
        let range = *range;
        self.duplicates.pop_front();
        Some(SentFrame::Stream(range))
    }

    /// The first Stream frame from number `from` on that was sent here first and is not acknowledged.
    pub(crate) fn outstanding(&self, from: u64) -> Option<Outstanding> {
        let skipped = usize::try_from(from.saturating_sub(self.taken)).ok()?;
        let first = from.max(self.taken);
        (first..)
            .zip(self.frames.range(skipped.min(self.frames.len())..))
            .find_map(|(number, sent)| match sent.frame {
                SentFrame::Stream(range) => Some(Outstanding {
                    number,
                    range,
                    due: sent.due,
                }),
                SentFrame::Control(_) | SentFrame::Signal(_) | SentFrame::Ping => None,
            })
    }

    /// Takes out the first Stream frame that was sent here first and is not acknowledged.
    pub(crate) fn take_outstanding(&mut self) -> Option<SentRange> {
        while let Some(sent) = self.frames.pop_front() {
            self.taken += 1;
            if let SentFrame::Stream(range) = sent.frame {
                return Some(range);
            }
        }
        None
    }

    /// Takes out the last Stream frames, of at least `bytes` bytes if there are as many, in sending order.
    pub(crate) fn take_last(&mut self, bytes: u64) -> impl Iterator<Item = SentRange> {
        let mut left = bytes;
        let mut first = self.frames.len();
        for sent in self.frames.iter().rev() {
            if left == 0 {
                break;
            }
            if let SentFrame::Stream(range) = sent.frame {
                left = left.saturating_sub(u64::from(range.length).max(1));
            }
            first -= 1;
        }
        let last = self.frames.split_off(first);
        self.frames.shrink_to_fit();
        last.into_iter().filter_map(|sent| match sent.frame {
            SentFrame::Stream(range) => Some(range),
            SentFrame::Control(_) | SentFrame::Signal(_) | SentFrame::Ping => None,
        })
    }

    /// Takes out the Stream frames of these streams, in sending order.
    pub(crate) fn take_streams(&mut self, streams: &[StreamId]) -> Vec<SentRange> {
        let mut taken = Vec::new();
        if !streams.is_empty() {
            self.frames.retain(|sent| match sent.frame {
                SentFrame::Stream(range) if streams.contains(&range.stream) => {
                    taken.push(range);
                    false
                }
                SentFrame::Stream(_)
                | SentFrame::Control(_)
                | SentFrame::Signal(_)
                | SentFrame::Ping => true,
            });
        }
        taken
    }

    /// Whether anything but a Ping waits for its acknowledgment.
    pub(crate) fn holds_data(&self) -> bool {
        let is_data = |sent: &Sent| sent.frame != SentFrame::Ping;
        !self.duplicates.is_empty() || self.frames.iter().any(is_data)
    }

    /// What is unacknowledged and was sent here first. It stays here, so that a late ACK still finds it
    /// (reading A-10).
    pub(crate) fn unacked(&self) -> impl Iterator<Item = SentFrame> + '_ {
        self.frames.iter().map(|sent| sent.frame)
    }

    /// The frames of the session itself that are unacknowledged.
    pub(crate) fn control(&self) -> impl Iterator<Item = ControlFrame> + '_ {
        self.frames.iter().filter_map(|sent| match sent.frame {
            SentFrame::Control(frame) => Some(frame),
            SentFrame::Stream(_) | SentFrame::Signal(_) | SentFrame::Ping => None,
        })
    }

    /// What is unacknowledged of what the streams had to tell beside their data.
    pub(crate) fn signals(&self) -> impl Iterator<Item = Signal> + '_ {
        self.frames.iter().filter_map(|sent| match sent.frame {
            SentFrame::Signal(signal) => Some(signal),
            SentFrame::Stream(_) | SentFrame::Control(_) | SentFrame::Ping => None,
        })
    }

    /// Whether more Stream frames may be sent before some are acknowledged.
    pub(crate) fn has_room(&self) -> bool {
        self.in_flight() < MAX_IN_FLIGHT
    }

    /// Whether a peer that acknowledges what it gets cannot have left so many frames.
    pub(crate) fn is_overfull(&self) -> bool {
        self.in_flight() >= 2 * MAX_IN_FLIGHT
    }

    /// How many frames are unacknowledged.
    pub(crate) fn in_flight(&self) -> usize {
        self.frames.len() + self.duplicates.len()
    }

    /// Whether the peer is to acknowledge anything, be it kept or not.
    pub(crate) fn awaits_ack(&self) -> bool {
        self.in_flight() > 0 || self.unkept.is_some()
    }

    /// Whether nothing is left that would be sent again if the connection failed.
    pub(crate) fn is_settled(&self) -> bool {
        self.frames.iter().all(|sent| sent.frame == SentFrame::Ping)
    }

    /// Forgets everything: no ACK will come.
    pub(crate) fn retire(&mut self) {
        self.frames = VecDeque::new();
        self.duplicates = VecDeque::new();
    }
}
