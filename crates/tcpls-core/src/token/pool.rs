//! The tokens that a client holds.

use std::{collections::BTreeMap, time::Instant};

use super::{ReceivedToken, lifetime::Lifetime};
use crate::{
    KeyGenerations, PeerMisbehaved,
    spent_ids::SpentIds,
    wire::{ConnectionId, Token},
};

/// The tokens of a client.
///
/// A token moves out when it is taken. Its identifier is remembered, so that a later copy is not taken
/// for new.
///
/// ```text
///         taken           joined, or its join failed
/// Unused -------> Taken ----------------------------> (spent)
///    ^              |                                   ^
///    +-- put back --+     burnt, expired, or withdrawn  |
/// ```
#[derive(Debug, Default)]
pub(crate) struct TokenPool {
    places: BTreeMap<ConnectionId, Place>,
    spent: SpentIds,
    received: u32,
    /// When a token is over, if that lies ahead.
    next_end: Option<Instant>,
}

#[derive(Debug)]
enum Place {
    Unused(Held),
    /// A join is in progress with it.
    Taken(KeyGenerations, Option<Lifetime>, Fate),
}

#[derive(Debug)]
struct Held {
    token: Token,
    start: KeyGenerations,
    lifetime: Option<Lifetime>,
}

/// What is to become of a token that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    /// The server took it back: it is not used again if it was not yet.
    Withdrawn,
    /// The peer reported its connection as failed: it does not join.
    Burnt,
}

/// How many unused tokens a server may give: twice what can be asked for.
const MAX_UNUSED: usize = 512;

impl TokenPool {
    pub(super) fn add_early(&mut self, token: Token) {
        if self.knows(FIRST) {
            return;
        }
        let held = Held {
            token,
            start: KeyGenerations::FIRST,
            lifetime: None,
        };
        self.add(FIRST, held);
    }

    /// A-6: the same again is nothing new, another value is wrong.
    pub(super) fn receive(&mut self, new: &ReceivedToken<'_>) -> Result<bool, PeerMisbehaved> {
        match self.places.get(&new.id) {
            None if self.spent.contains(new.id) => Ok(false),
            None if self.places.len() >= MAX_UNUSED => Err(PeerMisbehaved::TooManyTokens),
            None => {
                self.add(
                    new.id,
                    Held {
                        token: new.token.to_token(),
                        start: new.start,
                        lifetime: Lifetime::received(new.lifetime, new.now),
                    },
                );
                Ok(true)
            }
            Some(Place::Unused(known)) if known.token.as_token_ref() != new.token => {
                Err(PeerMisbehaved::TokenChanged)
            }
            Some(Place::Unused(_) | Place::Taken(..)) => Ok(false),
        }
    }

    pub(super) fn take(&mut self) -> Option<(ConnectionId, KeyGenerations, Token)> {
        let unused = |place: &Place| matches!(place, Place::Unused(_));
        let (&id, place) = self.places.iter_mut().find(|(_, place)| unused(place))?;
        let (start, lifetime) = match place {
            Place::Unused(held) => (held.start, held.lifetime),
            Place::Taken(..) => return None,
        };
        match std::mem::replace(place, Place::Taken(start, lifetime, Fate::Open)) {
            Place::Unused(held) => Some((id, start, held.token)),
            Place::Taken(..) => None,
        }
    }

    pub(super) fn put_back(&mut self, id: ConnectionId, token: Token) -> bool {
        let Some(Place::Taken(start, lifetime, fate)) = self.places.remove(&id) else {
            return false;
        };
        if fate != Fate::Open {
            self.spent.insert(id);
            return false;
        }
        let held = Held {
            token,
            start,
            lifetime,
        };
        self.places.insert(id, Place::Unused(held));
        true
    }

    pub(super) fn on_joined(&mut self, id: ConnectionId) -> bool {
        self.spent.insert(id);
        let place = self.places.remove(&id);
        !matches!(place, Some(Place::Taken(_, _, Fate::Burnt)))
    }

    /// Nobody joins with this token any more. Returns whether that is news.
    pub(super) fn burn(&mut self, id: ConnectionId) -> bool {
        match self.places.get_mut(&id) {
            Some(Place::Taken(_, _, fate)) => {
                let before = std::mem::replace(fate, Fate::Burnt);
                before != Fate::Burnt
            }
            Some(Place::Unused(_)) => {
                self.drop_unused(id);
                true
            }
            None => false,
        }
    }

    /// The join with this token came to nothing. Returns whether the peer is to be told.
    pub(super) fn on_join_failed(&mut self, id: ConnectionId) -> bool {
        self.spent.insert(id);
        match self.places.remove(&id) {
            Some(Place::Taken(_, _, fate)) => fate != Fate::Burnt,
            Some(Place::Unused(_)) => true,
            None => false,
        }
    }

    /// The server took this token back, perhaps before it came. Returns whether it could be used.
    pub(super) fn withdraw(&mut self, id: ConnectionId) -> bool {
        match self.places.get_mut(&id) {
            Some(Place::Taken(_, _, fate @ Fate::Open)) => {
                *fate = Fate::Withdrawn;
                true
            }
            Some(Place::Taken(..)) => false,
            Some(Place::Unused(_)) => {
                self.drop_unused(id);
                true
            }
            None => {
                self.spent.insert(id);
                false
            }
        }
    }

    /// Drops what is over.
    pub(super) fn age(&mut self, now: Instant) {
        let over = |place: &Place| match place {
            Place::Unused(held) => held.lifetime.is_some_and(|time| time.is_over(now)),
            Place::Taken(..) => false,
        };
        let over = self.places.iter().filter(|(_, place)| over(place));
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.drop_unused(id);
        }
        let lifetimes = self.places.values().filter_map(|place| match place {
            Place::Unused(Held { lifetime, .. }) | Place::Taken(_, lifetime, _) => *lifetime,
        });
        let ends = lifetimes.flat_map(Lifetime::turns);
        self.next_end = ends.filter(|end| *end > now).min();
    }

    /// When [`age`](Self::age) may find something next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_end
    }

    /// The lowest generations at which a connection may still join, apart from those of tokens to come.
    pub(super) fn generations(&self) -> Option<KeyGenerations> {
        let starts = self.places.values().map(|place| match place {
            Place::Unused(held) => held.start,
            Place::Taken(start, _, _) => *start,
        });
        starts.reduce(KeyGenerations::min)
    }

    pub(super) fn knows(&self, id: ConnectionId) -> bool {
        self.places.contains_key(&id) || self.spent.contains(id)
    }

    pub(super) fn count(&self) -> u32 {
        self.received
    }

    pub(super) fn unused(&self) -> usize {
        let unused = |place: &&Place| matches!(place, Place::Unused(_));
        self.places.values().filter(unused).count()
    }

    pub(super) fn may_join(&self) -> bool {
        let open = |place: &Place| match place {
            Place::Unused(_) => true,
            Place::Taken(_, _, fate) => *fate != Fate::Burnt,
        };
        self.places.values().any(open)
    }

    fn add(&mut self, id: ConnectionId, held: Held) {
        self.received = self.received.saturating_add(1);
        let end = held.lifetime.map(|lifetime| lifetime.turns()[0]);
        self.next_end = self.next_end.into_iter().chain(end).min();
        self.places.insert(id, Place::Unused(held));
    }

    fn drop_unused(&mut self, id: ConnectionId) {
        self.places.remove(&id);
        self.spent.insert(id);
    }
}

/// The token out of the server's `EncryptedExtensions` (draft 5.1.3).
const FIRST: ConnectionId = ConnectionId::from_wire(1);
