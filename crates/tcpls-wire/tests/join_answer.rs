//! The answer to a join: what a server sends, and what a client makes of it (reading A-20).
#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod common;

use common::join::{
    BOTH, HYBRID, PROTECTED, SECP256R1, SUITES, X25519, answer_to, answered, facts, first_hello,
    hello_with, join, message_in, psk, random, read, read_in_any_pieces, record, share, template,
    versions,
};
use common::{client_hello, extension, hex, length};
use tcpls_wire::hello::CipherSuite;
use tcpls_wire::hello::join::{
    AnswerReader, AnswerStage, CHANGE_CIPHER_SPEC, HelloField, JoinFailure, JoinGroup, JoinRequest,
    JoinShape, JoinTemplate, Progress, SessionFacts,
};
use tcpls_wire::{ClientHello, DecodeError, ExtensionCodec, HelloError, ServerHello};

/// a join and its answer, in both shapes, with every group and suite.
#[test]
fn answer_fits_the_hello() {
    for group in [X25519, HYBRID, SECP256R1] {
        for suite in SUITES {
            for shape in BOTH {
                let facts = SessionFacts {
                    suite,
                    ..facts(group)
                };
                let codec = ExtensionCodec::default();
                let template = JoinTemplate::new(&first_hello(), codec, facts).unwrap();
                let (hello, offer) = join(&template, shape, random(1));
                let parsed = ClientHello::parse(message_in(&hello)).unwrap();
                let request = JoinRequest::parse(&parsed).unwrap();
                assert_eq!(request.shape(), shape);
                assert_eq!(request.session_id(), offer.session_id());
                assert_eq!(request.group(), Some(JoinGroup::for_session(group)));
                let mut stream = answer_to(&hello, suite);
                assert!(stream.len() < hello.len());
                let answer = stream.len();
                assert_eq!(
                    read(&offer, [&stream[..]]),
                    Ok((AnswerStage::Answered, answer))
                );
                stream.extend_from_slice(&PROTECTED);
                assert_eq!(
                    read(&offer, [&stream[..]]),
                    Ok((AnswerStage::Protected, answer))
                );
            }
        }
    }
}

/// the answer is a `ServerHello` that mirrors the shape, and `change_cipher_spec`.
#[test]
fn answer_mirrors_the_shape() {
    for (shape, kinds) in [
        (JoinShape::Full, &[51, 43][..]),
        (JoinShape::Resumption, &[51, 41, 43]),
    ] {
        let (offer, answer) = answered(shape);
        let (hello, rest) = answer.split_at(answer.len() - CHANGE_CIPHER_SPEC.len());
        assert_eq!(rest, hex("14 0303 0001 01"));
        assert_eq!(hello[..3], hex("16 0303"));
        let hello = ServerHello::parse(message_in(hello)).unwrap();
        assert_eq!(hello.session_id(), offer.session_id());
        assert_eq!(hello.cipher_suite(), 0x1301);
        assert!(!hello.is_hello_retry_request());
        let extensions: Vec<_> = hello.extensions().iter().collect();
        let found: Vec<_> = extensions
            .iter()
            .map(|extension| extension.kind.as_u16())
            .collect();
        assert_eq!(found, kinds);
        assert_eq!(extensions[0].body[..4], hex("001d 0020"));
        if shape == JoinShape::Resumption {
            assert_eq!(extensions[1].body, [0, 0]);
        }
        assert_eq!(extensions[extensions.len() - 1].body, [3, 4]);
    }
}

/// a hello that shows less is answered with less, and never with more than it was (T25).
#[test]
fn hello_that_shows_less_is_answered() {
    let join = extension(0xff65, &[0x77; 32]);
    let share = |group: u16, size: usize| {
        let entry = extension(group, &vec![7; size]);
        extension(51, &[&length::<2>(entry.len())[..], &entry].concat())
    };
    for (extensions, shape, group) in [
        (vec![join.clone()], JoinShape::Full, None),
        (
            vec![join.clone(), extension(41, &[])],
            JoinShape::Resumption,
            None,
        ),
        (vec![join.clone(), share(0x1d, 3)], JoinShape::Full, None),
        (vec![join.clone(), share(0x17, 65)], JoinShape::Full, None),
        (vec![join.clone(), share(0x11ec, 0)], JoinShape::Full, None),
        (
            vec![join.clone(), share(0x1d, 32)],
            JoinShape::Full,
            Some(JoinGroup::X25519),
        ),
        (
            vec![join, share(0x11ec, 1216)],
            JoinShape::Full,
            Some(JoinGroup::X25519MlKem768),
        ),
    ] {
        let bytes = client_hello(&extensions);
        let hello = ClientHello::parse(&bytes).unwrap();
        let request = JoinRequest::parse(&hello).unwrap();
        assert_eq!((request.shape(), request.group()), (shape, group));
        let mut answer = Vec::new();
        request.answer(CipherSuite::AES_128_GCM_SHA256, &mut random(1), &mut answer);
        assert!(answer.len() < bytes.len() + 5);
        let record = &answer[..answer.len() - CHANGE_CIPHER_SPEC.len()];
        assert!(ServerHello::parse(message_in(record)).is_ok());
    }
    let broken = client_hello(&[extension(51, &hex("0003 001d"))]);
    let hello = ClientHello::parse(&broken).unwrap();
    assert_eq!(
        JoinRequest::parse(&hello),
        Err(HelloError::Decode(DecodeError::Truncated))
    );
}

/// no segmentation of the answer makes a difference, nor how the `ServerHello` is cut into
/// records.
#[test]
fn answer_is_read_in_any_pieces() {
    for shape in BOTH {
        let (offer, mut stream) = answered(shape);
        let end = stream.len();
        stream.extend_from_slice(&PROTECTED);
        assert_eq!(
            read_in_any_pieces(&offer, &stream),
            Ok((AnswerStage::Protected, end))
        );
        let (hello, rest) = stream.split_at(end - CHANGE_CIPHER_SPEC.len());
        let message = message_in(hello);
        for cut in 1..message.len() {
            let (first, second) = message.split_at(cut);
            let stream = [&record(22, first), &record(22, second), rest].concat();
            assert_eq!(
                read(&offer, [&stream[..]]),
                Ok((AnswerStage::Protected, end + 5))
            );
            assert_eq!(
                read(&offer, stream.chunks(7)),
                Ok((AnswerStage::Protected, end + 5))
            );
        }
    }
}

/// a peer that sends less still joins.
#[test]
fn missing_parts_of_an_answer_are_not_missed() {
    let (offer, _) = answered(JoinShape::Resumption);
    let bare = hello_with(&offer, &[versions(), psk()]);
    for (parts, stage) in [
        (vec![], AnswerStage::Waiting),
        (vec![&CHANGE_CIPHER_SPEC[..]], AnswerStage::Waiting),
        (vec![&bare[..]], AnswerStage::Answered),
        (vec![&CHANGE_CIPHER_SPEC, &bare], AnswerStage::Answered),
    ] {
        let mut stream = parts.concat();
        let end = stream.len();
        assert_eq!(read_in_any_pieces(&offer, &stream), Ok((stage, end)));
        stream.push(23);
        assert_eq!(
            read_in_any_pieces(&offer, &stream),
            Ok((AnswerStage::Protected, end))
        );
    }
}

/// any group of which the hello showed a share may be answered.
#[test]
fn either_share_of_a_hybrid_hello_may_be_answered() {
    let (_, offer) = join(&template(HYBRID), JoinShape::Full, random(1));
    for (group, size, fits) in [
        (HYBRID, 1120, true),
        (X25519, 32, true),
        (X25519, 1120, false),
        (HYBRID, 32, false),
        (SECP256R1, 65, false),
    ] {
        let stream = hello_with(&offer, &[share(group, size), versions()]);
        let expected = if fits {
            Ok((AnswerStage::Answered, stream.len()))
        } else {
            Err(JoinFailure::Mismatch(HelloField::KeyShare))
        };
        assert_eq!(read(&offer, [&stream[..]]), expected);
    }
}

/// a reader tells what to remove, and leaves the first protected record alone for good.
#[test]
fn protected_record_is_left_to_others() {
    let (offer, answer) = answered(JoinShape::Full);
    let mut reader = AnswerReader::new(offer);
    let (stage, consumed) = (AnswerStage::Answered, answer.len());
    assert_eq!(reader.read(&answer), Ok(Progress { consumed, stage }));
    let nothing = Progress {
        consumed: 0,
        stage: AnswerStage::Protected,
    };
    assert_eq!(reader.read(&PROTECTED), Ok(nothing));
    assert_eq!(reader.read(b"whatever"), Ok(nothing));
}
