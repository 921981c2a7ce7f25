//! Streams of one direction and of two (`spec/extensions.md` 6.12).

use std::collections::BTreeSet;

use super::{Activity, News, Stream, send::SendHalf, state::SendState};
use crate::wire::{SessionParams, StreamId, frame::EXTENDED_OVERHEAD};

/// What `STREAM_UNI` takes in a record, in bytes.
pub(crate) const STREAM_UNI_LEN: usize = 4 + EXTENDED_OVERHEAD;

/// Which directions a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// The peer has not said yet.
    Unknown,
    /// Both.
    #[default]
    Bidirectional,
    /// The one from its initiator; as long as it is not finished, it counts.
    Unidirectional(Activity),
}

/// Whether the application knows of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Introduction {
    /// It is to be handed out, once its kind is known for certain.
    Due,
    /// It opened it, or it was handed out, or there is nothing to hand out.
    #[default]
    Done,
}

impl Kind {
    pub(crate) fn is_unidirectional(self) -> bool {
        matches!(self, Self::Unidirectional(_))
    }
}

impl Stream {
    /// One that this side opens and alone sends on.
    pub(super) fn become_outgoing(&mut self) {
        self.kind = Kind::Unidirectional(Activity::Counted);
        self.recv.be_absent();
        self.send.buffer.reserve_in_first_record(STREAM_UNI_LEN);
    }

    /// One that the peer alone sends on.
    pub(super) fn become_incoming(&mut self) {
        self.kind = Kind::Unidirectional(Activity::Counted);
        self.send = SendHalf {
            state: SendState::Done,
            ..SendHalf::default()
        };
    }
}

/// Streams of the peer of one kind that wait to be accepted, those that it opened first before the
/// others: the frames of a record are applied from its end.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    waiting: BTreeSet<StreamId>,
    reported: Reported,
}

/// Whether arriving streams were reported since there was none to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reported {
    #[default]
    No,
    Yes,
}

impl Arrivals {
    /// Adds a stream; returns whether that is to be reported.
    pub(crate) fn push(&mut self, stream: StreamId) -> News {
        self.waiting.insert(stream);
        let before = std::mem::replace(&mut self.reported, Reported::Yes);
        News::when(before == Reported::No)
    }

    /// The next stream.
    pub(crate) fn accept(&mut self) -> Option<StreamId> {
        let next = self.waiting.pop_first();
        if next.is_none() {
            self.reported = Reported::No;
        }
        next
    }
}

/// How many unidirectional streams of each side are open.
#[derive(Debug)]
pub(crate) struct UniStreams {
    own: u32,
    own_limit: u32,
    /// Own streams that the application left unfinished and that the peer cannot be told of.
    abandoned: u32,
    peer: u32,
    peer_limit: u32,
}

impl UniStreams {
    pub(crate) fn new(peer_limit: u32) -> Self {
        Self {
            own: 0,
            own_limit: u32::MAX,
            abandoned: 0,
            peer: 0,
            peer_limit,
        }
    }

    /// What the peer allows; without a word, this side's other limits are all there is.
    pub(crate) fn agree(&mut self, peer: &SessionParams) {
        self.own_limit = peer.max_uni_streams.unwrap_or(u32::MAX);
    }

    /// Whether another stream of this side may open.
    pub(crate) fn may_open(&self) -> bool {
        self.own < self.own_limit
    }

    /// Whether streams that cannot end fill the limit.
    pub(crate) fn is_used_up(&self) -> bool {
        self.abandoned >= self.own_limit
    }

    pub(crate) fn on_opened(&mut self) {
        self.own += 1;
    }

    pub(crate) fn on_abandoned(&mut self) {
        self.abandoned += 1;
    }

    /// The peer opened one; returns whether it may.
    pub(crate) fn on_opened_by_peer(&mut self) -> bool {
        self.peer += 1;
        self.peer <= self.peer_limit
    }

    /// A stream is finished, one of the peer's or of this side.
    pub(crate) fn on_finished(&mut self, of_peer: bool) {
        let open = if of_peer {
            &mut self.peer
        } else {
            &mut self.own
        };
        *open -= 1;
    }
}
