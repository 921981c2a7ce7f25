//! The last words of a session: a code and a reason, which go out on every connection before its last
//! alert (`spec/extensions.md` 6.3).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Session, close,
    state::{Draining, Lifecycle},
};
use crate::{
    CloseCode, CloseReason, ConnectionHandle,
    connection::WriteHalf,
    wire::{
        ExtendedFrame, Features, Frame, RecordBuilder, SessionCloseFrame, frame::MAX_PLAINTEXT,
    },
};

/// Why a session ended, in the words of the side that ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionClose {
    /// The code.
    pub code: CloseCode,
    /// For people; not necessarily text. At most 1024 bytes.
    pub reason: Bytes,
}

/// What either side said at the end.
#[derive(Debug, Default)]
pub(crate) struct Farewell {
    own: Option<SessionClose>,
    peer: Option<SessionClose>,
}

/// How long the end of a session is awaited at least.
const LEAST_DRAIN: Duration = Duration::from_millis(250);

impl Session {
    /// Command: as [`close`](Self::close), and tells the peer's application why: a code of the
    /// application's own and a reason of at most 1024 bytes, of which a longer one is cut off. A peer
    /// that speaks the draft alone sees a plain close. The first close counts.
    pub fn close_with(&mut self, code: u32, reason: Bytes, now: Instant) {
        self.next_deadline.forget();
        if self.lifecycle == Lifecycle::Open {
            let code = CloseCode::Application(code);
            self.farewell.own = Some(SessionClose { code, reason });
        }
        close::close(self, now);
    }

    /// Why the peer ended the session, once it said so; what it said first.
    pub fn peer_close(&self) -> Option<&SessionClose> {
        self.farewell.peer.as_ref()
    }
}

impl Farewell {
    /// Whether the peer said that the session ends.
    pub(super) fn is_heard(&self) -> bool {
        self.peer.is_some()
    }

    /// The peer's own words where it ended the session.
    pub(super) fn explain(&self, reason: CloseReason) -> CloseReason {
        match (reason, &self.peer) {
            (
                CloseReason::PeerClose | CloseReason::PeerAlert(_) | CloseReason::Lost(_),
                Some(peer),
            ) => CloseReason::PeerClosed(peer.code),
            (reason, _) => reason,
        }
    }
}

/// The peer says why it ends the session. Its alert follows.
pub(super) fn on_session_close(session: &mut Session, frame: &SessionCloseFrame<'_>) {
    if !is_agreed(session) {
        return;
    }
    session.farewell.peer.get_or_insert_with(|| SessionClose {
        code: CloseCode::from_wire(frame.space, frame.code),
        reason: Bytes::copy_from_slice(cut(frame.reason)),
    });
}

/// Adds what there is to say to the record that is built, the last one with frames.
pub(super) fn push(session: &mut Session, c: ConnectionHandle) {
    if !is_agreed(session) {
        return;
    }
    let words = match session.lifecycle {
        Lifecycle::Closed(reason) => {
            // A record that was begun is not to be ended.
            session.builder = RecordBuilder::new(MAX_PLAINTEXT);
            reason.code().map(|code| SessionClose {
                code: CloseCode::Transport(code),
                reason: text(reason).into(),
            })
        }
        Lifecycle::Draining(_) => session.farewell.own.clone(),
        Lifecycle::Open | Lifecycle::Finishing(_) => None,
    };
    let Some(SessionClose { code, reason }) = words else {
        return;
    };
    let frame = Frame::Extended(ExtendedFrame::SessionClose(SessionCloseFrame {
        space: code.space(),
        code: code.as_u32(),
        reason: cut(&reason),
    }));
    if session.builder.push_control(&frame).is_ok()
        && let Some(connection) = session.connections.get_mut(c)
    {
        connection.stats.frames_sent.count(&frame);
    }
}

/// What the peer is to be told, which knows whose fault it is.
fn text(reason: CloseReason) -> String {
    if let CloseReason::PeerMisbehaved(error) = reason {
        error.to_string()
    } else {
        reason.to_string()
    }
}

/// How long the peer's answer to `close_notify` is awaited.
pub(super) fn drain_time(session: &Session) -> Duration {
    let longest = session.config.drain_timeout;
    if !is_agreed(session) {
        return longest;
    }
    let round_trips = session
        .connections
        .iter_live()
        .filter_map(|(_, connection)| connection.liveness.info())
        .map(|info| info.round_trip)
        .filter(|round_trip| !round_trip.is_zero());
    match round_trips.max() {
        Some(slowest) => slowest.saturating_mul(3).max(LEAST_DRAIN).min(longest),
        None => longest,
    }
}

/// The answer did not come in time. Returns whether there is a reason to wait for longer: the question
/// is still on its way, as far as TCP knows.
pub(super) fn defer(session: &mut Session, draining: Draining, now: Instant) -> bool {
    let time = drain_time(session);
    let on_its_way = session.connections.iter_live().any(|(_, connection)| {
        let delivered = connection.liveness.delivered(now);
        connection.state.write == WriteHalf::NotifyDue
            || delivered.is_some_and(|since| since + time > now)
    });
    let deadline = (now + time).min(draining.until);
    if !on_its_way || deadline <= now {
        return false;
    }
    session.lifecycle = Lifecycle::Draining(Draining {
        deadline,
        ..draining
    });
    true
}

/// Whether the peer was told all there is to tell, as far as TCP knows, whether or not it answers.
pub(super) fn is_said(session: &Session, draining: Draining, now: Instant) -> bool {
    let delivered = session.connections.iter_live().any(|(_, connection)| {
        connection.state.write == WriteHalf::Shutdown
            && connection
                .liveness
                .delivered(now)
                .is_some_and(|since| since < now)
    });
    is_agreed(session) && draining.sent && delivered
}

fn is_agreed(session: &Session) -> bool {
    session.terms.features().contains(Features::SESSION_CLOSE)
}

fn cut(reason: &[u8]) -> &[u8] {
    reason
        .get(..SessionCloseFrame::MAX_REASON)
        .unwrap_or(reason)
}
