//! Which streams were opened, by whom, and how many more may be (draft 4.1, readings ).

use crate::{
    CloseReason, Limit, OpenError, PeerMisbehaved, SessionConfig,
    wire::{Role, StreamId},
};

/// The identifiers of both sides.
///
/// Each side opens its identifiers in order, so one number a side says which streams ever were.
#[derive(Debug)]
pub(crate) struct Opening {
    role: Role,
    own: Side,
    peer: Side,
    /// Own streams that the application left unfinished.
    abandoned: u32,
    opener: Opener,
}

/// The streams that one side opens.
#[derive(Debug)]
struct Side {
    /// Index of the first stream not opened yet.
    next: u32,
    /// Streams that are not finished in both directions and acknowledged.
    counted: u32,
    limit: u32,
    /// How many may be opened in all, where that was agreed on.
    granted: Option<u32>,
}

/// Whether the application waits to open a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    Idle,
    Waiting,
}

/// Whether somebody is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum News {
    #[default]
    None,
    Some,
}

impl News {
    pub(crate) fn when(some: bool) -> Self {
        if some { Self::Some } else { Self::None }
    }
}

impl Opening {
    pub(crate) fn new(role: Role, config: &SessionConfig) -> Self {
        let side = |limit| Side {
            next: 0,
            counted: 0,
            limit,
            granted: None,
        };
        Self {
            role,
            own: side(config.own_streams),
            peer: side(config.peer_streams),
            abandoned: 0,
            opener: Opener::Idle,
        }
    }

    /// The next own stream.
    pub(crate) fn open(&mut self) -> Result<StreamId, OpenError> {
        if self
            .own
            .granted
            .is_some_and(|granted| self.own.next >= granted)
        {
            return Err(OpenError::Blocked);
        }
        if self.own.counted >= self.own.limit {
            // A-34 d: waiting does not help against streams that cannot end.
            let pointless = self.abandoned >= self.own.limit;
            return Err(if pointless {
                OpenError::StreamLimit
            } else {
                OpenError::Blocked
            });
        }
        let id = StreamId::nth(self.role, self.own.next).ok_or(OpenError::IdsUsedUp)?;
        self.own.next += 1;
        self.own.counted += 1;
        Ok(id)
    }

    /// How many streams the peer lets this side open; it may open as many as there may be at a time.
    pub(crate) fn agree(&mut self, own: u32) {
        self.own.granted = Some(own);
        self.peer.granted = Some(self.peer.limit);
    }

    /// The peer lets this side open more streams. Returns whether it does, and whether somebody waits.
    pub(crate) fn on_max_streams(&mut self, count: u32) -> (News, News) {
        match self.own.granted {
            Some(granted) if count > granted => {
                self.own.granted = Some(count);
                (News::Some, self.stop_waiting())
            }
            _ => (News::None, News::None),
        }
    }

    /// Whether the peer is to be told that it may open more: half of those that it could have is used
    /// up.
    pub(crate) fn is_grant_due(&self) -> bool {
        let Some(granted) = self.peer.granted else {
            return false;
        };
        let (left, available) = (granted - self.peer.next, self.most() - self.peer.next);
        left < available && left <= available / 2
    }

    /// Lets the peer open as many streams as may be open at a time; returns how many that are in all.
    pub(crate) fn renew_grant(&mut self) -> Option<u32> {
        let most = self.most();
        let granted = self.peer.granted.as_mut()?;
        *granted = most.max(*granted);
        Some(*granted)
    }

    /// How many streams the peer may have opened when those that count are as many as may be.
    fn most(&self) -> u32 {
        let over = self.peer.next - self.peer.counted;
        over.saturating_add(self.peer.limit)
    }

    /// The application waits to open a stream; returns whether that is new.
    pub(crate) fn wait(&mut self) -> News {
        if std::mem::replace(&mut self.opener, Opener::Waiting) == Opener::Idle {
            News::Some
        } else {
            News::None
        }
    }

    /// the peer names a stream that is not open yet: it opens with all lower ones of its.
    pub(crate) fn open_for_peer(
        &mut self,
        id: StreamId,
    ) -> Result<impl Iterator<Item = StreamId> + use<>, CloseReason> {
        if id.initiator() == self.role {
            return Err(PeerMisbehaved::UnopenedStream.into());
        }
        if self
            .peer
            .granted
            .is_some_and(|granted| id.index() >= granted)
        {
            return Err(PeerMisbehaved::StreamsLimit.into());
        }
        let indices = self.peer.next..=id.index();
        let more = id.index() - self.peer.next + 1;
        self.peer.counted = self.peer.counted.saturating_add(more);
        if self.peer.counted > self.peer.limit {
            return Err(Limit::PeerStreams.into());
        }
        self.peer.next = id.index() + 1;
        let peer = self.role.peer();
        Ok(indices.filter_map(move |index| StreamId::nth(peer, index)))
    }

    /// The application left its half of this stream unfinished; returns whether that ends the
    /// waiting for a stream to open, because none can any more.
    pub(crate) fn on_abandoned(&mut self, id: StreamId) -> News {
        if id.initiator() != self.role {
            return News::None;
        }
        self.abandoned += 1;
        if self.abandoned < self.own.limit {
            return News::None;
        }
        self.stop_waiting()
    }

    /// The stream is finished in both directions and acknowledged; returns whether that ends the
    /// waiting for a stream to open.
    pub(crate) fn on_finished(&mut self, id: StreamId) -> News {
        if id.initiator() != self.role {
            self.peer.counted -= 1;
            return News::None;
        }
        self.own.counted -= 1;
        self.stop_waiting()
    }

    /// Whether the stream was ever opened.
    pub(crate) fn was_opened(&self, id: StreamId) -> bool {
        let side = if id.initiator() == self.role {
            &self.own
        } else {
            &self.peer
        };
        id.index() < side.next
    }

    /// Who the other side is.
    pub(crate) fn peer(&self) -> Role {
        self.role.peer()
    }

    /// How many streams each side ever opened: this one, the peer.
    pub(crate) fn opened(&self) -> (u32, u32) {
        (self.own.next, self.peer.next)
    }

    /// Nobody waits to open a stream any more; returns whether somebody did.
    pub(crate) fn stop_waiting(&mut self) -> News {
        if std::mem::replace(&mut self.opener, Opener::Idle) == Opener::Waiting {
            News::Some
        } else {
            News::None
        }
    }
}
