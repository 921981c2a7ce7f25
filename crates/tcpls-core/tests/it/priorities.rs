//! Which of several streams goes first.

use tcpls_core::{
    ConnectionFailure, Sharing,
    testing::Solo,
    wire::{Frame, StreamId},
};

use crate::talk::all_frames;

/// The streams whose data a session sends on a connection, in its order, without repetitions in a row.
fn order(solo: &mut Solo, c: tcpls_core::ConnectionHandle) -> Vec<StreamId> {
    let (sent, _) = solo.transmit_on(c);
    let mut order: Vec<_> = all_frames(&sent)
        .iter()
        .filter_map(|frame| match frame {
            Frame::Stream(frame) if !frame.data.is_empty() => Some(frame.stream),
            _ => None,
        })
        .collect();
    order.dedup();
    order
}

fn three_streams(client: &mut Solo) -> [StreamId; 3] {
    let ids = [(); 3].map(|()| client.session.open_bi().unwrap());
    client.transmit();
    for id in ids {
        client.session.send(id).write(&vec![1; 60_000]).unwrap();
    }
    ids
}

/// All of a stream of a higher priority goes before any of a lower one; equal ones take turns.
#[test]
fn higher_priorities_go_first() {
    let mut client = Solo::client();
    let [low, high, lower] = three_streams(&mut client);
    client.session.send(high).set_priority(5).unwrap();
    client.session.send(lower).set_priority(-1).unwrap();
    let first = client.first;
    assert_eq!(order(&mut client, first), [high, low, lower]);

    let ids = three_streams(&mut client);
    let order = order(&mut client, first);
    assert!(order.len() > ids.len(), "they take turns: {order:?}");
}

/// Streams that keep their turn go one after the other; the others of their priority wait for each.
#[test]
fn streams_can_go_one_by_one() {
    let mut client = Solo::client();
    let ids = three_streams(&mut client);
    for id in ids {
        client
            .session
            .send(id)
            .set_sharing(Sharing::OneByOne)
            .unwrap();
    }
    let urgent = client.session.open_bi().unwrap();
    client.session.send(urgent).set_priority(1).unwrap();
    client.session.send(urgent).write(&[1; 100]).unwrap();
    let first = client.first;
    let [one, two, three] = ids;
    assert_eq!(order(&mut client, first), [urgent, one, two, three]);

    let ids = three_streams(&mut client);
    let [alone, others @ ..] = ids;
    client
        .session
        .send(alone)
        .set_sharing(Sharing::OneByOne)
        .unwrap();
    let order = order(&mut client, first);
    assert_eq!(order[0], alone);
    assert!(!order[1..].contains(&alone), "{order:?}");
    assert!(order.len() > 1 + others.len(), "they take turns: {order:?}");
}

/// A priority that changes while data waits counts at once.
#[test]
fn a_priority_can_change_while_data_waits() {
    let mut client = Solo::client();
    let [first, second, third] = three_streams(&mut client);
    for (id, priority) in [(first, 9), (second, 8), (third, 7), (first, 0), (second, 1)] {
        client.session.send(id).set_priority(priority).unwrap();
    }
    let c = client.first;
    assert_eq!(order(&mut client, c), [third, second, first]);
}

/// What is sent again has the priority of its stream.
#[test]
fn what_is_sent_again_keeps_its_priority() {
    let mut client = Solo::client();
    let second = client.join(2);
    client.hear_on(second);
    let [low, high, _] = three_streams(&mut client);
    let c = client.first;
    order(&mut client, c);
    client.session.send(high).set_priority(5).unwrap();
    client.session.send(low).set_priority(1).unwrap();
    let now = client.clock.now();
    let failure = ConnectionFailure::Reset;
    client.session.handle_failure(client.first, failure, now);
    let order = order(&mut client, second);
    assert_eq!(order[..2], [high, low]);
}
