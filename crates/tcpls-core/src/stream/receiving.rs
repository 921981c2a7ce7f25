//! What the receiving halves of a session share: the local caps of reading A-34.

use bytes::Bytes;

use super::{
    assembler::Arrival,
    grant::{Exceeded, Grant},
    opening::News,
    piece::{Holding, Stretch},
    recv::{Found, Reader, RecvHalf},
};
use crate::{
    CloseReason, Event, Limit, PeerMisbehaved, ReadError, SessionConfig,
    event::EventQueue,
    number::{length, offset},
    wire::{ResetStreamFrame, StreamFrame, StreamId},
};

/// Sums over all receiving halves.
#[derive(Debug)]
pub(crate) struct Receiving {
    holding: Holding,
    soft_cap: usize,
    hard_cap: usize,
    ahead_cap: usize,
    /// Bytes in order that nobody read.
    unread: usize,
    /// Bytes behind gaps, with overhead.
    ahead: usize,
    /// Streams whose reader found nothing and waits.
    waiting: usize,
    bytes_discarded: u64,
    /// How far the peer may go in the session.
    pub(super) grant: Grant,
}

/// What a Stream frame came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effect {
    /// Whether it brought anything that was not there.
    pub(crate) news: News,
    /// How many received pieces it was compared with.
    pub(crate) compared: u64,
}

impl Effect {
    /// Nothing changed.
    pub(crate) const NONE: Self = Self {
        news: News::None,
        compared: 0,
    };
}

impl Receiving {
    pub(crate) fn new(config: &SessionConfig) -> Self {
        Self {
            holding: Holding::new(config),
            soft_cap: config.unread_soft_cap,
            hard_cap: config.unread_hard_cap,
            ahead_cap: config.out_of_order_cap,
            unread: 0,
            ahead: 0,
            waiting: 0,
            bytes_discarded: 0,
            grant: Grant::default(),
        }
    }

    /// A record of so many bytes came on the connection that has this stretch.
    pub(crate) fn begin_record(&mut self, stretch: &mut Stretch, bytes: usize) {
        self.holding.begin_record(stretch, bytes);
    }

    /// Takes in one Stream frame that lies in `payload`.
    pub(crate) fn receive(
        &mut self,
        half: &mut RecvHalf,
        frame: &StreamFrame<'_>,
        payload: &Bytes,
        events: &mut EventQueue,
    ) -> Result<Effect, CloseReason> {
        let arrival = Arrival {
            offset: frame.offset,
            data: frame.data,
            payload,
        };
        self.reach(half, frame.offset + offset(frame.data.len()))?;
        let ahead_before = half.assembler.ahead_cost();
        let received = half.receive(arrival, frame.fin, &mut self.holding)?;
        self.unread += received.in_order;
        self.ahead = self.ahead + half.assembler.ahead_cost() - ahead_before;
        self.bytes_discarded += offset(received.discarded);
        if received.news {
            self.stop_waiting(half);
            Self::report(half, frame.stream, events);
        }
        self.take_unwanted(half);
        self.check_caps()?;
        Ok(Effect {
            news: received.fresh,
            compared: offset(received.compared),
        })
    }

    /// Takes in one Stream frame whose data is what comes next, and is with the reader.
    pub(crate) fn deliver(
        &mut self,
        half: &mut RecvHalf,
        frame: &StreamFrame<'_>,
    ) -> Result<(), CloseReason> {
        let length = frame.data.len();
        self.reach(half, frame.offset + offset(length))?;
        half.deliver(length, frame.fin)?;
        self.take(half, length);
        self.stop_waiting(half);
        Ok(())
    }

    /// The peer broke a stream off: what was not read is dropped.
    pub(crate) fn reset(
        &mut self,
        half: &mut RecvHalf,
        frame: ResetStreamFrame,
        events: &mut EventQueue,
    ) -> Result<(), CloseReason> {
        self.reach(half, frame.final_size)?;
        let (unread, ahead) = (half.assembler.unread(), half.assembler.ahead_cost());
        let news = half.reset(frame.final_size, frame.code, &mut self.holding)?;
        let dropped = unread - half.assembler.unread();
        self.unread -= dropped;
        self.ahead -= ahead - half.assembler.ahead_cost();
        self.bytes_discarded += offset(dropped);
        self.take_unwanted(half);
        if news {
            self.stop_waiting(half);
            Self::report(half, frame.stream, events);
        }
        Ok(())
    }

    /// A late copy for a stream that is over.
    pub(crate) fn discard(&mut self, frame: &StreamFrame<'_>) {
        self.bytes_discarded += offset(frame.data.len());
    }

    /// The next bytes; when there are none, the reader waits.
    pub(crate) fn read_chunk(
        &mut self,
        half: &mut RecvHalf,
        max: usize,
    ) -> Result<Option<Bytes>, ReadError> {
        Self::begin_read(half)?;
        match half.read_chunk(max.max(1), &mut self.holding) {
            Found::Bytes(bytes) => {
                self.unread -= bytes.len();
                self.take(half, bytes.len());
                Ok(Some(bytes))
            }
            Found::End => Ok(None),
            Found::Nothing => Err(self.wait(half)),
        }
    }

    /// Copies the next bytes; when there are none, the reader waits.
    pub(crate) fn read(
        &mut self,
        half: &mut RecvHalf,
        buffer: &mut [u8],
    ) -> Result<usize, ReadError> {
        Self::begin_read(half)?;
        let filled = half.read(buffer, &mut self.holding);
        self.unread -= filled;
        self.take(half, filled);
        if filled == 0 && !buffer.is_empty() && !half.is_at_end() {
            return Err(self.wait(half));
        }
        Ok(filled)
    }

    /// Reads no more.
    pub(crate) fn stop(&mut self, half: &mut RecvHalf) {
        self.stop_waiting(half);
        self.unread -= half.assembler.unread();
        self.ahead -= half.assembler.ahead_cost();
        self.bytes_discarded += offset(half.assembler.unread());
        half.stop(&mut self.holding);
        self.take_unwanted(half);
    }

    /// Whether what nobody read is below the soft cap.
    pub(crate) fn has_room(&self) -> bool {
        self.unread < self.soft_cap
    }

    /// Whether what nobody read is far from the hard cap.
    pub(crate) fn may_hoard(&self) -> bool {
        self.has_room() || self.unread < self.hard_cap / 4
    }

    /// Whether a reader waits on a stream that has nothing to deliver.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Bytes in order that nobody read.
    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    /// Bytes behind gaps, with overhead.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead
    }

    /// Bytes that arrived and were dropped.
    pub(crate) fn bytes_discarded(&self) -> u64 {
        self.bytes_discarded
    }

    /// 6.1: the peer goes as far as `end` on a stream.
    fn reach(&mut self, half: &mut RecvHalf, end: u64) -> Result<(), PeerMisbehaved> {
        let more = half.further(end);
        half.grant
            .reach(more)
            .map_err(|Exceeded| PeerMisbehaved::StreamDataLimit)?;
        self.grant
            .reach(more)
            .map_err(|Exceeded| PeerMisbehaved::SessionDataLimit)
    }

    fn take(&mut self, half: &mut RecvHalf, bytes: usize) {
        half.grant.take(offset(bytes));
        self.grant.take(offset(bytes));
    }

    /// What nobody will read holds nobody up.
    fn take_unwanted(&mut self, half: &mut RecvHalf) {
        if half.is_unwanted() {
            self.grant.take(half.grant.take_rest());
        }
    }

    fn begin_read(half: &mut RecvHalf) -> Result<(), ReadError> {
        half.reported = false;
        match half.state.reset_code() {
            _ if half.reader == Reader::Stopped => Err(ReadError::Stopped),
            Some(code) => Err(ReadError::Reset(code)),
            None => Ok(()),
        }
    }

    fn report(half: &mut RecvHalf, stream: StreamId, events: &mut EventQueue) {
        if !half.reported {
            half.reported = true;
            events.push(Event::Readable(stream));
        }
    }

    fn wait(&mut self, half: &mut RecvHalf) -> ReadError {
        if half.reader == Reader::Wanting {
            half.reader = Reader::Waiting;
            self.waiting += 1;
        }
        ReadError::Blocked
    }

    fn stop_waiting(&mut self, half: &mut RecvHalf) {
        if half.reader == Reader::Waiting {
            half.reader = Reader::Wanting;
            self.waiting -= 1;
        }
    }

    /// A-34 a and b, after the arrival that may have passed a cap.
    fn check_caps(&self) -> Result<(), CloseReason> {
        // Where the peer was told how far it may go, that is what bounds the bytes.
        let granted = self.grant.outstanding().map(length);
        if granted.is_none() && self.unread > self.hard_cap {
            return Err(Limit::UnreadBytes.into());
        }
        if self.ahead > self.ahead_cap.saturating_add(granted.unwrap_or(0)) {
            return Err(Limit::OutOfOrderBytes.into());
        }
        Ok(())
    }
}
