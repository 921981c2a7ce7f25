//! Tokens on either side: the client's pool and the server's issuing (draft 4.2.1, 5.2.5).

mod issuer;
mod pool;

use crate::{
    PeerMisbehaved, TokenError,
    wire::{ConnectionId, Role, Token, TokenRef, TokenSequence},
};
use issuer::TokenIssuer;
use pool::TokenPool;

/// What this side does with tokens; a client has no way to send one (draft 5.2.5).
#[derive(Debug)]
pub(crate) enum Tokens {
    Client(TokenPool),
    Server(TokenIssuer),
}

impl Tokens {
    pub(crate) fn new(role: Role) -> Self {
        match role {
            Role::Client => Self::Client(TokenPool::default()),
            Role::Server => Self::Server(TokenIssuer::default()),
        }
    }

    /// The token out of the server's `EncryptedExtensions`, before all others (reading A-6).
    pub(crate) fn add_early(&mut self, token: Token) {
        match self {
            Self::Client(pool) => pool.add_early(token),
            Self::Server(issuer) => issuer.add_early(),
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

    /// The token was not used after all. Returns whether it can be used again.
    pub(crate) fn put_back(&mut self, sequence: TokenSequence, token: Token) -> bool {
        match self {
            Self::Client(pool) => pool.put_back(sequence, token),
            Self::Server(_) => false,
        }
    }

    /// Gives a token the next sequence.
    pub(crate) fn issue(&mut self, token: Token) -> Result<TokenSequence, TokenError> {
        match self {
            Self::Client(_) => Err(TokenError::NotServer),
            Self::Server(issuer) => issuer.issue(token),
        }
    }

    /// How many tokens the client is to be given, so that it has `spare` unused ones.
    pub(crate) fn wanted(&self, spare: u8) -> u8 {
        match self {
            Self::Client(_) => 0,
            Self::Server(issuer) => issuer.wanted(spare),
        }
    }

    /// The token to send under this sequence; `None` when the client has it.
    pub(crate) fn issued(&self, sequence: TokenSequence) -> Option<TokenRef<'_>> {
        match self {
            Self::Client(_) => None,
            Self::Server(issuer) => issuer.issued(sequence),
        }
    }

    /// The client has this token.
    pub(crate) fn on_acked(&mut self, sequence: TokenSequence) {
        if let Self::Server(issuer) = self {
            issuer.on_acked(sequence);
        }
    }

    /// A client presented this token: it is used from now on (reading A-21).
    pub(crate) fn redeem(&mut self, sequence: TokenSequence) -> Result<(), TokenError> {
        match self {
            Self::Client(_) => Err(TokenError::NotServer),
            Self::Server(issuer) => issuer.redeem(sequence),
        }
    }

    /// The connection of this token joined. Returns whether it may: not after a Connection Reset.
    pub(crate) fn on_joined(&mut self, connection: ConnectionId) -> bool {
        match (self, sequence_of(connection)) {
            (_, None) => true,
            (Self::Client(pool), Some(sequence)) => pool.on_joined(sequence),
            (Self::Server(issuer), Some(sequence)) => issuer.on_joined(sequence),
        }
    }

    /// Whether a token for this connection was ever given out.
    pub(crate) fn was_issued(&self, connection: ConnectionId) -> bool {
        match (self, sequence_of(connection)) {
            (_, None) => false,
            (Self::Client(pool), Some(sequence)) => pool.knows(sequence),
            (Self::Server(issuer), Some(sequence)) => issuer.was_issued(sequence),
        }
    }

    /// How many tokens the server gave out, as far as this side knows.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Client(pool) => pool.count(),
            Self::Server(issuer) => issuer.count(),
        }
    }

    /// How many of them can still be used.
    pub(crate) fn unused(&self) -> usize {
        match self {
            Self::Client(pool) => pool.unused(),
            Self::Server(issuer) => issuer.unused(),
        }
    }

    /// Whether a connection may still join: a token is unused, or one is being used.
    pub(crate) fn may_join(&self) -> bool {
        match self {
            Self::Client(pool) => pool.may_join(),
            Self::Server(issuer) => issuer.may_join(),
        }
    }

    /// Nobody may join with the token of this connection any more: it was reset before it joined, or
    /// its join failed (reading A-15). Returns whether that is news.
    pub(crate) fn burn(&mut self, connection: ConnectionId) -> bool {
        match (self, sequence_of(connection)) {
            (_, None) => false,
            (Self::Client(pool), Some(sequence)) => pool.burn(sequence),
            (Self::Server(issuer), Some(sequence)) => issuer.burn(sequence),
        }
    }
}

/// The token that a connection with this identifier joins with.
fn sequence_of(connection: ConnectionId) -> Option<TokenSequence> {
    u8::try_from(connection.as_u32())
        .ok()
        .and_then(TokenSequence::from_wire)
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

    /// a token that was taken but not spent comes back; one that was burnt meanwhile does not.
    #[test]
    fn a_token_that_was_not_spent_comes_back() {
        let mut pool = Tokens::new(Role::Client);
        pool.add_early(token(1));
        let (early, taken) = pool.take().unwrap();
        assert_eq!((pool.unused(), pool.may_join()), (0, true));
        pool.put_back(early, taken);
        let (early, taken) = pool.take().unwrap();
        pool.burn(early.connection_id());
        pool.put_back(early, taken);
        assert_eq!((pool.take(), pool.may_join()), (None, false));
    }

    /// R47, A-44: so many tokens are wanted that the client has eight unused ones; those that joins in
    /// progress hold count until these are over.
    #[test]
    fn tokens_are_replenished() {
        let mut issuer = Tokens::new(Role::Server);
        issuer.add_early(token(1));
        assert_eq!(issuer.wanted(8), 7);
        for value in 2..=8 {
            issuer.issue(token(value)).unwrap();
        }
        assert_eq!((issuer.wanted(8), issuer.unused()), (0, 8));
        issuer.redeem(sequence(3)).unwrap();
        assert_eq!((issuer.wanted(8), issuer.unused()), (0, 7));
        assert!(issuer.on_joined(ConnectionId::from_wire(3)));
        assert_eq!(issuer.wanted(8), 1);
        issuer.burn(ConnectionId::from_wire(5));
        assert_eq!(issuer.wanted(8), 2);
        while issuer.issue(token(9)).is_ok() {}
        assert_eq!(issuer.wanted(255), 0, "no more than 255 ever");
    }

    /// a token is redeemed once, and never after it was burnt, also when the join is in
    /// progress.
    #[test]
    fn a_token_is_redeemed_once() {
        let mut issuer = Tokens::new(Role::Server);
        for value in 1..=3 {
            issuer.issue(token(value)).unwrap();
        }
        assert_eq!(issuer.redeem(sequence(1)), Ok(()));
        assert_eq!(issuer.redeem(sequence(1)), Err(TokenError::Spent));
        assert!(issuer.burn(ConnectionId::from_wire(1)));
        assert!(!issuer.on_joined(ConnectionId::from_wire(1)));
        issuer.burn(ConnectionId::from_wire(2));
        assert_eq!(issuer.redeem(sequence(2)), Err(TokenError::Spent));
        assert_eq!(issuer.redeem(sequence(9)), Err(TokenError::Spent));
        assert!(issuer.may_join());
        issuer.redeem(sequence(3)).unwrap();
        assert!(issuer.may_join(), "in progress");
        issuer.burn(ConnectionId::from_wire(3));
        assert!(!issuer.may_join());
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
