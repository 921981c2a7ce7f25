//! Back-pressure without flow control (reading A-34 a): nobody is stuck, nobody hoards.

use tcpls_core::{
    Event, OpenError, Profile, ReadError, SessionConfig, WriteError,
    testing::{Host, Pair, PairConfig, Solo},
    wire::{Role, StreamId},
};

use crate::talk::pattern;

const SEND_BUFFER: usize = 64 << 10;
const SOFT_CAP: usize = 128 << 10;
const HARD_CAP: usize = 512 << 10;
/// Many times what all buffers hold together.
const TOTAL: usize = 4 << 20;

fn pair() -> Pair {
    let mut config = SessionConfig::new();
    config
        .profile(Profile::DraftOnly)
        .stream_send_buffer(SEND_BUFFER)
        .session_send_buffer(SEND_BUFFER)
        .unread_soft_cap(SOFT_CAP)
        .unread_hard_cap(HARD_CAP);
    Pair::new(PairConfig {
        seed: 34,
        client: config.clone(),
        server: config,
        ..PairConfig::default()
    })
}

/// An application that sends back what it reads, and reads only when it could send.
#[derive(Default)]
struct Echo {
    pending: bytes::Bytes,
    ended: bool,
}

impl Echo {
    fn run(&mut self, host: &mut Host, stream: StreamId) {
        while !self.ended {
            match host.session.send(stream).write_chunk(&mut self.pending) {
                Ok(_) => {}
                Err(WriteError::Blocked) => return,
                Err(error) => panic!("{error}"),
            }
            if self.pending.is_empty() {
                match host.session.recv(stream).read_chunk(usize::MAX) {
                    Ok(Some(chunk)) => self.pending = chunk,
                    Ok(None) => {
                        host.session.send(stream).finish().unwrap();
                        self.ended = true;
                    }
                    Err(ReadError::Blocked) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

/// A client that writes whenever it can and reads `appetite` bytes at a time, against an echo.
fn echo(appetite: usize) {
    let mut pair = pair();
    let stream = pair.client.session.open_bi().unwrap();
    let data = pattern(stream, Role::Client, 0, TOTAL);
    let (mut written, mut read) = (0, Vec::new());
    let mut server = Echo::default();
    loop {
        while written < TOTAL {
            match pair.client.session.send(stream).write(&data[written..]) {
                Ok(len) => written += len,
                Err(WriteError::Blocked) => break,
                Err(error) => panic!("after {written} written, {} read: {error}", read.len()),
            }
            if written == TOTAL {
                pair.client.session.send(stream).finish().unwrap();
            }
        }
        let moving = pair.step();
        if pair.server.session.stats().streams_live > 0 {
            server.run(&mut pair.server, stream);
        }
        for role in [Role::Client, Role::Server] {
            let unread = pair.host(role).session.stats().bytes_unread;
            assert!(
                usize::try_from(unread).unwrap() <= SOFT_CAP + 2 * SEND_BUFFER,
                "{role:?} holds {unread}"
            );
        }
        match pair.client.session.recv(stream).read_chunk(appetite) {
            Ok(Some(chunk)) => read.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(ReadError::Blocked) => assert!(moving, "stuck after {} read", read.len()),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(read == data);
}

/// A-34 a: an echo does not read while it waits to write, and what it waits for is behind data.
#[test]
fn an_echo_is_never_stuck() {
    echo(usize::MAX);
}

/// A-34 a: whoever first writes and then reads can do so up to a quarter of the hard cap at each end.
#[test]
fn writing_before_reading_is_not_stuck() {
    let mut pair = Pair::seeded(35);
    let stream = pair.client.session.open_bi().unwrap();
    let data = pattern(stream, Role::Client, 0, 12 << 20);
    let (mut written, mut server) = (0, Echo::default());
    while written < data.len() {
        match pair.client.session.send(stream).write(&data[written..]) {
            Ok(len) => written += len,
            Err(WriteError::Blocked) => assert!(pair.step(), "stuck after {written} written"),
            Err(error) => panic!("{error}"),
        }
        if pair.server.session.stats().streams_live > 0 {
            server.run(&mut pair.server, stream);
        }
    }
}

/// A-34 a: a client that always writes and hardly reads slows its own writing down.
#[test]
fn a_slow_reader_that_writes_is_slowed_down() {
    echo(1000);
}

/// A-34 a: a stream that nobody reads holds what its writer can send unacknowledged, and does not stop
/// another stream that somebody waits for.
#[test]
fn a_stream_that_nobody_reads_does_not_stop_the_others() {
    let mut config = SessionConfig::new();
    config
        .profile(Profile::DraftOnly)
        .stream_send_buffer(SEND_BUFFER)
        .unread_soft_cap(SOFT_CAP)
        .unread_hard_cap(HARD_CAP);
    let mut pair = Pair::new(PairConfig {
        client: config.clone(),
        server: config,
        ..PairConfig::default()
    });
    let [bulk, small] = [(); 2].map(|()| pair.server.session.open_bi().unwrap());
    pair.drive();
    let block = vec![0; SEND_BUFFER];
    let mut moving = true;
    while moving {
        let _ = pair.client.session.recv(small).read(&mut [0; 1]);
        moving = pair.server.session.send(bulk).write(&block).is_ok();
        moving |= pair.step();
    }
    let held = usize::try_from(pair.client.session.stats().bytes_unread).unwrap();
    assert!(
        (SOFT_CAP..=SOFT_CAP + SEND_BUFFER).contains(&held),
        "{held}"
    );
    assert_eq!(pair.server.session.send(small).write(b"x"), Ok(1));
    pair.drive();
    assert_eq!(pair.client.session.recv(small).read(&mut [0; 1]), Ok(1));
    assert_eq!(pair.client.session.close_reason(), None);
}

/// Who waited for room to write or to open when the session began to close hears of it at once, although
/// the peer has yet to acknowledge what was finished.
#[test]
fn closing_tells_who_waits_for_room() {
    let mut config = SessionConfig::new();
    config.stream_send_buffer(1000).own_streams(2);
    let mut client = Solo::new(Role::Client, config);
    let (finished, blocked) = (
        client.session.open_bi().unwrap(),
        client.session.open_bi().unwrap(),
    );
    assert_eq!(client.session.send(finished).write(b"all"), Ok(3));
    client.session.send(finished).finish().unwrap();
    assert_eq!(client.session.send(blocked).write(&[0; 1001]), Ok(1000));
    let write = |client: &mut Solo| client.session.send(blocked).write(b"more");
    assert_eq!(write(&mut client), Err(WriteError::Blocked));
    assert_eq!(client.session.open_bi(), Err(OpenError::Blocked));
    let _sent = client.transmit_on(client.first);
    client.events();
    client.session.close(client.clock.now());
    let told = client.events();
    assert!(told.contains(&Event::Writable(blocked)), "{told:?}");
    assert!(told.contains(&Event::StreamsAvailable), "{told:?}");
    assert_eq!(write(&mut client), Err(WriteError::Closing));
    assert_eq!(client.session.open_bi(), Err(OpenError::Closing));
    assert_eq!(client.session.close_reason(), None);
}
