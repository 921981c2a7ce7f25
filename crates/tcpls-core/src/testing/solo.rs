//! One session whose peer is the test.

use std::{collections::BTreeMap, time::Duration};

use super::clock::Clock;
use crate::{
    ConnectionHandle, ConnectionStart, Delivery, Event, OpenedRecord, Session, SessionConfig,
    Transmit, TransmitState,
    crypto::ContentType,
    wire::{
        ConnectionId, Frame, FrameSet, PaddingRun, RecordFrames, RecordSequence, Role,
        SessionParams, StreamId,
    },
};

/// A session that is handed records of the test's making, and what it answers.
#[derive(Debug)]
pub struct Solo {
    /// The session.
    pub session: Session,
    /// Its time.
    pub clock: Clock,
    /// Its first connection.
    pub first: ConnectionHandle,
    next: BTreeMap<ConnectionHandle, RecordSequence>,
}

/// A record that the session gave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub sequence: RecordSequence,
    /// What it contains.
    pub content_type: ContentType,
    /// Its plaintext.
    pub plaintext: Vec<u8>,
}

impl Solo {
    /// A session with its first connection, both directions at record 0, whose peer speaks the draft
    /// alone.
    pub fn new(role: Role, config: SessionConfig) -> Self {
        Self::with_params(role, config, None)
    }

    /// The same with a peer that said this about itself.
    pub fn with_params(role: Role, config: SessionConfig, peer: Option<SessionParams>) -> Self {
        let clock = Clock::new();
        let mut session = Session::new(role, config, clock.now());
        session.handle_params(peer);
        let first = session.add_connection(start(ConnectionId::FIRST), clock.now());
        Self {
            session,
            clock,
            first,
            next: BTreeMap::from([(first, RecordSequence::ZERO)]),
        }
    }

    /// A server with the default configuration.
    pub fn server() -> Self {
        Self::new(Role::Server, SessionConfig::new())
    }

    /// A client with the default configuration.
    pub fn client() -> Self {
        Self::new(Role::Client, SessionConfig::new())
    }

    /// Adds a connection that has joined.
    pub fn join(&mut self, id: u32) -> ConnectionHandle {
        let id = ConnectionId::from_wire(id);
        let c = self.session.add_connection(start(id), self.clock.now());
        self.next.insert(c, RecordSequence::ZERO);
        c
    }

    /// Hands in a record with these frames, in the order of the wire: the last one is applied first.
    pub fn receive(&mut self, frames: &[Frame<'_>]) {
        self.receive_on(self.first, frames);
    }

    /// The same on another connection.
    pub fn receive_on(&mut self, c: ConnectionHandle, frames: &[Frame<'_>]) {
        let mut plaintext = Vec::new();
        for frame in frames {
            frame
                .encode(&mut plaintext)
                .expect("a frame that cannot be encoded");
        }
        self.receive_record(c, ContentType::ApplicationData, plaintext);
    }

    /// Hands in a record with this content.
    pub fn receive_record(
        &mut self,
        c: ConnectionHandle,
        content_type: ContentType,
        content: Vec<u8>,
    ) {
        let next = self.next.get_mut(&c).expect("no such connection");
        let sequence = *next;
        *next = sequence.next().expect("too many records");
        let record = OpenedRecord {
            sequence,
            content_type,
            payload: content.into(),
        };
        self.session.handle_record(c, record, self.clock.now());
    }

    /// Hands in a record of application data whose first bytes are where the reader of `stream` wants them,
    /// and says what became of how many; `None` when it does not land, and was not handed in.
    pub fn land(
        &mut self,
        c: ConnectionHandle,
        stream: StreamId,
        plaintext: &[u8],
    ) -> Option<(Delivery, usize)> {
        let sequence = self.next_sequence(c);
        let record = self.session.landing(stream)?.land(sequence, plaintext)?;
        let next = sequence.next()?;
        self.next.insert(c, next);
        let data = plaintext.get(..record.data_len())?;
        let now = self.clock.now();
        let delivery = self.session.handle_landed(c, &record, data, now);
        Some((delivery, data.len()))
    }

    /// The number of the next record of a connection.
    pub fn next_sequence(&self, c: ConnectionHandle) -> RecordSequence {
        *self.next.get(&c).expect("no such connection")
    }

    /// Hands in a record that asks for nothing, so that the connection has heard from its peer.
    pub fn hear_on(&mut self, c: ConnectionHandle) {
        self.receive_on(c, &[Frame::Padding(PaddingRun { length: 1 })]);
    }

    /// Everything that the first connection sends now.
    pub fn transmit(&mut self) -> Vec<Sent> {
        self.transmit_on(self.first).0
    }

    /// Everything that a connection sends now, and what comes after it.
    pub fn transmit_on(&mut self, c: ConnectionHandle) -> (Vec<Sent>, TransmitState) {
        let mut batch = Transmit::new();
        let mut sent = Vec::new();
        loop {
            batch.clear();
            let state = self
                .session
                .poll_transmit(c, 64 * 1024, self.clock.now(), &mut batch);
            sent.extend(Sent::all(&batch));
            if state != TransmitState::More {
                return (sent, state);
            }
        }
    }

    /// Everything that happened since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// Lets time pass, with a wake-up at each deadline in between.
    pub fn advance(&mut self, time: Duration) {
        let end = self.clock.now() + time;
        while let Some((at, _)) = self.session.poll_timeout().filter(|(at, _)| *at <= end) {
            self.clock.advance_to(at);
            self.session.handle_timeout(at);
        }
        self.clock.advance_to(end);
    }
}

impl Sent {
    /// The records of a batch.
    pub(super) fn all(batch: &Transmit) -> impl Iterator<Item = Self> + '_ {
        batch.records.iter().map(|record| Self {
            sequence: record.sequence,
            content_type: record.content_type,
            plaintext: [&record.lead, record.tail(&batch.tails)].concat(),
        })
    }

    /// The frames, in the order in which a peer applies them.
    pub fn frames(&self) -> Vec<Frame<'_>> {
        RecordFrames::parse(&self.plaintext, FrameSet::Extended)
            .expect("the session sent nonsense")
            .iter()
            .collect()
    }
}

fn start(id: ConnectionId) -> ConnectionStart {
    ConnectionStart::joined(id)
}
