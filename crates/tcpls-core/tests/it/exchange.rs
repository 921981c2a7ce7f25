//! Streams between two sessions.

use tcpls_core::{Event, testing::Pair, wire::Role};

use crate::talk::{pattern, read_all, transfer};

/// R6, R11: a session starts on the connection that carried the handshake, and either side sends.
#[test]
fn bytes_arrive_in_order_both_ways() {
    let mut pair = Pair::seeded(1);
    let stream = pair.client.session.open_bi().unwrap();
    pair.drive();
    assert_eq!(pair.server.session.accept_bi(), Some(stream));
    for (from, len) in [(Role::Client, 3_000_000), (Role::Server, 5_000_000)] {
        let data = pattern(stream, from, 0, len);
        assert!(transfer(&mut pair, from, stream, &data) == data);
    }
    for role in [Role::Client, Role::Server] {
        pair.host(role).session.send(stream).finish().unwrap();
    }
    pair.drive();
    for role in [Role::Client, Role::Server] {
        assert!(
            pair.host(role)
                .take_events()
                .contains(&Event::SendAcked(stream))
        );
        assert_eq!(read_all(pair.host(role), stream), (vec![], Ok(())));
        let stats = pair.host(role).session.stats();
        assert_eq!(
            (stats.streams_live, stats.bytes_unacked, stats.bytes_unread),
            (0, 0, 0)
        );
    }
}
