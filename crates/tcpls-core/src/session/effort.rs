//! How much effort the peer costs that brings nothing (reading A-31).

use std::time::{Duration, Instant};

use crate::{
    BudgetStats, Budgets, PeerMisbehaved,
    wire::{ExtendedFrame, Fin, Frame},
};

/// How many idle frames, idle records or Pings one frame makes up for that changes something.
const MAKES_UP_FOR: u64 = 256;

/// In how many milliseconds an allowance that is used up comes back.
const COMES_BACK_IN: u64 = 10_000;

/// What was used of each allowance, and the record that is being applied.
#[derive(Debug)]
pub(crate) struct Effort {
    budgets: Budgets,
    idle_frames: Allowance,
    idle_records: Allowance,
    pings: Allowance,
    resets: Allowance,
    key_updates: Allowance,
    tickets: Allowance,
    record: RecordEffort,
    stats: BudgetStats,
}

/// What the frames of one record came to.
#[derive(Debug, Clone, Copy, Default)]
struct RecordEffort {
    frames: u64,
    padding: u64,
    pings: u64,
    resets: u64,
    /// Whether the frame that is being applied may end a stream in order.
    may_end: bool,
    ends: u64,
    news: u64,
    /// Received pieces that frames were compared with.
    compared: u64,
}

/// How much of an allowance is used: it grows by what comes, and shrinks with the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    limit: u64,
    /// In units of one thing over [`COMES_BACK_IN`], so that it shrinks by `limit` each millisecond.
    used: u64,
    at: Instant,
}

impl Effort {
    pub(crate) fn new(budgets: Budgets, now: Instant) -> Self {
        let allowance = |limit| Allowance::new(limit, now);
        Self {
            idle_frames: allowance(budgets.idle_frames),
            idle_records: allowance(budgets.idle_records),
            pings: allowance(budgets.pings),
            resets: allowance(budgets.resets),
            key_updates: allowance(budgets.key_updates),
            tickets: allowance(budgets.tickets),
            record: RecordEffort::default(),
            stats: BudgetStats::default(),
            budgets,
        }
    }

    /// The frame that is applied next.
    pub(crate) fn on_frame(&mut self, frame: &Frame<'_>) {
        let record = &mut self.record;
        record.frames += 1;
        record.may_end = false;
        match frame {
            Frame::Padding(_) => record.padding += 1,
            Frame::Ping | Frame::Extended(ExtendedFrame::Probe(_)) => record.pings += 1,
            Frame::Extended(ExtendedFrame::ResetStream(_)) => record.resets += 1,
            // Its other half may have ended in order, which makes up for one.
            Frame::Extended(ExtendedFrame::StopSending(_)) => record.resets += 2,
            Frame::Stream(frame) => record.may_end = frame.fin == Fin::End,
            Frame::Ack(_)
            | Frame::NewToken(_)
            | Frame::ConnectionReset(_)
            | Frame::NewAddress(_)
            | Frame::RemoveAddress(_)
            | Frame::StreamChange(_)
            | Frame::Extended(_) => {}
        }
    }

    /// The frame that was applied changed something.
    pub(crate) fn on_news(&mut self) {
        self.record.news += 1;
        self.record.ends += u64::from(self.record.may_end);
    }

    /// The frame was compared with so many received pieces.
    pub(crate) fn on_compared(&mut self, pieces: u64) {
        self.record.compared += pieces;
    }

    /// All frames of a record were applied.
    pub(crate) fn end_record(&mut self, now: Instant) -> Result<(), PeerMisbehaved> {
        let record = std::mem::take(&mut self.record);
        if record.news > 0 {
            self.key_updates.used = 0;
            for allowance in [
                &mut self.idle_frames,
                &mut self.idle_records,
                &mut self.pings,
            ] {
                allowance.give_back(record.news * MAKES_UP_FOR);
            }
        }
        let idle = record.frames.saturating_sub(record.news) + record.compared;
        if idle > 0 {
            self.stats.idle_frames += idle;
            self.idle_frames
                .take(idle, now)
                .ok_or(PeerMisbehaved::IdleFrames)?;
        }
        if record.pings > 0 {
            self.stats.pings += 1;
            self.pings.take(1, now).ok_or(PeerMisbehaved::PingFlood)?;
        }
        self.resets.give_back(record.ends);
        if record.resets > 0 {
            self.stats.resets += record.resets;
            self.resets
                .take(record.resets, now)
                .ok_or(PeerMisbehaved::ResetFlood)?;
        }
        if record.frames > 0 && record.padding == record.frames {
            self.on_idle_record(now)?;
        }
        Ok(())
    }

    /// A record without frames came on a connection, the last of so many in a row.
    pub(crate) fn on_empty_record(&mut self, in_a_row: u32) -> Result<(), PeerMisbehaved> {
        self.stats.empty_records += 1;
        if in_a_row >= self.budgets.empty_records {
            return Err(PeerMisbehaved::EmptyRecords);
        }
        Ok(())
    }

    /// A record came that asks for nothing and brings nothing.
    pub(crate) fn on_idle_record(&mut self, now: Instant) -> Result<(), PeerMisbehaved> {
        self.stats.idle_records += 1;
        self.idle_records
            .take(1, now)
            .ok_or(PeerMisbehaved::IdleRecords)
    }

    /// The peer has a newer key than ever before, as it was asked to.
    pub(crate) fn on_key_update_answer(&mut self) {
        self.stats.key_updates += 1;
    }

    /// The same, and nobody asked it.
    pub(crate) fn on_key_update(&mut self, now: Instant) -> Result<(), PeerMisbehaved> {
        self.stats.key_updates += 1;
        self.key_updates
            .take(1, now)
            .ok_or(PeerMisbehaved::KeyUpdateFlood)
    }

    /// The server sent a session ticket.
    pub(crate) fn on_ticket(&mut self, now: Instant) -> Result<(), PeerMisbehaved> {
        self.stats.tickets += 1;
        self.tickets.take(1, now).ok_or(PeerMisbehaved::TicketFlood)
    }

    /// The peer advertised an address, which makes so many.
    pub(crate) fn on_address(&mut self, advertised: usize) -> Result<(), PeerMisbehaved> {
        self.stats.peer_addresses += 1;
        self.on_news();
        let limit = usize::try_from(self.budgets.peer_addresses).unwrap_or(usize::MAX);
        if advertised > limit {
            return Err(PeerMisbehaved::AddressFlood);
        }
        Ok(())
    }

    pub(crate) fn stats(&self) -> BudgetStats {
        self.stats
    }
}

impl Allowance {
    /// `limit` things, of which none is used.
    pub(crate) fn new(limit: u32, now: Instant) -> Self {
        Self {
            limit: limit.into(),
            used: 0,
            at: now,
        }
    }

    /// Uses one of it, if there is one.
    pub(crate) fn take_one(&mut self, now: Instant) -> Option<()> {
        let mut rest = *self;
        rest.take(1, now)?;
        *self = rest;
        Some(())
    }

    /// Uses `count` of it; `None` when it is not enough.
    fn take(&mut self, count: u64, now: Instant) -> Option<()> {
        let passed = now.saturating_duration_since(self.at).as_millis();
        if passed > 0 {
            let passed = u64::try_from(passed).unwrap_or(u64::MAX);
            self.used = self.used.saturating_sub(passed.saturating_mul(self.limit));
            self.at = self
                .at
                .checked_add(Duration::from_millis(passed))
                .unwrap_or(now);
        }
        self.used = self
            .used
            .saturating_add(count.saturating_mul(COMES_BACK_IN));
        (self.used <= self.limit.saturating_mul(COMES_BACK_IN)).then_some(())
    }

    fn give_back(&mut self, count: u64) {
        self.used = self
            .used
            .saturating_sub(count.saturating_mul(COMES_BACK_IN));
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::Clock;

    /// An allowance that is used up comes back within ten seconds, evenly, and is never more than whole.
    #[test]
    fn an_allowance_comes_back_with_the_time() {
        let start = Clock::new().now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut allowance = Allowance {
            limit: 10,
            used: 0,
            at: start,
        };
        for _ in 0..10 {
            assert!(allowance.take(1, start).is_some());
        }
        assert!({ allowance }.take(1, at(999)).is_none());
        assert!(allowance.take(1, at(1000)).is_some());
        assert!(allowance.take(10, at(3_600_000)).is_some());
        assert!({ allowance }.take(1, at(3_600_000)).is_none());
        allowance.give_back(3);
        assert!(allowance.take(3, at(3_600_000)).is_some());
        assert!(allowance.take(1, at(3_600_000)).is_none());
    }

    /// No time between records is lost, however short.
    #[test]
    fn short_times_add_up() {
        let start = Clock::new().now();
        let mut allowance = Allowance {
            limit: 10_000, // 30 in 30 ms
            used: 0,
            at: start,
        };
        for micros in (0..100_000_000).step_by(750) {
            let now = start + Duration::from_micros(micros);
            let taken = u64::from(micros % 30_000 == 0) * 29;
            assert!(allowance.take(taken, now).is_some(), "{micros}");
        }
    }
}
