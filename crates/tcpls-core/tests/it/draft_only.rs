//! A peer that speaks the draft alone sees the draft alone.

use bytes::Bytes;
use tcpls_core::{
    CloseReason, ContentType, OpenError, PathStatus, PeerMisbehaved, Profile, ResetError,
    SessionConfig,
    testing::{LinkConfig, Pair, PairConfig, Sent, Solo},
    wire::{DecodeError, Frame, FrameSet, PaddingRun, RecordFrames, Role},
};

use crate::talk::{pattern, transfer};

fn config(profile: Profile) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.profile(profile);
    config
}

/// A session from its first stream to its close, in which either side does all that there is: joins, a connection that breaks, one that is left for
/// another, streams of both sides, tokens and addresses. Returns every record of both sides.
fn whole_life(client: Profile, server: Profile) -> Vec<Sent> {
    let mut pair = Pair::new(PairConfig {
        seed: 31,
        client: config(client),
        server: config(server),
        ..PairConfig::default()
    });
    pair.client.keep_records();
    pair.server.keep_records();
    pair.drive();
    pair.issue_tokens();
    pair.drive();
    let address = "192.0.2.1:443".parse().unwrap();
    let advertised = pair.server.session.advertise_address(address).unwrap();
    let broken = pair.join_with_token(LinkConfig::default()).unwrap();
    let next = pair.join_with_token(LinkConfig::default()).unwrap();
    pair.drive();
    let streams = [Role::Client, Role::Server].map(|role| {
        let stream = pair.host(role).session.open_bi().unwrap();
        (role, stream)
    });
    for (round, (role, stream)) in streams.into_iter().enumerate() {
        let data = pattern(stream, role, 0, 1_000_000);
        assert!(transfer(&mut pair, role, stream, &data) == data);
        let handle = pair.client.connection(next);
        let statuses = [PathStatus::Backup, PathStatus::Available];
        pair.client.session.set_path_status(handle, statuses[round]);
        pair.client.session.probe(handle);
        let there = pair.server.connection(next);
        pair.server.session.handle_remote_address(there, address);
        let host = pair.host(role.peer());
        let refused = host.session.send(stream).reset(7);
        assert_eq!(refused, Err(ResetError::UnsupportedByPeer));
        let refused = host.session.open_uni();
        assert_eq!(refused, Err(OpenError::UnsupportedByPeer));
        host.session.force_key_update();
    }
    pair.reset(broken);
    pair.drive();
    pair.server.session.withdraw_address(advertised).unwrap();
    let (first, now) = (pair.client.connection(0), pair.clock.now());
    pair.client.session.retire(first, now).unwrap();
    for (role, stream) in streams {
        let data = pattern(stream, role, 0, 100_000);
        assert!(transfer(&mut pair, role, stream, &data) == data);
        let mut recv = pair.host(role.peer()).session.recv(stream);
        recv.stop_sending(8);
        pair.host(role).session.send(stream).finish().unwrap();
    }
    pair.drive();
    let now = pair.clock.now();
    let reason = Bytes::from_static(b"enough");
    pair.server.session.close_with(7, reason, now);
    pair.drive();
    let reason = pair.client.session.close_reason();
    assert_eq!(reason, Some(CloseReason::PeerClose));
    [pair.client.take_records(), pair.server.take_records()].concat()
}

/// Not one frame beyond the draft goes to a peer that does not know any, whichever side it is.
#[test]
fn a_draft_only_peer_sees_the_draft_alone() {
    for (client, server) in [
        (Profile::DraftOnly, Profile::Extended),
        (Profile::Extended, Profile::DraftOnly),
        (Profile::DraftOnly, Profile::DraftOnly),
    ] {
        let records = whole_life(client, server);
        let data = |sent: &&Sent| sent.content_type == ContentType::ApplicationData;
        let mut frames = 0;
        for sent in records.iter().filter(data) {
            frames += RecordFrames::parse(&sent.plaintext, FrameSet::Draft)
                .unwrap()
                .iter()
                .count();
        }
        assert!(frames > 200, "{frames} frames");
    }
}

/// Without parameters on both sides every type from 0x0a on is an error; with them, those that may be
/// passed over are, between frames that are known.
#[test]
fn frames_that_were_not_agreed_on_are_errors() {
    for kind in 0x0a..=0xff {
        let mut record = vec![0; 12];
        record.extend([0, 8, kind]);
        let mut refusing = Solo::new(Role::Server, SessionConfig::new());
        refusing.receive_record(refusing.first, ContentType::ApplicationData, record.clone());
        let reason = refusing.session.close_reason();
        let malformed = |error| Some(CloseReason::PeerMisbehaved(PeerMisbehaved::Decode(error)));
        assert_eq!(reason, malformed(DecodeError::UnknownFrameType(kind)));
    }
    for (kind, known) in [
        (0x3f, true),
        (0x80, true),
        (0xff, true),
        (0x40, false),
        (0x7f, false),
    ] {
        let extended = config(Profile::Extended);
        let peer = extended.params();
        let mut taking = Solo::with_params(Role::Server, extended, peer);
        let mut record = vec![1, 9, 9, 9, 0, 3, kind];
        Frame::Padding(PaddingRun { length: 2 })
            .encode(&mut record)
            .unwrap();
        taking.receive_record(taking.first, ContentType::ApplicationData, record);
        assert_eq!(taking.session.close_reason().is_none(), known);
        if known {
            let acked = taking.transmit();
            assert!(!acked.is_empty(), "the Ping before it was answered");
        }
    }
}
