//! The state that a session's handles and tasks share, and who is woken when it changes.
//!
//! Nothing under this lock encrypts, decrypts or calls the system: connections take plaintext
//! records out of it and put plaintext records into it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use tcpls_core::wire::{ConnectionId, StreamId};
use tcpls_core::{
    ConnectionFailure, ConnectionHandle, ConnectionStart, Event, Session as Core, Transmit,
    TransmitState,
};
use tokio::sync::broadcast;

use crate::connection::{ReadEnd, Writer};
use crate::io::Addresses;
use crate::path::PathEvent;
use crate::{ReadError, SessionError, WriteError, clock};

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
                streams: BTreeMap::new(),
                accepting: Vec::new(),
                opening: Vec::new(),
                closing: Vec::new(),
                joining: Vec::new(),
                path_events: None,
                tokens_wanted: 0,
                timer: None,
                armed: None,
                ended: None,
                tickets: Vec::new(),
            }),
        }
    }

    /// Runs `change` on the state, then wakes whom it concerns once the lock is released.
    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut State, Instant) -> R) -> R {
        let now = clock::now();
        let mut wakeups = Wakeups::default();
        let mut state = self.lock();
        let result = change(&mut state, now);
        state.settle(&mut wakeups);
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

    /// Takes the next batch of records for `connection`. After [`TransmitState::Idle`], whoever
    /// gives the connection something to send drives its writer.
    pub(crate) fn poll_transmit(
        &self,
        connection: ConnectionHandle,
        limit: usize,
        transmit: &mut Transmit,
    ) -> TransmitState {
        self.update(|state, now| state.core.poll_transmit(connection, limit, now, transmit))
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
                if !slot
                    .reader_task
                    .as_ref()
                    .is_some_and(|task| task.will_wake(cx.waker()))
                {
                    slot.reader_task = Some(cx.waker().clone());
                }
                if wanted {
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
            let earlier = state
                .connections
                .get(&connection)
                .and_then(|slot| slot.write_failure);
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

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every call leaves the state machine whole, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the lock guards.
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) connections: BTreeMap<ConnectionHandle, Slot>,
    /// Tasks that wait for a stream half; a half has one at most, because its methods borrow it.
    streams: BTreeMap<StreamId, StreamWakers>,
    accepting: Vec<Waker>,
    opening: Vec<Waker>,
    closing: Vec<Waker>,
    /// Who waits for a token, or for a connection to be established.
    joining: Vec<Waker>,
    /// Who watches connections come and go, once somebody asked.
    path_events: Option<broadcast::Sender<PathEvent>>,
    /// Tokens that the client is to get.
    tokens_wanted: u8,
    timer: Option<Waker>,
    /// When the timer task wakes by itself: it is only disturbed for something earlier.
    armed: Option<Instant>,
    ended: Option<SessionError>,
    /// Session tickets that arrived and are not yet stored.
    tickets: Vec<Bytes>,
}

impl State {
    /// Adds a connection whose keys are in place and returns its handle.
    pub(crate) fn add_connection(
        &mut self,
        start: ConnectionStart,
        socket: Socket,
        writer: impl FnOnce(ConnectionHandle) -> Arc<Writer>,
        now: Instant,
    ) -> (ConnectionHandle, Arc<Writer>) {
        let handle = self.core.add_connection(start, now);
        let writer = writer(handle);
        self.connections.insert(
            handle,
            Slot {
                writer: Arc::clone(&writer),
                addresses: socket.addresses,
                writer_task: None,
                reader_task: None,
                over: socket.over,
                write_failure: None,
            },
        );
        (handle, writer)
    }

    /// Why the session ended, once it has.
    pub(crate) fn ended(&self) -> Option<&SessionError> {
        self.ended.as_ref()
    }

    /// What the application sees of a write that the state machine refused.
    pub(crate) fn write_error(&self, error: tcpls_core::WriteError) -> WriteError {
        match (error, &self.ended) {
            (tcpls_core::WriteError::Finished | tcpls_core::WriteError::UnknownStream, _) => {
                WriteError::ClosedStream
            }
            (_, Some(reason)) => WriteError::SessionLost(*reason),
            (tcpls_core::WriteError::Lost(reason), None) => WriteError::SessionLost(reason),
            (tcpls_core::WriteError::Blocked | tcpls_core::WriteError::Closing, None) => {
                WriteError::SessionLost(SessionError::LocalClose)
            }
        }
    }

    /// What the application sees of a read that the state machine refused.
    pub(crate) fn read_error(&self, error: tcpls_core::ReadError) -> ReadError {
        match (error, &self.ended) {
            (tcpls_core::ReadError::Stopped | tcpls_core::ReadError::UnknownStream, _) => {
                ReadError::ClosedStream
            }
            (_, Some(reason)) => ReadError::SessionLost(*reason),
            (tcpls_core::ReadError::Lost(reason), None) => ReadError::SessionLost(reason),
            (tcpls_core::ReadError::Blocked, None) => {
                ReadError::SessionLost(SessionError::LocalClose)
            }
        }
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

    /// Waits for `interest` on a stream half.
    pub(crate) fn wait_for_stream<R>(
        &mut self,
        id: StreamId,
        interest: Interest,
        cx: &Context<'_>,
    ) -> Poll<R> {
        let wakers = self.streams.entry(id).or_default();
        *wakers.slot(interest) = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Forgets who waits for `interest`, when that half of the stream is dropped.
    pub(crate) fn forget_stream(&mut self, id: StreamId, interests: &[Interest]) {
        if let Some(wakers) = self.streams.get_mut(&id) {
            for &interest in interests {
                *wakers.slot(interest) = None;
            }
            if wakers.is_empty() {
                self.streams.remove(&id);
            }
        }
    }

    /// Waits for a stream to accept, for room to open one, or for the end of the session.
    pub(crate) fn wait_for_session<R>(&mut self, wait: Wait, cx: &Context<'_>) -> Poll<R> {
        let list = match wait {
            Wait::Accept => &mut self.accepting,
            Wait::Open => &mut self.opening,
            Wait::Closed => &mut self.closing,
            Wait::Join => &mut self.joining,
        };
        if !list.iter().any(|waker| waker.will_wake(cx.waker())) {
            list.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Runs due timers; says when to come back, or that nothing is left to wait for.
    pub(crate) fn poll_timer(&mut self, cx: &Context<'_>, now: Instant) -> Timer {
        if self.core.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.core.handle_timeout(now);
        }
        self.timer = Some(cx.waker().clone());
        self.armed = self.core.poll_timeout().map(|(at, _)| at);
        if self.ended.is_some() && self.connections.is_empty() {
            return Timer::Done;
        }
        Timer::WakeAt(self.armed)
    }

    /// Turns what happened in the state machine into wake-ups.
    fn settle(&mut self, wakeups: &mut Wakeups) {
        while let Some(event) = self.core.poll_event() {
            self.on_event(event, wakeups);
        }
        let next = self.core.poll_timeout().map(|(at, _)| at);
        if next.is_some_and(|at| self.armed.is_none_or(|armed| at < armed)) {
            self.armed = next;
            wakeups.tasks.extend(self.timer.take());
        }
    }

    fn on_event(&mut self, event: Event, wakeups: &mut Wakeups) {
        match event {
            Event::StreamIncoming => wakeups.tasks.append(&mut self.accepting),
            Event::StreamsAvailable => wakeups.tasks.append(&mut self.opening),
            Event::Readable(id) => self.wake_stream(id, Interest::Read, wakeups),
            Event::Writable(id) => self.wake_stream(id, Interest::Write, wakeups),
            Event::Sent(id) => self.wake_stream(id, Interest::Sent, wakeups),
            Event::SendAcked(id) => self.wake_stream(id, Interest::Acked, wakeups),
            Event::ReadResumed(handle) => {
                // It stays: the reader may be waiting for its socket and not come by here again.
                if let Some(slot) = self.connections.get(&handle) {
                    wakeups.tasks.extend(slot.reader_task.clone());
                }
            }
            Event::TransmitReady(handle) => {
                if let Some(slot) = self.connections.get(&handle)
                    && let Some(task) = slot.writer_task.clone()
                {
                    wakeups.writers.push((Arc::clone(&slot.writer), task));
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
            Event::TokenReceived(_) => wakeups.tasks.append(&mut self.joining),
            Event::ConnectionEstablished(connection) => {
                self.tell_path(connection, |id| PathEvent::Established { id });
                wakeups.tasks.append(&mut self.joining);
            }
            Event::ConnectionClosed {
                connection,
                failure,
            } => {
                self.tell_path(connection, |id| PathEvent::Closed {
                    id,
                    reason: failure,
                });
                wakeups.tasks.append(&mut self.joining);
                if let Some(slot) = self.connections.remove(&connection) {
                    slot.over.store(true, Ordering::Release);
                    wakeups.tasks.extend(slot.writer_task);
                    wakeups.tasks.extend(slot.reader_task);
                }
                wakeups.tasks.extend(self.timer.take());
            }
            Event::Closed(reason) => {
                self.ended = Some(reason);
                self.wake_everybody(wakeups);
            }
            // Paths are opened by the application.
            Event::PingAcked { .. } | Event::AddressAdded { .. } | Event::AddressRemoved { .. } => {
            }
        }
    }

    fn tell_path(
        &self,
        connection: ConnectionHandle,
        event: impl FnOnce(ConnectionId) -> PathEvent,
    ) {
        if let (Some(events), Some(id)) = (&self.path_events, self.core.connection_id(connection)) {
            // Nobody need listen.
            let _listeners = events.send(event(id));
        }
    }

    fn wake_stream(&mut self, id: StreamId, interest: Interest, wakeups: &mut Wakeups) {
        if let Some(wakers) = self.streams.get_mut(&id) {
            wakeups.tasks.extend(wakers.slot(interest).take());
            if wakers.is_empty() {
                self.streams.remove(&id);
            }
        }
    }

    fn wake_everybody(&mut self, wakeups: &mut Wakeups) {
        wakeups.tasks.append(&mut self.accepting);
        wakeups.tasks.append(&mut self.opening);
        wakeups.tasks.append(&mut self.closing);
        wakeups.tasks.append(&mut self.joining);
        self.path_events = None;
        wakeups.tasks.extend(self.timer.take());
        for wakers in std::mem::take(&mut self.streams).into_values() {
            wakeups.tasks.extend(wakers.read);
            wakeups.tasks.extend(wakers.write);
            wakeups.tasks.extend(wakers.acked);
            wakeups.tasks.extend(wakers.sent);
        }
    }
}

/// What a connection brings along.
pub(crate) struct Socket {
    pub(crate) addresses: Addresses,
    /// Tells the reader that the session needs nothing more from it.
    pub(crate) over: Arc<AtomicBool>,
}

/// What the state knows of one TCP connection's tasks.
pub(crate) struct Slot {
    writer: Arc<Writer>,
    pub(crate) addresses: Addresses,
    pub(crate) writer_task: Option<Waker>,
    reader_task: Option<Waker>,
    /// Tells the reader, which keeps a share, that the session needs nothing more from it.
    over: Arc<AtomicBool>,
    /// Writing failed; what arrived before is still being read.
    pub(crate) write_failure: Option<ConnectionFailure>,
}

/// How many events a slow watcher of paths may be behind.
const PATH_EVENTS: usize = 64;

/// What a task waits for on a stream half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
    Acked,
    Sent,
}

/// What a task waits for on the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Accept,
    Open,
    Closed,
    Join,
}

/// What the timer task does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    WakeAt(Option<Instant>),
    Done,
}

#[derive(Default)]
struct StreamWakers {
    read: Option<Waker>,
    write: Option<Waker>,
    acked: Option<Waker>,
    sent: Option<Waker>,
}

impl StreamWakers {
    fn slot(&mut self, interest: Interest) -> &mut Option<Waker> {
        match interest {
            Interest::Read => &mut self.read,
            Interest::Write => &mut self.write,
            Interest::Acked => &mut self.acked,
            Interest::Sent => &mut self.sent,
        }
    }

    fn is_empty(&self) -> bool {
        self.read.is_none() && self.write.is_none() && self.acked.is_none() && self.sent.is_none()
    }
}

/// Whom to wake once the lock is released.
#[derive(Default)]
struct Wakeups {
    tasks: Vec<Waker>,
    writers: Vec<(Arc<Writer>, Waker)>,
}

impl Wakeups {
    fn deliver(self, shared: &Shared) {
        for task in self.tasks {
            task.wake();
        }
        for (writer, task) in self.writers {
            writer.kick(shared, task);
        }
    }
}
