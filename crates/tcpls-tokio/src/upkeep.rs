//! What a session needs done beside carrying data: its timers, tickets and tokens, and somebody who follows
//! its paths.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tcpls_core::crypto::TicketStore;

use crate::clients::Place;
use crate::config::ServerConfig;
use crate::establish::ServerSide;
use crate::follow::Follower;
use crate::join::{Joiner, Member};
use crate::orphans::Orphan;
use crate::registry::Registration;
use crate::shared::{Shared, Timer};
use crate::token_table::SessionTokens;

/// One task for each session.
pub(crate) struct Upkeep {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tickets: Tickets,
    /// At a server.
    pub(crate) supply: Option<TokenSupply>,
    /// At a client that follows its paths, until something happens to them. From then on it has a task of its
    /// own.
    pub(crate) follower: Option<Follower>,
    pub(crate) registration: Arc<Registration>,
}

impl Upkeep {
    /// Runs the session's timers, stores its tickets and issues its tokens, until the session is over.
    pub(crate) async fn run(mut self) {
        let mut sleep = pin!(tokio::time::sleep(Duration::MAX));
        let mut orphan = None;
        poll_fn(|cx| {
            loop {
                match self.look(cx, &mut orphan) {
                    Timer::Done => return Poll::Ready(()),
                    Timer::WakeAt(None) => return Poll::Pending,
                    Timer::WakeAt(Some(at)) => {
                        sleep.as_mut().reset(at.into());
                        if sleep.as_mut().poll(cx).is_pending() {
                            return Poll::Pending;
                        }
                    }
                }
            }
        })
        .await;
    }

    /// Does what is to be done now, and says when to look again.
    fn look(&mut self, cx: &Context<'_>, orphan: &mut Option<Orphan>) -> Timer {
        let shared = &self.shared;
        let waits = self.follower.is_some();
        let (timer, arrived, wanted, alone, news) = shared.update(|state, now| {
            let timer = state.poll_timer(cx, now);
            let news = waits && state.ended().is_none() && state.inbox.poll(cx).is_ready();
            (
                timer,
                state.take_tickets(),
                state.take_tokens_wanted(),
                state.is_orphan(),
                news,
            )
        });
        if let Some(follower) = self.follower.take_if(|_| news) {
            follower.start();
        }
        if let Some(supply) = &mut self.supply {
            supply.issue(wanted);
            if !alone {
                *orphan = None;
            } else if !orphan.as_ref().is_some_and(Orphan::is_entered) {
                let limit = supply.config.orphaned_sessions;
                *orphan = Some(self.registration.orphans().enter(shared, limit));
            }
        }
        for ticket in arrived {
            self.tickets.take(&ticket);
        }
        timer
    }
}

/// Keeps the client of one session in tokens, and the tokens in the server's table.
pub(crate) struct TokenSupply {
    config: Arc<ServerConfig>,
    tokens: SessionTokens,
    /// Tokens that the session wants and did not get.
    owed: u8,
    member: Arc<Member>,
    /// As long as the session is there.
    _place: Option<Place>,
}

impl TokenSupply {
    pub(crate) fn new(server: ServerSide, member: Arc<Member>) -> Self {
        server.tokens.open(&member);
        Self {
            config: server.config,
            tokens: server.tokens,
            owed: 0,
            member,
            _place: server.place,
        }
    }

    /// Issues this many more tokens, as far as they can be had, and the rest another time.
    fn issue(&mut self, count: u8) {
        self.owed = self.owed.saturating_add(count);
        if self.owed == 0 {
            return;
        }
        // What was used, expired or was taken back since then is of no use any more.
        let tokens = &mut self.tokens;
        self.member
            .shared
            .inspect(|state| tokens.retain(|connection| state.core.is_token_unused(connection)));
        while self.owed > 0 {
            if !self.tokens.has_room() {
                tracing::debug!("the table of tokens is full");
                return;
            }
            let Ok(token) = self.config.new_token() else {
                tracing::warn!("no random numbers for a token");
                return;
            };
            // In the table before it can be on its way.
            let issued = self.member.shared.update(|state, _| {
                let connection = state.core.issue_token(token.duplicate()).ok()?;
                self.tokens.insert(token, connection).then_some(connection)
            });
            if issued.is_none() {
                tracing::debug!("a token was not issued");
                self.owed = 0;
                return;
            }
            self.owed -= 1;
        }
    }
}

/// Where the session tickets go that a client gets.
pub(crate) struct Tickets {
    pub(crate) store: TicketStore,
    /// At a client.
    pub(crate) joiner: Option<Arc<Joiner>>,
}

impl Tickets {
    fn take(&self, ticket: &[u8]) {
        if let Some(joiner) = &self.joiner {
            joiner.on_ticket(ticket);
        }
        if let Err(error) = self.store.store(ticket) {
            tracing::debug!(%error, "a session ticket was not stored");
        }
    }
}
