//! A session under attack, and the buffers that its driver reads into.

use std::collections::BTreeMap;

use bytes::{Buf, BytesMut};
use tcpls_core::{
    CloseReason, ConnectionHandle, ContentType, OpenedRecord, SessionConfig,
    testing::Solo,
    wire::{Fin, Frame, RecordSequence, Role, StreamFrame, StreamId},
};

/// The buffers that records are read into: those of a driver, and the default of
/// [`SessionConfig::receive_buffer`].
pub const RECEIVE_BUFFER: usize = 256 << 10;

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
        let solo = Solo::new(role, config);
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

    /// Hands in a record with these frames and lets the driver do its part; returns whether the session
    /// is still there.
    pub fn takes(&mut self, frames: &[Frame<'_>]) -> bool {
        let mut plaintext = Vec::with_capacity(ROOM);
        for frame in frames {
            frame.encode(&mut plaintext).unwrap();
        }
        self.takes_content(ContentType::ApplicationData, &plaintext)
    }

    /// The same with any content.
    pub fn takes_content(&mut self, content_type: ContentType, content: &[u8]) -> bool {
        let first = self.solo.first;
        let input = self.connections.get_mut(&first).unwrap();
        let sequence = input.next;
        input.next = sequence.next().unwrap();
        let record = OpenedRecord {
            sequence,
            content_type,
            payload: input.read(content).freeze(),
        };
        let now = self.solo.clock.now();
        self.solo.session.handle_record(first, record, now);
        self.solo.events();
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
