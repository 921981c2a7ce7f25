//! The client's side of a join.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use bytes::BytesMut;
use tcpls_core::crypto::{Established, SessionKeys};
use tcpls_core::wire::hello::join::{
    AnswerReader, AnswerStage, CHANGE_CIPHER_SPEC, JoinFailure, JoinOffer, JoinShape, size,
};
use tcpls_core::{ConnectionFailure, ConnectionHandle, ConnectionStart};
use tokio::io::AsyncWriteExt;

use super::JOIN_TIMEOUT;
use super::claim::{Claim, TokenState};
use super::look::Look;
use crate::config::{ClientConfig, Random};
use crate::connection::Answer;
use crate::error::{PathError, SessionError};
use crate::establish::NewConnection;
use crate::handshake;
use crate::io::Transport;
use crate::registry::Registration;
use crate::shared::{Shared, State, Wait};

/// What it takes to join more connections to a session, at the client.
pub(crate) struct Joiner {
    pub(crate) config: Arc<ClientConfig>,
    keys: SessionKeys,
    look: Look,
    registration: Weak<Registration>,
}

impl Joiner {
    /// Takes the hello of the session; `None` when that is not known.
    pub(crate) fn new(
        config: &Arc<ClientConfig>,
        established: &mut Established,
        registration: &Arc<Registration>,
    ) -> Option<Self> {
        let hello = established.client_hello.take()?;
        let facts = established.info.session_facts();
        Some(Self {
            config: Arc::clone(config),
            keys: established.keys.clone(),
            look: Look::new(hello, config.transport.codec, facts),
            registration: Arc::downgrade(registration),
        })
    }

    /// Joins `transport` to the session with a token of its own.
    ///
    /// While another connection works, the hello looks like a resumption and a padded Ping follows it at
    /// once, and also while others are only silent and tokens abound. Otherwise, nothing is sealed before
    /// the server answered, so that a network that swallows hellos costs no token (readings ).
    pub(crate) async fn join(
        &self,
        shared: &Arc<Shared>,
        transport: Transport,
    ) -> Result<ConnectionHandle, PathError> {
        let claim = match tokio::time::timeout(JOIN_TIMEOUT, Claim::wait(shared)).await {
            Ok(claim) => claim?,
            Err(_) => return Err(PathError::NoToken),
        };
        tokio::time::timeout(JOIN_TIMEOUT, self.join_with(shared, claim, transport))
            .await
            .unwrap_or(Err(PathError::TimedOut(JOIN_TIMEOUT)))
    }

    async fn join_with(
        &self,
        shared: &Arc<Shared>,
        mut claim: Claim,
        mut transport: Transport,
    ) -> Result<ConnectionHandle, PathError> {
        let shape = shared.inspect(shape);
        let random = &self.config.random;
        let (offer, mut prefix) = self.hello(shape, &claim, random)?;
        let failure = Arc::new(OnceLock::new());
        let mut answer = Answer {
            reader: AnswerReader::new(offer),
            failure: Arc::clone(&failure),
        };
        let mut received = BytesMut::new();
        if shape == JoinShape::Full {
            transport.write.write_all(&prefix).await?;
            transport.write.flush().await?;
            prefix.clear();
            wait_for_answer(&mut answer, &mut claim, &mut transport, &mut received).await?;
        }
        prefix.extend_from_slice(&CHANGE_CIPHER_SPEC);
        let joining = self.attach(shared, claim, transport, (received, answer, prefix, shape))?;
        joining.wait(&failure).await
    }

    /// Takes the measure of a `NewSessionTicket` without its header: joins show a ticket as long as those
    /// that the server hands out (reading A-20).
    pub(crate) fn on_ticket(&self, message: &[u8]) {
        if let Some(length) = ticket_length(message) {
            self.look.set_ticket_length(length);
        }
    }

    /// The hello of this shape with this token.
    fn hello(
        &self,
        shape: JoinShape,
        claim: &Claim,
        random: &Random,
    ) -> Result<(JoinOffer, Vec<u8>), PathError> {
        let token = claim.token.as_ref().ok_or(PathError::NoToken)?;
        let mut hello = Vec::new();
        let offer = self.look.with(|template| {
            random.with(|random| template.hello(shape, token.as_token_ref(), random, &mut hello))
        });
        let offer = offer.ok_or(PathError::NotClient)?;
        Ok((offer.ok_or(PathError::NoRandomness)?, hello))
    }

    /// Hands the connection to the session: from here on its token is spent.
    fn attach(
        &self,
        shared: &Arc<Shared>,
        mut claim: Claim,
        transport: Transport,
        (received, answer, prefix, shape): (BytesMut, Answer, Vec<u8>, JoinShape),
    ) -> Result<Joining, PathError> {
        let over = || PathError::SessionLost(end_of(shared));
        let registration = self.registration.upgrade().ok_or_else(over)?;
        let suite = self.look.suite();
        let first = self
            .config
            .random
            .with(|random| size::client_first(shape, suite, random));
        let second = match shape {
            JoinShape::Resumption => size::client_second(suite),
            JoinShape::Full => 0,
        };
        let start = ConnectionStart {
            record_sizes: [first.ok_or(PathError::NoRandomness)?, second],
            ..claim.start
        };
        let keys = Arc::clone(&self.keys.receive);
        let no_key = |_| PathError::Lost(ConnectionFailure::Abandoned);
        let opener = start.opener(keys).map_err(no_key)?;
        let connection = NewConnection {
            keys: &self.keys,
            start,
            transport,
            received,
            opener,
            first: None,
            answer: Some(answer),
            prefix,
        };
        let attached = connection.attach(shared, &registration).map_err(no_key)?;
        let connection = attached.ok_or_else(over)?;
        // The session has the connection, and knows its token as spent.
        claim.token = None;
        claim.state = TokenState::InSession;
        Ok(Joining {
            shared: Arc::clone(shared),
            connection,
            established: false,
        })
    }
}

impl fmt::Debug for Joiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joiner").finish_non_exhaustive()
    }
}

/// How long the ticket is in a `NewSessionTicket` (RFC 8446 section 4.6.1): behind two numbers of four
/// bytes and a nonce.
fn ticket_length(message: &[u8]) -> Option<usize> {
    let (&nonce, rest) = message.get(8..)?.split_first()?;
    let length = rest.get(usize::from(nonce)..)?.first_chunk()?;
    Some(usize::from(u16::from_be_bytes(*length)))
}

/// How a join is to look now.
fn shape(state: &State) -> JoinShape {
    let alone = state.core.connections().next().is_none();
    // Without a usable connection, the server can send no more tokens.
    let scarce =
        state.core.usable_connections() == 0 && state.core.stats().unused_tokens < TOKENS_TO_SPARE;
    if alone || scarce {
        JoinShape::Full
    } else {
        JoinShape::Resumption
    }
}

/// Unused tokens, besides the one that is taken, with which one may be risked: half of what a server
/// usually keeps at its client.
const TOKENS_TO_SPARE: u32 = 4;

/// Reads until the server has answered the hello, which spends the token.
async fn wait_for_answer(
    answer: &mut Answer,
    claim: &mut Claim,
    transport: &mut Transport,
    received: &mut BytesMut,
) -> Result<(), PathError> {
    loop {
        match answer.read(received) {
            Ok(AnswerStage::Waiting) => {}
            Ok(AnswerStage::Answered | AnswerStage::Protected) => {
                claim.state = TokenState::Spent;
                return Ok(());
            }
            Err(failure) => {
                // What is not even TLS is not the server's answer.
                if !matches!(failure, JoinFailure::NotTls(_)) {
                    claim.state = TokenState::Spent;
                }
                return Err(PathError::NotJoined(failure));
            }
        }
        if handshake::read(transport, received).await? == 0 {
            return Err(PathError::Lost(ConnectionFailure::Eof));
        }
    }
}

/// A connection of the session on which the server was not heard yet; given up when dropped before.
struct Joining {
    shared: Arc<Shared>,
    connection: ConnectionHandle,
    established: bool,
}

impl Joining {
    /// Waits until the server is heard.
    async fn wait(
        mut self,
        failure: &OnceLock<JoinFailure>,
    ) -> Result<ConnectionHandle, PathError> {
        let connection = self.connection;
        let outcome = |state: &mut State| {
            if state.core.is_established(connection) {
                return Some(Ok(()));
            }
            if state.connections.contains_key(&connection) {
                return None;
            }
            Some(Err(match (failure.get(), state.ended()) {
                (Some(failure), _) => PathError::NotJoined(*failure),
                (None, Some(reason)) => PathError::SessionLost(*reason),
                (None, None) => PathError::Lost(ConnectionFailure::Eof),
            }))
        };
        self.shared.wait_for(Wait::Join, outcome).await?;
        self.established = true;
        Ok(connection)
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        if !self.established {
            let connection = self.connection;
            self.shared.update(|state, now| {
                let failure = ConnectionFailure::Abandoned;
                state.core.handle_failure(connection, failure, now);
            });
        }
    }
}

fn end_of(shared: &Shared) -> SessionError {
    shared.inspect(|state| state.ended().copied().unwrap_or(SessionError::LocalClose))
}
