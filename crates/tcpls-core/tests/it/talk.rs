//! What applications do with a session, in one call each.

use tcpls_core::{
    CloseReason, PeerMisbehaved, ReadError, SessionConfig, WriteError,
    testing::{Host, Pair, Sent, Solo},
    wire::{
        AckFrame, ConnectionId, ConnectionResetFrame, ExtendedFrame, Fin, Frame, RecordSequence,
        ResetStreamFrame, Role, StopSendingFrame, StreamFrame, StreamId,
    },
};

/// Bytes that differ from place to place and from stream to stream.
pub fn pattern(stream: StreamId, from: Role, offset: usize, len: usize) -> Vec<u8> {
    let salt = usize::try_from(stream.as_u32()).unwrap() * 131 + usize::from(from == Role::Client);
    (offset..offset + len)
        .map(|at| ((at ^ (at >> 8) ^ (at >> 16)) + salt).to_le_bytes()[0])
        .collect()
}

/// Reads what is there.
pub fn read_all(host: &mut Host, stream: StreamId) -> (Vec<u8>, Result<(), ReadError>) {
    let mut bytes = Vec::new();
    loop {
        match host.session.recv(stream).read_chunk(usize::MAX) {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, Ok(())),
            Err(error) => return (bytes, Err(error)),
        }
    }
}

/// Sends all of `data` while the peer reads it, and returns what the peer read.
pub fn transfer(pair: &mut Pair, from: Role, stream: StreamId, data: &[u8]) -> Vec<u8> {
    let (mut sent, mut received) = (0, Vec::new());
    loop {
        while sent < data.len() {
            match pair.host(from).session.send(stream).write(&data[sent..]) {
                Ok(len) => sent += len,
                Err(WriteError::Blocked) => break,
                Err(error) => panic!("{error}"),
            }
        }
        pair.settle();
        received.extend(read_all(pair.host(from.peer()), stream).0);
        if sent == data.len() && received.len() >= data.len() {
            return received;
        }
        assert!(
            pair.step(),
            "stuck at {sent} sent and {} received",
            received.len()
        );
    }
}

/// A session whose peer said the same about itself.
pub fn extended(role: Role, config: SessionConfig) -> Solo {
    let peer = config.params();
    Solo::with_params(role, config, peer)
}

/// Stream `index` of `initiator`.
pub fn stream(initiator: Role, index: u32) -> StreamId {
    StreamId::nth(initiator, index).unwrap()
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

/// A Stream frame that ends its stream.
pub fn end(stream: StreamId, offset: u64, data: &[u8]) -> Frame<'_> {
    Frame::Stream(StreamFrame {
        stream,
        offset,
        fin: Fin::End,
        data,
    })
}

/// An ACK frame of this connection up to this record.
pub fn ack(connection: u32, highest: u64) -> Frame<'static> {
    let connection = ConnectionId::from_wire(connection);
    Frame::Ack(AckFrame {
        connection,
        highest: RecordSequence::from_wire(highest),
    })
}

/// A Connection Reset frame.
pub fn reset(connection: u32) -> Frame<'static> {
    Frame::ConnectionReset(ConnectionResetFrame {
        connection: ConnectionId::from_wire(connection),
    })
}

pub fn reset_stream(stream: StreamId, code: u32, final_size: u64) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::ResetStream(ResetStreamFrame {
        stream,
        code,
        final_size,
    }))
}

pub fn stop_sending(stream: StreamId, code: u32) -> Frame<'static> {
    Frame::Extended(ExtendedFrame::StopSending(StopSendingFrame {
        stream,
        code,
    }))
}

/// What the peer did wrong, if that ended the session.
pub fn misbehaved(solo: &Solo) -> Option<PeerMisbehaved> {
    match solo.session.close_reason() {
        Some(CloseReason::PeerMisbehaved(error)) => Some(error),
        _ => None,
    }
}

/// The frames of several records, each in the order in which a peer applies them.
pub fn all_frames(sent: &[Sent]) -> Vec<Frame<'_>> {
    sent.iter().flat_map(Sent::frames).collect()
}
