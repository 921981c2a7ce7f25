//! Tokens of the session: those for connections to come, on both sides (draft 4.2.1, 5.2.5, and
//! `spec/extensions.md` 6.4).

use std::time::Instant;

use super::{Session, close, failover, state::Lifecycle};
use crate::{
    CloseReason, ConnectionStart, KeyGenerations, PeerMisbehaved, TokenError,
    stream::News,
    token::{NewToken, Numbering, ReceivedToken},
    wire::{ConnectionId, ExtendedTokenFrame, Features, NewTokenFrame, Role, Token},
};

/// How many key generations a token may be ahead of what this side has seen of the server: as far as one
/// connection can be ahead of another.
const GENERATIONS_AHEAD: u32 = 1024;

impl Session {
    /// In: the token that the server's `EncryptedExtensions` carried, which is that of connection 1 (draft
    /// 5.1.3). Before all other tokens, on both sides.
    pub fn handle_early_token(&mut self, token: Token) {
        self.next_deadline.forget();
        self.control.add_early_token(token);
    }

    /// Command: gives the session a token for one more connection, to be sent to the client (server,
    /// draft 5.2.5). Returns the Connection ID of that connection, which was never used before and never
    /// will be. Token values come from a cryptographic generator.
    pub fn issue_token(&mut self, token: Token) -> Result<ConnectionId, TokenError> {
        self.next_deadline.forget();
        if self.lifecycle != Lifecycle::Open {
            return Err(TokenError::Closing);
        }
        self.control.issue_token(NewToken {
            token,
            start: self.keys.reached(),
            lifetime: self.config.token_lifetime,
            now: self.clock,
        })
    }

    /// Command: takes back a token that was issued and not presented (server). It is refused from now on,
    /// and the client is told. Fails with [`TokenError::Spent`] when it cannot be used anyway, and with
    /// [`TokenError::UnsupportedByPeer`] when the peer speaks the draft alone.
    pub fn withdraw_token(&mut self, connection: ConnectionId) -> Result<(), TokenError> {
        self.next_deadline.forget();
        if !agreed(self) {
            return Err(TokenError::UnsupportedByPeer);
        }
        self.keys.review();
        self.control.withdraw_token(connection)
    }

    /// Command: asks the server for so many unused tokens, 0 to 255, that the client always has `wanted`
    /// (client). The server may keep fewer, see
    /// [`SessionConfig::requested_tokens`](crate::SessionConfig::requested_tokens). Fails with
    /// [`TokenError::UnsupportedByPeer`] when the peer speaks the draft alone.
    pub fn request_tokens(&mut self, wanted: u8) -> Result<(), TokenError> {
        if self.role != Role::Client {
            return Err(TokenError::NotClient);
        }
        if self.lifecycle != Lifecycle::Open {
            return Err(TokenError::Closing);
        }
        if !agreed(self) {
            return Err(TokenError::UnsupportedByPeer);
        }
        self.control.request_tokens(wanted);
        Ok(())
    }

    /// Command: takes the unused token of the lowest Connection ID (client), and says where its connection
    /// starts. The caller joins a connection with it and says what came of that: `add_connection`,
    /// `return_token` or `handle_join_failure`.
    pub fn take_token(&mut self) -> Option<(ConnectionStart, Token)> {
        self.next_deadline.forget();
        match self.lifecycle {
            Lifecycle::Open | Lifecycle::Finishing(_) => {
                let (id, generations, token) = self.control.take_token()?;
                Some((ConnectionStart::joined(id).at(generations), token))
            }
            Lifecycle::Draining(_) | Lifecycle::Closed(_) => None,
        }
    }

    /// Command: gives back a token that was taken and not spent: no record was sealed under its
    /// Connection ID, and the server did not answer the hello (reading A-44).
    pub fn return_token(&mut self, connection: ConnectionId, token: Token) {
        self.next_deadline.forget();
        self.control
            .put_token_back(connection, token, &mut self.events);
    }

    /// Command: a client presented the token of this connection, which is used from now on, whatever
    /// comes of it (server, reading A-21). Returns where the connection starts. Next is `add_connection`,
    /// once a record of the client turned out to be authentic, or `handle_join_failure`.
    pub fn redeem_token(
        &mut self,
        connection: ConnectionId,
    ) -> Result<ConnectionStart, TokenError> {
        self.next_deadline.forget();
        if !matches!(self.lifecycle, Lifecycle::Open | Lifecycle::Finishing(_)) {
            return Err(TokenError::Closing);
        }
        let generations = self.control.redeem_token(connection)?;
        Ok(ConnectionStart::joined(connection).at(generations))
    }

    /// In: the connection that was to join with this token failed before it was added. The token is
    /// spent, and the peer is told not to wait for it.
    pub fn handle_join_failure(&mut self, connection: ConnectionId) {
        self.next_deadline.forget();
        failover::on_join_failed(self, connection);
    }

    /// Out: whether a client could join with this token now, as far as the server knows. What holds tokens
    /// beside the session can drop the others.
    pub fn is_token_unused(&self, connection: ConnectionId) -> bool {
        self.control.tokens().is_unused(connection)
    }

    /// Out: whether all Connection IDs that this session can have were given out, as far as this side
    /// knows: 255 with a peer that speaks the draft alone (reading A-5), and otherwise 2^32-1.
    pub fn tokens_used_up(&self) -> bool {
        let tokens = self.control.tokens();
        tokens.are_used_up() || !agreed(self) && tokens.count() >= DRAFT_TOKENS
    }
}

/// Tokens of a session between peers that speak the draft, all in all (reading A-5).
const DRAFT_TOKENS: u32 = 255;

/// Whether tokens have 32-bit Connection IDs, lifetimes, and the rest of 6.4.
fn agreed(session: &Session) -> bool {
    session.terms.features().contains(Features::TOKENS)
}

/// It is known what the peer can do.
pub(super) fn on_terms(session: &mut Session) {
    if agreed(session) {
        session.control.set_numbering(Numbering::Extended);
    }
}

/// A New Token frame came (draft 5.2.5).
pub(super) fn on_new_token(
    session: &mut Session,
    frame: &NewTokenFrame<'_>,
) -> Result<(), CloseReason> {
    let new = ReceivedToken {
        id: frame.sequence.connection_id(),
        token: frame.token,
        start: KeyGenerations::FIRST,
        lifetime: 0,
        now: session.clock,
    };
    receive(session, &new)
}

/// A token of the extension profile came. Its generations are said from the client's side.
pub(super) fn on_extended_token(
    session: &mut Session,
    frame: &ExtendedTokenFrame<'_>,
) -> Result<(), CloseReason> {
    if !agreed(session) {
        return Ok(());
    }
    if session.role == Role::Server {
        return Err(PeerMisbehaved::TokenFromClient.into());
    }
    let start = KeyGenerations {
        sent: frame.send_generation,
        received: frame.receive_generation,
    };
    let reached = session.keys.reached();
    if start.sent > reached.sent
        || start.received > reached.received.saturating_add(GENERATIONS_AHEAD)
    {
        return Err(PeerMisbehaved::TokenGeneration.into());
    }
    let new = ReceivedToken {
        id: frame.connection,
        token: frame.token,
        start,
        lifetime: frame.lifetime,
        now: session.clock,
    };
    receive(session, &new)
}

/// A token came. One that was on its way for so long that the keys are erased at which its connection starts
/// is of no use, and the server is told.
fn receive(session: &mut Session, new: &ReceivedToken<'_>) -> Result<(), CloseReason> {
    let outdated = session.keys.outdated();
    let news = if new.start.min(outdated) == outdated {
        session.control.on_new_token(new, &mut session.events)?
    } else {
        session.control.on_late_token(new)?
    };
    if news == News::Some {
        session.effort.on_news();
    }
    Ok(())
}

/// The server took a token back.
pub(super) fn on_retire_token(session: &mut Session, id: ConnectionId) -> Result<(), CloseReason> {
    if agreed(session) && id != ConnectionId::FIRST {
        if session.control.on_token_withdrawn(id)? == News::Some {
            session.effort.on_news();
        }
        session.keys.review();
        close::on_join_failed(session);
    }
    Ok(())
}

/// The client said how many unused tokens it wants.
pub(super) fn on_token_request(session: &mut Session, wanted: u8) -> Result<(), CloseReason> {
    if !agreed(session) {
        return Ok(());
    }
    if session.role == Role::Client {
        return Err(PeerMisbehaved::TokenRequestFromServer.into());
    }
    // Not news: asking for another number again and again brings nothing.
    session.config.spare_tokens = wanted.min(session.config.requested_tokens);
    Ok(())
}

/// R13, R47: keeps the client in tokens, for as many connections as it may have.
pub(super) fn note_wanted(session: &mut Session) {
    let live = u32::try_from(session.connections.live().len()).unwrap_or(u32::MAX);
    if session.lifecycle == Lifecycle::Open && live > 0 {
        let room = session.config.connections.saturating_sub(live);
        let spare = u8::try_from(room).unwrap_or(u8::MAX);
        let spare = spare.min(session.config.spare_tokens);
        session.control.want_tokens(spare, &mut session.events);
    }
}

/// When a token is to be replaced or dropped.
pub(super) fn deadline(session: &Session) -> Option<Instant> {
    if session.lifecycle != Lifecycle::Open {
        return None;
    }
    session.control.tokens().deadline()
}

/// Replaces and drops tokens whose time has come.
pub(super) fn on_timeout(session: &mut Session, now: Instant) {
    if deadline(session).is_some_and(|deadline| deadline <= now) {
        session.control.age_tokens(session.keys.reached(), now);
        session.keys.review();
        close::on_join_failed(session);
    }
}
