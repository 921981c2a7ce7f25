//! Stream data that is decrypted where the application wants it.

use tcpls_core::{
    ContentType, Delivery, PeerMisbehaved, ReadError,
    testing::{Random, Solo},
    wire::{Frame, PaddingRun, Role, StreamChangeFrame, StreamId},
};

use crate::talk::{data, end, misbehaved, pattern, stream};

/// A server whose client has opened two streams; of the first, the application has read "abc".
fn server() -> (Solo, [StreamId; 2]) {
    let ids = [0, 1].map(|index| stream(Role::Client, index));
    let mut server = Solo::server();
    server.receive(&[data(ids[0], 0, b"abc"), data(ids[1], 0, b"")]);
    let read = server.session.recv(ids[0]).read_chunk(9).unwrap().unwrap();
    assert_eq!(read, b"abc"[..]);
    assert_eq!(
        server.session.recv(ids[0]).read_chunk(9),
        Err(ReadError::Blocked)
    );
    server.events();
    (server, ids)
}

fn plaintext(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut plaintext = Vec::new();
    for frame in frames {
        frame.encode(&mut plaintext).unwrap();
    }
    plaintext
}

/// data that lands is accounted for as if it had been received and then read, together with all
/// other frames of its record; nobody is told that there is something to read.
#[test]
fn what_lands_counts_as_received_and_read() {
    let (mut usual, [first, other]) = server();
    let (mut landing, _) = server();
    let c = usual.first;
    let bytes = pattern(first, Role::Client, 3, 20_000);
    let (mut at, mut landed) = (3, Vec::new());
    for (length, index) in [16_000, 1, 500, 3000].into_iter().zip(0_u64..) {
        let start = usize::try_from(at).unwrap() - 3;
        let change = Frame::StreamChange(StreamChangeFrame {
            stream: other,
            next_offset: index,
        });
        let piece = data(first, at, &bytes[start..start + length]);
        let frames = match index {
            0 => vec![piece],
            1 => vec![piece, Frame::Ping],
            2 => vec![piece, data(other, 0, b"other"), change],
            _ => vec![piece, Frame::Padding(PaddingRun { length: 3 })],
        };
        at += u64::try_from(length).unwrap();
        usual.receive(&frames);
        let read = usual.session.recv(first).read_chunk(usize::MAX).unwrap();
        assert_eq!(read.unwrap(), bytes[start..start + length]);
        assert_eq!(
            landing.land(c, first, &plaintext(&frames)),
            Some((Delivery::Read, length))
        );
        landed.extend_from_slice(&bytes[start..start + length]);
        let nothing = Err(ReadError::Blocked);
        assert_eq!(usual.session.recv(first).read_chunk(9), nothing);
        assert_eq!(landing.session.recv(first).read_chunk(9), nothing);
        assert_eq!(usual.session.stats(), landing.session.stats());
        assert_eq!(
            usual.session.connection_stats(c),
            landing.session.connection_stats(c)
        );
        for id in [first, other] {
            let stats = landing.session.stream_stats(id);
            assert_eq!(usual.session.stream_stats(id), stats);
        }
        assert_eq!(
            usual.session.expected_stream(c),
            landing.session.expected_stream(c)
        );
        assert_eq!(usual.transmit(), landing.transmit(), "acknowledgments");
    }
    assert_eq!(landed, bytes[..landed.len()]);
    let told = |solo: &mut Solo, id| {
        let events = solo.events();
        let of = |event: &tcpls_core::Event| *event == tcpls_core::Event::Readable(id);
        events.iter().filter(|event| of(event)).count()
    };
    assert_eq!(told(&mut landing, first), 0);
    assert_eq!(told(&mut usual, first), 4);
    let read = landing.session.recv(other).read_chunk(9).unwrap().unwrap();
    assert_eq!(read, b"other"[..]);
}

/// the guess may prove wrong in every way, and is not acted upon then.
#[test]
fn what_does_not_come_next_does_not_land() {
    let (server, [first, other]) = server();
    let landing = server.session.landing(first).unwrap();
    let sequence = tcpls_core::wire::RecordSequence::ZERO;
    let lands = |plaintext: &[u8]| landing.clone().land(sequence, plaintext).is_some();
    assert!(lands(&plaintext(&[data(first, 3, b"def")])));
    for frames in [
        vec![],
        vec![Frame::Ping],
        vec![data(other, 3, b"def")],
        vec![data(first, 4, b"def")],
        vec![data(first, 2, b"cdef")],
        vec![data(first, 3, b"")],
        vec![Frame::Ping, data(first, 3, b"def")],
        vec![data(other, 0, b"x"), data(first, 3, b"def")],
    ] {
        assert!(!lands(&plaintext(&frames)), "{frames:?}");
    }
    let mut broken = plaintext(&[data(first, 3, b"def")]);
    broken.push(0x0f);
    assert!(!lands(&broken), "no such frame");
}

/// Nothing lands on a stream that has unread data, a gap, no reader or no beginning.
#[test]
fn nothing_lands_where_something_else_comes_first() {
    let (mut server, [first, other]) = server();
    let lands = |server: &Solo, id| server.session.landing(id).is_some();
    assert!(lands(&server, first));
    assert!(!lands(&server, other), "its first bytes announce it");
    assert!(!lands(&server, stream(Role::Client, 2)), "not opened");
    server.receive(&[data(first, 3, b"d")]);
    assert!(!lands(&server, first), "unread");
    server.session.recv(first).read_chunk(9).unwrap();
    assert!(lands(&server, first));
    server.receive(&[data(first, 6, b"g")]);
    assert!(!lands(&server, first), "behind a gap");
    server.receive(&[data(first, 4, b"ef")]);
    let read = server.session.recv(first).read_chunk(9).unwrap().unwrap();
    assert_eq!(read, b"efg"[..]);
    assert!(lands(&server, first));
    server.session.recv(first).stop_sending(0);
    assert!(!lands(&server, first), "nobody reads it");
}

/// bytes that landed and meanwhile came on another connection are read once, in order.
#[test]
fn what_was_overtaken_is_kept_in_its_order() {
    let (mut server, [first, _]) = server();
    let (c, second) = (server.first, server.join(1));
    let mut landing = server.session.landing(first).unwrap();
    let frames = plaintext(&[data(first, 3, b"defgh")]);
    let sequence = server.next_sequence(c);
    let record = landing.land(sequence, &frames).unwrap();
    server.receive_on(second, &[data(first, 3, b"def")]);
    let now = server.clock.now();
    let delivery = server.session.handle_landed(c, &record, &frames[..5], now);
    assert_eq!(delivery, Delivery::Kept);
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = server.session.recv(first).read_chunk(9) {
        read.extend_from_slice(&chunk);
    }
    assert_eq!(read, b"defgh");
    assert_eq!(server.session.close_reason(), None);
}

/// The end of a stream lands with its last data.
#[test]
fn a_stream_may_end_with_what_landed() {
    let (mut server, [first, _]) = server();
    let c = server.first;
    let frames = plaintext(&[end(first, 3, b"def")]);
    assert_eq!(server.land(c, first, &frames), Some((Delivery::Read, 3)));
    assert_eq!(server.session.recv(first).read_chunk(9), Ok(None));
    server.session.send(first).finish().unwrap();
    assert_eq!(server.session.recv(first).read_chunk(9), Ok(None));
}

/// what landed is held against the end of its stream, as everything else.
#[test]
fn what_lands_does_not_move_the_end() {
    let (mut server, [first, _]) = server();
    let c = server.first;
    server.receive(&[end(first, 5, b"")]);
    let frames = plaintext(&[data(first, 3, b"def")]);
    assert_eq!(server.land(c, first, &frames), Some((Delivery::Kept, 3)));
    assert_eq!(misbehaved(&server), Some(PeerMisbehaved::DataBeyondEnd));
}

/// Records on two connections, some of which land, in any order: every byte is read once and in order.
#[test]
fn streams_are_exact_however_their_records_land() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let (mut server, [first, _]) = server();
        let connections = [server.first, server.join(1)];
        let bytes = pattern(first, Role::Client, 0, 3000);
        let mut read = bytes[..3].to_vec();
        let mut landed = 0;
        while read.len() < bytes.len() {
            // Not always what comes next: repeated, or ahead.
            let at = (read.len() + random.up_to(40)).saturating_sub([20, 1][random.up_to(2) - 1]);
            let at = if random.up_to(2) == 1 {
                read.len()
            } else {
                at.min(bytes.len())
            };
            let to = (at + random.up_to(200)).min(bytes.len());
            let frames = plaintext(&[data(first, u64::try_from(at).unwrap(), &bytes[at..to])]);
            let c = connections[random.up_to(2) - 1];
            match server.land(c, first, &frames) {
                Some((Delivery::Read, length)) => {
                    landed += 1;
                    read.extend_from_slice(&frames[..length]);
                }
                Some((Delivery::Kept, _)) => {}
                None => server.receive_record(c, ContentType::ApplicationData, frames),
            }
            if random.up_to(3) > 1 {
                while let Ok(Some(chunk)) = server.session.recv(first).read_chunk(50) {
                    read.extend_from_slice(&chunk);
                }
            }
        }
        assert!(read == bytes, "seed {seed}");
        assert!(landed > 0);
        assert_eq!(server.session.close_reason(), None);
    }
}
