//! A session that ends with a code and a reason.

use std::time::Duration;

use bytes::Bytes;
use tcpls_core::{
    CloseCode, CloseReason, ConnectionFailure, ContentType, Event, PathInfo, Profile, SessionClose,
    SessionConfig, TransmitState, TransportCode,
    testing::{LinkConfig, Pair, PairConfig, Sent, Solo},
    wire::{
        Alert, AlertDescription, CloseSpace, ConnectionId, ExtendedFrame, Frame, Role,
        SessionCloseFrame,
    },
};

use crate::talk::{extended, pattern, read_all};

const CLOSE_NOTIFY: [u8; 2] = [1, 0];
const SEVEN: CloseCode = CloseCode::Application(7);

fn said(code: CloseCode, reason: &'static [u8]) -> SessionClose {
    SessionClose {
        code,
        reason: Bytes::from_static(reason),
    }
}

fn close_frame(code: u32, space: CloseSpace, reason: &[u8]) -> Frame<'_> {
    Frame::Extended(ExtendedFrame::SessionClose(SessionCloseFrame {
        space,
        code,
        reason,
    }))
}

/// Space, code and reason of a close.
type Words = (CloseSpace, u32, Vec<u8>);

/// The code and the reason among these records, and what the last one is.
fn last_words(sent: &[Sent]) -> (Vec<Words>, Vec<u8>) {
    let data = |sent: &&Sent| sent.content_type == ContentType::ApplicationData;
    let words = sent.iter().filter(data).flat_map(Sent::frames);
    let words = words.filter_map(|frame| match frame {
        Frame::Extended(ExtendedFrame::SessionClose(frame)) => {
            Some((frame.space, frame.code, frame.reason.to_vec()))
        }
        _ => None,
    });
    (words.collect(), sent.last().unwrap().plaintext.clone())
}

/// The peer's application gets the code and the reason, after all that was finished; the side that
/// closes is told of an orderly end.
#[test]
fn the_peer_learns_why_a_session_is_closed() {
    let mut pair = Pair::seeded(51);
    let id = pair.client.session.open_bi().unwrap();
    let bytes = pattern(id, Role::Client, 0, 100_000);
    assert_eq!(pair.client.session.send(id).write(&bytes), Ok(bytes.len()));
    pair.client.session.send(id).finish().unwrap();
    let now = pair.clock.now();
    let mut close = |code, reason| {
        let reason = Bytes::from_static(reason);
        pair.client.session.close_with(code, reason, now);
    };
    close(7, b"enough");
    close(8, b"too late to change it");
    pair.drive();
    let (client, server) = (&pair.client.session, &pair.server.session);
    assert_eq!(client.close_reason(), Some(CloseReason::LocalClose));
    assert_eq!(client.peer_close(), None);
    let reason = CloseReason::PeerClosed(SEVEN);
    assert_eq!(server.close_reason(), Some(reason));
    assert!(reason.is_orderly());
    assert_eq!(server.peer_close(), Some(&said(SEVEN, b"enough")));
    assert_eq!(
        pair.server.take_events().last(),
        Some(&Event::Closed(reason))
    );
    assert!(read_all(&mut pair.server, id) == (bytes, Ok(())));
}

/// A peer that speaks the draft alone sees a plain close.
#[test]
fn a_draft_only_peer_sees_a_plain_close() {
    let mut server = SessionConfig::new();
    server.profile(Profile::DraftOnly);
    let mut pair = Pair::new(PairConfig {
        seed: 52,
        server,
        ..PairConfig::default()
    });
    let now = pair.clock.now();
    pair.client
        .session
        .close_with(7, Bytes::from_static(b"enough"), now);
    pair.drive();
    let reason = pair.server.session.close_reason();
    assert_eq!(reason, Some(CloseReason::PeerClose));
    let reason = pair.client.session.close_reason();
    assert_eq!(reason, Some(CloseReason::LocalClose));
}

/// Every connection carries the code as its last frame, also one that comes later, so that it arrives
/// if any of them holds; a reason is cut off at 1024 bytes.
#[test]
fn every_connection_carries_the_code() {
    let mut client = extended(Role::Client, SessionConfig::new());
    let second = client.join(1);
    client.hear_on(second);
    let reason = Bytes::from(vec![b'x'; 3000]);
    client
        .session
        .close_with(7, reason.clone(), client.clock.now());
    let expected = (
        vec![(CloseSpace::Application, 7, reason[..1024].to_vec())],
        CLOSE_NOTIFY.to_vec(),
    );
    for c in [client.first, second] {
        let (sent, state) = client.transmit_on(c);
        assert_eq!(state, TransmitState::ShutdownWrite);
        assert_eq!(last_words(&sent), expected);
    }
    let late = client.join(2);
    assert_eq!(last_words(&client.transmit_on(late).0), expected);
}

/// What the peer does wrong is named to it before the fatal alert, which peers of the draft get alone.
#[test]
fn errors_are_named_before_the_alert() {
    let mut server = extended(Role::Server, SessionConfig::new());
    let malformed = vec![0x44];
    server.receive_record(server.first, ContentType::ApplicationData, malformed);
    let (words, alert) = last_words(&server.transmit());
    let code = TransportCode::FRAME_ENCODING.as_u32();
    let text = b"unknown frame type 0x44";
    assert_eq!(words, [(CloseSpace::Transport, code, text.to_vec())]);
    assert_eq!(alert, Alert::fatal(AlertDescription::DECODE_ERROR).encode());
}

/// Each reason of this side's has a code where there is somebody to tell.
#[test]
fn an_abort_and_silence_have_codes() {
    let mut config = SessionConfig::new();
    config.idle_timeout(Some(Duration::from_secs(9)));
    let mut silent = extended(Role::Client, config);
    silent.advance(Duration::from_secs(9));
    let (words, alert) = last_words(&silent.transmit());
    assert_eq!(words[0].1, TransportCode::IDLE.as_u32());
    assert_eq!(alert, CLOSE_NOTIFY);

    let mut aborted = extended(Role::Client, SessionConfig::new());
    aborted.session.abort();
    let (words, alert) = last_words(&aborted.transmit());
    assert_eq!(words[0].1, TransportCode::INTERNAL.as_u32());
    assert_eq!(
        alert,
        Alert::fatal(AlertDescription::INTERNAL_ERROR).encode()
    );
}

/// Hands in what a peer says at the end of a session on one of its connections.
fn peer_closes(solo: &mut Solo, alert: Option<[u8; 2]>) {
    let first = close_frame(9, CloseSpace::Transport, b"first");
    solo.receive(&[first]);
    solo.receive(&[close_frame(7, CloseSpace::Application, b"again")]);
    if let Some(alert) = alert {
        solo.receive_record(solo.first, ContentType::Alert, alert.to_vec());
    }
}

/// The peer's own words explain the alert that follows them, and also that nothing follows.
#[test]
fn the_peers_words_explain_what_follows() {
    let told = CloseReason::PeerClosed(CloseCode::Transport(TransportCode::PROTOCOL));
    let words = said(CloseCode::Transport(TransportCode::PROTOCOL), b"first");
    let fatal = Alert::fatal(AlertDescription::ILLEGAL_PARAMETER).encode();
    for alert in [Some(fatal), Some(CLOSE_NOTIFY), None] {
        let mut server = extended(Role::Server, SessionConfig::new());
        server
            .session
            .issue_token(tcpls_core::wire::Token::from_bytes([1; 32]))
            .unwrap();
        server.transmit();
        peer_closes(&mut server, alert);
        if alert.is_none() {
            let now = server.clock.now();
            server
                .session
                .handle_failure(server.first, ConnectionFailure::Reset, now);
        }
        server.transmit();
        assert_eq!(server.session.close_reason(), Some(told));
        assert_eq!(server.session.peer_close(), Some(&words));
        assert!(!told.is_orderly());
    }
    let mut draft = Solo::server();
    draft.receive_record(draft.first, ContentType::Alert, fatal.to_vec());
    let told = CloseReason::PeerAlert(AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(draft.session.close_reason(), Some(told));
}

/// A code that is of nobody's space is a malformed frame.
#[test]
fn an_unknown_space_is_malformed() {
    let mut record = Vec::new();
    close_frame(1, CloseSpace::Application, b"")
        .encode(&mut record)
        .unwrap();
    let at = record.len() - 4;
    record[at] = 2;
    let mut server = extended(Role::Server, SessionConfig::new());
    server.receive_record(server.first, ContentType::ApplicationData, record);
    let reason = server.session.close_reason().unwrap();
    assert_eq!(reason.code(), Some(TransportCode::FRAME_ENCODING));
}

/// A peer that does not answer is waited for three round trips, once TCP has delivered the question.
#[test]
fn the_answer_is_awaited_for_three_round_trips() {
    let mut client = extended(Role::Client, SessionConfig::new());
    let info = |unsent| PathInfo {
        round_trip: Duration::from_millis(100),
        unsent,
        ..PathInfo::default()
    };
    let observe = |client: &mut Solo, unsent| {
        let now = client.clock.now();
        client
            .session
            .handle_path_info(client.first, info(unsent), now);
    };
    observe(&mut client, 0);
    client
        .session
        .close_with(7, Bytes::new(), client.clock.now());
    client.transmit();
    for _ in 0..8 {
        observe(&mut client, 1);
        client.advance(Duration::from_millis(100));
        assert_eq!(client.session.close_reason(), None, "it is on its way");
    }
    observe(&mut client, 0);
    client.advance(Duration::from_millis(600));
    let reason = client.session.close_reason();
    assert_eq!(reason, Some(CloseReason::LocalClose));

    let mut draft = Solo::client();
    observe(&mut draft, 0);
    draft.session.close(draft.clock.now());
    draft.transmit();
    draft.advance(Duration::from_millis(4999));
    assert_eq!(draft.session.close_reason(), None);
}

/// The code arrives although connections die while it is on its way.
#[test]
fn the_code_survives_the_loss_of_a_connection() {
    let mut pair = Pair::seeded(53);
    let second = pair.join(ConnectionId::from_wire(1), LinkConfig::default());
    pair.drive();
    let now = pair.clock.now();
    pair.server
        .session
        .close_with(7, Bytes::from_static(b"moving"), now);
    pair.settle();
    pair.reset(0);
    pair.drive();
    let words = said(SEVEN, b"moving");
    assert_eq!(pair.client.session.peer_close(), Some(&words));
    let reason = pair.client.session.close_reason();
    assert_eq!(reason, Some(CloseReason::PeerClosed(SEVEN)));
    assert_eq!(second, 1);
}
