//! Which connection carries what.

use std::{sync::Arc, time::Duration};

use tcpls_core::{
    ConnectionHandle, PathInfo, PathStatus, SessionConfig, StreamPaths,
    scheduler::{LowestRtt, Redundant, RoundRobin, Scheduler},
    testing::Solo,
    wire::{Frame, Role},
};

use crate::talk::{ack, all_frames, data, end, pattern, reset};

const MS: Duration = Duration::from_millis(1);

fn with(scheduler: impl Scheduler + 'static) -> Solo {
    let mut config = SessionConfig::new();
    config.scheduler(Arc::new(scheduler));
    Solo::new(Role::Client, config)
}

/// A second connection on which the peer was heard.
fn join(solo: &mut Solo, id: u32) -> ConnectionHandle {
    let connection = solo.join(id);
    solo.receive_on(connection, &[Frame::Ping]);
    solo.transmit();
    connection
}

fn observe(solo: &mut Solo, connection: ConnectionHandle, info: PathInfo) {
    let now = solo.clock.now();
    solo.session.handle_path_info(connection, info, now);
}

fn path(round_trip: u32, congestion_window: u64) -> PathInfo {
    PathInfo {
        round_trip: MS * round_trip,
        congestion_window,
        ..PathInfo::default()
    }
}

/// R34: a little is left to the fast connection, however much room the slow one has; of much, each takes
/// its part.
#[test]
fn a_slow_connection_does_not_delay_a_little_data() {
    let mut client = Solo::client();
    let slow = join(&mut client, 1);
    let fast = client.first;
    observe(&mut client, fast, path(20, 125_000));
    observe(&mut client, slow, path(100, 50_000));
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"a request").unwrap();
    assert!(!client.session.wants_transmit(slow));
    assert!(client.transmit_on(slow).0.is_empty());
    assert_eq!(all_frames(&client.transmit()), [data(id, 0, b"a request")]);
    client
        .session
        .send(id)
        .write(&pattern(id, Role::Client, 0, 3_000_000))
        .unwrap();
    assert!(client.session.wants_transmit(slow));
    assert!(!client.transmit_on(slow).0.is_empty());
}

/// R34: when nothing new is left to send, what would come late on a slow connection goes out on the fast
/// one as well, once.
#[test]
fn an_idle_connection_helps_a_slow_one() {
    let mut client = Solo::client();
    let slow = join(&mut client, 1);
    let fast = client.first;
    let id = client.session.open_bi().unwrap();
    observe(&mut client, slow, path(400, 15_000));
    client
        .session
        .send(id)
        .write(b"stuck behind others")
        .unwrap();
    let only = StreamPaths::Only(vec![slow]);
    client.session.send(id).set_paths(only).unwrap();
    client.session.send(id).finish().unwrap();
    let _sent = client.transmit_on(slow);
    assert!(
        client.transmit().is_empty(),
        "nothing is known of the fast one"
    );
    observe(&mut client, fast, path(20, 125_000));
    assert!(client.transmit().is_empty(), "the stream is kept apart");
    let anywhere = StreamPaths::All;
    client.session.send(id).set_paths(anywhere).unwrap();
    let copy = [end(id, 0, b"stuck behind others")];
    assert_eq!(all_frames(&client.transmit()), copy);
    assert!(client.transmit().is_empty());
    client.receive_on(slow, &[ack(1, 0)]);
    assert_eq!(client.session.stats().bytes_unacked, 0);
    assert_eq!(client.session.send(id).poll_acked(), Ok(true));
}

/// A backup connection carries nothing while an available one works, and everything when none does.
#[test]
fn a_backup_connection_waits() {
    let mut client = Solo::client();
    let first = client.first;
    let backup = join(&mut client, 1);
    client.session.set_path_status(backup, PathStatus::Backup);
    assert_eq!(client.session.path_status(backup), Some(PathStatus::Backup));
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"first").unwrap();
    assert!(client.transmit_on(backup).0.is_empty());
    assert_eq!(all_frames(&client.transmit()), [data(id, 0, b"first")]);
    observe(&mut client, backup, path(20, 100_000));
    observe(
        &mut client,
        first,
        PathInfo {
            in_flight: 100,
            since_ack: 400 * MS,
            ..path(20, 100_000)
        },
    );
    client.advance(400 * MS);
    observe(
        &mut client,
        first,
        PathInfo {
            in_flight: 100,
            since_ack: 800 * MS,
            ..path(20, 100_000)
        },
    );
    assert_eq!(
        all_frames(&client.transmit_on(backup).0),
        [ack(1, 0), data(id, 0, b"first")],
        "what was said on the silent one is said again"
    );
    client.session.send(id).write(b" second").unwrap();
    assert!(client.transmit().is_empty(), "silent");
    assert_eq!(
        all_frames(&client.transmit_on(backup).0),
        [data(id, 5, b" second")]
    );
}

/// R9, R10: a stream goes over the connections that the application chose for it, and over others only
/// while these do not work.
#[test]
fn a_stream_keeps_to_its_connections() {
    let mut client = Solo::client();
    let second = join(&mut client, 1);
    let [here, there, anywhere] = [(); 3].map(|()| client.session.open_bi().unwrap());
    client.transmit();
    let only = |connection| StreamPaths::Only(vec![connection]);
    let first = client.first;
    for (id, paths) in [(here, only(first)), (there, only(second))] {
        client.session.send(id).set_paths(paths).unwrap();
        client.session.send(id).write(b"mine").unwrap();
    }
    assert_eq!(
        all_frames(&client.transmit_on(second).0),
        [data(there, 0, b"mine")]
    );
    client.session.send(anywhere).write(b"any").unwrap();
    let sent = client.transmit();
    let frames = all_frames(&sent);
    assert!(frames.contains(&data(here, 0, b"mine")));
    assert!(frames.contains(&data(anywhere, 0, b"any")));
    client.session.send(there).write(b" too").unwrap();
    assert!(client.transmit().is_empty());
    let now = client.clock.now();
    let failure = tcpls_core::ConnectionFailure::Reset;
    client.session.handle_failure(second, failure, now);
    let sent = client.transmit();
    let frames = all_frames(&sent);
    assert!(frames.contains(&reset(1)));
    assert!(frames.contains(&data(there, 0, b"mine")) && frames.contains(&data(there, 4, b" too")));
    client
        .session
        .send(here)
        .set_paths(StreamPaths::All)
        .unwrap();
    client.session.send(here).finish().unwrap();
    assert_eq!(all_frames(&client.transmit()), [end(here, 4, b"")]);
}

/// R9: a stream that is limited while it waits to be sent obeys from its next frame on; one that has a
/// backup connection to itself uses it.
#[test]
fn limits_bind_at_once_and_also_on_a_backup() {
    let mut client = Solo::client();
    let backup = join(&mut client, 1);
    client.session.set_path_status(backup, PathStatus::Backup);
    let [id, other] = [(); 2].map(|()| client.session.open_bi().unwrap());
    client.transmit();
    client.session.send(id).write(b"waiting").unwrap();
    client.session.send(other).write(b"rest").unwrap();
    let paths = StreamPaths::Only(vec![backup]);
    client.session.send(id).set_paths(paths).unwrap();
    assert_eq!(all_frames(&client.transmit()), [data(other, 0, b"rest")]);
    assert_eq!(
        all_frames(&client.transmit_on(backup).0),
        [data(id, 0, b"waiting")]
    );
}

/// A client with two connections, `round_trip` microseconds long, that has `len` bytes to send and has given
/// the first of them 64 KiB.
fn at_work(round_trip: u64, window: u64, len: usize) -> (Solo, ConnectionHandle) {
    let mut client = Solo::client();
    let second = join(&mut client, 1);
    for connection in [client.first, second] {
        let round_trip = Duration::from_micros(round_trip);
        let info = PathInfo {
            round_trip,
            ..path(0, window)
        };
        observe(&mut client, connection, info);
    }
    let id = client.session.open_bi().unwrap();
    let bytes = pattern(id, Role::Client, 0, len);
    client.session.send(id).write(&bytes).unwrap();
    assert!(client.session.wants_transmit(second));
    let first = client.first;
    take(&mut client, first);
    (client, second)
}

/// Gives 64 KiB to a connection.
fn take(client: &mut Solo, connection: ConnectionHandle) {
    let mut out = tcpls_core::Transmit::new();
    let now = client.clock.now();
    let _more = client
        .session
        .poll_transmit(connection, 64 * 1024, now, &mut out);
    assert!(!out.is_empty());
}

/// R34: on fast paths one connection goes on until its socket is full, then another one does.
#[test]
fn a_fast_connection_goes_on_until_its_socket_is_full() {
    let (mut client, second) = at_work(100, 2_000_000, 500_000);
    let first = client.first;
    assert!(client.session.wants_transmit(first));
    assert!(!client.session.wants_transmit(second));
    client.session.handle_blocked(first);
    assert!(client.session.wants_transmit(second));
    take(&mut client, second);
    assert!(client.session.wants_transmit(second));
    assert!(!client.session.wants_transmit(first));
    client.session.handle_blocked(second);
    assert!(client.session.wants_transmit(first), "its turn again");
}

/// R34: nor does another one wait for a connection that may send no more frames before some are acknowledged.
#[test]
fn a_connection_that_may_send_no_more_frames_is_not_waited_for() {
    let (mut client, second) = at_work(100, 2_000_000, 10_000);
    let first = client.first;
    let id = client.session.open_bi().unwrap();
    for _ in 0..20_000 {
        client.session.send(id).write(b"x").unwrap();
        if !client.session.wants_transmit(first) {
            break;
        }
        assert!(!client.session.wants_transmit(second));
        take(&mut client, first);
    }
    assert!(!client.session.wants_transmit(first));
    assert!(client.session.wants_transmit(second));
}

/// R34: of more than one stream can have, fast connections take their part at the same time.
#[test]
fn of_much_fast_connections_take_their_part_at_the_same_time() {
    let (mut client, second) = at_work(100, 2_000_000, 4 << 20);
    assert!(!client.session.wants_transmit(second));
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(&vec![0; 1_000_000]).unwrap();
    assert!(client.session.wants_transmit(client.first));
    assert!(client.session.wants_transmit(second));
}

/// R34: on slow paths nothing waits for the connection that took data last.
#[test]
fn a_slow_connection_leaves_the_rest_to_others() {
    let (client, second) = at_work(20_000, 50_000, 500_000);
    assert!(client.session.wants_transmit(second));
}

/// what a slow connection was given while it was the only one, another one that comes cannot carry.
#[test]
fn a_lone_connection_is_given_much_at_a_time_where_it_is_fast() {
    let mut client = Solo::client();
    let first = client.first;
    let unknown = client.session.transmit_batch(first);
    observe(&mut client, first, path(40, 150_000));
    let slow = client.session.transmit_batch(first);
    assert!(slow <= 256 << 10, "{slow}");
    observe(&mut client, first, path(1, 4 << 20));
    let fast = client.session.transmit_batch(first);
    assert!(slow < fast && fast == unknown, "{slow}, {fast}, {unknown}");
}

/// R10: round robin gives all connections the same.
#[test]
fn round_robin_takes_turns() {
    let mut client = with(RoundRobin);
    let second = join(&mut client, 1);
    let id = client.session.open_bi().unwrap();
    client
        .session
        .send(id)
        .write(&pattern(id, Role::Client, 0, 1_000_000))
        .unwrap();
    let mut given = [0, 0];
    for _ in 0..30 {
        for (index, connection) in [client.first, second].into_iter().enumerate() {
            let mut out = tcpls_core::Transmit::new();
            let now = client.clock.now();
            let _more = client.session.poll_transmit(connection, 1, now, &mut out);
            given[index] += out.records.len();
        }
    }
    assert!(given[0].abs_diff(given[1]) <= 1, "{given:?}");
}

/// R10: the redundant policy sends everything on each connection; the peer keeps what comes first.
#[test]
fn redundant_sends_everything_everywhere() {
    let mut client = with(Redundant);
    let [second, third] = [1, 2].map(|id| join(&mut client, id));
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"important").unwrap();
    let frame = data(id, 0, b"important");
    assert_eq!(all_frames(&client.transmit()), [frame]);
    for connection in [second, third] {
        let (sent, _) = client.transmit_on(connection);
        assert_eq!(all_frames(&sent), [frame]);
        assert!(client.transmit_on(connection).0.is_empty());
    }
    client.receive_on(third, &[ack(2, 0)]);
    assert_eq!(client.session.stats().bytes_unacked, 0);
}

/// R9: what goes out twice keeps to the connections of its stream, too, as long as one of them works.
#[test]
fn copies_keep_to_the_connections_of_their_stream() {
    let mut client = with(Redundant);
    let [second, third] = [1, 2].map(|id| join(&mut client, id));
    let [apart, shared] = [(); 2].map(|()| client.session.open_bi().unwrap());
    client.transmit();
    for connection in [second, third] {
        let _opening = client.transmit_on(connection);
    }
    let only = StreamPaths::Only(vec![client.first, second]);
    client.session.send(apart).set_paths(only).unwrap();
    client.session.send(apart).write(b"apart").unwrap();
    client.session.send(shared).write(b"shared").unwrap();
    client.transmit();
    let (sent, _) = client.transmit_on(second);
    let copies = all_frames(&sent);
    assert_eq!(copies.len(), 2, "{copies:?}");
    assert_eq!(
        all_frames(&client.transmit_on(third).0),
        [data(shared, 0, b"shared")]
    );
    let now = client.clock.now();
    for connection in [client.first, second] {
        let failure = tcpls_core::ConnectionFailure::Reset;
        client.session.handle_failure(connection, failure, now);
    }
    let (sent, _) = client.transmit_on(third);
    let frames = all_frames(&sent);
    assert!(frames.contains(&data(apart, 0, b"apart")), "{frames:?}");
}

/// R34: a connection whose peer has had no room for a while is not waited for, however near it is.
#[test]
fn a_blocked_connection_is_not_waited_for() {
    for mut client in [Solo::client(), with(LowestRtt)] {
        let slow = join(&mut client, 1);
        let fast = client.first;
        let stuck = PathInfo {
            unsent: 20_000,
            ..path(20, 125_000)
        };
        observe(&mut client, fast, stuck);
        observe(&mut client, slow, path(100, 50_000));
        let id = client.session.open_bi().unwrap();
        client.session.send(id).write(b"a request").unwrap();
        assert!(!client.session.wants_transmit(slow));
        client.advance(MS * 30);
        observe(&mut client, fast, path(20, 125_000));
        observe(&mut client, fast, stuck);
        assert!(!client.session.wants_transmit(slow), "there was room");
        client.advance(MS * 100);
        observe(&mut client, fast, stuck);
        assert!(client.session.wants_transmit(slow));
        assert!(!client.session.is_suspect(fast));
    }
}

/// R10: among the connections of a stream, too, one for backup carries nothing while another works.
#[test]
fn a_backup_of_a_stream_waits() {
    let mut client = Solo::client();
    let [second, third] = [1, 2].map(|id| join(&mut client, id));
    client.session.set_path_status(third, PathStatus::Backup);
    let id = client.session.open_bi().unwrap();
    client.session.send(id).write(b"apart").unwrap();
    let only = StreamPaths::Only(vec![second, third]);
    client.session.send(id).set_paths(only).unwrap();
    assert!(!client.session.wants_transmit(third));
    assert!(client.session.wants_transmit(second));
    client.session.set_path_status(second, PathStatus::Backup);
    assert!(client.session.wants_transmit(third));
}
