//! The state that a session's handles and tasks share, and who is woken when it changes.
//!
//! Nothing under this lock encrypts or decrypts, and no record calls the system: connections take
//! plaintext records out of it and put plaintext records into it.

mod leaving;
mod observing;
mod owed;
mod pacing;
mod path_news;
mod place;
mod refusals;
mod slot;
mod waiting;
mod wakeups;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use tcpls_core::crypto::SessionKeys;
use tcpls_core::wire::{ConnectionId, StreamId};
use tcpls_core::{
    AddressStanding, ConnectionFailure, ConnectionHandle, ConnectionStart, Event, KeyGenerations,
    PathStatus, Session as Core,
};
use tokio::sync::broadcast;

use self::leaving::Leaving;
pub(crate) use self::observing::{Portion, poll_transmit};
pub(crate) use self::owed::Appetite;
use self::owed::{Owed, Visitor};
use self::slot::Reading;
pub(crate) use self::slot::{Departure, Slot, Socket};
pub(crate) use self::waiting::{Interest, Wait, Waiting};
use self::wakeups::Wakeups;
use crate::connection::{ReadEnd, Receiver, Writer};
use crate::follow::{Inbox, News};
use crate::io::Addresses;
use crate::path::PathEvent;
use crate::path_stats::History;
use crate::{SessionError, clock};

/// One session: the state machine and everybody who waits for it.
pub(crate) struct Shared {
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(core: Core) -> Self {
        Self {
            state: Mutex::new(State {
                core,
                connections: BTreeMap::new(),
                waiting: Waiting::default(),
                path_events: None,
                inbox: Inbox::default(),
                history: History::default(),
                leaving: Leaving::default(),
                owed: Owed::default(),
                tokens_wanted: 0,
                timer: None,
                armed: None,
                ended: None,
                tickets: Vec::new(),
                keys: None,
                bulk: None,
            }),
        }
    }

    /// Runs `change` on the state, then wakes whom it concerns once the lock is released.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut State, Instant) -> R) -> R {
        let now = clock::now();
        self.change(|state| change(state, now))
    }

    /// The same for what does not depend on the time, such as the calls of an application on its streams.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.visit(Visitor::Other, change)
    }

    fn visit<R>(&self, visitor: Visitor, change: impl FnOnce(&mut State) -> R) -> R {
        let mut wakeups = Wakeups::default();
        let mut state = self.lock();
        let result = change(&mut state);
        state.settle(visitor, &mut wakeups);
        drop(state);
        wakeups.deliver(self);
        result
    }

    /// Looks at the state without changing what the session would do next.
    pub(crate) fn inspect<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.lock())
    }

    /// Looks at what only a borrowed view of the state can tell; changes nothing either.
    pub(crate) fn inspect_mut<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.lock())
    }

    /// Lets a connection's task look after its own slot; returns whether there still is one.
    pub(crate) fn with_slot(
        &self,
        connection: ConnectionHandle,
        change: impl FnOnce(&mut Slot),
    ) -> bool {
        match self.lock().connections.get_mut(&connection) {
            Some(slot) => {
                change(slot);
                true
            }
            None => false,
        }
    }

    /// Waits while the session does not want to read from `connection` (its application is slow),
    /// and leaves word whom to wake when that changes or the connection is over.
    pub(crate) fn poll_wants_read(
        &self,
        connection: ConnectionHandle,
        cx: &Context<'_>,
    ) -> Poll<()> {
        let mut state = self.lock();
        let wanted = state.core.wants_read(connection);
        match state.connections.get_mut(&connection) {
            Some(slot) => {
                slot.register_reader(cx);
                if wanted || slot.reads_the_rest() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }
            None => Poll::Ready(()),
        }
    }

    /// The reader of `connection` has read everything there is.
    pub(crate) fn read_ended(&self, connection: ConnectionHandle, end: ReadEnd) {
        self.update(|state, now| {
            let slot = state.connections.get_mut(&connection);
            let earlier = slot.and_then(|slot| slot.read_ended());
            match (end, earlier) {
                // After a failed write an end of file is only how the failure reads.
                (ReadEnd::Eof, Some(failure)) | (ReadEnd::Failed(failure), _) => {
                    state.core.handle_failure(connection, failure, now);
                }
                (ReadEnd::Eof, None) => state.core.handle_eof(connection, now),
                (ReadEnd::NotOpened(error), _) => {
                    state.core.handle_open_error(connection, error, now);
                }
            }
        });
    }

    /// Nothing can be written to `connection` any more: its reader reads what has arrived and then
    /// reports the failure. If it ended before, the failure is reported here.
    pub(crate) fn write_failed(&self, connection: ConnectionHandle, failure: ConnectionFailure) {
        let reader = self.update(|state, now| {
            let slot = state.connections.get_mut(&connection)?;
            let (reading, reader) = slot.write_failed(failure);
            match reading {
                Reading::Open => reader,
                Reading::Ended => {
                    state.core.handle_failure(connection, failure, now);
                    None
                }
            }
        });
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every call leaves the state machine whole, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the lock guards.
pub(crate) struct State {
    pub(crate) core: Core,
    /// In boxes, because a map makes room for several at a time and most sessions have one.
    pub(crate) connections: BTreeMap<ConnectionHandle, Box<Slot>>,
    pub(crate) waiting: Waiting,
    /// Who watches connections come and go, once somebody asked.
    path_events: Option<broadcast::Sender<PathEvent>>,
    pub(crate) history: History,
    pub(crate) leaving: Leaving,
    owed: Owed,
    /// What the task hears that follows the paths, at a client.
    pub(crate) inbox: Inbox,
    /// Tokens that the client is to get.
    tokens_wanted: u8,
    timer: Option<Waker>,
    /// When the timer task wakes by itself: it is only disturbed for something earlier.
    armed: Option<Instant>,
    ended: Option<SessionError>,
    /// Session tickets that arrived and are not yet stored.
    tickets: Vec<Bytes>,
    /// The keys of the connections, to erase those that are out of use.
    pub(crate) keys: Option<SessionKeys>,
    /// The connection on which data comes in bulk.
    pub(crate) bulk: Option<ConnectionHandle>,
}

impl State {
    /// Adds a connection whose keys are in place and returns its handle.
    pub(crate) fn add_connection(
        &mut self,
        start: ConnectionStart,
        socket: Socket,
        halves: impl FnOnce(ConnectionHandle) -> (Arc<Receiver>, Arc<Writer>),
        now: Instant,
    ) -> (ConnectionHandle, Arc<Receiver>, Arc<Writer>) {
        let handle = self.core.add_connection(start, now);
        let (receiver, writer) = halves(handle);
        let core = &self.core;
        self.history
            .retain(|connection| core.connection_id(connection).is_some());
        self.history.on_added(handle, socket.addresses);
        if let Some(options) = &socket.options
            && options.path_status() != PathStatus::Available
        {
            self.core.set_path_status(handle, options.path_status());
        }
        if let Some(remote) = socket.addresses.remote {
            self.core.handle_remote_address(handle, remote);
        }
        let slot = Slot::new(socket, Arc::clone(&receiver), Arc::clone(&writer));
        self.connections.insert(handle, Box::new(slot));
        (handle, receiver, writer)
    }

    /// What reads the connection that is expected to bring more of `stream` in bulk, over TCP.
    pub(crate) fn receiver_of(&self, stream: StreamId) -> Option<Arc<Receiver>> {
        let connection = self.bulk?;
        let (expected, _) = self.core.expected_stream(connection)?;
        let slot = self.connections.get(&connection)?;
        let reads = expected == stream && slot.tcp.is_some() && self.core.wants_read(connection);
        reads.then(|| Arc::clone(&slot.receiver))
    }

    /// The connections whose local address is one of these.
    pub(crate) fn connections_from(&self, addresses: &[IpAddr]) -> Vec<ConnectionHandle> {
        let is_from = |slot: &Slot| {
            let local = slot.addresses.local;
            local.is_some_and(|local| addresses.contains(&local.ip().to_canonical()))
        };
        let slots = self.connections.iter();
        slots
            .filter(|(_, slot)| is_from(slot))
            .map(|(connection, _)| *connection)
            .collect()
    }

    /// Why the session ended, once it has.
    pub(crate) fn ended(&self) -> Option<&SessionError> {
        self.ended.as_ref()
    }

    /// Session tickets that arrived since the last call.
    pub(crate) fn take_tickets(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.tickets)
    }

    /// How many tokens the client is to get since the last call.
    pub(crate) fn take_tokens_wanted(&mut self) -> u8 {
        std::mem::take(&mut self.tokens_wanted)
    }

    /// Connections that come and go from now on.
    pub(crate) fn path_events(&mut self) -> broadcast::Receiver<PathEvent> {
        self.path_events
            .get_or_insert_with(|| broadcast::Sender::new(PATH_EVENTS))
            .subscribe()
    }

    /// Runs due timers; says when to come back, or that nothing is left to wait for.
    pub(crate) fn poll_timer(&mut self, cx: &Context<'_>, now: Instant) -> Timer {
        if self.core.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.core.handle_timeout(now);
        }
        self.leaving.handle_timeout(&mut self.core, now);
        self.timer = Some(cx.waker().clone());
        self.armed = self.next_timeout();
        if self.ended.is_some() && self.connections.is_empty() {
            return Timer::Done;
        }
        Timer::WakeAt(self.armed)
    }

    /// Whether the session waits for a connection and has none.
    pub(crate) fn is_orphan(&self) -> bool {
        self.ended.is_none() && self.connections.is_empty()
    }

    fn next_timeout(&mut self) -> Option<Instant> {
        let core = self.core.poll_timeout().map(|(at, _)| at);
        let deadlines = [core, self.leaving.deadline(), self.owed_until()];
        deadlines.into_iter().flatten().min()
    }

    /// Ends the connections that use an address that either side withdrew; no other comes in their place
    /// (draft 5.2.8, reading A-33).
    pub(crate) fn leave_withdrawn(&mut self, now: Instant) {
        let withdrawn = |standing| matches!(standing, AddressStanding::Withdrawn(_));
        for (connection, slot) in &mut self.connections {
            let Addresses { local, remote } = slot.addresses;
            if remote.is_some_and(|remote| withdrawn(self.core.peer_address(remote)))
                || local.is_some_and(|local| withdrawn(self.core.own_address(local)))
            {
                slot.departure = Departure::LetGo;
                self.leaving.add(&mut self.core, *connection, now);
            }
        }
    }

    /// Turns what happened in the state machine into wake-ups.
    fn settle(&mut self, visitor: Visitor, wakeups: &mut Wakeups) {
        while let Some(event) = self.core.poll_event() {
            if let Event::TransmitReady(connection) = event {
                self.on_transmit_ready(connection, visitor, wakeups);
            } else {
                self.on_event(event, wakeups);
            }
        }
        self.settle_debts(visitor, wakeups);
        wakeups.tasks.extend(self.inbox.take_waker());
        let next = self.next_timeout();
        if next.is_some_and(|at| self.armed.is_none_or(|armed| at < armed)) {
            self.armed = next;
            wakeups.tasks.extend(self.timer.take());
        }
    }

    fn on_event(&mut self, event: Event, wakeups: &mut Wakeups) {
        match event {
            Event::StreamIncoming => self.waiting.wake(Wait::Accept, wakeups),
            Event::UniStreamIncoming => self.waiting.wake(Wait::AcceptUni, wakeups),
            Event::StreamsAvailable => self.waiting.wake(Wait::Open, wakeups),
            Event::Readable(id) => self.waiting.wake_stream(id, Interest::Read, wakeups),
            Event::Writable(id) => self.waiting.wake_stream(id, Interest::Write, wakeups),
            Event::Sent(id) => self.waiting.wake_stream(id, Interest::Sent, wakeups),
            Event::SendAcked(id) => self.waiting.wake_stream(id, Interest::Acked, wakeups),
            Event::Stopped { stream, .. } => {
                for interest in [Interest::Write, Interest::Sent, Interest::Acked] {
                    self.waiting.wake_stream(stream, interest, wakeups);
                }
            }
            Event::ReadResumed(handle) => {
                if let Some(slot) = self.connections.get(&handle) {
                    slot.wake_reader(wakeups);
                }
            }
            Event::Ticket(ticket) => {
                self.tickets.push(ticket);
                wakeups.tasks.extend(self.timer.take());
            }
            Event::TokensWanted(count) => {
                self.tokens_wanted = self.tokens_wanted.saturating_add(count);
                wakeups.tasks.extend(self.timer.take());
            }
            Event::TokenReceived(_) => self.waiting.wake(Wait::Join, wakeups),
            Event::KeysOutdated(before) => self.forget_keys(before),
            Event::ConnectionEstablished(connection) => {
                self.on_established(connection, wakeups, clock::now());
            }
            Event::ConnectionClosed {
                connection,
                failure,
            } => self.on_connection_closed(connection, failure, wakeups),
            Event::Closed(reason) => {
                self.ended = Some(reason);
                self.path_events = None;
                self.inbox.stir();
                self.waiting.wake_everybody(wakeups);
                wakeups.tasks.extend(self.timer.take());
            }
            Event::ConnectionKept(connection) => {
                if let Some(slot) = self.connections.get_mut(&connection) {
                    slot.departure = Departure::Rejoin;
                }
            }
            Event::AddressAdded { address, .. } => {
                self.tell(PathEvent::AddressAdded { address });
                self.inbox.tell(News::Advertised(address));
            }
            Event::AddressRemoved { address, .. } => {
                self.tell(PathEvent::AddressRemoved { address });
                self.leave_withdrawn(clock::now());
                self.inbox.tell(News::Withdrawn);
            }
            Event::PathInfoWanted(connection) => {
                let slot = self.connections.get(&connection);
                let tcp = slot.and_then(|slot| slot.tcp.clone());
                let observation = tcp.map(|tcp| (connection, tcp));
                wakeups.observations.extend(observation);
            }
            Event::TransmitReady(_) | Event::PingAcked { .. } | Event::ObservedAddress { .. } => {}
            event @ (Event::ConnectionSuspect(_)
            | Event::ConnectionRecovered(_)
            | Event::Probed { .. }
            | Event::PeerPathStatus { .. }) => self.tell_about_path(&event),
        }
    }

    fn forget_keys(&self, before: KeyGenerations) {
        if let Some(keys) = &self.keys {
            keys.send.forget_before(before.sent);
            keys.receive.forget_before(before.received);
        }
    }

    fn on_established(
        &mut self,
        connection: ConnectionHandle,
        wakeups: &mut Wakeups,
        now: Instant,
    ) {
        self.tell_path(connection, |id| PathEvent::Established { id });
        self.inbox.stir();
        self.leave_withdrawn(now);
        self.leaving.go_on(&mut self.core, now);
        self.waiting.wake(Wait::Join, wakeups);
        wakeups.tasks.extend(self.timer.take());
    }

    fn on_connection_closed(
        &mut self,
        connection: ConnectionHandle,
        failure: Option<ConnectionFailure>,
        wakeups: &mut Wakeups,
    ) {
        self.tell_path(connection, |id| PathEvent::Closed {
            id,
            reason: failure,
        });
        let slot = self.connections.remove(&connection);
        // Asked under the lock, once for each connection: who hears of the end may look at once.
        let retransmitted = slot.as_ref().and_then(|slot| slot.segments_retransmitted());
        self.history.on_closed(connection, failure, retransmitted);
        self.waiting.wake(Wait::Join, wakeups);
        self.inbox.stir();
        if let Some(slot) = slot {
            if self.core.is_established(connection)
                && failure.is_some_and(|failure| failure != ConnectionFailure::SessionEnded)
                && slot.departure == Departure::Rejoin
                && let Some(options) = slot.options.clone()
            {
                self.inbox.tell(News::Lost {
                    connection,
                    local: slot.addresses.local.map(|local| local.ip()),
                    options,
                });
            }
            slot.end(wakeups);
        }
        wakeups.tasks.extend(self.timer.take());
    }

    fn tell_path(
        &self,
        connection: ConnectionHandle,
        event: impl FnOnce(ConnectionId) -> PathEvent,
    ) {
        if let Some(id) = self.core.connection_id(connection) {
            self.tell(event(id));
        }
    }

    fn tell(&self, event: PathEvent) {
        if let Some(events) = &self.path_events {
            // Nobody need listen.
            let _listeners = events.send(event);
        }
    }
}

/// How many events a slow watcher of paths may be behind.
const PATH_EVENTS: usize = 64;

/// What the timer task does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    WakeAt(Option<Instant>),
    Done,
}
