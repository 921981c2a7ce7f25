//! Bodies of the fuzz targets; tests run them over a corpus.

use std::time::Duration;

use super::solo::Solo;
use crate::{
    ConnectionFailure, SessionConfig,
    crypto::{ContentType, NotAuthentic, OpenError},
    wire::{ConnectionId, Role, StreamId},
};

/// Most bytes that the session of [`session_records`] may hold unread, and behind gaps.
const CAP: usize = 64 * 1024;

/// A session whose peer, application and clock do what `data` says, without panicking or holding more
/// than its caps; whatever happened, it can be brought to its end.
///
/// `data` is `Role:1` and then steps of `Kind:1 Length:1 Content[Length]`. Kinds 0 to 2 hand in a
/// record (of application data, alert, handshake) on a connection; further ones are the application's,
/// the clock's and the path's.
pub fn session_records(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else {
        return;
    };
    let role = if first & 1 == 0 {
        Role::Client
    } else {
        Role::Server
    };
    let mut config = SessionConfig::new();
    config
        .unread_hard_cap(CAP)
        .out_of_order_cap(CAP)
        .own_streams(8)
        .peer_streams(64)
        .session_send_buffer(CAP);
    let mut solo = Solo::new(role, config);
    let mut connections = vec![solo.first];
    while let Some((&[kind, length], more)) = rest.split_first_chunk() {
        let (content, more) = more.split_at_checked(length.into()).unwrap_or((more, &[]));
        rest = more;
        step(&mut solo, &mut connections, kind, content);
        check_deadline(&mut solo);
        solo.events();
        check_deadline(&mut solo);
        let stats = solo.session.stats();
        if solo.session.close_reason().is_none() {
            let held = stats
                .bytes_unread
                .max(stats.bytes_out_of_order)
                .max(stats.bytes_unacked);
            assert!(held <= crate::number::offset(CAP), "{stats:?}");
        }
    }
    solo.session.close(solo.clock.now());
    for _ in 0..3 {
        for c in connections.clone() {
            drop(solo.transmit_on(c));
        }
        solo.advance(Duration::from_secs(6));
    }
    assert!(solo.session.close_reason().is_some() && solo.session.poll_timeout().is_none());
}

/// No deadline moved unnoticed.
fn check_deadline(solo: &mut Solo) {
    let earliest = solo.session.earliest_deadline();
    assert_eq!(solo.session.poll_timeout(), earliest);
}

fn step(solo: &mut Solo, connections: &mut Vec<crate::ConnectionHandle>, kind: u8, content: &[u8]) {
    let now = solo.clock.now();
    let argument = content.first().copied().unwrap_or_default();
    let stream = StreamId::from_wire(u32::from(argument) % 16);
    let index = usize::from(kind >> 4) % connections.len();
    let c = connections.get(index).copied().unwrap_or(solo.first);
    match kind & 15 {
        0 => solo.receive_record(c, ContentType::ApplicationData, content.to_vec()),
        1 => solo.receive_record(c, ContentType::Alert, content.to_vec()),
        2 => solo.receive_record(c, ContentType::Handshake, content.to_vec()),
        3 => drop(solo.transmit_on(c)),
        4 => drop(solo.session.open_bi()),
        5 => drop(solo.session.send(stream).write(content)),
        6 => drop(solo.session.send(stream).finish()),
        7 => drop(solo.session.recv(stream).read_chunk(content.len())),
        8 => solo.session.recv(stream).stop_sending(3),
        9 => solo.session.drop_send(stream),
        10 => solo.advance(Duration::from_millis(u64::from(argument))),
        11 => solo.session.handle_eof(c, now),
        12 => solo
            .session
            .handle_failure(c, ConnectionFailure::Reset, now),
        13 => {
            let error = OpenError::NotAuthentic(NotAuthentic::Tag);
            solo.session.handle_open_error(c, error, now);
        }
        14 => {
            let id = ConnectionId::from_wire(u32::from(argument) % 8);
            let known = |c: &crate::ConnectionHandle| solo.session.connection_id(*c) == Some(id);
            if !connections.iter().any(known) {
                connections.push(solo.join(id.as_u32()));
            }
        }
        _ if argument % 2 == 1 => drop(solo.session.retire(c, now)),
        _ => solo.session.ping(c),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        testing::Random,
        wire::{
            Fin::{End, More},
            Frame,
        },
    };

    /// Steps with whole frames of each kind, so that a fuzzer need not find them.
    fn seeds() -> Vec<(&'static str, Vec<u8>)> {
        let frames = |frames: &[Frame<'_>]| {
            let mut content = Vec::new();
            for frame in frames {
                frame.encode(&mut content).unwrap();
            }
            [&[0, u8::try_from(content.len()).unwrap()], &*content].concat()
        };
        let stream = |id, offset, fin, data| {
            let stream = StreamId::from_wire(id);
            Frame::Stream(crate::wire::StreamFrame {
                stream,
                offset,
                fin,
                data,
            })
        };
        let gaps = [
            frames(&[stream(0, 5, More, b"world"), stream(2, 0, End, b"")]),
            frames(&[stream(0, 0, More, b"hello"), Frame::Ping]),
            frames(&[stream(0, 10, End, b"")]),
        ];
        let talk = [
            &[4, 0][..],
            &[5, 3, 1, 2, 3],
            &[3, 0],
            &frames(&[Frame::Ack(crate::wire::AckFrame {
                connection: ConnectionId::FIRST,
                highest: crate::wire::RecordSequence::ZERO,
            })]),
            &[14, 1, 1],
            &[12, 0],
            &[0x13, 0],
        ];
        vec![
            (
                "gaps",
                [&[1][..], &gaps.concat(), &[7, 1, 0, 3, 0]].concat(),
            ),
            ("talk", [&[0][..], &talk.concat()].concat()),
            ("closing", vec![0, 4, 0, 3, 0, 1, 2, 1, 0, 3, 0]),
            ("key_update", vec![1, 2, 5, 24, 0, 0, 1, 1, 3, 0]),
        ]
    }

    fn corpus() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/session_records")
    }

    #[test]
    fn the_corpus_has_the_seeds() {
        for (name, seed) in seeds() {
            assert_eq!(fs::read(corpus().join(name)).ok(), Some(seed), "{name}");
        }
    }

    /// `cargo test -p tcpls-core write_seeds -- --ignored` puts the seeds into the corpus.
    #[test]
    #[ignore = "it writes files"]
    fn write_seeds() {
        fs::create_dir_all(corpus()).unwrap();
        for (name, seed) in seeds() {
            fs::write(corpus().join(name), seed).unwrap();
        }
    }

    #[test]
    fn the_body_holds_on_its_corpus_and_around_it() {
        let mut random = Random::new(1);
        for entry in fs::read_dir(corpus()).unwrap() {
            let input = fs::read(entry.unwrap().path()).unwrap();
            session_records(&input);
            for _ in 0..500 {
                let mut varied = input.clone();
                for _ in 0..random.up_to(4) {
                    let at = random.up_to(varied.len()) - 1;
                    varied[at] = random.bytes()[0];
                }
                varied.extend_from_slice(&input);
                session_records(&varied);
            }
        }
    }
}
