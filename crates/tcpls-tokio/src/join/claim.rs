//! The client's tokens on their way into connections (reading A-44).

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tcpls_core::wire::{Token, TokenSequence};

use crate::error::PathError;
use crate::shared::{Shared, State, Wait};

/// A token on its way into a connection. It goes back to the session unless it was spent.
pub(super) struct Claim {
    shared: Arc<Shared>,
    pub(super) sequence: TokenSequence,
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
        poll_fn(|cx| {
            shared.update(|state, _| {
                if let Some((sequence, token)) = state.core.take_token() {
                    return Poll::Ready(Ok(Self {
                        shared: Arc::clone(shared),
                        sequence,
                        token: Some(token),
                        state: TokenState::Unspent,
                    }));
                }
                match no_token(state) {
                    Some(error) => Poll::Ready(Err(error)),
                    None => state.waiting.for_session(Wait::Join, cx),
                }
            })
        })
        .await
    }
}

/// Why no token will come; `None` while one may.
fn no_token(state: &State) -> Option<PathError> {
    if let Some(reason) = state.ended() {
        return Some(PathError::SessionLost(*reason));
    }
    if state.core.stats().tokens >= ALL_TOKENS {
        return Some(PathError::TokensUsedUp);
    }
    let alone = state.core.connections().next().is_none();
    alone.then_some(PathError::NoToken)
}

impl Drop for Claim {
    fn drop(&mut self) {
        let (sequence, token) = (self.sequence, self.token.take());
        match (self.state, token) {
            (TokenState::Unspent, Some(token)) => self.shared.update(|state, _| {
                state.core.return_token(sequence, token);
            }),
            (TokenState::Unspent | TokenState::Spent, _) => self.shared.update(|state, _| {
                state.core.handle_join_failure(sequence);
            }),
            (TokenState::InSession, _) => {}
        }
    }
}

/// Tokens of a session, all in all (reading A-5).
const ALL_TOKENS: u32 = 255;
