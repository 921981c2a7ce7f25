//! Tokens on either side: the client's pool and the server's issuing (draft 4.2.1, 5.2.5).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    PeerMisbehaved, TokenError,
    wire::{ConnectionId, Role, Token, TokenRef, TokenSequence},
};

/// What this side does with tokens; a client has no way to send one (draft 5.2.5).
#[derive(Debug)]
pub(crate) enum Tokens {
    Client(TokenPool),
    Server(TokenIssuer),
}

/// The tokens that a client holds.
///
/// A token moves out when it is taken. Its place stays, so that a later copy is not taken for new.
#[derive(Debug, Default)]
pub(crate) struct TokenPool {
    places: BTreeMap<TokenSequence, Place>,
    burnt: BTreeSet<TokenSequence>,
}

#[derive(Debug)]
enum Place {
    Unused(Token),
    /// Taken, or burnt by a Connection Reset.
    Spent,
}

/// The tokens that a server has issued.
#[derive(Debug)]
pub(crate) struct TokenIssuer {
    /// `None` when all 255 are issued: none is issued twice (reading A-5).
    next: Option<TokenSequence>,
    /// Not acknowledged, so they may have to be sent again.
    unacked: BTreeMap<TokenSequence, Token>,
    burnt: BTreeSet<TokenSequence>,
}

impl Tokens {
    pub(crate) fn new(role: Role) -> Self {
        match role {
            Role::Client => Self::Client(TokenPool::default()),
            Role::Server => Self::Server(TokenIssuer {
                next: Some(TokenSequence::EARLY),
                unacked: BTreeMap::new(),
                burnt: BTreeSet::new(),
            }),
        }
    }

    /// The token out of the server's `EncryptedExtensions`, before all others (reading A-6).
    pub(crate) fn add_early(&mut self, token: Token) {
        match self {
            Self::Client(pool) => {
                pool.places
                    .entry(TokenSequence::EARLY)
                    .or_insert(Place::Unused(token));
            }
            Self::Server(issuer) if issuer.next == Some(TokenSequence::EARLY) => {
                issuer.next = TokenSequence::EARLY.next();
            }
            Self::Server(_) => {}
        }
    }

    /// A New Token frame came. Returns whether the token is new.
    pub(crate) fn receive(
        &mut self,
        sequence: TokenSequence,
        token: TokenRef<'_>,
    ) -> Result<bool, PeerMisbehaved> {
        match self {
            Self::Client(pool) => pool.receive(sequence, token),
            Self::Server(_) => Err(PeerMisbehaved::TokenFromClient),
        }
    }

    /// Takes the unused token of the lowest sequence.
    pub(crate) fn take(&mut self) -> Option<(TokenSequence, Token)> {
        match self {
            Self::Client(pool) => pool.take(),
            Self::Server(_) => None,
        }
    }

    /// Gives a token the next sequence.
    pub(crate) fn issue(&mut self, token: Token) -> Result<TokenSequence, TokenError> {
        match self {
            Self::Client(_) => Err(TokenError::NotServer),
            Self::Server(issuer) => {
                let sequence = issuer.next.ok_or(TokenError::UsedUp)?;
                issuer.next = sequence.next();
                issuer.unacked.insert(sequence, token);
                Ok(sequence)
            }
        }
    }

    /// The token to send under this sequence; `None` when the client has it.
    pub(crate) fn issued(&self, sequence: TokenSequence) -> Option<TokenRef<'_>> {
        match self {
            Self::Client(_) => None,
            Self::Server(issuer) => issuer.unacked.get(&sequence).map(Token::as_token_ref),
        }
    }

    /// The client has this token.
    pub(crate) fn on_acked(&mut self, sequence: TokenSequence) {
        if let Self::Server(issuer) = self {
            issuer.unacked.remove(&sequence);
        }
    }

    /// Whether a token for this connection was ever given out.
    pub(crate) fn was_issued(&self, connection: ConnectionId) -> bool {
        match (self, sequence_of(connection)) {
            (_, None) => false,
            (Self::Client(pool), Some(sequence)) => pool.places.contains_key(&sequence),
            (Self::Server(issuer), Some(sequence)) => {
                issuer.next.is_none_or(|next| sequence < next)
            }
        }
    }

    /// How many tokens the server gave out, as far as this side knows.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Client(pool) => pool.places.len(),
            Self::Server(issuer) => {
                let next = issuer.next.map(TokenSequence::as_u8);
                next.map_or(255, |next| usize::from(next) - 1)
            }
        }
    }

    /// Whether a token is out that was not seen used here.
    pub(crate) fn may_join(&self) -> bool {
        match self {
            Self::Client(pool) => pool
                .places
                .values()
                .any(|place| matches!(place, Place::Unused(_))),
            // Which of its tokens are used is known where connections are accepted.
            Self::Server(issuer) => issuer.next != Some(TokenSequence::EARLY),
        }
    }

    /// The connection of this token was reset before it joined: nobody may join with it (reading
    /// Returns whether that is news.
    pub(crate) fn burn(&mut self, connection: ConnectionId) -> bool {
        match (self, sequence_of(connection)) {
            (_, None) => false,
            (Self::Client(pool), Some(sequence)) => {
                pool.places.insert(sequence, Place::Spent);
                pool.burnt.insert(sequence)
            }
            (Self::Server(issuer), Some(sequence)) => issuer.burnt.insert(sequence),
        }
    }
}

/// The token that a connection with this identifier joins with.
fn sequence_of(connection: ConnectionId) -> Option<TokenSequence> {
    u8::try_from(connection.as_u32())
        .ok()
        .and_then(TokenSequence::from_wire)
}

impl TokenPool {
    /// the same again is nothing new, another value is wrong.
    fn receive(
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
            Some(Place::Unused(_) | Place::Spent) => Ok(false),
        }
    }

    fn take(&mut self) -> Option<(TokenSequence, Token)> {
        let unused = |place: &Place| matches!(place, Place::Unused(_));
        let (&sequence, place) = self.places.iter_mut().find(|(_, place)| unused(place))?;
        match std::mem::replace(place, Place::Spent) {
            Place::Unused(token) => Some((sequence, token)),
            Place::Spent => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(byte: u8) -> Token {
        Token::from_bytes([byte; 32])
    }

    /// Both sides count alike, with the token of the handshake and without.
    #[test]
    fn tokens_are_counted_on_both_sides() {
        let (mut client, mut server) = (Tokens::new(Role::Client), Tokens::new(Role::Server));
        assert_eq!((client.count(), server.count()), (0, 0));
        client.add_early(token(1));
        server.add_early(token(1));
        assert_eq!((client.count(), server.count()), (1, 1));
        let issued = server.issue(token(2)).unwrap();
        client.receive(issued, token(2).as_token_ref()).unwrap();
        client.take().unwrap();
        assert_eq!((client.count(), server.count()), (2, 2));
        while server.issue(token(3)).is_ok() {}
        assert_eq!(server.count(), 255);
    }

    fn sequence(value: u8) -> TokenSequence {
        TokenSequence::from_wire(value).unwrap()
    }

    /// tokens count from 2 after one in the `EncryptedExtensions`, otherwise from 1. A-5: they
    /// end at 255.
    #[test]
    fn issues_each_sequence_once() {
        let mut issuer = Tokens::new(Role::Server);
        issuer.add_early(token(0));
        for expected in 2..=255 {
            assert_eq!(issuer.issue(token(expected)), Ok(sequence(expected)));
        }
        assert_eq!(issuer.issue(token(0)), Err(TokenError::UsedUp));
        assert_eq!(Tokens::new(Role::Server).issue(token(1)), Ok(sequence(1)));
        assert_eq!(
            Tokens::new(Role::Client).issue(token(1)),
            Err(TokenError::NotServer)
        );
    }

    /// a repeated token is ignored, one with another value is wrong.
    #[test]
    fn a_repeated_token_must_be_the_same() {
        let mut pool = Tokens::new(Role::Client);
        assert_eq!(pool.receive(sequence(9), token(1).as_token_ref()), Ok(true));
        assert_eq!(
            pool.receive(sequence(9), token(1).as_token_ref()),
            Ok(false)
        );
        let changed = pool.receive(sequence(9), token(2).as_token_ref());
        assert_eq!(changed, Err(PeerMisbehaved::TokenChanged));
    }

    /// R13: a token is taken once, the lowest first, and a late copy does not bring it back.
    #[test]
    fn a_token_is_taken_once() {
        let mut pool = Tokens::new(Role::Client);
        for value in [7, 3] {
            pool.receive(sequence(value), token(value).as_token_ref())
                .unwrap();
        }
        assert_eq!(pool.take(), Some((sequence(3), token(3))));
        assert_eq!(
            pool.receive(sequence(3), token(3).as_token_ref()),
            Ok(false)
        );
        assert_eq!(pool.take(), Some((sequence(7), token(7))));
        assert_eq!(pool.take(), None);
    }

    /// a Connection Reset for a connection that has not joined burns its token.
    #[test]
    fn a_burnt_token_is_not_taken() {
        let mut pool = Tokens::new(Role::Client);
        pool.receive(sequence(4), token(4).as_token_ref()).unwrap();
        assert!(pool.was_issued(ConnectionId::from_wire(4)));
        assert!(pool.burn(ConnectionId::from_wire(4)));
        assert!(!pool.burn(ConnectionId::from_wire(4)), "burnt already");
        assert_eq!(pool.take(), None);
        assert!(pool.was_issued(ConnectionId::from_wire(4)));
        assert!(!pool.was_issued(ConnectionId::from_wire(5)));
        assert!(!pool.was_issued(ConnectionId::from_wire(260)));
    }
}
