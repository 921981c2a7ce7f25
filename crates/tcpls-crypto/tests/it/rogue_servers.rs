//! Servers that misuse the extensions of TCPLS, and what they are told.

use std::sync::Arc;

use bytes::BytesMut;
use rustls::ClientConnection;
use tcpls_crypto::wire::{
    AlertDescription, DecodeError, ExtensionCodePoints, ExtensionCodec, ExtensionType, HelloError,
    ParamId, SessionParams, Token, TokenForm,
};
use tcpls_crypto::{Answer, ClientHandshake, HandshakeError, Offer, Options};

use crate::peers::*;
use crate::refusals::{TCPLS, fail};

/// A handshake in which the server follows other ideas of the TCPLS extensions than the client.
fn with_rogue_server(
    offer: Offer,
    rogue: ExtensionCodec,
    answer: Answer,
) -> (HandshakeError, HandshakeError) {
    let client = ClientHandshake::new(&tls_client(), name(), offer, Options::default()).unwrap();
    let tls_server = tls_server();
    let options = Options {
        codec: rogue,
        ..Options::default()
    };
    let server = Server::with_codec(ExtensionCodec::default(), &tls_server, answer, options);
    let (client, server) = fail(client, server);
    (client.unwrap(), server.unwrap())
}

fn codec(change: impl FnOnce(&mut ExtensionCodePoints)) -> ExtensionCodec {
    let mut codec = ExtensionCodec::default();
    change(&mut codec.code_points);
    codec
}

fn with_token() -> Answer {
    Answer::Tcpls {
        token: Some(Token::from_bytes([1; 32])),
        params: None,
    }
}

const JOIN: ExtensionType = ExtensionType::from_wire(0xff65);
const TOKEN: ExtensionType = ExtensionType::from_wire(0xff66);
const PARAMS: ExtensionType = ExtensionType::from_wire(0xff67);
const UNKNOWN: ExtensionType = ExtensionType::from_wire(0xffaa);

/// R38, A-23: `tcpls_join` in `EncryptedExtensions` is `illegal_parameter`, and the alert is
/// protected so that the server can read it.
#[test]
fn join_from_the_server_is_refused() {
    let rogue = codec(|points| points.token = JOIN);
    let (client, server) = with_rogue_server(TCPLS, rogue, with_token());
    assert_eq!(client, HelloError::MisplacedExtension(JOIN).into());
    assert_eq!(
        server,
        HandshakeError::AlertReceived(AlertDescription::ILLEGAL_PARAMETER)
    );
}

/// a token without `tcpls` is `illegal_parameter`.
#[test]
fn token_without_tcpls_is_refused() {
    let rogue = codec(|points| points.tcpls = UNKNOWN);
    let (client, server) = with_rogue_server(TCPLS, rogue, with_token());
    assert_eq!(client, HelloError::AnswerWithoutTcpls(TOKEN).into());
    assert_eq!(
        server,
        HandshakeError::AlertReceived(AlertDescription::ILLEGAL_PARAMETER)
    );
}

/// an answer to what was not offered is `unsupported_extension`: found here for the
/// parameters, and by rustls for what is not even of TCPLS.
#[test]
fn unsolicited_answers_are_refused() {
    let told = HandshakeError::AlertReceived(AlertDescription::UNSUPPORTED_EXTENSION);
    let rogue = codec(|points| points.token = PARAMS);
    let (client, server) = with_rogue_server(TCPLS, rogue, with_token());
    assert_eq!(client, HelloError::UnsolicitedExtension(PARAMS).into());
    assert_eq!(server, told);

    let rogue = codec(|points| points.token = UNKNOWN);
    let (client, server) = with_rogue_server(TCPLS, rogue, with_token());
    assert!(
        matches!(client, HandshakeError::PeerMisbehaved(_)),
        "{client}"
    );
    assert_eq!(server, told);
}

/// `tcpls` for a client that offered nothing is refused, as rustls refuses it.
#[test]
fn unsolicited_tcpls_is_refused_by_plain_clients() {
    // A stock client that also speaks TLS 1.2 has an empty extended_master_secret in its hello,
    // which this server takes for `tcpls`.
    let fooled = codec(|points| points.tcpls = ExtensionType::from_wire(23));
    let config = Arc::new(client_config(base()));
    let mut client = ClientConnection::new(config, name()).unwrap();
    let tls_server = tls_server();
    let mut server = Server::with_codec(fooled, &tls_server, answer(), Options::default());
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut input = BytesMut::from(&hello[..]);
    server.read(&mut input).unwrap();
    let mut flight = Vec::new();
    server.write(&mut flight);
    client.read_tls(&mut flight.as_slice()).unwrap();
    assert!(client.process_new_packets().is_err());
    let mut alert = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut alert).unwrap();
    }
    let error = server.read(&mut BytesMut::from(&alert[..])).unwrap_err();
    assert_eq!(
        error,
        HandshakeError::AlertReceived(AlertDescription::UNSUPPORTED_EXTENSION)
    );
}

/// R35, A-4: a `tcpls` that is not empty, or a token of another size, is `decode_error`.
#[test]
fn malformed_answers_are_refused() {
    let told = HandshakeError::AlertReceived(AlertDescription::DECODE_ERROR);
    let rogue = codec(|points| {
        points.token = points.tcpls;
        points.tcpls = UNKNOWN;
    });
    let (client, server) = with_rogue_server(TCPLS, rogue, with_token());
    assert_eq!(
        (client, server),
        (HelloError::TcplsNotEmpty.into(), told.clone())
    );

    let rogue = codec(|points| points.params = TOKEN);
    let short = Answer::Tcpls {
        token: None,
        params: Some(SessionParams::default()),
    };
    let (client, server) = with_rogue_server(WITH_PARAMS, rogue, short);
    assert_eq!((client, server), (HelloError::TokenSize.into(), told));
}

/// Parameters of the server that are not what they claim to be end the handshake with their alert.
#[test]
fn malformed_parameters_are_refused() {
    let garbage = [[0xff; 4]; 8];
    let twice = [[0, 0x70, 0, 0]; 8];
    let mut flow_control = [[0; 4]; 8];
    flow_control[..4].copy_from_slice(&[[0, 8, 0, 8], [0; 4], [0, 0, 0, 1], [0x70, 0, 0, 16]]);
    for (list, expected) in [
        (garbage, HelloError::Decode(DecodeError::Truncated)),
        (twice, HelloError::DuplicateParam(ParamId::from_wire(0x70))),
        (
            flow_control,
            HelloError::MissingParam(ParamId::INITIAL_MAX_DATA),
        ),
    ] {
        let mut rogue = codec(|points| {
            points.token = PARAMS;
            points.params = UNKNOWN;
        });
        rogue.token_form = TokenForm::Bare;
        let list = list.as_flattened().try_into().unwrap();
        let answer = Answer::Tcpls {
            token: Some(Token::from_bytes(list)),
            params: None,
        };
        let (client, server) = with_rogue_server(WITH_PARAMS, rogue, answer);
        assert_eq!(client, expected.into());
        assert_eq!(server, HandshakeError::AlertReceived(expected.alert()));
    }
}

const WITH_PARAMS: Offer = Offer::Tcpls {
    params: Some(crate::hellos::PARAMS),
};

/// R3, A-23: no extension of TCPLS belongs in a `ServerHello`.
#[test]
fn tcpls_in_a_server_hello_is_refused() {
    let (tls_client, tls_server) = (tls_client(), tls_server());
    for extra in [JOIN, TOKEN, ExtensionType::from_wire(0xff64)] {
        let mut client = client(&tls_client);
        let mut server = Server::accepting(&tls_server, answer(), Options::default());
        let mut out = Vec::new();
        client.write(&mut out);
        server.read(&mut BytesMut::from(&out[..])).unwrap();
        let mut flight = Vec::new();
        server.write(&mut flight);
        let len = 5 + usize::from(u16::from_be_bytes([flight[3], flight[4]]));
        let mut hello = flight[..len].to_vec();
        hello.extend_from_slice(&extra.as_u16().to_be_bytes());
        hello.extend_from_slice(&[0, 0]);
        // The lengths of the record, the message and, behind a session id of 32 bytes, its
        // extensions.
        for at in [3, 7, 5 + 4 + 2 + 32 + 1 + 32 + 2 + 1] {
            let length = u16::from_be_bytes([hello[at], hello[at + 1]]) + 4;
            hello[at..at + 2].copy_from_slice(&length.to_be_bytes());
        }
        let error = client.read(&mut BytesMut::from(&hello[..])).unwrap_err();
        assert_eq!(error, HelloError::MisplacedExtension(extra).into());
        out.clear();
        client.write(&mut out);
        assert_eq!(out, [21, 3, 3, 0, 2, 2, 47]);
    }
}
