//! Keeps a client's session connected: paths that failed are joined again.
//!
//! One task for each session to whose paths anything happened. It rests until a connection fails or falls
//! silent, an address comes, or the time for the next attempt has come. What to try and when is [`plan`]'s,
//! how to connect [`dial`]'s.

mod attempt;
mod budget;
mod dial;
mod inbox;
mod plan;
mod policy;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use tcpls_core::wire::Features;
use tcpls_core::{AddressStanding, ConnectionHandle};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use attempt::{Outcome, attempt, is_final};
use budget::Identifiers;
pub(crate) use inbox::{Inbox, News};
use plan::{Origin, PlaceId, Plan};
pub use policy::{AdvertisedAddresses, FollowPaths};

use crate::clock;
use crate::interfaces::{self, LocalAddress};
use crate::join::Joiner;
use crate::path_options::PathOptions;
use crate::shared::{Departure, Shared, State};

/// Who follows the paths of one session, once anything happens to them.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    joiner: Arc<Joiner>,
    /// Where the session's first connection went.
    primary: Option<SocketAddr>,
}

impl Follower {
    /// Follows once it is [started](Self::start). The state keeps what happens for it from now on; `usable`
    /// are the local addresses.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        joiner: &Arc<Joiner>,
        primary: Option<SocketAddr>,
        usable: Arc<[LocalAddress]>,
    ) -> Self {
        let every = joiner.config.transport.follow_paths == FollowPaths::EveryInterface;
        shared.update(|state, _| {
            state.inbox.open();
            // Paths that were there all along lead nowhere new, except from interfaces without one.
            if every {
                state.inbox.tell(News::Came(usable));
            }
        });
        Self {
            shared: Arc::clone(shared),
            joiner: Arc::clone(joiner),
            primary,
        }
    }

    /// Follows in a task of its own, beginning with what happened so far.
    pub(crate) fn start(self) {
        // The future is kept small: it exists once for each session that loses a path.
        tokio::spawn(Box::pin(Following::new(self).run()));
    }
}

/// A follower at work.
struct Following {
    shared: Arc<Shared>,
    joiner: Arc<Joiner>,
    plan: Plan,
    attempts: JoinSet<(PlaceId, Outcome)>,
    running: BTreeMap<PlaceId, AbortHandle>,
    primary: Option<SocketAddr>,
}

impl Following {
    fn new(follower: Follower) -> Self {
        let Follower {
            shared,
            joiner,
            primary,
        } = follower;
        let features = shared.inspect(|state| state.core.features());
        let identifiers = if features.contains(Features::TOKENS) {
            Identifiers::Many
        } else {
            Identifiers::Few
        };
        let now = clock::now();
        Self {
            shared,
            joiner,
            plan: Plan::new(now).with(identifiers, now),
            attempts: JoinSet::new(),
            running: BTreeMap::new(),
            primary,
        }
    }

    async fn run(mut self) {
        loop {
            self.look();
            self.begin();
            let next = self.plan.next(clock::now());
            tokio::select! {
                state = changed(&self.shared) => if state == SessionState::Over {
                    return;
                },
                Some(end) = self.attempts.join_next() => {
                    // One that was aborted has nothing to say.
                    if let Ok((place, outcome)) = end {
                        self.on_end(place, outcome);
                    }
                }
                () = at(next) => {}
            }
        }
    }

    fn on_news(&mut self, news: News) {
        let now = clock::now();
        match news {
            News::Lost {
                connection,
                local,
                options,
            } => self.plan.on_lost(connection, local, options, now),
            News::Advertised(address) => self.on_advertised(address),
            News::Withdrawn => self.shared.inspect(|state| {
                let withdrawn = |standing| matches!(standing, AddressStanding::Withdrawn(_));
                let allowed = |address| !withdrawn(state.core.peer_address(address));
                self.plan.retain(allowed);
            }),
            News::Wanted(options) => self.plan.want(options, Origin::Wanted, now),
            News::Migrated => self.plan.forget_lost(),
            News::Came(addresses) => {
                if self.joiner.config.transport.follow_paths == FollowPaths::EveryInterface {
                    self.use_interfaces(&addresses);
                }
                let addresses: Vec<_> = addresses.iter().map(|local| local.address).collect();
                self.plan.on_addresses(&addresses, now);
            }
        }
    }

    /// Wants a path from each of these interfaces that has none.
    fn use_interfaces(&mut self, usable: &[LocalAddress]) {
        let Some(primary) = self.primary else {
            return;
        };
        let used: Vec<_> = self.shared.inspect(|state| {
            let slots = state.connections.values();
            slots
                .filter_map(|slot| slot.addresses.local)
                .map(|local| local.ip())
                .collect()
        });
        for local in interfaces::sources(usable, primary, &used) {
            let mut options = PathOptions::to(primary);
            options.local(local.address).device(&local.device);
            self.plan.want(options, Origin::Interface, clock::now());
        }
    }

    fn on_advertised(&mut self, address: SocketAddr) {
        let transport = &self.joiner.config.transport;
        let policy = transport.advertised;
        let allowed = |primary| transport.address_filter.allows(address, primary);
        if policy == AdvertisedAddresses::Ignore {
            return;
        }
        if self.primary.is_some_and(allowed) {
            self.plan.on_advertised(address, policy, clock::now());
        } else {
            tracing::debug!(%address, "the server advertised an address that is not allowed");
        }
    }

    fn on_end(&mut self, place: PlaceId, outcome: Outcome) {
        let now = clock::now();
        self.running.remove(&place);
        match outcome {
            Outcome::Joined(connection) => {
                tracing::debug!(?connection, "a path is back");
                match self.plan.origin(place) {
                    Some(origin) => self.replace(origin),
                    // The silent connection that it was to replace spoke again.
                    None => self.retire(connection),
                }
                self.plan.on_joined(place, now);
            }
            Outcome::Unreached(error) => {
                tracing::debug!(%error, "a path was not reached");
                self.plan.on_unreached(place, now);
            }
            Outcome::Unjoined(error) if is_final(&error) => self.plan.forget(place),
            Outcome::Unjoined(error) => {
                tracing::debug!(%error, "a path was not joined");
                self.plan.on_unjoined(place, now);
            }
        }
    }

    /// A silent connection got a successor: whatever becomes of it, it is not joined again.
    fn replace(&self, origin: Origin) {
        if let Origin::Suspect(connection, _) = origin {
            self.shared.with_slot(connection, |slot| {
                slot.departure = Departure::Replaced;
            });
        }
    }

    fn retire(&self, connection: ConnectionHandle) {
        self.shared
            .update(|state, now| retire(state, connection, now));
    }

    /// Takes in what happened and how the connections are now.
    fn look(&mut self) {
        let now = clock::now();
        let (news, usable, suspects, connected) = self.shared.update(|state, now| {
            if state.core.is_closing() {
                self.plan.close();
            }
            for connection in superfluous(state) {
                retire(state, connection, now);
            }
            let leaving = state.leaving.waiting(&state.core);
            let usable = state.core.usable_connections().saturating_sub(leaving);
            let connected = state.connections.values();
            let connected = connected.filter_map(|slot| slot.addresses.remote).collect();
            (state.inbox.take(), usable, suspects(state), connected)
        });
        for news in news {
            self.on_news(news);
        }
        self.plan.set_usable(usable, now);
        self.plan.set_connected(connected);
        self.plan.set_suspects(suspects, now);
        // Connections that were silent may have found their voice again.
        let plan = &self.plan;
        self.running.retain(|place, attempt| {
            let wanted = plan.has(*place);
            if !wanted {
                attempt.abort();
            }
            wanted
        });
    }

    /// Begins the attempts that are due.
    fn begin(&mut self) {
        while let Some(place) = self.plan.begin(clock::now()) {
            let (shared, joiner) = (Arc::clone(&self.shared), Arc::clone(&self.joiner));
            let id = place.id;
            let attempt = async move { (id, attempt(&shared, &joiner, place).await) };
            self.running.insert(id, self.attempts.spawn(attempt));
        }
    }
}

/// Ends a connection that is not needed, in order, unless it turns out to be the only one.
fn retire(state: &mut State, connection: ConnectionHandle, now: std::time::Instant) {
    let departure = match state.core.retire(connection, now) {
        Ok(()) => Departure::LetGo,
        Err(_) => Departure::Rejoin,
    };
    if let Some(slot) = state.connections.get_mut(&connection) {
        slot.departure = departure;
    }
}

/// Connections that were silent, got a successor, and spoke again.
fn superfluous(state: &State) -> Vec<ConnectionHandle> {
    let slots = state.connections.iter();
    slots
        .filter(|(connection, slot)| {
            slot.departure == Departure::Replaced && !state.core.is_suspect(**connection)
        })
        .map(|(connection, _)| *connection)
        .collect()
}

fn suspects(state: &State) -> Vec<plan::Suspect> {
    let slots = state.connections.iter();
    slots
        .filter(|(connection, slot)| {
            state.core.is_suspect(**connection) && slot.departure == Departure::Rejoin
        })
        .filter_map(|(connection, slot)| {
            let local = slot.addresses.local.map(|local| local.ip());
            Some((*connection, local, slot.options.clone()?))
        })
        .collect()
}

/// Waits until the state has left word.
async fn changed(shared: &Shared) -> SessionState {
    poll_fn(|cx| {
        shared.update(|state, _| match state.ended() {
            Some(_) => Poll::Ready(SessionState::Over),
            None => state.inbox.poll(cx).map(|()| SessionState::Live),
        })
    })
    .await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionState {
    Live,
    Over,
}

async fn at(time: Option<std::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(Instant::from_std(time)).await,
        None => std::future::pending().await,
    }
}
