//! When keys are replaced (reading A-26).

use std::time::Instant;

use super::{Session, effort::Allowance, state::Lifecycle};
use crate::{
    CloseReason, ConnectionHandle, Event, KeyGenerations, PeerMisbehaved,
    connection::KeyUpdateAnswer,
    crypto::{KeyUpdateRequest, PostHandshakeMessage},
    wire::{ConnectionId, Features, Role},
};

impl Session {
    /// Command: moves every connection to new keys now, and asks the peer to do the same (reading A-26).
    /// Both happen by themselves in time, so this is for those who want it sooner. While the last update
    /// that was forced is not on its way, and once the session closes, this does nothing. Nor does it where
    /// the newest key has protected nothing yet and 24 such were replaced within ten seconds: the peer takes
    /// more for a flood ([`Budgets::key_updates`](crate::Budgets::key_updates)).
    pub fn force_key_update(&mut self) {
        if self.lifecycle == Lifecycle::Open {
            self.keys.force(self.clock);
        }
    }
}

/// How much the highest key generations of the session were used, in both directions.
#[derive(Debug)]
pub(crate) struct KeyUsage {
    /// Records of one generation after which the next one begins.
    threshold: u64,
    /// The generation that every sending connection is to be at.
    sending: u32,
    /// The highest one that a connection sends at.
    reached: u32,
    /// What the next update says.
    request: KeyUpdateRequest,
    /// How many requests the peer has not answered.
    requests: u32,
    /// Forced updates of keys that had protected nothing.
    unused: Allowance,
    /// Records sealed at that generation, over all connections.
    sealed: u64,
    /// The highest generation that the peer has sent at.
    receiving: u32,
    /// Generations before these are not needed any more.
    outdated: KeyGenerations,
    review: Review,
}

/// Whether generations may have gone out of use since somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Review {
    Due,
    Done,
}

/// How far an update of the peer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Further {
    /// Not further than one before.
    No,
    /// Further, as the peer was asked to.
    Asked,
    /// Further, of its own accord.
    Unasked,
}

/// How many keys that protected nothing are replaced on demand within ten seconds: less than a peer puts up
/// with by default.
const UNUSED_KEYS: u32 = 24;

/// How many generations are kept below the lowest that is in use: tokens may be on their way to the client
/// that start there.
const GENERATIONS_KEPT: u32 = 4;

impl KeyUsage {
    pub(crate) fn new(threshold: u64, now: Instant) -> Self {
        Self {
            threshold,
            sending: 0,
            reached: 0,
            request: KeyUpdateRequest::NotRequested,
            requests: 0,
            unused: Allowance::new(UNUSED_KEYS, now),
            sealed: 0,
            receiving: 0,
            outdated: KeyGenerations::FIRST,
            review: Review::Done,
        }
    }

    /// The highest generations that were used.
    pub(crate) fn reached(&self) -> KeyGenerations {
        KeyGenerations {
            sent: self.reached,
            received: self.receiving,
        }
    }

    /// Generations before these may have been erased.
    pub(crate) fn outdated(&self) -> KeyGenerations {
        self.outdated
    }

    /// A connection or a token is over: generations may be, too.
    pub(crate) fn review(&mut self) {
        self.review = Review::Due;
    }

    /// Begins the next generation, unless that has just begun, and asks the peer to do the same.
    fn force(&mut self, now: Instant) {
        if self.sending != self.reached || self.sealed == 0 && self.unused.take_one(now).is_none() {
            return;
        }
        self.move_to(self.sending.saturating_add(1));
        self.request = KeyUpdateRequest::Requested;
    }

    /// What the next update says to the peer, once.
    pub(crate) fn take_request(&mut self) -> KeyUpdateRequest {
        let request = std::mem::replace(&mut self.request, KeyUpdateRequest::NotRequested);
        if request == KeyUpdateRequest::Requested {
            self.requests = self.requests.saturating_add(1);
        }
        request
    }

    /// The generation that every sending connection is to be at.
    pub(crate) fn sending(&self) -> u32 {
        self.sending
    }

    /// Whether `generation` is over after one more record.
    pub(crate) fn ends_with_next(&self, generation: u32) -> bool {
        generation == self.sending && self.sealed + 1 >= self.threshold
    }

    /// A record was given out to be sealed at `generation`.
    pub(crate) fn on_record(&mut self, generation: u32) {
        if generation == self.sending {
            self.sealed += 1;
            if self.sealed >= self.threshold {
                self.move_to(self.sending.saturating_add(1));
            }
        }
    }

    /// A connection moved to `generation`.
    pub(crate) fn on_update_sent(&mut self, generation: u32) {
        self.reached = self.reached.max(generation);
        self.review();
        if generation > self.sending {
            self.move_to(generation);
        }
    }

    /// The peer moved a connection to `generation`.
    fn on_update_received(&mut self, generation: u32) -> Further {
        let further = generation > self.receiving;
        self.receiving = self.receiving.max(generation);
        self.review();
        match self.requests.checked_sub(1) {
            _ if !further => Further::No,
            Some(rest) => {
                self.requests = rest;
                Further::Asked
            }
            None => Further::Unasked,
        }
    }

    fn move_to(&mut self, generation: u32) {
        self.sending = generation;
        self.sealed = 0;
    }
}

/// Takes in the content of a handshake record.
pub(super) fn handle_messages(
    session: &mut Session,
    c: ConnectionHandle,
    content: &[u8],
    now: Instant,
) -> Result<(), CloseReason> {
    let mut messages = 0;
    let Some(connection) = session.connections.get_mut(c) else {
        return Ok(());
    };
    connection.messages.handle(content);
    while let Some(message) = connection.messages.poll().map_err(PeerMisbehaved::from)? {
        messages += 1;
        match message {
            PostHandshakeMessage::NewSessionTicket(ticket) => {
                if connection.id != ConnectionId::FIRST {
                    return Err(PeerMisbehaved::TicketElsewhere.into());
                }
                session.effort.on_ticket(now)?;
                session.events.push(Event::Ticket(ticket));
            }
            PostHandshakeMessage::KeyUpdate(request) => {
                connection.key_update.received = connection.key_update.received.saturating_add(1);
                let generation = connection.key_update.received;
                match session.keys.on_update_received(generation) {
                    Further::No => {}
                    Further::Asked => session.effort.on_key_update_answer(),
                    Further::Unasked => session.effort.on_key_update(now)?,
                }
                if request == KeyUpdateRequest::Requested {
                    connection.key_update.answer = KeyUpdateAnswer::Due;
                }
            }
        }
    }
    if messages == 0 {
        session.effort.on_idle_record(now)?;
    }
    Ok(())
}

/// Tells which keys can be erased, where it is agreed that connections which join do not start at the
/// first ones.
pub(super) fn note_outdated(session: &mut Session) {
    if session.keys.review == Review::Done {
        return;
    }
    session.keys.review = Review::Done;
    session.next_deadline.forget();
    if !session.terms.features().contains(Features::TOKENS) {
        return;
    }
    let reached = session.keys.reached();
    if session.role == Role::Server {
        session.control.age_tokens(reached, session.clock);
    }
    let used = session
        .connections
        .iter_live()
        .map(|(_, connection)| KeyGenerations {
            sent: connection.key_update.sent,
            received: connection.key_update.received,
        })
        .chain(session.control.tokens().generations())
        .fold(reached, KeyGenerations::min)
        .back_by(GENERATIONS_KEPT);
    if used != session.keys.outdated {
        session.keys.outdated = used;
        session.events.push(Event::KeysOutdated(used));
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::Clock;

    /// records of one generation are summed over connections; stragglers of older ones are not.
    #[test]
    fn the_threshold_counts_the_highest_generation() {
        let mut keys = KeyUsage::new(3, Clock::new().now());
        for expected in [0, 0, 1] {
            keys.on_record(0);
            assert_eq!(keys.sending(), expected);
        }
        for generation in [0, 0, 0, 1, 0, 1] {
            keys.on_record(generation);
            assert_eq!(keys.sending(), 1);
        }
        keys.on_record(1);
        assert_eq!(keys.sending(), 2);
        keys.on_update_sent(1);
        assert_eq!(keys.sending(), 2);
        keys.on_update_sent(3);
        assert_eq!(keys.sending(), 3);
    }
}
