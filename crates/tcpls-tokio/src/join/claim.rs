//! The client's tokens on their way into connections (reading A-44).

use std::sync::Arc;

use tcpls_core::ConnectionStart;
use tcpls_core::wire::Token;

use crate::error::PathError;
use crate::shared::{Shared, State, Wait};

/// A token on its way into a connection. It goes back to the session unless it was spent.
pub(super) struct Claim {
    shared: Arc<Shared>,
    /// Where its connection starts.
    pub(super) start: ConnectionStart,
    pub(super) token: Option<Token>,
    pub(super) state: TokenState,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenState {
    /// Nothing was sealed with it and the server has not answered it.
    Unspent,
    /// The server answered it.
    Spent,
    /// Its connection is the session's.
    InSession,
}

impl Claim {
    /// Waits until the session has a token.
    pub(super) async fn wait(shared: &Arc<Shared>) -> Result<Self, PathError> {
        let claim = |state: &mut State| match state.core.take_token() {
            Some((start, token)) => Some(Ok(Self {
                shared: Arc::clone(shared),
                start,
                token: Some(token),
                state: TokenState::Unspent,
            })),
            None => no_token(state).map(Err),
        };
        shared.wait_for(Wait::Join, claim).await
    }
}

/// Why no token will come; `None` while one may.
fn no_token(state: &State) -> Option<PathError> {
    if let Some(reason) = state.ended() {
        return Some(PathError::SessionLost(*reason));
    }
    if state.core.tokens_used_up() {
        return Some(PathError::TokensUsedUp);
    }
    let alone = state.core.connections().next().is_none();
    alone.then_some(PathError::NoToken)
}

impl Drop for Claim {
    fn drop(&mut self) {
        let (id, token) = (self.start.id, self.token.take());
        match (self.state, token) {
            (TokenState::Unspent, Some(token)) => self.shared.update(|state, _| {
                state.core.return_token(id, token);
            }),
            (TokenState::Unspent | TokenState::Spent, _) => self.shared.update(|state, _| {
                state.core.handle_join_failure(id);
            }),
            (TokenState::InSession, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tcpls_core::wire::{RecordSequence, Role};
    use tcpls_core::{Session, SessionConfig};

    use super::*;

    /// a token that was not spent is there for who waits for one.
    #[tokio::test(start_paused = true)]
    async fn a_token_that_comes_back_goes_to_the_next() {
        let now = crate::clock::now();
        let mut core = Session::new(Role::Client, SessionConfig::new(), now);
        core.handle_early_token(Token::from_bytes([1; 32]));
        let start = ConnectionStart::first(RecordSequence::ZERO, RecordSequence::ZERO);
        core.add_connection(start, now);
        let shared = Arc::new(Shared::new(core));
        let first = Claim::wait(&shared).await.unwrap();
        let other = Arc::clone(&shared);
        let waiting = tokio::spawn(async move { Claim::wait(&other).await });
        tokio::task::yield_now().await;
        let start = first.start;
        drop(first);
        let next = tokio::time::timeout(Duration::from_secs(1), waiting).await;
        assert_eq!(next.unwrap().unwrap().unwrap().start, start);
    }
}
