//! The sending half of one stream.

use bytes::Bytes;

use super::{
    lanes::Limit,
    ready::{Share, Sharing},
    send_buffer::{Piece, SendBuffer},
    sending::Promise,
    starved::Turn,
    state::SendState,
};
use crate::{
    WriteError,
    number::length,
    sent::SentRange,
    wire::{Fin, StreamId},
};

/// State and data of a sending half.
#[derive(Debug, Default)]
pub(crate) struct SendHalf {
    pub(crate) buffer: SendBuffer,
    pub(crate) state: SendState,
    pub(crate) announcement: Announcement,
    pub(crate) waiting: Waiting,
    /// Bytes of the session's room that its writer was told of and has not used.
    pub(crate) promise: Promise,
    pub(crate) place: QueuePlace,
    /// The connections that it may use.
    pub(crate) limit: Limit,
    /// Why it was reset, once it was.
    pub(crate) reset_code: u32,
    /// Why the peer stopped it, if it did.
    pub(crate) stopped: Option<u32>,
    pub(crate) holder: Holder,
    pub(crate) allowance: Allowance,
    /// Streams of a higher one go first.
    pub(crate) priority: i32,
    /// How it shares with those of the same.
    pub(crate) sharing: Sharing,
    /// How far it is in taking turns with them.
    pub(crate) share: Share,
    /// Its number among those that waited for the session's limit, until nothing of it is left to send.
    pub(crate) line_number: Option<u64>,
}

/// How far the peer lets a stream go; everywhere, unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance(u64);

impl Default for Allowance {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

impl Allowance {
    pub(crate) fn new(limit: u64) -> Self {
        Self(limit)
    }

    /// The peer said so much; a lower limit than before is an old one. Returns whether it is higher.
    pub(crate) fn raise(&mut self, limit: u64) -> bool {
        let higher = limit > self.0;
        if higher {
            self.0 = limit;
        }
        higher
    }

    pub(crate) fn limit(self) -> u64 {
        self.0
    }
}

/// How many bytes beyond the peer's limit a stream takes.
const AHEAD_OF_PEER: u64 = 64 * 1024;

/// Whether somebody may still ask what became of the half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Holder {
    /// The application has it.
    #[default]
    Application,
    /// The application gave it up.
    Nobody,
}

/// What a reset dropped, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Unsent or unacknowledged.
    pub(crate) held: usize,
    /// Of these, those that waited to be sent.
    pub(crate) unsent: usize,
}

/// Whether the stream waits for its turn to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum QueuePlace {
    #[default]
    Out,
    Queued,
    /// It has data that the session's limit does not let out, and this place in the line for it.
    Starved(Turn),
}

/// Whether the peer is to be told about a stream that has no data yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Announcement {
    /// An empty Stream frame is to be sent.
    Due,
    /// Nothing to tell, or told.
    #[default]
    Done,
}

/// What a local writer waits for the peer's acknowledgments for (reading A-34 a).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Waiting {
    pub(crate) room: Room,
    /// The writer wants to know when the peer has everything.
    pub(crate) end: bool,
    /// The writer wants to know when nothing is left unsent, which is up to this side.
    pub(crate) sent: bool,
}

/// Which limit a write ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Room {
    /// None: the writer does not wait.
    #[default]
    Enough,
    /// That of the stream.
    OfStream,
    /// That of the session; the stream is in line for it.
    OfSession,
}

/// One Stream frame to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) stream: StreamId,
    pub(crate) offset: u64,
    pub(crate) data: Bytes,
    pub(crate) fin: Fin,
    pub(crate) company: Company,
}

/// What goes along with a Stream frame, in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    None,
    /// `STREAM_UNI`, with each frame at the start of a stream of one direction.
    StreamUni,
}

/// What an acknowledgment changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acked {
    /// Bytes that the send buffer no longer holds.
    pub(crate) freed: usize,
    /// Whether the peer now has everything, for the first time.
    pub(crate) done: bool,
}

impl SendHalf {
    /// How long the data of the next frame is, when the session lets out `credit` bytes; `None` when
    /// there is no frame to send.
    pub(crate) fn next_len(&self, credit: u64) -> Option<usize> {
        self.buffer.next_len(self.limit_with(credit)).or_else(|| {
            let ends = self.state == SendState::FinDue && self.unsent() == 0;
            (ends || self.announcement == Announcement::Due).then_some(0)
        })
    }

    /// Bytes that may be written before the peer lets the stream send more, where room is short: what nobody
    /// there reads is not to fill the send buffer of the session.
    pub(crate) fn room_at_peer(&self) -> usize {
        let most = self.allowance.limit().saturating_add(AHEAD_OF_PEER);
        length(most.saturating_sub(self.buffer.end()))
    }

    /// Whether the session's limit alone keeps data back.
    pub(crate) fn is_starved(&self, credit: u64) -> bool {
        credit == 0 && self.buffer.next_len(self.allowance.limit()).is_some()
    }

    /// How many bytes go out for the first time when the session lets out enough.
    pub(crate) fn wanted(&self) -> u64 {
        let end = self.buffer.end().min(self.allowance.limit());
        end.saturating_sub(self.buffer.sent())
    }

    /// Whether nothing waits to be given out.
    pub(crate) fn is_drained(&self) -> bool {
        self.unsent() == 0 && self.next_len(0).is_none()
    }

    /// How far the stream may go.
    pub(crate) fn limit_with(&self, credit: u64) -> u64 {
        let limit = self.buffer.sent().saturating_add(credit);
        limit.min(self.allowance.limit())
    }

    /// Bytes that wait to be sent for the first time.
    pub(crate) fn unsent(&self) -> u64 {
        self.buffer.end() - self.buffer.sent()
    }

    /// What is to be left of a record beside the next frame.
    pub(crate) fn reserved(&self) -> usize {
        self.buffer.reserved_at(self.buffer.next_offset())
    }

    /// Takes the next frame; the end goes with the last data.
    pub(crate) fn take(&mut self, stream: StreamId, credit: u64) -> Outgoing {
        let piece = self.buffer.take(self.limit_with(credit));
        let piece = piece.unwrap_or(Piece {
            offset: self.buffer.sent(),
            data: Bytes::new(),
        });
        self.announcement = Announcement::Done;
        let fin = if self.state == SendState::FinDue && piece.end() == self.buffer.end() {
            self.state.on_fin_sent();
            Fin::End
        } else {
            Fin::More
        };
        Outgoing {
            stream,
            offset: piece.offset,
            data: piece.data,
            fin,
            company: self.company_at(piece.offset),
        }
    }

    fn company_at(&self, start: u64) -> Company {
        if self.buffer.reserved_at(start) > 0 {
            Company::StreamUni
        } else {
            Company::None
        }
    }

    /// The frame that went out as `sent`, or what of it the peer may lack, once more; `None` when it has
    /// all of it.
    pub(crate) fn copy(&self, sent: SentRange) -> Option<Outgoing> {
        if self.state.is_done() || self.state.is_reset() {
            return None;
        }
        let piece = match self.buffer.copy(sent.offset..sent.end()) {
            Some(piece) => piece,
            // Only its end, or its being there, is news.
            None if sent.fin == Fin::End || sent.length == 0 => Piece {
                offset: sent.end(),
                data: Bytes::new(),
            },
            None => return None,
        };
        Some(Outgoing {
            stream: sent.stream,
            offset: piece.offset,
            data: piece.data,
            fin: sent.fin,
            company: self.company_at(piece.offset),
        })
    }

    /// The record that carried this frame was acknowledged.
    pub(crate) fn on_acked(&mut self, sent: SentRange) -> Acked {
        let freed = self.buffer.ack(sent.offset..sent.end());
        if sent.fin == Fin::End {
            self.state.on_fin_acked();
        }
        let done = self.buffer.is_acked() && self.state.on_data_acked();
        Acked { freed, done }
    }

    /// The connection of the record that carried this frame failed. Returns how many bytes are to be
    /// sent again.
    pub(crate) fn on_lost(&mut self, sent: SentRange) -> u64 {
        if self.state.is_reset() {
            return 0;
        }
        if sent.fin == Fin::End {
            self.state.on_fin_lost();
        } else if sent.length == 0 && self.buffer.sent() == 0 {
            self.announcement = Announcement::Due;
        }
        self.buffer.lose(sent.offset..sent.end())
    }
}

/// Halves that end before their data does.
impl SendHalf {
    /// Breaks it off: everything that the peer may lack is dropped.
    pub(crate) fn reset(&mut self) -> Dropped {
        self.state.reset();
        self.announcement = Announcement::Done;
        let unsent = self.buffer.waiting();
        let held = self.buffer.cut_off();
        Dropped { held, unsent }
    }

    /// Whether the peer is to learn that it was broken off.
    pub(crate) fn is_reset_due(&self) -> bool {
        self.state == SendState::Reset
    }

    /// Whether nothing can happen to it any more, and nobody asks what did.
    pub(crate) fn is_over(&self) -> bool {
        match self.state {
            SendState::Done => true,
            SendState::ResetAcked => self.holder == Holder::Nobody,
            SendState::Open
            | SendState::FinDue
            | SendState::FinSent
            | SendState::FinAcked
            | SendState::Abandoned
            | SendState::Reset => false,
        }
    }

    /// Why the application may not write, if it was the half's end.
    pub(crate) fn refusal(&self) -> Option<WriteError> {
        match (self.state, self.stopped) {
            (SendState::Open, _) => None,
            (SendState::Reset | SendState::ResetAcked, Some(code)) => {
                Some(WriteError::Stopped(code))
            }
            (SendState::Reset | SendState::ResetAcked, None) => Some(WriteError::Reset),
            _ => Some(WriteError::Finished),
        }
    }

    /// The same for what only concerns what was written before.
    pub(crate) fn broken_off(&self) -> Option<WriteError> {
        self.refusal().filter(|_| self.state.is_reset())
    }
}

impl Waiting {
    /// How many acknowledgments that are.
    pub(crate) fn count(self) -> usize {
        usize::from(self.room != Room::Enough) + usize::from(self.end)
    }
}

impl Outgoing {
    /// What to remember of it.
    pub(crate) fn sent_range(&self) -> SentRange {
        let length = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        SentRange {
            stream: self.stream,
            offset: self.offset,
            length,
            fin: self.fin,
        }
    }
}
