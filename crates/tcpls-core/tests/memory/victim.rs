//! A session under attack, and the buffers that its driver reads into.

use std::{collections::BTreeMap, time::Instant};

use bytes::{Buf, BytesMut};
use tcpls_core::{
    CloseReason, ConnectionFailure, ConnectionHandle, ContentType, OpenedRecord, SessionConfig,
    testing::Solo,
    wire::{Fin, Frame, PaddingRun, RecordSequence, Role, StreamFrame, StreamId},
};

/// The buffers that records are read into: those of a driver, and the default of
/// [`SessionConfig::receive_buffer`].
pub const RECEIVE_BUFFER: usize = 256 << 10;

/// What a session takes that has received nothing, two receive buffers of its driver included.
pub const SESSION: u64 = 640 << 10;

/// What a stream takes that has received nothing.
pub const STREAM: u64 = 1 << 10;

/// Header, type and tag of a protected record.
const HEADER: usize = 5;
const TRAILER: usize = 17;

/// The longest record.
const ROOM: usize = 16_384 + 256 + HEADER;

/// A session whose records lie in receive buffers as those of a real driver do.
pub struct Victim {
    solo: Solo,
    connections: BTreeMap<ConnectionHandle, Input>,
}

struct Input {
    buffer: BytesMut,
    next: RecordSequence,
}

impl Victim {
    pub fn new(role: Role, config: SessionConfig) -> Self {
        Self::of(Solo::new(role, config))
    }

    /// One whose peer knows what is beyond the draft.
    pub fn extended(role: Role, config: SessionConfig) -> Self {
        let peer = config.params();
        Self::of(Solo::with_params(role, config, peer))
    }

    fn of(solo: Solo) -> Self {
        let mut victim = Self {
            connections: BTreeMap::new(),
            solo,
        };
        victim.watch(victim.solo.first);
        victim
    }

    fn watch(&mut self, c: ConnectionHandle) {
        let input = Input {
            buffer: BytesMut::new(),
            next: RecordSequence::ZERO,
        };
        self.connections.insert(c, input);
    }

    /// A connection joins, and the peer says something on it.
    pub fn join(&mut self, id: u32) -> ConnectionHandle {
        let c = self.solo.join(id);
        self.watch(c);
        self.takes_on(c, &[Frame::Padding(PaddingRun { length: 1 })]);
        c
    }

    /// What a connection sends now; returns how many records.
    pub fn transmit_on(&mut self, c: ConnectionHandle) -> usize {
        self.solo.transmit_on(c).0.len()
    }

    /// The connection fails, and with it go its driver's buffers.
    pub fn lose(&mut self, c: ConnectionHandle) {
        let now = self.now();
        self.connections.remove(&c);
        let reset = ConnectionFailure::Reset;
        self.solo.session.handle_failure(c, reset, now);
        self.solo.events();
    }

    pub fn first(&self) -> ConnectionHandle {
        self.solo.first
    }

    pub fn now(&self) -> Instant {
        self.solo.clock.now()
    }

    /// Hands in a record with these frames and lets the driver do its part; returns whether the session
    /// is still there.
    pub fn takes(&mut self, frames: &[Frame<'_>]) -> bool {
        self.takes_on(self.solo.first, frames)
    }

    /// The same on another connection.
    pub fn takes_on(&mut self, c: ConnectionHandle, frames: &[Frame<'_>]) -> bool {
        let mut plaintext = Vec::with_capacity(ROOM);
        for frame in frames {
            frame.encode(&mut plaintext).unwrap();
        }
        self.takes_content(c, ContentType::ApplicationData, &plaintext)
    }

    /// The same with any content.
    pub fn takes_content(
        &mut self,
        c: ConnectionHandle,
        content_type: ContentType,
        content: &[u8],
    ) -> bool {
        let alive = self.takes_content_unpolled(c, content_type, content);
        self.solo.events();
        alive
    }

    /// The same while nobody asks for events.
    pub fn takes_content_unpolled(
        &mut self,
        c: ConnectionHandle,
        content_type: ContentType,
        content: &[u8],
    ) -> bool {
        let input = self.connections.get_mut(&c).unwrap();
        let sequence = input.next;
        input.next = sequence.next().unwrap();
        let record = OpenedRecord {
            sequence,
            content_type,
            payload: input.read(content).freeze(),
        };
        let now = self.solo.clock.now();
        self.solo.session.handle_record(c, record, now);
        self.is_alive()
    }

    pub fn session(&mut self) -> &mut tcpls_core::Session {
        &mut self.solo.session
    }

    pub fn is_alive(&self) -> bool {
        self.solo.session.close_reason().is_none()
    }

    pub fn reason(&self) -> Option<CloseReason> {
        self.solo.session.close_reason()
    }
}

impl Input {
    /// What a driver does: buffers are filled from the front to the end, then the next one is taken.
    fn read(&mut self, content: &[u8]) -> BytesMut {
        if self.buffer.capacity() < ROOM {
            self.buffer = BytesMut::with_capacity(RECEIVE_BUFFER);
        }
        let len = HEADER + content.len() + TRAILER;
        self.buffer.extend_from_slice(&[0; HEADER]);
        self.buffer.extend_from_slice(content);
        self.buffer.extend_from_slice(&[0; TRAILER]);
        let mut record = self.buffer.split_to(len);
        record.advance(HEADER);
        record.truncate(content.len());
        record
    }
}

/// A Stream frame that goes on.
pub fn data(stream: StreamId, offset: u64, data: &[u8]) -> Frame<'_> {
    Frame::Stream(StreamFrame {
        stream,
        offset,
        fin: Fin::More,
        data,
    })
}

/// Stream `index` of a client.
pub fn stream(index: u32) -> StreamId {
    StreamId::nth(Role::Client, index).unwrap()
}
