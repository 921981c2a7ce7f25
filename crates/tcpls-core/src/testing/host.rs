//! One end of a pair: a session, its record halves, and the loop that a runtime would be.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

use bytes::BytesMut;

use super::{
    link::{LinkConfig, Pipe, PipeEnd},
    nonces::{NonceSequence, Nonces},
    random::Random,
    solo::Sent,
};
use crate::{
    ConnectionFailure, ConnectionHandle, Event, Session, Transmit, TransmitState,
    crypto::{RecordOpener, RecordSealer, WriteBuffer},
};

/// One of the two ends of a [`Pair`](super::Pair).
#[derive(Debug)]
pub struct Host {
    /// The session, for commands of the application.
    pub session: Session,
    /// The events that were polled, except [`Event::TransmitReady`], [`Event::ReadResumed`],
    /// [`Event::PathInfoWanted`], [`Event::KeysOutdated`] and [`Event::TokensWanted`].
    pub events: VecDeque<Event>,
    /// Tokens that the session wants to be issued.
    pub(super) tokens_wanted: u8,
    /// Connections whose TCP the session wants to hear.
    observations_wanted: BTreeSet<ConnectionHandle>,
    sockets: Vec<Socket>,
    transmit: Transmit,
    batch: usize,
    /// The records that were given out, if anybody wants to read them.
    kept: Option<Vec<Sent>>,
}

/// The end of one connection, in the order in which connections were made.
#[derive(Debug)]
struct Socket {
    handle: ConnectionHandle,
    /// Until everything is written.
    sealer: Option<RecordSealer>,
    /// Until everything is read.
    opener: Option<RecordOpener>,
    nonces: NonceSequence,
    read: BytesMut,
    write: WriteBuffer,
    reading: Reading,
    writing: Writing,
    pump: Pump,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Open,
    /// Not wanted until [`Event::ReadResumed`].
    Paused,
    Ended,
}

/// Whether the session is to be asked for records, as a driver that sleeps in between knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pump {
    Running,
    /// Until [`Event::TransmitReady`].
    Sleeping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Open,
    /// Half-closed once everything is written.
    LastWords,
    Ended,
}

/// The two directions of a connection as one end sees them, and what decides their behaviour.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) outgoing: &'a mut Pipe,
    pub(super) incoming: &'a mut Pipe,
    pub(super) link: &'a LinkConfig,
    pub(super) random: &'a mut Random,
    pub(super) nonces: &'a mut Nonces,
    pub(super) now: Instant,
}

impl Host {
    pub(super) fn new(session: Session, batch: usize) -> Self {
        Self {
            session,
            events: VecDeque::new(),
            tokens_wanted: 0,
            observations_wanted: BTreeSet::new(),
            sockets: Vec::new(),
            transmit: Transmit::new(),
            batch,
            kept: None,
        }
    }

    /// Keeps the plaintext of every record from now on.
    pub fn keep_records(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// Takes out the records that were kept.
    pub fn take_records(&mut self) -> Vec<Sent> {
        self.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The handle of the connection that was made as the `index`-th, counting from 0.
    pub fn connection(&self, index: usize) -> ConnectionHandle {
        self.sockets.get(index).expect("no such connection").handle
    }

    /// Takes out the events so far.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// Whether nothing more happens at this end of a connection.
    pub(super) fn is_done_with(&self, index: usize) -> bool {
        self.sockets.get(index).is_some_and(|socket| {
            socket.reading == Reading::Ended && socket.writing == Writing::Ended
        })
    }

    pub(super) fn add_socket(
        &mut self,
        handle: ConnectionHandle,
        sealer: RecordSealer,
        opener: RecordOpener,
    ) {
        self.sockets.push(Socket {
            handle,
            nonces: NonceSequence::of(&sealer),
            sealer: Some(sealer),
            opener: Some(opener),
            read: BytesMut::new(),
            write: WriteBuffer::new(),
            reading: Reading::Open,
            writing: Writing::Open,
            pump: Pump::Running,
        });
    }

    /// The session's next deadline, as the driver would arm it.
    pub(super) fn deadline(&mut self) -> Option<(Instant, crate::TimeoutReason)> {
        self.session.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|(deadline, _)| deadline <= now) {
            self.session.handle_timeout(now);
        }
    }

    /// Moves what can be moved on one connection; returns whether anything did.
    pub(super) fn pump(&mut self, index: usize, around: Surroundings<'_>) -> bool {
        self.poll_events();
        let Some(socket) = self.sockets.get_mut(index) else {
            return false;
        };
        let Surroundings {
            outgoing,
            incoming,
            link,
            random,
            nonces,
            now,
        } = around;
        let mut moved = socket.read(
            &mut self.session,
            incoming,
            random.up_to(link.largest_read),
            now,
        );
        let asked = self.observations_wanted.remove(&socket.handle);
        let pumps = socket.write.is_empty()
            && socket.writing == Writing::Open
            && socket.pump == Pump::Running;
        let outdated = pumps && self.session.wants_path_info(socket.handle, now);
        if link.observed && (asked || outdated) {
            let info = outgoing.path_info(now);
            self.session.handle_path_info(socket.handle, info, now);
        }
        if pumps {
            self.transmit.clear();
            let out = &mut self.transmit;
            let state = self
                .session
                .poll_transmit(socket.handle, self.batch, now, out);
            moved |= !self.transmit.is_empty();
            if let Some(kept) = &mut self.kept {
                kept.extend(Sent::all(&self.transmit));
            }
            socket.seal(&self.transmit, nonces, self.session.role());
            match state {
                TransmitState::Idle => socket.pump = Pump::Sleeping,
                TransmitState::More => {}
                TransmitState::ShutdownWrite | TransmitState::Close => {
                    socket.writing = Writing::LastWords;
                }
            }
        }
        moved |= socket.flush(outgoing, random.up_to(link.largest_write), now);
        if !socket.write.is_empty() {
            self.session.handle_blocked(socket.handle);
        }
        self.poll_events();
        moved
    }

    fn poll_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let Event::TokensWanted(count) = event {
                self.tokens_wanted += count;
            } else if let Event::KeysOutdated(before) = event {
                for socket in &self.sockets {
                    if let Some(sealer) = &socket.sealer {
                        sealer.keys().forget_before(before.sent);
                    }
                    if let Some(opener) = &socket.opener {
                        opener.keys().forget_before(before.received);
                    }
                }
            } else if let Event::PathInfoWanted(connection) = event {
                self.observations_wanted.insert(connection);
            } else if let Event::TransmitReady(connection) = event {
                self.wake(connection);
            } else if let Event::ReadResumed(connection) = event {
                self.resume(connection);
            } else {
                if let Event::ConnectionClosed { connection, .. } = event {
                    self.wake(connection);
                }
                self.events.push_back(event);
            }
        }
    }

    fn resume(&mut self, connection: ConnectionHandle) {
        for socket in &mut self.sockets {
            if socket.handle == connection && socket.reading == Reading::Paused {
                socket.reading = Reading::Open;
            }
        }
    }

    fn wake(&mut self, connection: ConnectionHandle) {
        for socket in &mut self.sockets {
            if socket.handle == connection {
                socket.pump = Pump::Running;
            }
        }
    }
}

impl Socket {
    fn read(
        &mut self,
        session: &mut Session,
        incoming: &mut Pipe,
        most: usize,
        now: Instant,
    ) -> bool {
        if self.reading != Reading::Open {
            return false;
        }
        if !session.wants_read(self.handle) {
            self.reading = Reading::Paused;
            return false;
        }
        let bytes = incoming.read(most, now);
        let end = incoming.end(now);
        self.read.extend_from_slice(&bytes);
        while let Some(opener) = &mut self.opener {
            match opener.open_next(&mut self.read) {
                Ok(Some(record)) => session.handle_record(self.handle, record, now),
                Ok(None) => break,
                Err(error) => {
                    self.reading = Reading::Ended;
                    self.opener = None;
                    session.handle_open_error(self.handle, error, now);
                    return true;
                }
            }
        }
        match end {
            PipeEnd::Open => return !bytes.is_empty(),
            PipeEnd::Fin(_) => session.handle_eof(self.handle, now),
            PipeEnd::Reset => {
                session.handle_failure(self.handle, ConnectionFailure::Reset, now);
                // Nothing that waits for the socket goes out any more.
                self.write = WriteBuffer::new();
                self.writing = Writing::Ended;
                self.sealer = None;
            }
        }
        self.reading = Reading::Ended;
        self.opener = None;
        true
    }

    fn seal(&mut self, transmit: &Transmit, nonces: &mut Nonces, role: crate::wire::Role) {
        for record in &transmit.records {
            let sealer = self.sealer.as_mut().expect("a record after the end");
            nonces.note(role, sealer, &mut self.nonces);
            let result = sealer.seal(&record.plaintext(&transmit.tails), &mut self.write);
            assert_eq!(result, Ok(record.sequence), "sealed out of order");
        }
    }

    fn flush(&mut self, outgoing: &mut Pipe, most: usize, now: Instant) -> bool {
        let pending = self.write.pending();
        let written = outgoing.write(pending.get(..most).unwrap_or(pending), now);
        self.write.advance(written);
        if self.write.is_empty() && self.writing == Writing::LastWords {
            outgoing.shutdown(now);
            self.writing = Writing::Ended;
            self.sealer = None;
            return true;
        }
        written > 0
    }
}
