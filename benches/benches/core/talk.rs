//! What the benches do with a pair.

use std::time::Duration;

use bytes::Bytes;
use tcpls_core::testing::{LinkConfig, Pair, PairConfig};
use tcpls_core::wire::{ConnectionId, Role, StreamId};
use tcpls_core::{SessionConfig, WriteError};

/// Bytes of one write.
const WRITE: usize = 64 * 1024;

/// A pair with so many connections, each slower than the one before, so that their records overtake
/// each other.
pub(crate) fn pair(config: &SessionConfig, connections: u32) -> Pair {
    let link = |index: u32| LinkConfig {
        latency: Duration::from_millis(10 + 3 * u64::from(index)),
        ..LinkConfig::default()
    };
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config.clone(),
        link: link(0),
        ..PairConfig::default()
    });
    for index in 1..connections {
        pair.join(ConnectionId::from_wire(index), link(index));
    }
    pair.drive();
    pair
}

/// A stream that both ends know.
pub(crate) fn open(pair: &mut Pair) -> StreamId {
    let stream = pair.client.session.open_bi().unwrap();
    pair.drive();
    assert_eq!(pair.server.session.accept_bi(), Some(stream));
    stream
}

/// Writes what the session takes of `bytes`; gives how many it took.
pub(crate) fn write(pair: &mut Pair, stream: StreamId, bytes: usize) -> usize {
    static BLOCK: [u8; WRITE] = [7; WRITE];
    let block = Bytes::from_static(&BLOCK);
    let mut written = 0;
    while written < bytes {
        let mut piece = block.slice(..WRITE.min(bytes - written));
        match pair.client.session.send(stream).write_chunk(&mut piece) {
            Ok(taken) => written += taken,
            Err(WriteError::Blocked) => break,
            Err(error) => panic!("{error}"),
        }
    }
    written
}

/// Reads what is there, as `role`; gives the bytes.
pub(crate) fn read(pair: &mut Pair, role: Role, stream: StreamId) -> usize {
    let mut received = 0;
    let session = &mut pair.host(role).session;
    while let Ok(Some(chunk)) = session.recv(stream).read_chunk(usize::MAX) {
        received += chunk.len();
    }
    received
}

/// Moves `bytes` from the client to the server.
pub(crate) fn transfer(pair: &mut Pair, stream: StreamId, bytes: usize) {
    let (mut sent, mut received) = (0, 0);
    while received < bytes {
        sent += write(pair, stream, bytes - sent);
        pair.settle();
        received += read(pair, Role::Server, stream);
        assert!(received >= bytes || pair.step(), "stuck at {received}");
    }
    // Nobody looks at them.
    pair.client.take_events();
    pair.server.take_events();
}
