//! Inserting extensions into hello messages and taking them out.
#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod common;

use common::{
    client_fields, client_hello, encrypted_extensions, extension, hex, message, server_hello,
};
use tcpls_wire::{
    ClientHello, EncryptedExtensions, Extension, ExtensionCodec, ExtensionType, HelloError,
    Offered, RewriteError, Tcpls, Token, insert_extensions, strip_extensions,
};

fn insert(message: &[u8], extensions: &[Extension<'_>]) -> Result<Vec<u8>, RewriteError> {
    let mut out = Vec::new();
    insert_extensions(message, extensions, &mut out).map(|()| out)
}

fn strip(message: &[u8], kinds: &[ExtensionType]) -> Result<Vec<u8>, RewriteError> {
    let mut out = Vec::new();
    strip_extensions(message, kinds, &mut out).map(|()| out)
}

fn example() -> [Vec<u8>; 3] {
    [
        extension(43, &hex("02 0304")),
        extension(51, &hex("0000")),
        extension(41, &[9; 70]),
    ]
}

/// R35: what the client inserts is what a server reads, in front of the other extensions.
#[test]
fn inserted_extensions_come_first() {
    let codec = ExtensionCodec::default();
    let token = Token::from_bytes([3; 32]);
    let body = codec.token_body(token.as_token_ref());
    let with = insert(
        &client_hello(&example()),
        &[codec.tcpls(), codec.join(&body)],
    )
    .unwrap();
    let mut expected = vec![extension(0xFF64, &[]), extension(0xFF65, body.as_bytes())];
    expected.extend(example());
    assert_eq!(with, client_hello(&expected));
    let offer = ClientHello::parse(&with)
        .unwrap()
        .tcpls_offer(&codec)
        .unwrap();
    assert_eq!((offer.tcpls, offer.join), (Tcpls::Present, Some(token)));
}

/// R35: the server's answer goes in and comes out of `EncryptedExtensions`.
#[test]
fn answer_is_inserted_and_stripped() {
    let codec = ExtensionCodec::default();
    let token = Token::from_bytes([3; 32]);
    let body = codec.token_body(token.as_token_ref());
    for plain in [
        encrypted_extensions(&[]),
        encrypted_extensions(&[extension(16, &[1])]),
    ] {
        let with = insert(&plain, &[codec.tcpls(), codec.token(&body)]).unwrap();
        let answer = EncryptedExtensions::parse(&with).unwrap();
        let answer = answer.tcpls_answer(&codec, Offered::Tcpls).unwrap();
        assert_eq!(
            (answer.tcpls, answer.token),
            (Tcpls::Present, Some(token.duplicate()))
        );
        let points = codec.code_points;
        assert_eq!(strip(&with, &[points.tcpls, points.token]).unwrap(), plain);
    }
}

/// A binder covers the cut message, so cutting and inserting must commute.
#[test]
fn insertion_into_a_cut_client_hello_gives_the_cut_of_the_insertion() {
    let codec = ExtensionCodec::default();
    let whole = client_hello(&example());
    let with = insert(&whole, &[codec.tcpls()]).unwrap();
    let added = with.len() - whole.len();
    let list_start = 4 + client_fields().len() + 2;
    for cut in list_start..=whole.len() {
        let cut_with = insert(&whole[..cut], &[codec.tcpls()]).unwrap();
        assert_eq!(cut_with, with[..cut + added], "{cut}");
    }
    for cut in 0..list_start {
        insert(&whole[..cut], &[codec.tcpls()]).unwrap_err();
    }
}

#[test]
fn message_without_a_list_takes_no_extension() {
    let codec = ExtensionCodec::default();
    let bare = message(1, &client_fields());
    assert_eq!(
        insert(&bare, &[codec.tcpls()]),
        Err(RewriteError::NoExtensionList)
    );
    let hello = server_hello(&[]);
    let error = RewriteError::Message(HelloError::UnexpectedMessage(2));
    assert_eq!(insert(&hello, &[codec.tcpls()]), Err(error));
}

#[test]
fn extension_that_is_there_is_not_inserted_again() {
    let codec = ExtensionCodec::default();
    let tcpls = codec.code_points.tcpls;
    let error = Err(RewriteError::AlreadyPresent(tcpls));
    let plain = client_hello(&example());
    assert_eq!(insert(&plain, &[codec.tcpls(), codec.tcpls()]), error);
    let with = insert(&plain, &[codec.tcpls()]).unwrap();
    assert_eq!(insert(&with, &[codec.tcpls()]), error);
}

#[test]
fn failed_insertion_writes_nothing() {
    let codec = ExtensionCodec::default();
    let plain = client_hello(&example());
    let long = vec![0; 65_536];
    let mut out = vec![1, 2, 3];
    for body in [&long[..], &long[..65_535], &long[..65_500]] {
        let result = insert_extensions(&plain, &[codec.params(body)], &mut out);
        assert_eq!(result, Err(RewriteError::TooLong));
        assert_eq!(out, [1, 2, 3]);
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let codec = ExtensionCodec::default();
    let plain = client_hello(&example());
    for position in [3, 4 + client_fields().len() + 1] {
        for change in [1, u8::MAX] {
            let mut wrong = plain.clone();
            wrong[position] = wrong[position].wrapping_add(change);
            insert(&wrong, &[codec.tcpls()]).unwrap_err();
            strip(&wrong, &[]).unwrap_err();
        }
    }
    strip(&plain[..plain.len() - 1], &[]).unwrap_err();
}
