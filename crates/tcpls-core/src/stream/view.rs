//! What the application may do with one half of one stream.

use std::io::IoSlice;

use bytes::Bytes;

use super::{ready::Sharing, table::Streams};
use crate::{
    FinishError, ReadError, ResetError, StreamPaths, WriteError, event::EventQueue, wire::StreamId,
};

/// The sending half of one stream, from [`Session::send`](crate::Session::send).
#[derive(Debug)]
pub struct SendStream<'a> {
    streams: &'a mut Streams,
    events: &'a mut EventQueue,
    id: StreamId,
}

impl<'a> SendStream<'a> {
    pub(crate) fn new(streams: &'a mut Streams, events: &'a mut EventQueue, id: StreamId) -> Self {
        Self {
            streams,
            events,
            id,
        }
    }

    /// Copies a prefix of `data` into the send buffer and returns its length; 0 only for no data.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.streams.write(self.id, data)
    }

    /// Takes a prefix off `chunk` and returns its length. It is kept by reference until the peer
    /// acknowledges it; less than 1 KiB is copied.
    pub fn write_chunk(&mut self, chunk: &mut Bytes) -> Result<usize, WriteError> {
        self.streams.write_chunk(self.id, chunk)
    }

    /// As [`write`](Self::write) for several slices in a row.
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, WriteError> {
        let mut written = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match self.streams.write(self.id, slice) {
                Ok(len) => written += len,
                Err(WriteError::Blocked) if written > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Ends the stream after what was written; [`Event::SendAcked`](crate::Event::SendAcked) says
    /// when the peer has it all.
    pub fn finish(&mut self) -> Result<(), FinishError> {
        self.streams.finish(self.id)
    }

    /// Breaks the stream off: what the peer does not have is not sent any more, and its application
    /// gets this code. A finished stream can be broken off too, until the peer has all of it.
    ///
    /// A peer that speaks the draft alone cannot be told (reading A-34 d): then nothing changes, and the
    /// error is [`ResetError::UnsupportedByPeer`].
    pub fn reset(&mut self, code: u32) -> Result<(), ResetError> {
        self.streams.reset(self.id, code, self.events)
    }

    /// The code with which the peer stopped this stream, if it did;
    /// [`Event::Stopped`](crate::Event::Stopped) tells when it does.
    pub fn poll_stopped(&self) -> Option<u32> {
        self.streams.stopped(self.id)
    }

    /// Which connections carry what is sent from now on (draft 4.1, R9). It is a wish: while none of them
    /// works, others do.
    pub fn set_paths(&mut self, paths: StreamPaths) -> Result<(), WriteError> {
        let limit = match paths {
            StreamPaths::All => None,
            StreamPaths::Only(connections) => Some(connections.into()),
        };
        self.streams.set_limit(self.id, limit)
    }

    /// Which streams this one goes before; default 0. As long as a stream of a higher priority has
    /// something to send, new or again, those of a lower one wait; streams of one priority take turns.
    /// It is about this side's sending alone: the peer is not told, and priorities compare among
    /// streams with the same [`set_paths`](Self::set_paths).
    pub fn set_priority(&mut self, priority: i32) -> Result<(), WriteError> {
        self.streams.set_priority(self.id, priority)
    }

    /// How it shares with streams of the same priority; default [`Sharing::InTurns`].
    pub fn set_sharing(&mut self, sharing: Sharing) -> Result<(), WriteError> {
        self.streams.set_sharing(self.id, sharing)
    }

    /// Whether the peer has all bytes and the end. When it has not, the session knows that a writer
    /// waits and keeps its sockets read (reading A-34 a), and
    /// [`Event::SendAcked`](crate::Event::SendAcked) says when to ask again.
    pub fn poll_acked(&mut self) -> Result<bool, WriteError> {
        self.streams.poll_acked(self.id)
    }

    /// Whether everything written, and the end if there is one, was given out by
    /// [`poll_transmit`](crate::Session::poll_transmit). When it was not,
    /// [`Event::Sent`](crate::Event::Sent) says when to ask again.
    pub fn poll_sent(&mut self) -> Result<bool, WriteError> {
        self.streams.poll_sent(self.id)
    }

    /// Bytes that a write would take now.
    pub fn capacity(&mut self) -> usize {
        self.streams.capacity(self.id)
    }
}

/// The receiving half of one stream, from [`Session::recv`](crate::Session::recv).
#[derive(Debug)]
pub struct RecvStream<'a> {
    streams: &'a mut Streams,
    events: &'a mut EventQueue,
    id: StreamId,
}

impl<'a> RecvStream<'a> {
    pub(crate) fn new(streams: &'a mut Streams, events: &'a mut EventQueue, id: StreamId) -> Self {
        Self {
            streams,
            events,
            id,
        }
    }

    /// The next bytes in order, at most `max` and at least 1 of them, without copying; `None` at the
    /// end of the stream.
    pub fn read_chunk(&mut self, max: usize) -> Result<Option<Bytes>, ReadError> {
        self.streams.read_chunk(self.id, max, self.events)
    }

    /// Copies the next bytes into `buffer` and returns how many; 0 at the end of the stream (or for an
    /// empty buffer).
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        self.streams.read(self.id, buffer, self.events)
    }

    /// Reads no more: what is unread and what still comes is discarded and counted, so that the peer
    /// is never held up by it. The peer is asked to send no more, with this code for its application,
    /// unless it speaks the draft alone or has sent everything.
    pub fn stop_sending(&mut self, code: u32) {
        self.streams.stop(self.id, code, self.events);
    }
}
