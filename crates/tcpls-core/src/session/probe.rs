//! Probes: how long a question takes to the peer's session and back, on one connection
//! (`spec/extensions.md` 6.7).

use std::{collections::VecDeque, time::Instant};

use super::{Session, path_state::agreed, transmit::not_built};
use crate::{
    CloseReason, ConnectionHandle, Event,
    wire::{ExtendedFrame, Features, Frame},
};

/// How many answers wait on a connection at most; what the peer asks beyond is not answered.
const MAX_ANSWERS: usize = 8;

/// The probes of one connection.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    own: Own,
    /// Tells apart the answers to this side's probes.
    count: u64,
    /// What the peer is to be answered.
    answers: VecDeque<u64>,
}

/// This side's probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Own {
    #[default]
    None,
    Due,
    Sent(Instant),
    /// A Ping does for it, with a peer that speaks the draft alone.
    ByPing,
}

impl Probes {
    /// Whether there is something to be sent.
    pub(super) fn is_due(&self) -> bool {
        self.own == Own::Due || !self.answers.is_empty()
    }

    /// The Ping of the connection was answered. Returns whether that was the answer to a probe.
    pub(super) fn on_ping_acked(&mut self) -> bool {
        let asked = self.own == Own::ByPing;
        if asked {
            self.own = Own::None;
        }
        asked
    }
}

impl Session {
    /// Command: asks the peer's session for an answer on this very connection; [`Event::Probed`] tells how
    /// long it took, unless the connection ends before. One is in flight at a time: asked again before the
    /// answer came, the later one counts. A peer that speaks the draft alone is sent a Ping, whose
    /// acknowledgment may come on another connection.
    pub fn probe(&mut self, c: ConnectionHandle) {
        let by_ping = !agreed(self, Features::PATH_PROBE);
        if let Some(connection) = self.connections.get_mut(c) {
            connection.probes.own = if by_ping { Own::ByPing } else { Own::Due };
        }
        if by_ping {
            self.ping(c);
        }
    }
}

/// The peer asks.
pub(super) fn on_probe(session: &mut Session, c: ConnectionHandle, opaque: u64) {
    if agreed(session, Features::PATH_PROBE)
        && let Some(connection) = session.connections.get_mut(c)
        && connection.probes.answers.len() < MAX_ANSWERS
    {
        connection.probes.answers.push_back(opaque);
    }
}

/// The peer answers; an answer to nothing, or to an earlier question, says nothing.
pub(super) fn on_reply(session: &mut Session, c: ConnectionHandle, opaque: u64, now: Instant) {
    if let Some(connection) = session.connections.get_mut(c)
        && let Own::Sent(at) = connection.probes.own
        && connection.probes.count == opaque
    {
        connection.probes.own = Own::None;
        session.effort.on_news();
        session.events.push(Event::Probed {
            connection: c,
            round_trip: now.saturating_duration_since(at),
        });
    }
}

/// Adds answers and this side's probe to the record that is built; none of them is sent again.
pub(super) fn push(
    session: &mut Session,
    c: ConnectionHandle,
    now: Instant,
) -> Result<(), CloseReason> {
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    let probes = &mut connection.probes;
    let mut frames: Vec<_> = probes
        .answers
        .drain(..)
        .map(ExtendedFrame::ProbeReply)
        .collect();
    if probes.own == Own::Due {
        probes.own = Own::Sent(now);
        probes.count += 1;
        frames.push(ExtendedFrame::Probe(probes.count));
    }
    for frame in frames {
        let frame = Frame::Extended(frame);
        session.builder.push_control(&frame).map_err(not_built)?;
        connection.stats.frames_sent.count(&frame);
    }
    Ok(())
}
