//! The tokens that a client holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    PeerMisbehaved,
    wire::{Token, TokenRef, TokenSequence},
};

/// The tokens of a client.
///
/// A token moves out when it is taken. Its place stays, so that a later copy is not taken for new.
///
/// ```text
///         taken           joined, or its join failed
/// Unused -------> Taken ----------------------------> Spent
///    ^              |                                   ^
///    +-- put back --+              burnt, from anywhere |
/// ```
#[derive(Debug, Default)]
pub(crate) struct TokenPool {
    places: BTreeMap<TokenSequence, Place>,
    burnt: BTreeSet<TokenSequence>,
}

#[derive(Debug)]
enum Place {
    Unused(Token),
    /// A join is in progress with it.
    Taken,
    Spent,
}

impl TokenPool {
    pub(super) fn add_early(&mut self, token: Token) {
        self.places
            .entry(TokenSequence::EARLY)
            .or_insert(Place::Unused(token));
    }

    /// A-6: the same again is nothing new, another value is wrong.
    pub(super) fn receive(
        &mut self,
        sequence: TokenSequence,
        token: TokenRef<'_>,
    ) -> Result<bool, PeerMisbehaved> {
        match self.places.get(&sequence) {
            None => {
                self.places
                    .insert(sequence, Place::Unused(token.to_token()));
                Ok(true)
            }
            Some(Place::Unused(known)) if known.as_token_ref() != token => {
                Err(PeerMisbehaved::TokenChanged)
            }
            Some(Place::Unused(_) | Place::Taken | Place::Spent) => Ok(false),
        }
    }

    pub(super) fn take(&mut self) -> Option<(TokenSequence, Token)> {
        let unused = |place: &Place| matches!(place, Place::Unused(_));
        let (&sequence, place) = self.places.iter_mut().find(|(_, place)| unused(place))?;
        match std::mem::replace(place, Place::Taken) {
            Place::Unused(token) => Some((sequence, token)),
            Place::Taken | Place::Spent => None,
        }
    }

    pub(super) fn put_back(&mut self, sequence: TokenSequence, token: Token) -> bool {
        let Some(place @ Place::Taken) = self.places.get_mut(&sequence) else {
            return false;
        };
        *place = Place::Unused(token);
        true
    }

    pub(super) fn on_joined(&mut self, sequence: TokenSequence) -> bool {
        self.places.insert(sequence, Place::Spent);
        !self.burnt.contains(&sequence)
    }

    pub(super) fn burn(&mut self, sequence: TokenSequence) -> bool {
        self.places.insert(sequence, Place::Spent);
        self.burnt.insert(sequence)
    }

    pub(super) fn knows(&self, sequence: TokenSequence) -> bool {
        self.places.contains_key(&sequence)
    }

    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    pub(super) fn unused(&self) -> usize {
        let unused = |place: &&Place| matches!(place, Place::Unused(_));
        self.places.values().filter(unused).count()
    }

    pub(super) fn may_join(&self) -> bool {
        let open = |place: &Place| matches!(place, Place::Unused(_) | Place::Taken);
        self.places.values().any(open)
    }
}
