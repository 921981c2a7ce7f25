//! The tokens that a server has issued.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    TokenError,
    wire::{Token, TokenRef, TokenSequence},
};

/// The tokens of a server: each sequence goes forward only, so that none is issued or used twice.
///
/// ```text
///         presented             joined, or its join failed
/// Issued -----------> Pending ----------------------------> (forgotten)
///    |                   |                                       ^
///    +-------------------+------------- burnt -------------------+
/// ```
#[derive(Debug)]
pub(crate) struct TokenIssuer {
    /// `None` when all 255 are issued: none is issued twice (reading A-5).
    next: Option<TokenSequence>,
    /// Not acknowledged, so they may have to be sent again.
    unacked: BTreeMap<TokenSequence, Token>,
    /// Issued, and neither presented nor burnt.
    unused: BTreeSet<TokenSequence>,
    /// Presented on a connection that has not proved itself.
    pending: BTreeSet<TokenSequence>,
    burnt: BTreeSet<TokenSequence>,
}

impl Default for TokenIssuer {
    fn default() -> Self {
        Self {
            next: Some(TokenSequence::EARLY),
            unacked: BTreeMap::new(),
            unused: BTreeSet::new(),
            pending: BTreeSet::new(),
            burnt: BTreeSet::new(),
        }
    }
}

impl TokenIssuer {
    pub(super) fn add_early(&mut self) {
        if self.next == Some(TokenSequence::EARLY) {
            self.next = TokenSequence::EARLY.next();
            self.unused.insert(TokenSequence::EARLY);
        }
    }

    pub(super) fn issue(&mut self, token: Token) -> Result<TokenSequence, TokenError> {
        let sequence = self.next.ok_or(TokenError::UsedUp)?;
        self.next = sequence.next();
        self.unacked.insert(sequence, token);
        self.unused.insert(sequence);
        Ok(sequence)
    }

    pub(super) fn wanted(&self, spare: u8) -> u8 {
        let held = u8::try_from(self.unused.len() + self.pending.len()).unwrap_or(u8::MAX);
        let left = self.next.map_or(0, |next| u8::MAX - next.as_u8() + 1);
        spare.saturating_sub(held).min(left)
    }

    pub(super) fn issued(&self, sequence: TokenSequence) -> Option<TokenRef<'_>> {
        self.unacked.get(&sequence).map(Token::as_token_ref)
    }

    pub(super) fn on_acked(&mut self, sequence: TokenSequence) {
        self.unacked.remove(&sequence);
    }

    pub(super) fn redeem(&mut self, sequence: TokenSequence) -> Result<(), TokenError> {
        if !self.unused.remove(&sequence) {
            return Err(TokenError::Spent);
        }
        // Who presents it has it.
        self.unacked.remove(&sequence);
        self.pending.insert(sequence);
        Ok(())
    }

    pub(super) fn on_joined(&mut self, sequence: TokenSequence) -> bool {
        self.unused.remove(&sequence);
        self.pending.remove(&sequence);
        !self.burnt.contains(&sequence)
    }

    pub(super) fn burn(&mut self, sequence: TokenSequence) -> bool {
        self.unused.remove(&sequence);
        self.pending.remove(&sequence);
        self.unacked.remove(&sequence);
        self.burnt.insert(sequence)
    }

    pub(super) fn was_issued(&self, sequence: TokenSequence) -> bool {
        self.next.is_none_or(|next| sequence < next)
    }

    pub(super) fn count(&self) -> usize {
        let next = self.next.map(TokenSequence::as_u8);
        next.map_or(255, |next| usize::from(next) - 1)
    }

    pub(super) fn unused(&self) -> usize {
        self.unused.len()
    }

    pub(super) fn may_join(&self) -> bool {
        !self.unused.is_empty() || !self.pending.is_empty()
    }
}
