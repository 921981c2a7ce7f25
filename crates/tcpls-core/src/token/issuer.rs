//! The tokens that a server has issued.

use std::{collections::BTreeMap, time::Instant};

use super::{NewToken, lifetime::Lifetime};
use crate::{
    KeyGenerations, TokenError,
    wire::{
        ConnectionId, ExtendedFrame, ExtendedTokenFrame, Frame, NewTokenFrame, Token, TokenRef,
        TokenSequence,
    },
};

/// The tokens of a server: the identifiers go forward only, so that none is issued or used twice, and
/// those that are over are known by being lower than the next one.
///
/// ```text
///         presented             joined, or its join failed
/// Unused -----------> Pending ----------------------------> (over)
///    |                   |                                     ^
///    +-------------------+---- burnt, expired, withdrawn ------+
/// ```
#[derive(Debug)]
pub(crate) struct TokenIssuer {
    numbering: Numbering,
    /// `None` when all are issued: none is issued twice (reading A-5).
    next: Option<ConnectionId>,
    /// Issued, and neither presented nor over.
    unused: BTreeMap<ConnectionId, Unused>,
    /// Presented on a connection that has not proved itself.
    pending: BTreeMap<ConnectionId, Pending>,
    /// How many of `unused` are fresh.
    fresh: usize,
    /// When a token turns stale or is over, if that lies ahead.
    next_turn: Option<Instant>,
}

/// How tokens are numbered, and which frame carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// New Token frames: 1 to 255.
    Draft,
    /// Frames of the extension profile: 1 to 2^32-1.
    Extended,
}

#[derive(Debug)]
struct Unused {
    start: KeyGenerations,
    lifetime: Option<Lifetime>,
    delivery: Delivery,
    standing: Standing,
}

#[derive(Debug)]
enum Delivery {
    /// The client may not have it, so it may have to be sent again.
    Unacked(Token),
    Delivered,
}

/// Whether the client is to get another token for this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Fresh,
    /// It is: this one is near its end, or starts at keys that are long out of use.
    Stale,
    /// It has it, and is told to drop this one. A client that uses it all the same, because it does not
    /// know yet, is let in.
    Withdrawn,
}

#[derive(Debug)]
enum Pending {
    Proving(KeyGenerations),
    /// The peer reported it as failed.
    Burnt,
}

/// How many generations a token may be behind before it is replaced: the keys of all of them are kept for
/// it.
const GENERATIONS_BEHIND: u32 = 16;

impl Default for TokenIssuer {
    fn default() -> Self {
        Self {
            numbering: Numbering::Draft,
            next: Some(FIRST),
            unused: BTreeMap::new(),
            pending: BTreeMap::new(),
            fresh: 0,
            next_turn: None,
        }
    }
}

impl TokenIssuer {
    pub(super) fn set_numbering(&mut self, numbering: Numbering) {
        self.numbering = numbering;
    }

    pub(super) fn add_early(&mut self) {
        if self.next == Some(FIRST) {
            self.next = self.after(FIRST);
            self.add(FIRST, Unused::new(Delivery::Delivered));
        }
    }

    pub(super) fn issue(&mut self, new: NewToken) -> Result<ConnectionId, TokenError> {
        let id = self.next.ok_or(TokenError::UsedUp)?;
        self.next = self.after(id);
        let unused = Unused::new(Delivery::Unacked(new.token));
        let unused = match self.numbering {
            Numbering::Draft => unused,
            Numbering::Extended => Unused {
                start: new.start,
                lifetime: new.lifetime.map(|time| Lifetime::issued(time, new.now)),
                ..unused
            },
        };
        let turn = unused.lifetime.map(|lifetime| lifetime.turns()[0]);
        self.next_turn = self.next_turn.into_iter().chain(turn).min();
        self.add(id, unused);
        Ok(id)
    }

    /// How many more tokens give the client `spare` fresh ones. Joins in progress count as such.
    pub(super) fn wanted(&self, spare: u8) -> u8 {
        let held = u8::try_from(self.fresh + self.proving()).unwrap_or(u8::MAX);
        let left = self.next.map_or(0, |next| self.last() - next.as_u32() + 1);
        spare
            .saturating_sub(held)
            .min(u8::try_from(left).unwrap_or(u8::MAX))
    }

    /// The frame that gives the client this token; `None` when it has it, or the token is over.
    pub(super) fn frame(&self, id: ConnectionId, now: Instant) -> Option<Frame<'_>> {
        let unused = self.unused.get(&id)?;
        let Delivery::Unacked(token) = &unused.delivery else {
            return None;
        };
        let token = token.as_token_ref();
        Some(match self.numbering {
            Numbering::Draft => draft_frame(id, token)?,
            Numbering::Extended => Frame::Extended(ExtendedFrame::NewToken(ExtendedTokenFrame {
                connection: id,
                token,
                receive_generation: unused.start.sent,
                send_generation: unused.start.received,
                lifetime: unused.lifetime.map_or(0, |lifetime| lifetime.seconds(now)),
            })),
        })
    }

    /// The client has this token. Returns the tokens that it can drop for it.
    pub(super) fn on_acked(&mut self, id: ConnectionId, spare: u8) -> Vec<ConnectionId> {
        if let Some(unused) = self.unused.get_mut(&id) {
            unused.delivery = Delivery::Delivered;
        }
        let delivered = self.unused.values().filter(|unused| {
            unused.standing == Standing::Fresh && matches!(unused.delivery, Delivery::Delivered)
        });
        if delivered.count() < usize::from(spare) {
            return Vec::new();
        }
        let stale = self
            .unused
            .iter_mut()
            .filter(|(_, unused)| unused.standing == Standing::Stale);
        stale
            .map(|(id, unused)| {
                unused.standing = Standing::Withdrawn;
                *id
            })
            .collect()
    }

    /// The client has dropped this token.
    pub(super) fn on_dropped(&mut self, id: ConnectionId) {
        let withdrawn = |unused: &Unused| unused.standing == Standing::Withdrawn;
        if self.unused.get(&id).is_some_and(withdrawn) {
            self.take(id);
        }
    }

    /// The session takes this token no more. Returns whether it still did.
    pub(super) fn withdraw(&mut self, id: ConnectionId) -> bool {
        self.take(id).is_some()
    }

    /// Marks what is to be replaced and drops what is over, with the keys being at `reached`.
    pub(super) fn age(&mut self, reached: KeyGenerations, now: Instant) {
        let expired = |unused: &Unused| unused.lifetime.is_some_and(|time| time.is_over(now));
        self.unused.retain(|_, unused| !expired(unused));
        for unused in self.unused.values_mut() {
            let behind = match self.numbering {
                Numbering::Draft => 0,
                Numbering::Extended => (reached.sent.saturating_sub(unused.start.sent))
                    .max(reached.received.saturating_sub(unused.start.received)),
            };
            let stale = unused.lifetime.is_some_and(|time| time.is_stale(now));
            if unused.standing == Standing::Fresh && (stale || behind >= GENERATIONS_BEHIND) {
                unused.standing = Standing::Stale;
            }
        }
        let lifetimes = self.unused.values().filter_map(|unused| unused.lifetime);
        let turns = lifetimes.flat_map(Lifetime::turns);
        self.next_turn = turns.filter(|turn| *turn > now).min();
        self.recount();
    }

    /// When [`age`](Self::age) may find something next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_turn
    }

    /// The lowest generations at which a connection may still join, apart from those of tokens to come.
    pub(super) fn generations(&self) -> Option<KeyGenerations> {
        let unused = self.unused.values().map(|unused| unused.start);
        let pending = self.pending.values().filter_map(|pending| match pending {
            Pending::Proving(start) => Some(*start),
            Pending::Burnt => None,
        });
        unused.chain(pending).reduce(KeyGenerations::min)
    }

    pub(super) fn redeem(&mut self, id: ConnectionId) -> Result<KeyGenerations, TokenError> {
        // Who presents it has it.
        let unused = self.take(id).ok_or(TokenError::Spent)?;
        self.pending.insert(id, Pending::Proving(unused.start));
        Ok(unused.start)
    }

    pub(super) fn on_joined(&mut self, id: ConnectionId) -> bool {
        self.take(id);
        !matches!(self.pending.remove(&id), Some(Pending::Burnt))
    }

    /// Nobody joins with this token any more. Returns whether that is news.
    pub(super) fn burn(&mut self, id: ConnectionId) -> bool {
        if let Some(pending) = self.pending.get_mut(&id) {
            let before = std::mem::replace(pending, Pending::Burnt);
            return matches!(before, Pending::Proving(_));
        }
        self.take(id).is_some()
    }

    /// The join with this token came to nothing. Returns whether the peer is to be told.
    pub(super) fn on_join_failed(&mut self, id: ConnectionId) -> bool {
        matches!(self.pending.remove(&id), Some(Pending::Proving(_))) || self.take(id).is_some()
    }

    pub(super) fn was_issued(&self, id: ConnectionId) -> bool {
        self.next.is_none_or(|next| id < next)
    }

    pub(super) fn count(&self) -> u32 {
        self.next.map_or(self.last(), |next| next.as_u32() - 1)
    }

    pub(super) fn are_used_up(&self) -> bool {
        self.next.is_none()
    }

    pub(super) fn unused(&self) -> usize {
        self.unused.len()
    }

    pub(super) fn is_unused(&self, id: ConnectionId) -> bool {
        self.unused.contains_key(&id)
    }

    pub(super) fn may_join(&self) -> bool {
        !self.unused.is_empty() || self.proving() > 0
    }

    /// Joins in progress.
    fn proving(&self) -> usize {
        let proving = |pending: &&Pending| matches!(pending, Pending::Proving(_));
        self.pending.values().filter(proving).count()
    }

    fn add(&mut self, id: ConnectionId, unused: Unused) {
        self.unused.insert(id, unused);
        self.recount();
    }

    fn take(&mut self, id: ConnectionId) -> Option<Unused> {
        let unused = self.unused.remove(&id)?;
        self.recount();
        Some(unused)
    }

    fn recount(&mut self) {
        let fresh = |unused: &&Unused| unused.standing == Standing::Fresh;
        self.fresh = self.unused.values().filter(fresh).count();
    }

    fn after(&self, id: ConnectionId) -> Option<ConnectionId> {
        let next = id.as_u32().checked_add(1)?;
        (next <= self.last()).then_some(ConnectionId::from_wire(next))
    }

    fn last(&self) -> u32 {
        match self.numbering {
            Numbering::Draft => u32::from(TokenSequence::LAST.as_u8()),
            Numbering::Extended => u32::MAX,
        }
    }
}

impl Unused {
    fn new(delivery: Delivery) -> Self {
        Self {
            start: KeyGenerations::FIRST,
            lifetime: None,
            delivery,
            standing: Standing::Fresh,
        }
    }
}

fn draft_frame(id: ConnectionId, token: TokenRef<'_>) -> Option<Frame<'_>> {
    let sequence = TokenSequence::of(id)?;
    Some(Frame::NewToken(NewTokenFrame { sequence, token }))
}

/// The first identifier that a token can have; 0 is that of the connection of the handshake.
const FIRST: ConnectionId = ConnectionId::from_wire(1);
