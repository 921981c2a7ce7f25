//! Everything that a peer can do wrong, with the name that it gets and the alert that answers it.

use tcpls_core::{
    CloseReason, ConnectionFailure, ContentType, Event, PeerMisbehaved, SessionConfig,
    crypto::{NotAuthentic, OpenError, PostHandshakeFault, RecordFault},
    testing::{Pair, Solo},
    wire::{
        Alert, AlertDescription, DecodeError, Frame, NewTokenFrame, Role, StreamChangeFrame, Token,
        TokenSequence,
    },
};

use crate::talk::{ack, data, end, reset, stream};

const HANDSHAKE: ContentType = ContentType::Handshake;
const DATA: ContentType = ContentType::ApplicationData;

fn new_token(sequence: u8, token: &Token) -> Frame<'_> {
    let sequence = TokenSequence::from_wire(sequence).unwrap();
    Frame::NewToken(NewTokenFrame {
        sequence,
        token: token.as_token_ref(),
    })
}

/// Hands a record to a session on its first connection and expects it to end the session so.
fn expect(mut solo: Solo, record: (ContentType, &[u8]), misbehaved: PeerMisbehaved, alert: u8) {
    solo.receive_record(solo.first, record.0, record.1.to_vec());
    expect_end(&mut solo, misbehaved, alert);
}

fn expect_end(solo: &mut Solo, misbehaved: PeerMisbehaved, alert: u8) {
    let reason = CloseReason::PeerMisbehaved(misbehaved);
    assert_eq!(solo.session.close_reason(), Some(reason));
    assert_eq!(solo.events().last(), Some(&Event::Closed(reason)));
    let sent = solo.transmit();
    let content: Vec<_> = sent
        .iter()
        .map(|sent| (sent.content_type, &*sent.plaintext))
        .collect();
    assert_eq!(
        content,
        [(ContentType::Alert, &[2, alert][..])],
        "{misbehaved}"
    );
}

/// a record that does not parse is refused as a whole with `decode_error`.
#[test]
fn malformed_records() {
    let id = stream(Role::Client, 0);
    let mut whole = Vec::new();
    data(id, 0, b"data").encode(&mut whole).unwrap();
    for (cut, error) in [
        (&[0xff][..], DecodeError::UnknownFrameType(0xff)),
        (&[0x0a], DecodeError::UnknownFrameType(0x0a)),
        (&[0x10], DecodeError::UnknownFrameType(0x10)),
        (&[0x04], DecodeError::Truncated),
        (&whole[1..], DecodeError::Truncated),
        (&[0, 0, 9, 5, 7], DecodeError::UnknownAddressVersion(9)),
    ] {
        let alert = AlertDescription::DECODE_ERROR.as_u8();
        expect(Solo::server(), (DATA, cut), error.into(), alert);
    }
    let mut reserved = vec![7; 32];
    reserved.extend([0, 5]);
    let error = DecodeError::ReservedTokenSequence.into();
    expect(Solo::client(), (DATA, &reserved), error, 47);
}

/// nothing of a refused record takes effect, although frames are applied from the end.
#[test]
fn a_refused_record_has_no_effect() {
    let mut plaintext = vec![0xff];
    data(stream(Role::Client, 0), 0, b"data")
        .encode(&mut plaintext)
        .unwrap();
    let mut server = Solo::server();
    server.receive_record(server.first, DATA, plaintext);
    assert!(server.session.close_reason().is_some());
    assert_eq!(server.session.accept_bi(), None);
}

/// empty records are legal, but not eight in a row.
#[test]
fn empty_records() {
    let mut server = Solo::server();
    for _ in 0..3 {
        for _ in 0..7 {
            server.receive(&[]);
        }
        server.receive(&[Frame::Ping]);
    }
    server.transmit();
    for _ in 0..7 {
        server.receive(&[]);
    }
    assert_eq!(server.session.close_reason(), None);
    server.receive(&[]);
    expect_end(&mut server, PeerMisbehaved::EmptyRecords, 10);
}

/// frames that name what is not there or contradict what was.
#[test]
fn frames_that_contradict() {
    let (own, foreign) = (stream(Role::Server, 0), stream(Role::Client, 0));
    for (frames, misbehaved) in [
        (&[data(own, 0, b"x")][..], PeerMisbehaved::UnopenedStream),
        (
            &[data(foreign, 1, b"x"), end(foreign, 0, b"x")],
            PeerMisbehaved::DataBeyondEnd,
        ),
        (
            &[end(foreign, 0, b"x"), data(foreign, 1, b"x")],
            PeerMisbehaved::EndMoved,
        ),
        (&[ack(0, 0)], PeerMisbehaved::AckOfUnsentRecord),
        (&[ack(77, 0)], PeerMisbehaved::AckOfUnknownConnection),
        (&[reset(77)], PeerMisbehaved::ResetOfUnknownConnection),
    ] {
        let mut server = Solo::server();
        server.receive(frames);
        expect_end(&mut server, misbehaved, 47);
    }
}

/// R43: a client never sends New Token.
#[test]
fn a_token_from_a_client() {
    let token = Token::from_bytes([1; 32]);
    let mut server = Solo::server();
    server.receive(&[new_token(1, &token)]);
    expect_end(&mut server, PeerMisbehaved::TokenFromClient, 10);
}

/// a token sequence that comes again with another value.
#[test]
fn a_token_that_changes() {
    let (token, other) = (Token::from_bytes([1; 32]), Token::from_bytes([2; 32]));
    let mut client = Solo::client();
    client.receive(&[new_token(3, &token)]);
    client.receive(&[new_token(3, &token)]);
    assert_eq!(client.session.close_reason(), None);
    client.receive(&[new_token(3, &other)]);
    expect_end(&mut client, PeerMisbehaved::TokenChanged, 47);
}

/// only tickets from the server, on its first connection, and key updates may follow the
/// handshake.
#[test]
fn handshake_messages_that_have_no_place() {
    let fault = |fault: PostHandshakeFault| PeerMisbehaved::Handshake(fault);
    let request = (HANDSHAKE, &[13, 0, 0, 3, 0, 0, 0][..]);
    expect(
        Solo::client(),
        request,
        fault(PostHandshakeFault::Unexpected(13)),
        10,
    );
    let ticket = (HANDSHAKE, &[4, 0, 0, 0][..]);
    expect(
        Solo::server(),
        ticket,
        fault(PostHandshakeFault::TicketFromClient),
        10,
    );
    let update = (HANDSHAKE, &[24, 0, 0, 2, 0, 0][..]);
    expect(
        Solo::server(),
        update,
        fault(PostHandshakeFault::KeyUpdateLength),
        50,
    );
    let update = (HANDSHAKE, &[24, 0, 0, 1, 2][..]);
    expect(
        Solo::server(),
        update,
        fault(PostHandshakeFault::KeyUpdateRequest(2)),
        47,
    );
    let long = (HANDSHAKE, &[4, 1, 0, 0][..]);
    expect(
        Solo::client(),
        long,
        fault(PostHandshakeFault::TooLong(65_536)),
        50,
    );

    let mut client = Solo::client();
    let second = client.join(1);
    client.receive_record(client.first, HANDSHAKE, vec![4, 0, 0, 0]);
    assert_eq!(client.session.close_reason(), None);
    client.receive_record(second, HANDSHAKE, vec![4, 0, 0, 0]);
    expect_end(&mut client, PeerMisbehaved::TicketElsewhere, 10);
}

/// key updates without data between them are a flood, and data between them is not.
#[test]
fn key_update_floods() {
    let update = vec![24, 0, 0, 1, 0];
    let mut server = Solo::server();
    for offset in 0..100 {
        server.receive_record(server.first, HANDSHAKE, update.clone());
        server.receive(&[data(stream(Role::Client, 0), offset, b"x")]);
    }
    for _ in 0..32 {
        server.receive_record(server.first, HANDSHAKE, update.clone());
    }
    assert_eq!(server.session.close_reason(), None);
    server.receive_record(server.first, HANDSHAKE, update);
    expect_end(&mut server, PeerMisbehaved::KeyUpdateFlood, 10);
}

/// what an opener finds wrong in a record that authenticates is the peer's fault; what does not
/// authenticate says nothing about it and ends only the connection.
#[test]
fn records_that_do_not_open() {
    let mut server = Solo::server();
    let now = server.clock.now();
    let fault = RecordFault::ContentType(99);
    server
        .session
        .handle_open_error(server.first, OpenError::PeerMisbehaved(fault), now);
    expect_end(&mut server, PeerMisbehaved::Record(fault), 10);

    for (error, failure, alert) in [
        (
            OpenError::NotAuthentic(NotAuthentic::Tag),
            ConnectionFailure::Unauthenticated(NotAuthentic::Tag),
            AlertDescription::BAD_RECORD_MAC,
        ),
        (
            OpenError::NotAuthentic(NotAuthentic::PlaintextAlert(
                AlertDescription::INTERNAL_ERROR,
            )),
            ConnectionFailure::Unauthenticated(NotAuthentic::PlaintextAlert(
                AlertDescription::INTERNAL_ERROR,
            )),
            AlertDescription::BAD_RECORD_MAC,
        ),
        (
            OpenError::PeerMisbehaved(RecordFault::TooLong),
            ConnectionFailure::RecordOverflow,
            AlertDescription::RECORD_OVERFLOW,
        ),
    ] {
        let mut server = Solo::server();
        let second = server.join(1);
        server.session.handle_open_error(server.first, error, now);
        assert_eq!(server.session.close_reason(), None, "the session lives on");
        let closed = Event::ConnectionClosed {
            connection: server.first,
            failure: Some(failure),
        };
        assert!(server.events().contains(&closed));
        assert_eq!(server.transmit()[0].plaintext, Alert::fatal(alert).encode());
        assert!(server.session.wants_transmit(second));
    }
}

/// a flipped bit on the path costs the connection; when it was the only one, the session is lost,
/// and the other side hears why.
#[test]
fn a_corrupted_record_costs_the_connection() {
    let mut pair = Pair::seeded(9);
    let id = pair.client.session.open_bi().unwrap();
    pair.client.session.send(id).write(b"hello").unwrap();
    pair.settle();
    assert!(pair.corrupt(0, Role::Client));
    pair.drive();
    let failure = ConnectionFailure::Unauthenticated(NotAuthentic::Tag);
    assert_eq!(
        pair.server.session.close_reason(),
        Some(CloseReason::Lost(failure))
    );
    let reported = CloseReason::Lost(ConnectionFailure::ReportedByPeer);
    assert_eq!(pair.client.session.close_reason(), Some(reported));
    assert_eq!(pair.server.session.accept_bi(), None);
}

/// so many failed records, over all connections, that somebody is guessing.
#[test]
fn failed_records_are_counted() {
    let mut config = SessionConfig::new();
    config.failed_records(3);
    let mut server = Solo::new(Role::Server, config);
    let now = server.clock.now();
    for id in 1..=3 {
        let c = server.join(id);
        server
            .session
            .handle_open_error(c, OpenError::NotAuthentic(NotAuthentic::Tag), now);
        assert_eq!(server.session.close_reason(), None);
    }
    let c = server.join(4);
    server
        .session
        .handle_open_error(c, OpenError::NotAuthentic(NotAuthentic::Tag), now);
    let reason = server.session.close_reason().unwrap();
    assert_eq!(
        reason.to_string(),
        "a local limit was reached: too many records did not authenticate"
    );
    assert_eq!(server.session.stats().budgets.failed_records, 4);
}

/// an alert that does not parse.
#[test]
fn malformed_alerts() {
    for (content, error, alert) in [
        (&[2][..], DecodeError::Truncated, 50),
        (&[2, 80, 0], DecodeError::TrailingBytes, 50),
        (&[3, 80], DecodeError::UnknownAlertLevel(3), 47),
    ] {
        expect(
            Solo::server(),
            (ContentType::Alert, content),
            error.into(),
            alert,
        );
    }
}

/// R44, R55, A-36: Stream Change is a hint: right, wrong or repeated, it changes nothing but is acknowledged.
#[test]
fn stream_changes_are_hints() {
    let id = stream(Role::Client, 0);
    let mut server = Solo::server();
    for next_offset in [0, 5, u64::MAX] {
        let change = StreamChangeFrame {
            stream: stream(Role::Server, 8),
            next_offset,
        };
        server.receive(&[data(id, 0, b"x"), Frame::StreamChange(change)]);
    }
    assert_eq!(server.session.close_reason(), None);
    assert_eq!(server.session.stats().streams_live, 1);
}
