//! Tokens on either side: the client's pool and the server's issuing (draft 4.2.1, 5.2.5, and
//! `spec/extensions.md` 6.4).

mod config;
mod issuer;
mod lifetime;
mod pool;
mod request;

use std::time::{Duration, Instant};

use crate::{
    KeyGenerations, PeerMisbehaved, TokenError,
    wire::{ConnectionId, Frame, Role, Token, TokenRef},
};
pub(crate) use issuer::Numbering;
use issuer::TokenIssuer;
use pool::TokenPool;
pub(crate) use request::{Next, TokenRequest};

/// What this side does with tokens; a client has no way to send one (draft 5.2.5).
#[derive(Debug)]
pub(crate) enum Tokens {
    Client(TokenPool),
    Server(TokenIssuer),
}

/// The longest lifetime that can be set, a year.
const LONGEST_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A token that a server is about to issue.
#[derive(Debug)]
pub(crate) struct NewToken {
    pub(crate) token: Token,
    /// Where its connection starts, in words of the extension profile.
    pub(crate) start: KeyGenerations,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) now: Instant,
}

/// A token that came in a frame.
#[derive(Debug)]
pub(crate) struct ReceivedToken<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) token: TokenRef<'a>,
    /// Where its connection starts.
    pub(crate) start: KeyGenerations,
    /// For how many seconds it is good; 0 = as long as the session.
    pub(crate) lifetime: u32,
    pub(crate) now: Instant,
}

impl Tokens {
    pub(crate) fn new(role: Role) -> Self {
        match role {
            Role::Client => Self::Client(TokenPool::default()),
            Role::Server => Self::Server(TokenIssuer::default()),
        }
    }

    /// How the server numbers its tokens.
    pub(crate) fn set_numbering(&mut self, numbering: Numbering) {
        if let Self::Server(issuer) = self {
            issuer.set_numbering(numbering);
        }
    }

    /// The token out of the server's `EncryptedExtensions`, before all others (reading A-6).
    pub(crate) fn add_early(&mut self, token: Token) {
        match self {
            Self::Client(pool) => pool.add_early(token),
            Self::Server(issuer) => issuer.add_early(),
        }
    }

    /// A token came. Returns whether it is new.
    pub(crate) fn receive(&mut self, new: &ReceivedToken<'_>) -> Result<bool, PeerMisbehaved> {
        match self {
            Self::Client(pool) => pool.receive(new),
            Self::Server(_) => Err(PeerMisbehaved::TokenFromClient),
        }
    }

    /// Takes the unused token of the lowest identifier, and where its connection starts.
    pub(crate) fn take(&mut self) -> Option<(ConnectionId, KeyGenerations, Token)> {
        match self {
            Self::Client(pool) => pool.take(),
            Self::Server(_) => None,
        }
    }

    /// The token was not used after all. Returns whether it can be used again.
    pub(crate) fn put_back(&mut self, id: ConnectionId, token: Token) -> bool {
        match self {
            Self::Client(pool) => pool.put_back(id, token),
            Self::Server(_) => false,
        }
    }

    /// Gives a token the next identifier.
    pub(crate) fn issue(&mut self, new: NewToken) -> Result<ConnectionId, TokenError> {
        match self {
            Self::Client(_) => Err(TokenError::NotServer),
            Self::Server(issuer) => issuer.issue(new),
        }
    }

    /// How many tokens the client is to be given, so that it has `spare` unused ones.
    pub(crate) fn wanted(&self, spare: u8) -> u8 {
        match self {
            Self::Client(_) => 0,
            Self::Server(issuer) => issuer.wanted(spare),
        }
    }

    /// The frame that gives the client this token; `None` when it has it, or may not have it any more.
    pub(crate) fn frame(&self, id: ConnectionId, now: Instant) -> Option<Frame<'_>> {
        match self {
            Self::Client(_) => None,
            Self::Server(issuer) => issuer.frame(id, now),
        }
    }

    /// The client, which is to have `spare` unused tokens, has this one. Returns those that it can drop.
    pub(crate) fn on_acked(&mut self, id: ConnectionId, spare: u8) -> Vec<ConnectionId> {
        match self {
            Self::Client(_) => Vec::new(),
            Self::Server(issuer) => issuer.on_acked(id, spare),
        }
    }

    /// The client knows that this token was taken back.
    pub(crate) fn on_dropped(&mut self, id: ConnectionId) {
        if let Self::Server(issuer) = self {
            issuer.on_dropped(id);
        }
    }

    /// This side takes the token back. Returns whether it could still be used.
    pub(crate) fn withdraw(&mut self, id: ConnectionId) -> Result<bool, TokenError> {
        match self {
            Self::Client(_) => Err(TokenError::NotServer),
            Self::Server(issuer) => Ok(issuer.withdraw(id)),
        }
    }

    /// The server took this token back, which may not have come yet. Returns whether it could be used.
    pub(crate) fn on_withdrawn(&mut self, id: ConnectionId) -> Result<bool, PeerMisbehaved> {
        match self {
            Self::Client(pool) => Ok(pool.withdraw(id)),
            Self::Server(_) => Err(PeerMisbehaved::TokenFromClient),
        }
    }

    /// Takes note of the time, and of the key generations that the session has reached.
    pub(crate) fn age(&mut self, reached: KeyGenerations, now: Instant) {
        match self {
            Self::Client(pool) => pool.age(now),
            Self::Server(issuer) => issuer.age(reached, now),
        }
    }

    /// When time changes something next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Client(pool) => pool.deadline(),
            Self::Server(issuer) => issuer.deadline(),
        }
    }

    /// The lowest generations at which a connection may still join with a token that is out.
    pub(crate) fn generations(&self) -> Option<KeyGenerations> {
        match self {
            Self::Client(pool) => pool.generations(),
            Self::Server(issuer) => issuer.generations(),
        }
    }

    /// A client presented this token: it is used from now on (reading A-21). Returns where its connection
    /// starts.
    pub(crate) fn redeem(&mut self, id: ConnectionId) -> Result<KeyGenerations, TokenError> {
        match self {
            Self::Client(_) => Err(TokenError::NotServer),
            Self::Server(issuer) => issuer.redeem(id),
        }
    }

    /// The connection of this token joined. Returns whether it may: not after a Connection Reset.
    pub(crate) fn on_joined(&mut self, id: ConnectionId) -> bool {
        match self {
            _ if id == ConnectionId::FIRST => true,
            Self::Client(pool) => pool.on_joined(id),
            Self::Server(issuer) => issuer.on_joined(id),
        }
    }

    /// Whether a token for this connection was ever given out.
    pub(crate) fn was_issued(&self, id: ConnectionId) -> bool {
        match self {
            _ if id == ConnectionId::FIRST => false,
            Self::Client(pool) => pool.knows(id),
            Self::Server(issuer) => issuer.was_issued(id),
        }
    }

    /// Whether a client may present this token, as far as the server knows.
    pub(crate) fn is_unused(&self, id: ConnectionId) -> bool {
        match self {
            Self::Client(_) => false,
            Self::Server(issuer) => issuer.is_unused(id),
        }
    }

    /// How many tokens the server gave out, as far as this side knows.
    pub(crate) fn count(&self) -> u32 {
        match self {
            Self::Client(pool) => pool.count(),
            Self::Server(issuer) => issuer.count(),
        }
    }

    /// Whether this side knows that there are no more.
    pub(crate) fn are_used_up(&self) -> bool {
        match self {
            Self::Client(_) => false,
            Self::Server(issuer) => issuer.are_used_up(),
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

    /// Nobody may join with the token of this connection any more: it was reset before it joined
    /// (reading A-15). Returns whether that is news.
    pub(crate) fn burn(&mut self, id: ConnectionId) -> bool {
        match self {
            Self::Client(pool) => pool.burn(id),
            Self::Server(issuer) => issuer.burn(id),
        }
    }

    /// The join with this token came to nothing. Returns whether the peer is to be told.
    pub(crate) fn on_join_failed(&mut self, id: ConnectionId) -> bool {
        match self {
            Self::Client(pool) => pool.on_join_failed(id),
            Self::Server(issuer) => issuer.on_join_failed(id),
        }
    }
}

#[cfg(test)]
mod tests;
