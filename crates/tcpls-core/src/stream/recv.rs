//! The receiving half of one stream.

use bytes::Bytes;

use super::{
    assembler::{Arrival, Assembler},
    grant::Grant,
    opening::News,
    piece::Holding,
    state::RecvState,
};
use crate::{PeerMisbehaved, number::offset, wire::Fin};

/// State and data of a receiving half.
#[derive(Debug, Default)]
pub(crate) struct RecvHalf {
    pub(crate) assembler: Assembler,
    pub(crate) state: RecvState,
    pub(crate) reader: Reader,
    /// Whether `Readable` was reported since the last read.
    pub(crate) reported: bool,
    /// Why the application stopped reading, once it did.
    pub(crate) stop_code: u32,
    /// The highest offset that any frame reached.
    highest: u64,
    /// How far the peer may go.
    pub(crate) grant: Grant,
}

/// What the application does with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Reader {
    /// Reads when it likes.
    #[default]
    Wanting,
    /// Found nothing to read and waits.
    Waiting,
    /// Wants nothing more: bytes are counted and dropped.
    Stopped,
}

/// What an arriving frame changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Received {
    /// Bytes that can now be read.
    pub(crate) in_order: usize,
    /// Bytes that were dropped.
    pub(crate) discarded: usize,
    /// Whether there is something new for a reader: bytes or the end.
    pub(crate) news: bool,
    /// Whether anything came that was not there, for whoever.
    pub(crate) fresh: News,
    /// How many pieces that were there it was compared with.
    pub(crate) compared: usize,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Bytes(Bytes),
    Nothing,
    End,
}

impl RecvHalf {
    /// A half on which the peer may go this far.
    pub(crate) fn new(grant: Grant) -> Self {
        Self {
            grant,
            ..Self::default()
        }
    }

    /// Takes in one Stream frame.
    pub(crate) fn receive(
        &mut self,
        arrival: Arrival<'_>,
        fin: Fin,
        holding: &mut Holding,
    ) -> Result<Received, PeerMisbehaved> {
        let end = arrival.offset + offset(arrival.data.len());
        self.check_end(end, fin)?;
        let ends = fin == Fin::End && self.state.end().is_none();
        let further = ends || end > self.highest;
        self.highest = self.highest.max(end);
        if fin == Fin::End {
            self.state.on_end_known(end);
        }
        if self.reader == Reader::Stopped {
            self.state.on_unwanted();
        }
        if self.reader == Reader::Stopped || self.state.reset_code().is_some() {
            return Ok(Received {
                discarded: arrival.data.len(),
                fresh: News::when(further),
                ..Received::default()
            });
        }
        let len = arrival.data.len();
        let inserted = self.assembler.insert(arrival, holding);
        let complete = self.state.on_received(self.assembler.received());
        Ok(Received {
            in_order: inserted.in_order,
            discarded: inserted.duplicate,
            news: inserted.in_order > 0 || complete,
            fresh: News::when(further || inserted.duplicate < len),
            compared: inserted.compared,
        })
    }

    /// Where the next bytes begin, when nothing before them is unread and somebody wants them.
    pub(crate) fn next_delivery(&self) -> Option<u64> {
        if self.is_unwanted() {
            return None;
        }
        self.assembler.next_if_empty()
    }

    /// The next bytes, which are so many, came and were read at the same time.
    pub(crate) fn deliver(&mut self, length: usize, fin: Fin) -> Result<(), PeerMisbehaved> {
        let end = self.assembler.received() + offset(length);
        self.check_end(end, fin)?;
        self.highest = self.highest.max(end);
        if fin == Fin::End {
            self.state.on_end_known(end);
        }
        self.assembler.pass(length);
        self.state.on_received(end);
        self.note_end();
        Ok(())
    }

    /// The next at most `max` bytes.
    pub(crate) fn read_chunk(&mut self, max: usize, holding: &mut Holding) -> Found {
        match self.assembler.read_chunk(max, holding) {
            Some(bytes) => {
                self.note_end();
                Found::Bytes(bytes)
            }
            None if self.note_end() => Found::End,
            None => Found::Nothing,
        }
    }

    /// Fills `buffer` as far as there are bytes.
    pub(crate) fn read(&mut self, buffer: &mut [u8], holding: &mut Holding) -> usize {
        let filled = self.assembler.read(buffer, holding);
        self.note_end();
        filled
    }

    /// The peer broke the stream off at `end`. Returns whether that is news for a reader; when all
    /// bytes came before, it is none.
    pub(crate) fn reset(
        &mut self,
        end: u64,
        code: u32,
        holding: &mut Holding,
    ) -> Result<bool, PeerMisbehaved> {
        self.check_end(end, Fin::End)?;
        self.highest = self.highest.max(end);
        let news = self.state.on_reset(end, code);
        if news {
            self.assembler.discard(holding);
        }
        if self.reader == Reader::Stopped {
            self.state.on_unwanted();
        }
        Ok(news && self.reader != Reader::Stopped)
    }

    /// By how much a frame that ends at `end` goes further than any before.
    pub(crate) fn further(&self, end: u64) -> u64 {
        end.saturating_sub(self.highest)
    }

    /// Whether nobody will read what comes.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.reader == Reader::Stopped || self.state.reset_code().is_some()
    }

    /// Whether the peer is to be told that it may go further.
    pub(crate) fn is_grant_due(&self) -> bool {
        self.state.end().is_none() && self.grant.is_due()
    }

    /// There is no such half: this side alone sends.
    pub(crate) fn be_absent(&mut self) {
        self.reader = Reader::Stopped;
        self.state = RecvState::Ended(0);
    }

    /// Drops what is there and what will come.
    pub(crate) fn stop(&mut self, holding: &mut Holding) {
        self.reader = Reader::Stopped;
        self.assembler.discard(holding);
        self.state.on_unwanted();
    }

    /// Whether the application has read everything that the stream will ever have.
    pub(crate) fn is_at_end(&self) -> bool {
        self.state.is_complete() && self.assembler.unread() == 0
    }

    /// the end is set once, and no data goes beyond it.
    fn check_end(&self, end: u64, fin: Fin) -> Result<(), PeerMisbehaved> {
        match (self.state.end(), fin) {
            (Some(known), _) if end > known => Err(PeerMisbehaved::DataBeyondEnd),
            (Some(known), Fin::End) if end < known => Err(PeerMisbehaved::EndMoved),
            (None, Fin::End) if end < self.highest => Err(PeerMisbehaved::EndMoved),
            _ => Ok(()),
        }
    }

    fn note_end(&mut self) -> bool {
        let at_end = self.is_at_end();
        if at_end {
            self.state.on_read_to_end();
        }
        at_end
    }
}
