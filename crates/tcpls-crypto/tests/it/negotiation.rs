//! What the two ends agree on besides TLS, and what is left to the user.

use rustls::crypto::aws_lc_rs::kx_group;
use tcpls_crypto::wire::{
    ExtensionCodePoints, ExtensionCodec, ExtensionType, SessionParams, Token, TokenForm,
};
use tcpls_crypto::{
    Answer, ClientHandshake, ConfigError, Limits, Negotiated, Offer, Options, PlainReason,
    TlsClient, TlsServer, provider,
};

use crate::handshakes::with_groups;
use crate::peers::*;
use crate::talk::talk;

/// R17, draft 4.2.2: the token is there before the handshake is over.
#[test]
fn early_token_comes_before_the_end() {
    let (tls_client, tls_server) = (tls_client(), tls_server());
    let mut client = client(&tls_client);
    let token = Token::from_bytes([9; 32]);
    let answer = Answer::Tcpls {
        token: Some(token.duplicate()),
        params: None,
    };
    let mut server = Server::accepting(&tls_server, answer, Options::default());
    let (mut wire, mut bytes) = (Wire::default(), Vec::new());
    client.write(&mut bytes);
    wire.to_server.extend_from_slice(&bytes);
    assert!(client.early_token().is_none());
    server.read(&mut wire.to_server).unwrap();
    let mut flight = Vec::new();
    server.write(&mut flight);
    // Byte by byte, the token comes before the last record does.
    let mut seen = None;
    for (index, byte) in flight.iter().enumerate() {
        wire.to_client.extend_from_slice(&[*byte]);
        client.read(&mut wire.to_client).unwrap();
        if seen.is_none() && client.early_token().is_some_and(|early| early == token) {
            seen = Some(index + 1);
            assert!(!client.is_complete() || index + 1 == flight.len());
        }
    }
    assert!(seen.is_some() && client.is_complete());
    assert!(
        client.early_token().is_none(),
        "a token moves, it is not copied"
    );
    bytes.clear();
    client.write(&mut bytes);
    let negotiated = client.finish().unwrap().negotiated;
    assert_eq!(
        negotiated,
        Negotiated::Tcpls {
            token: None,
            params: None
        }
    );
}

/// R35, A-40: either side can decide for plain TLS, and both know why.
#[test]
fn plain_tls_by_choice() {
    let (tls_client, tls_server) = (tls_client(), tls_server());
    let run = |offer, answer| {
        let client = ClientHandshake::new(&tls_client, name(), offer, Options::default()).unwrap();
        let server = Server::accepting(&tls_server, answer, Options::default());
        let mut ends = shake_hands(client, server).unwrap();
        talk(&mut ends);
        let (client, server) = (ends.client.negotiated, ends.server.negotiated);
        assert_eq!(client, server);
        client
    };
    let tcpls = || Offer::Tcpls {
        params: Some(SessionParams::default()),
    };
    assert_eq!(
        run(Offer::Plain, answer()),
        Negotiated::Plain(PlainReason::NotOffered)
    );
    assert_eq!(
        run(tcpls(), Answer::Plain),
        Negotiated::Plain(PlainReason::NotAccepted)
    );
    assert_eq!(
        run(Offer::Plain, Answer::Plain),
        Negotiated::Plain(PlainReason::NotOffered)
    );
}

/// A client that offers no parameters is not sent any.
#[test]
fn parameters_answer_parameters() {
    let (tls_client, tls_server) = (tls_client(), tls_server());
    let answer = Answer::Tcpls {
        token: None,
        params: Some(SessionParams::default()),
    };
    let server = Server::accepting(&tls_server, answer, Options::default());
    let ends = shake_hands(client(&tls_client), server).unwrap();
    assert_eq!(
        ends.client.negotiated,
        Negotiated::Tcpls {
            token: None,
            params: None
        }
    );
}

/// both forms of a token are understood, and other code points can be used.
#[test]
fn token_forms_and_code_points() {
    let points = ExtensionCodePoints {
        tcpls: ExtensionType::from_wire(0xff10),
        join: ExtensionType::from_wire(0xff11),
        token: ExtensionType::from_wire(0xff12),
        params: ExtensionType::from_wire(0xff13),
    };
    for token_form in [TokenForm::Prefixed, TokenForm::Bare] {
        let codec = ExtensionCodec {
            code_points: points,
            token_form,
        };
        let options = Options {
            codec,
            ..Options::default()
        };
        let (tls_client, tls_server) = (tls_client(), tls_server());
        let offer = Offer::Tcpls { params: None };
        let client = ClientHandshake::new(&tls_client, name(), offer, options).unwrap();
        let token = Token::from_bytes([3; 32]);
        let answer = Answer::Tcpls {
            token: Some(token.duplicate()),
            params: None,
        };
        let server = Server::with_codec(codec, &tls_server, answer, options);
        let ends = shake_hands(client, server).unwrap();
        let expected = Negotiated::Tcpls {
            token: Some(token),
            params: None,
        };
        assert_eq!(ends.client.negotiated, expected);
    }
}

/// Any segmentation of both byte streams gives the same handshake.
#[test]
fn any_segmentation_works() {
    for chunk in [1, 2, 3, 7, 100, 1000] {
        for server in [tls_server(), with_groups(&[kx_group::SECP256R1])] {
            let tls_client = tls_client();
            let server = Server::accepting(&server, answer(), Options::default());
            let mut ends = shake_hands_in_chunks(client(&tls_client), server, chunk).unwrap();
            talk(&mut ends);
        }
    }
}

/// Small fragments of the server's flight are no trouble as long as the first holds its
/// `EncryptedExtensions`.
#[test]
fn small_fragments() {
    for size in [64, 200, 16_389] {
        let mut config = server_config(tcpls_provider());
        config.max_fragment_size = Some(size);
        let tls_server = TlsServer::new(&config).unwrap();
        let mut config = client_config(tcpls_provider());
        config.max_fragment_size = Some(size);
        let tls_client = TlsClient::new(&config).unwrap();
        let answer = Answer::Tcpls {
            token: Some(Token::from_bytes([1; 32])),
            params: None,
        };
        let server = Server::accepting(&tls_server, answer, Options::default());
        talk(&mut shake_hands(client(&tls_client), server).unwrap());
    }
}

/// What follows the handshake on the wire is not touched by it.
#[test]
fn application_records_stay_in_the_input() {
    let (tls_client, tls_server) = (tls_client(), tls_server());
    let ends = session(&tls_client, &tls_server, Options::default());
    // The tickets of the server came right behind its flight, in one record.
    assert_eq!(ends.wire.to_client.first(), Some(&23));
    assert!(ends.wire.to_server.is_empty());
}

/// Limits of the options arrive at the keys.
#[test]
fn limits_are_configurable() {
    let limits = Limits {
        update_after: 1,
        confidentiality: 2,
        integrity: 3,
    };
    let options = Options {
        limits: Some(limits),
        ..Options::default()
    };
    let ends = session(&tls_client(), &tls_server(), options);
    assert_eq!(ends.client.keys.send.limits(), limits);
    assert_eq!(ends.server.keys.receive.limits(), limits);
}

/// A configuration on another provider is refused with the way out.
#[test]
fn configurations_on_other_providers_are_refused() {
    let client = TlsClient::new(&client_config(base())).unwrap_err();
    let server = TlsServer::new(&server_config(base())).unwrap_err();
    assert_eq!(
        (client, server),
        (ConfigError::NotTcplsProvider, ConfigError::NotTcplsProvider)
    );
    assert!(
        client.to_string().contains("tcpls_crypto::provider"),
        "{client}"
    );

    let mut half = tcpls_provider();
    half.cipher_suites.extend(base().cipher_suites);
    assert!(TlsClient::new(&client_config(half)).is_err());
}

/// Each suite is wrapped once, those of TLS 1.2 not at all.
#[test]
fn providers_are_made_once() {
    assert!(
        base()
            .cipher_suites
            .iter()
            .any(|suite| suite.tls13().is_none())
    );
    let addresses = |provider: rustls::crypto::CryptoProvider| -> Vec<_> {
        provider
            .cipher_suites
            .iter()
            .map(|suite| std::ptr::from_ref(suite.tls13().unwrap()))
            .collect()
    };
    let once = addresses(tcpls_provider());
    assert_eq!(once.len(), 3);
    assert_eq!(once, addresses(tcpls_provider()));
    assert_eq!(
        once,
        addresses(provider(&tcpls_provider())),
        "wrapping twice changes nothing"
    );
}
