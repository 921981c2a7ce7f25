//! Reading hello messages and what they say of TCPLS.
#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod common;

use common::{
    client_fields, client_hello, encrypted_extensions, extension, hex, length, message,
    server_hello,
};
use tcpls_wire::hello::{HandshakeMessage, HandshakeType};
use tcpls_wire::{
    AlertDescription, ClientHello, DecodeError, EncryptedExtensions, ExtensionCodePoints,
    ExtensionCodec, ExtensionType, HelloError, Offered, ServerHello, Tcpls, Token, TokenForm,
};

const TCPLS: u16 = 0xFF64;
const JOIN: u16 = 0xFF65;
const TOKEN: u16 = 0xFF66;
const PARAMS: u16 = 0xFF67;

fn kind(value: u16) -> ExtensionType {
    ExtensionType::from_wire(value)
}

fn token() -> Token {
    Token::from_bytes([0x77; 32])
}

/// The offer in a `ClientHello` with these extensions, without its parameters.
fn offer(extensions: &[Vec<u8>]) -> Result<(Tcpls, Option<Token>), HelloError> {
    let hello = client_hello(extensions);
    let offer = ClientHello::parse(&hello)?.tcpls_offer(&ExtensionCodec::default())?;
    Ok((offer.tcpls, offer.join))
}

/// The answer in an `EncryptedExtensions` with these extensions, without its parameters.
fn answer(offered: Offered, extensions: &[Vec<u8>]) -> Result<(Tcpls, Option<Token>), HelloError> {
    let message = encrypted_extensions(extensions);
    let codec = ExtensionCodec::default();
    let answer = EncryptedExtensions::parse(&message)?.tcpls_answer(&codec, offered)?;
    Ok((answer.tcpls, answer.token))
}

/// What a token extension with this body is read as.
fn join_with(body: &[u8]) -> Result<Option<Token>, HelloError> {
    offer(&[extension(JOIN, body)]).map(|(_, join)| join)
}

#[test]
fn client_hello_shows_its_fields() {
    let name = hex("000e 00 000b 6578616d706c652e636f6d");
    let alpn = hex("000c 02 6832 08 687474702f312e31");
    let shares = hex("000d 001d 0003 aabbcc 0017 0002 ddee");
    let versions = hex("04 0304 0303");
    let bytes = client_hello(&[
        extension(0, &name),
        extension(16, &alpn),
        extension(51, &shares),
        extension(43, &versions),
    ]);
    let hello = ClientHello::parse(&bytes).unwrap();
    assert_eq!(hello.random(), &[0x5a; 32]);
    assert_eq!(hello.session_id(), &[7; 32]);
    assert_eq!(
        hello.cipher_suites().collect::<Vec<_>>(),
        [0x1301, 0x1302, 0x1303]
    );
    assert_eq!(hello.server_name().unwrap(), Some("example.com"));
    let protocols: Vec<_> = hello.alpn_protocols().unwrap().collect();
    assert_eq!(protocols, [&b"h2"[..], b"http/1.1"]);
    let shares: Vec<_> = hello.key_shares().unwrap().collect();
    assert_eq!(
        shares,
        [(0x1d, &[0xaa, 0xbb, 0xcc][..]), (0x17, &[0xdd, 0xee])]
    );
    assert_eq!(hello.supports_tls13(), Ok(true));
    assert_eq!(hello.extensions().iter().count(), 4);
}

#[test]
fn client_hello_without_extensions_offers_nothing() {
    for bytes in [message(1, &client_fields()), client_hello(&[])] {
        let hello = ClientHello::parse(&bytes).unwrap();
        assert_eq!(hello.server_name(), Ok(None));
        assert_eq!(hello.supports_tls13(), Ok(false));
        assert_eq!(hello.alpn_protocols().unwrap().count(), 0);
        assert_eq!(hello.key_shares().unwrap().count(), 0);
        let offer = hello.tcpls_offer(&ExtensionCodec::default()).unwrap();
        assert_eq!(
            (offer.tcpls, offer.join, offer.params),
            (Tcpls::Absent, None, None)
        );
    }
}

/// R3, R35: `tcpls` counts in both hellos and has no content.
#[test]
fn tcpls_is_an_empty_extension() {
    let tcpls = extension(TCPLS, &[]);
    assert_eq!(tcpls, hex("ff64 0000"));
    assert_eq!(
        offer(std::slice::from_ref(&tcpls)),
        Ok((Tcpls::Present, None))
    );
    assert_eq!(answer(Offered::Tcpls, &[tcpls]), Ok((Tcpls::Present, None)));
    assert_eq!(answer(Offered::Tcpls, &[]), Ok((Tcpls::Absent, None)));
    let full = extension(TCPLS, &[0]);
    assert_eq!(
        offer(std::slice::from_ref(&full)),
        Err(HelloError::TcplsNotEmpty)
    );
    assert_eq!(
        answer(Offered::Tcpls, &[full]),
        Err(HelloError::TcplsNotEmpty)
    );
    assert_eq!(
        HelloError::TcplsNotEmpty.alert(),
        AlertDescription::DECODE_ERROR
    );
}

/// 32 bytes, or a length byte and 32 bytes, are a token; nothing else is.
#[test]
fn token_is_read_in_both_forms() {
    let value = [0x77; 32];
    assert_eq!(join_with(&value), Ok(Some(token())));
    assert_eq!(
        join_with(&[&[0x20][..], &value].concat()),
        Ok(Some(token()))
    );
    let starts_like_a_length = [0x20; 32];
    assert_eq!(
        join_with(&starts_like_a_length),
        Ok(Some(Token::from_bytes([0x20; 32])))
    );
    for wrong in [
        &[][..],
        &[0x20],
        &value[..31],
        &[&[0x1f][..], &value].concat(),
        &[&[0x21][..], &value].concat(),
        &[&[0x20][..], &value, &[0]].concat(),
    ] {
        assert_eq!(join_with(wrong), Err(HelloError::TokenSize), "{wrong:?}");
    }
    assert_eq!(
        HelloError::TokenSize.alert(),
        AlertDescription::DECODE_ERROR
    );
}

/// the codec writes the prefixed form unless told otherwise.
#[test]
fn token_is_written_in_the_chosen_form() {
    let mut codec = ExtensionCodec::default();
    let body = codec.token_body(token().as_token_ref());
    assert_eq!(body.as_bytes(), [&[0x20][..], &[0x77; 32]].concat());
    codec.token_form = TokenForm::Bare;
    assert_eq!(
        codec.token_body(token().as_token_ref()).as_bytes(),
        [0x77; 32]
    );
}

/// a join counts with `tcpls` and without it.
#[test]
fn join_is_accepted_without_tcpls() {
    let join = extension(JOIN, &[0x77; 32]);
    assert_eq!(
        offer(std::slice::from_ref(&join)),
        Ok((Tcpls::Absent, Some(token())))
    );
    let both = [extension(TCPLS, &[]), join];
    assert_eq!(offer(&both), Ok((Tcpls::Present, Some(token()))));
}

/// R36, A-23: an extension that comes twice is an error in every message.
#[test]
fn duplicate_extension_is_refused() {
    let twice = [
        extension(JOIN, &[0x77; 32]),
        extension(5, &[]),
        extension(JOIN, &[0x78; 32]),
    ];
    let error = HelloError::DuplicateExtension(kind(JOIN));
    assert_eq!(
        ClientHello::parse(&client_hello(&twice)).unwrap_err(),
        error
    );
    assert_eq!(
        ServerHello::parse(&server_hello(&twice)).unwrap_err(),
        error
    );
    assert_eq!(
        EncryptedExtensions::parse(&encrypted_extensions(&twice)).unwrap_err(),
        error
    );
    assert_eq!(error.alert(), AlertDescription::ILLEGAL_PARAMETER);
}

/// R38, A-23: `tcpls_token` in a `ClientHello` and `tcpls_join` in `EncryptedExtensions` are errors.
#[test]
fn misplaced_extension_is_refused() {
    let misplaced = |value| HelloError::MisplacedExtension(kind(value));
    assert_eq!(
        offer(&[extension(TOKEN, &[0x77; 32])]),
        Err(misplaced(TOKEN))
    );
    for offered in [Offered::Nothing, Offered::Tcpls, Offered::TcplsAndParams] {
        let extensions = [extension(TCPLS, &[]), extension(JOIN, &[0x77; 32])];
        assert_eq!(answer(offered, &extensions), Err(misplaced(JOIN)));
    }
    assert_eq!(misplaced(JOIN).alert(), AlertDescription::ILLEGAL_PARAMETER);
}

/// R3, A-23: no TCPLS extension belongs into a `ServerHello`.
#[test]
fn server_hello_carries_no_tcpls_extension() {
    let codec = ExtensionCodec::default();
    let clean = server_hello(&[extension(43, &hex("0304"))]);
    let hello = ServerHello::parse(&clean).unwrap();
    assert_eq!(hello.refuse_tcpls(&codec), Ok(()));
    assert_eq!(hello.cipher_suite(), 0x1301);
    assert!(!hello.is_hello_retry_request());
    for value in [TCPLS, JOIN, TOKEN, PARAMS] {
        let bytes = server_hello(&[extension(43, &hex("0304")), extension(value, &[])]);
        let error = ServerHello::parse(&bytes)
            .unwrap()
            .refuse_tcpls(&codec)
            .unwrap_err();
        assert_eq!(error, HelloError::MisplacedExtension(kind(value)));
    }
}

/// a server answers only what was offered.
#[test]
fn unsolicited_answer_is_refused() {
    let unsolicited = |value| Err(HelloError::UnsolicitedExtension(kind(value)));
    let tcpls = extension(TCPLS, &[]);
    let params = extension(PARAMS, &[]);
    let early = extension(TOKEN, &[0x77; 32]);
    assert_eq!(
        answer(Offered::Nothing, std::slice::from_ref(&tcpls)),
        unsolicited(TCPLS)
    );
    assert_eq!(
        answer(Offered::Nothing, std::slice::from_ref(&early)),
        unsolicited(TOKEN)
    );
    assert_eq!(
        answer(Offered::Nothing, std::slice::from_ref(&params)),
        unsolicited(PARAMS)
    );
    let both = [tcpls, params];
    assert_eq!(answer(Offered::Tcpls, &both), unsolicited(PARAMS));
    assert_eq!(
        answer(Offered::TcplsAndParams, &both),
        Ok((Tcpls::Present, None))
    );
    let alert = HelloError::UnsolicitedExtension(kind(TCPLS)).alert();
    assert_eq!(alert, AlertDescription::UNSUPPORTED_EXTENSION);
}

/// R39, A-24: a server that agrees may give a token, one that does not may not.
#[test]
fn early_token_needs_tcpls() {
    let early = extension(TOKEN, &[0x77; 32]);
    let agreed = [extension(TCPLS, &[]), early.clone()];
    assert_eq!(
        answer(Offered::Tcpls, &agreed),
        Ok((Tcpls::Present, Some(token())))
    );
    let error = HelloError::AnswerWithoutTcpls(kind(TOKEN));
    assert_eq!(answer(Offered::Tcpls, &[early]), Err(error));
    assert_eq!(error.alert(), AlertDescription::ILLEGAL_PARAMETER);
    let params = [extension(PARAMS, &[])];
    let error = HelloError::AnswerWithoutTcpls(kind(PARAMS));
    assert_eq!(answer(Offered::TcplsAndParams, &params), Err(error));
}

/// no view of a message shows the token that is in it.
#[test]
fn messages_do_not_show_their_tokens() {
    let value = [0xAB; 32];
    let join = client_hello(&[extension(JOIN, &value)]);
    let hello = ClientHello::parse(&join).unwrap();
    let offer = hello.tcpls_offer(&ExtensionCodec::default()).unwrap();
    let early = encrypted_extensions(&[extension(TCPLS, &[]), extension(TOKEN, &value)]);
    let message = EncryptedExtensions::parse(&early).unwrap();
    let answer = message
        .tcpls_answer(&ExtensionCodec::default(), Offered::Tcpls)
        .unwrap();
    let whole = HandshakeMessage::take_first(&mut &early[..]).unwrap();
    let body = ExtensionCodec::default().token_body(token().as_token_ref());
    let shown = format!("{hello:?} {offer:?} {message:?} {answer:?} {whole:?} {body:?}");
    assert!(shown.contains("Extension(0xff65, 32 bytes)"), "{shown}");
    assert!(!shown.contains("171") && !shown.contains("119"), "{shown}");
}

#[test]
fn hello_retry_request_is_told_by_its_random() {
    let mut bytes = server_hello(&[extension(51, &hex("001d"))]);
    let random = hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
    bytes[6..38].copy_from_slice(&random);
    assert!(ServerHello::parse(&bytes).unwrap().is_hello_retry_request());
    bytes[37] ^= 1;
    let hello = ServerHello::parse(&bytes).unwrap();
    assert!(!hello.is_hello_retry_request());
    assert_eq!(
        hello.extensions().get(ExtensionType::KEY_SHARE),
        Some(&[0, 0x1d][..])
    );
}

#[test]
fn messages_are_taken_one_by_one() {
    let messages = [message(8, &[0, 0]), message(20, &[7; 32]), message(24, &[])];
    let stream = messages.concat();
    let mut rest = &stream[..stream.len() - 1];
    assert_eq!(HandshakeMessage::announced_length(rest), Some(6));
    let first = HandshakeMessage::take_first(&mut rest).unwrap();
    assert_eq!(
        (first.kind, first.body),
        (HandshakeType::ENCRYPTED_EXTENSIONS, &[0, 0][..])
    );
    let second = HandshakeMessage::take_first(&mut rest).unwrap();
    assert_eq!(
        (second.kind, second.bytes),
        (HandshakeType::FINISHED, &messages[1][..])
    );
    assert_eq!(HandshakeMessage::take_first(&mut rest), None);
    assert_eq!(rest, [24, 0, 0]);
    assert_eq!(HandshakeMessage::announced_length(rest), None);
}

#[test]
fn code_points_are_configurable() {
    let codec = ExtensionCodec {
        code_points: ExtensionCodePoints {
            tcpls: kind(100),
            ..ExtensionCodePoints::default()
        },
        ..ExtensionCodec::default()
    };
    let bytes = client_hello(&[extension(100, &[])]);
    let hello = ClientHello::parse(&bytes).unwrap();
    assert_eq!(hello.tcpls_offer(&codec).unwrap().tcpls, Tcpls::Present);
    let other = hello.tcpls_offer(&ExtensionCodec::default()).unwrap();
    assert_eq!(other.tcpls, Tcpls::Absent);
}

#[test]
fn message_of_another_type_is_unexpected() {
    let hello = server_hello(&[]);
    let error = ClientHello::parse(&hello).unwrap_err();
    assert_eq!(error, HelloError::UnexpectedMessage(2));
    assert_eq!(error.alert(), AlertDescription::UNEXPECTED_MESSAGE);
}

#[test]
fn every_cut_of_a_message_is_an_error() {
    let extensions = [extension(43, &hex("02 0304")), extension(TCPLS, &[])];
    let bytes = client_hello(&extensions);
    for cut in 0..bytes.len() {
        let error = ClientHello::parse(&bytes[..cut]).unwrap_err();
        assert_eq!(error, HelloError::Decode(DecodeError::Truncated), "{cut}");
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = ClientHello::parse(&longer).unwrap_err();
    assert_eq!(error, HelloError::Decode(DecodeError::TrailingBytes));
}

#[test]
fn odd_sizes_in_client_hello_are_refused() {
    let list = length::<2>(0);
    for fields in [
        [
            &hex("0303")[..],
            &[0; 32],
            &[33],
            &[0; 33],
            &hex("0002 1301 01 00"),
        ]
        .concat(),
        [&hex("0303")[..], &[0; 32], &hex("00 0000 01 00")].concat(),
        [&hex("0303")[..], &[0; 32], &hex("00 0003 130113 01 00")].concat(),
        [&hex("0303")[..], &[0; 32], &hex("00 0002 1301 00")].concat(),
    ] {
        let bytes = message(1, &[&fields[..], &list].concat());
        assert_eq!(
            ClientHello::parse(&bytes).unwrap_err(),
            HelloError::FieldSize
        );
    }
    let psk_first = client_hello(&[extension(41, &[]), extension(43, &[])]);
    assert_eq!(
        ClientHello::parse(&psk_first).unwrap_err(),
        HelloError::PreSharedKeyNotLast
    );
}

#[test]
fn malformed_lists_inside_extensions_are_refused() {
    let truncated = HelloError::Decode(DecodeError::Truncated);
    let bytes = client_hello(&[
        extension(0, &hex("0004 00 0002 61")),
        extension(16, &hex("0003 03 6832")),
        extension(51, &hex("0004 001d 0001")),
        extension(43, &hex("03 0304")),
    ]);
    let hello = ClientHello::parse(&bytes).unwrap();
    assert_eq!(hello.server_name().unwrap_err(), truncated);
    assert_eq!(
        hello.alpn_protocols().map(Iterator::count).unwrap_err(),
        truncated
    );
    assert_eq!(
        hello.key_shares().map(Iterator::count).unwrap_err(),
        truncated
    );
    assert_eq!(hello.supports_tls13().unwrap_err(), truncated);
    let bytes = client_hello(&[extension(0, &hex("0004 00 0001 ff"))]);
    let hello = ClientHello::parse(&bytes).unwrap();
    assert_eq!(hello.server_name().unwrap_err(), HelloError::ServerName);
}
