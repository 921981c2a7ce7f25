//! What applications do with a session, in one call each.

use tcpls_core::{
    ReadError, WriteError,
    testing::{Host, Pair},
    wire::{Role, StreamId},
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
