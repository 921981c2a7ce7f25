//! What is no answer to a join, and how a client tells (reading A-20).
#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod common;

use common::join::{
    BOTH, HYBRID, PROTECTED, SECP256R1, X25519, answered, hello_with, message_in, psk, read,
    read_in_any_pieces, record, server_hello, share, versions,
};
use common::{extension, hex};
use tcpls_wire::hello::HandshakeType;
use tcpls_wire::hello::join::{
    AnswerStage, CHANGE_CIPHER_SPEC, HelloField, JoinFailure, JoinShape,
};
use tcpls_wire::{Alert, AlertDescription, DecodeError};

/// a real handshake of something else is told from an answer.
#[test]
fn handshake_of_another_server_fails_the_join() {
    let retry = hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
    for shape in BOTH {
        let (offer, _) = answered(shape);
        let id = offer.session_id();
        let fitting = match shape {
            JoinShape::Full => vec![share(X25519, 32), versions()],
            JoinShape::Resumption => vec![share(X25519, 32), versions(), psk()],
        };
        let mismatch = JoinFailure::Mismatch;
        for (stream, failure) in [
            (
                server_hello(&retry, id, 0x1301, &[versions(), extension(51, &[0, 0x17])]),
                JoinFailure::HelloRetryRequest,
            ),
            (
                server_hello(&[7; 32], id, 0xc02f, &[extension(0xff01, &[0])]),
                mismatch(HelloField::Version),
            ),
            (
                server_hello(&[7; 32], &[1; 32], 0x1301, &fitting),
                mismatch(HelloField::SessionId),
            ),
            (
                server_hello(&[7; 32], &[], 0x1301, &fitting),
                mismatch(HelloField::SessionId),
            ),
            (
                server_hello(&[7; 32], id, 0x1302, &fitting),
                mismatch(HelloField::CipherSuite),
            ),
            (
                hello_with(&offer, &[share(SECP256R1, 65), versions()]),
                mismatch(HelloField::KeyShare),
            ),
            (
                hello_with(&offer, &[share(HYBRID, 1120), versions()]),
                mismatch(HelloField::KeyShare),
            ),
            (
                hello_with(&offer, &[extension(51, &[]), versions()]),
                mismatch(HelloField::KeyShare),
            ),
            (
                hello_with(&offer, &[versions(), extension(41, &[0, 1])]),
                mismatch(HelloField::PreSharedKey),
            ),
        ] {
            assert_eq!(read_in_any_pieces(&offer, &stream), Err(failure));
        }
    }
    let (offer, _) = answered(JoinShape::Resumption);
    let unresumed = hello_with(&offer, &[share(X25519, 32), versions()]);
    assert_eq!(
        read_in_any_pieces(&offer, &unresumed),
        Err(JoinFailure::WithoutPreSharedKey)
    );
    let (offer, _) = answered(JoinShape::Full);
    let resumed = hello_with(&offer, &[share(X25519, 32), versions(), psk()]);
    assert_eq!(
        read_in_any_pieces(&offer, &resumed),
        Err(JoinFailure::Mismatch(HelloField::PreSharedKey))
    );
}

/// R37: an alert before the first protected record is told from the others: the server does not know
/// the token.
#[test]
fn alert_fails_the_join() {
    let (offer, answer) = answered(JoinShape::Full);
    let refusal = Alert::fatal(AlertDescription::ILLEGAL_PARAMETER);
    for before in [&[][..], &answer] {
        let stream = [before, &record(21, &refusal.encode())].concat();
        assert_eq!(
            read_in_any_pieces(&offer, &stream),
            Err(JoinFailure::Alert(refusal))
        );
    }
    for body in [&[2][..], &[2, 47, 0], &[9, 47]] {
        let outcome = read_in_any_pieces(&offer, &record(21, body));
        assert_eq!(outcome, Err(JoinFailure::UnexpectedRecord(21)));
    }
    assert_eq!(JoinFailure::Alert(refusal).alert(), None);
}

/// what is no TLS, or not an answer, is told by its first wrong byte.
#[test]
fn other_bytes_fail_the_join() {
    let (offer, answer) = answered(JoinShape::Resumption);
    let (hello, _) = answer.split_at(answer.len() - CHANGE_CIPHER_SPEC.len());
    let message = message_in(hello);
    let part = record(22, &message[..40]);
    let not_tls = JoinFailure::NotTls;
    let record_in_the_way = JoinFailure::UnexpectedRecord;
    let unexpected = |kind| JoinFailure::UnexpectedMessage(HandshakeType::from_wire(kind));
    let malformed = |error: DecodeError| JoinFailure::Malformed(error.into());
    for (stream, failure) in [
        (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), not_tls(b'H')),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), not_tls(b'S')),
        (vec![0], not_tls(0)),
        (vec![24, 3, 3], not_tls(24)),
        (vec![22, 2, 0], not_tls(2)),
        (vec![22, 3, 3, 0, 0], record_in_the_way(22)),
        (vec![22, 3, 3, 0x10, 1], JoinFailure::TooLong),
        (record(22, &[2, 0, 0x10, 0]), JoinFailure::TooLong),
        (record(22, &[11, 0]), unexpected(11)),
        (record(22, &[1]), unexpected(1)),
        (
            [&part[..], &CHANGE_CIPHER_SPEC].concat(),
            record_in_the_way(20),
        ),
        ([&part[..], &PROTECTED].concat(), record_in_the_way(23)),
        (
            [&answer[..], &CHANGE_CIPHER_SPEC].concat(),
            record_in_the_way(20),
        ),
        (record(20, &[2]), record_in_the_way(20)),
        (record(20, &[1, 1]), record_in_the_way(20)),
        ([&answer[..], hello].concat(), unexpected(2)),
        (record(22, &[message, &[11]].concat()), unexpected(11)),
        ([&answer[..], &record(22, &[8])].concat(), unexpected(8)),
        (record(22, &[2, 0, 0, 0]), malformed(DecodeError::Truncated)),
    ] {
        assert_eq!(
            read_in_any_pieces(&offer, &stream),
            Err(failure),
            "{stream:?}"
        );
        assert!(!failure.to_string().is_empty());
        assert_eq!(
            failure.alert().is_none(),
            matches!(failure, JoinFailure::NotTls(_))
        );
    }
}

/// an answer with any bit flipped, or cut anywhere, is read or refused.
#[test]
fn changed_answer_is_read_or_refused() {
    for shape in BOTH {
        let (offer, mut stream) = answered(shape);
        let end = stream.len();
        stream.extend_from_slice(&PROTECTED);
        for cut in 0..end {
            let (stage, consumed) = read(&offer, [&stream[..cut]]).unwrap();
            assert!(stage < AnswerStage::Protected && consumed <= cut);
        }
        for position in 0..end {
            for bit in 0..8 {
                stream[position] ^= 1 << bit;
                let whole = read(&offer, [&stream[..]]);
                assert_eq!(read(&offer, stream.chunks(3)), whole);
                stream[position] ^= 1 << bit;
            }
        }
    }
}
