//! Which session a join token belongs to (draft 4.2.1, reading A-25).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tcpls_core::wire::{ConnectionId, Token};
use tokio::sync::watch;

use crate::join::Member;

/// The unused tokens of all sessions of a server.
///
/// A token is found by a keyed hash of it and then compared in constant time, so that neither tells
/// anything about other tokens. It is taken out when it is first presented, and goes when its session
/// does.
#[derive(Clone, Default)]
pub(crate) struct TokenTable {
    tokens: Arc<Mutex<HashMap<Key, Entry>>>,
}

/// How many tokens of all sessions are kept; without room, a client gets no more of them. Some 20 MiB.
const CAPACITY: usize = 1 << 18;

struct Key(Token);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_bytes().hash(state);
    }
}

/// Whom a token lets in.
pub(crate) struct Entry {
    /// The connection that it is for.
    pub(crate) connection: ConnectionId,
    /// Empty until the session's own handshake is done.
    session: watch::Receiver<Option<Weak<Member>>>,
}

impl Entry {
    /// The session, once its handshake is done (reading A-22); `None` when it failed, or the session
    /// is over.
    pub(crate) async fn member(mut self) -> Option<Weak<Member>> {
        let member = self.session.wait_for(Option::is_some).await.ok()?;
        member.clone()
    }
}

impl TokenTable {
    /// Takes the token out: it is used from now on (reading A-21).
    pub(crate) fn take(&self, token: &Token) -> Option<Entry> {
        self.lock().remove(&Key(token.duplicate()))
    }

    /// Starts the tokens of a session whose handshake goes on.
    pub(crate) fn session_tokens(&self) -> SessionTokens {
        SessionTokens {
            table: self.clone(),
            issued: BTreeMap::new(),
            session: watch::Sender::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.lock().len();
        f.debug_struct("TokenTable")
            .field("tokens", &tokens)
            .finish()
    }
}

/// The tokens of one session; dropped with it, and then nobody joins it any more.
pub(crate) struct SessionTokens {
    table: TokenTable,
    /// Those that may be in the table.
    issued: BTreeMap<ConnectionId, Token>,
    session: watch::Sender<Option<Weak<Member>>>,
}

impl SessionTokens {
    /// Enters a token. Returns whether there was room for it.
    pub(crate) fn insert(&mut self, token: Token, connection: ConnectionId) -> bool {
        let entry = Entry {
            connection,
            session: self.session.subscribe(),
        };
        let mut tokens = self.table.lock();
        if tokens.len() >= CAPACITY {
            return false;
        }
        self.issued.insert(connection, token.duplicate());
        tokens.insert(Key(token), entry);
        true
    }

    /// Whether another token would be entered, unless other sessions are faster.
    pub(crate) fn has_room(&self) -> bool {
        self.table.lock().len() < CAPACITY
    }

    /// Takes out the tokens of connections that are not `wanted` any more.
    pub(crate) fn retain(&mut self, wanted: impl Fn(ConnectionId) -> bool) {
        let mut tokens = self.table.lock();
        self.issued.retain(|connection, token| {
            let keep = wanted(*connection);
            if !keep {
                tokens.remove(&Key(token.duplicate()));
            }
            keep
        });
    }

    /// The handshake is done: connections may join.
    pub(crate) fn open(&self, member: &Arc<Member>) {
        self.session.send_replace(Some(Arc::downgrade(member)));
    }
}

impl Drop for SessionTokens {
    fn drop(&mut self) {
        let mut tokens = self.table.lock();
        for token in std::mem::take(&mut self.issued).into_values() {
            tokens.remove(&Key(token));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(value: u8) -> Token {
        Token::from_bytes([value; 32])
    }

    /// a token is found once and not after its session, and lets nobody in when the
    /// handshake failed that it belongs to.
    #[tokio::test]
    async fn a_token_is_found_once() {
        let table = TokenTable::default();
        let mut tokens = table.session_tokens();
        let [first, next, third] = [1, 2, 300].map(ConnectionId::from_wire);
        assert!(tokens.insert(token(1), first));
        assert!(tokens.insert(token(2), next));
        assert!(tokens.insert(token(3), third));
        let entry = table.take(&token(2)).unwrap();
        assert_eq!(entry.connection, next);
        tokens.retain(|connection| connection == first);
        assert!(table.take(&token(3)).is_none());
        assert_eq!((tokens.issued.len(), table.lock().len()), (1, 1));
        assert!(table.take(&token(2)).is_none());
        drop(tokens);
        assert!(table.take(&token(1)).is_none());
        assert!(entry.member().await.is_none(), "the handshake failed");
        assert_eq!(table.lock().len(), 0);
    }
}
