//! The front of a server: what comes before any cryptography, and peers that do not speak TLS 1.3.

use std::sync::Arc;

use bytes::BytesMut;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tcpls_crypto::wire::{
    AlertDescription, DecodeError, Extension, ExtensionCodec, ExtensionType, Features, HelloError,
    Offered, ParamId, SessionParams, Token, insert_extensions,
};
use tcpls_crypto::{
    ClientHandshake, FirstFlight, HandshakeError, HelloReader, JoinHello, Offer, Options,
    ReceivedHello,
};

use crate::peers::*;

/// What a client says about itself here.
pub const PARAMS: SessionParams = SessionParams {
    max_idle: Some(7),
    max_data: None,
    max_stream_data: None,
    max_streams: None,
    ack_records: None,
    ack_delay: None,
    max_connections: None,
    features: Features::IDLE,
    max_record: None,
    keepalive: None,
    linger: None,
    max_uni_streams: None,
};

/// The record with the hello of a client that offers these parameters.
fn client_hello(params: Option<SessionParams>) -> Vec<u8> {
    let offer = Offer::Tcpls { params };
    let mut client =
        ClientHandshake::new(&tls_client(), name(), offer, Options::default()).unwrap();
    let mut record = Vec::new();
    client.write(&mut record);
    record
}

/// What a server receives of these records.
pub fn received(records: &[u8]) -> ReceivedHello {
    match read(records).unwrap() {
        FirstFlight::Hello(hello) => hello,
        other => panic!("{other:?}"),
    }
}

fn read(bytes: &[u8]) -> Result<FirstFlight, HandshakeError> {
    HelloReader::new(ExtensionCodec::default()).read(&mut BytesMut::from(bytes))
}

/// The error for these bytes, and the alert that goes out.
fn refusal(bytes: &[u8]) -> (HandshakeError, Vec<u8>) {
    let mut reader = HelloReader::new(ExtensionCodec::default());
    let mut input = BytesMut::from(bytes);
    let error = reader.read(&mut input).unwrap_err();
    assert_eq!(reader.read(&mut input).unwrap_err(), error, "errors stay");
    let mut out = Vec::new();
    reader.write(&mut out);
    (error, out)
}

fn alert(description: AlertDescription) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, description.as_u8()]
}

/// A hello cut into records of `len` bytes.
fn in_records(message: &[u8], len: usize) -> Vec<u8> {
    let record = |part: &[u8]| {
        let [high, low] = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&[22, 3, 1, high, low], part].concat()
    };
    message.chunks(len).flat_map(record).collect()
}

/// A hello with one more extension.
fn with_extension(kind: u16, body: &[u8]) -> Vec<u8> {
    let record = client_hello(None);
    let extension = Extension {
        kind: ExtensionType::from_wire(kind),
        body,
    };
    let mut message = Vec::new();
    insert_extensions(&record[5..], &[extension], &mut message).unwrap();
    in_records(&message, 16_384)
}

/// The server knows name, offer and parameters before it decides anything.
#[test]
fn a_hello_is_read_before_any_cryptography() {
    let hello = received(&client_hello(Some(PARAMS)));
    assert_eq!(hello.server_name(), Some(NAME));
    assert_eq!(hello.offered(), Offered::TcplsAndParams);
    assert_eq!(hello.params(), Some(PARAMS));
    assert!(hello.client_hello().unwrap().supports_tls13().unwrap());
}

/// Any segmentation, in records and on the stream, gives the same hello; what follows is left.
#[test]
fn a_hello_comes_in_any_pieces() {
    let message = &client_hello(Some(PARAMS))[5..];
    for (record_len, chunk) in [(1, 1), (3, 2), (100, 7), (16_384, 1), (500, 100_000)] {
        let mut reader = HelloReader::new(ExtensionCodec::default());
        let mut input = BytesMut::new();
        let mut stream = in_records(message, record_len);
        stream.extend_from_slice(&[20, 3, 3, 0, 1, 1]);
        let mut hello = None;
        for part in stream.chunks(chunk) {
            input.extend_from_slice(part);
            if hello.is_none() {
                match reader.read(&mut input).unwrap() {
                    FirstFlight::Incomplete => {}
                    FirstFlight::Hello(whole) => hello = Some(whole),
                    FirstFlight::Join(_) => panic!("a join"),
                }
            }
        }
        assert_eq!(hello.unwrap().params(), Some(PARAMS));
        assert_eq!(&input[..], &[20, 3, 3, 0, 1, 1]);
    }
}

/// R14, R37, R40, A-4, A-23: a join is told apart by its token, in both forms. There is no way to
/// answer it with a handshake, and so none to give it a token; its refusal is `illegal_parameter`.
#[test]
fn joins_never_reach_the_tls_library() {
    let token = Token::from_bytes([5; 32]);
    for body in [[&[32][..], &[5; 32]].concat(), vec![5; 32]] {
        let FirstFlight::Join(join) = read(&with_extension(0xff65, &body)).unwrap() else {
            panic!("not a join");
        };
        assert_eq!(join.token(), &token);
        assert_eq!(join.client_hello().unwrap().session_id().len(), 32);
        assert!(!format!("{join:?}").contains('5'));
    }
    assert_eq!(
        JoinHello::refusal()[..],
        alert(AlertDescription::ILLEGAL_PARAMETER)
    );
}

/// R36, R38, A-23: what a client must not send.
#[test]
fn misused_extensions_are_refused() {
    let (error, out) = refusal(&with_extension(0xff66, &[1; 32]));
    let token = ExtensionType::from_wire(0xff66);
    assert_eq!(error, HelloError::MisplacedExtension(token).into());
    assert_eq!(out, alert(AlertDescription::ILLEGAL_PARAMETER));

    let (error, out) = refusal(&with_extension(0xff65, &[1; 31]));
    assert_eq!(error, HelloError::TokenSize.into());
    assert_eq!(out, alert(AlertDescription::DECODE_ERROR));

    // The second of two joins, inserted where the first was seen already.
    let mut twice = with_extension(0xff65, &[1; 32]);
    let at = twice
        .windows(2)
        .position(|pair| pair == [0xff, 0x64])
        .unwrap();
    twice[at + 1] = 0x65;
    let (error, out) = refusal(&twice);
    assert_eq!(
        error,
        HelloError::DuplicateExtension(ExtensionType::from_wire(0xff65)).into()
    );
    assert_eq!(out, alert(AlertDescription::ILLEGAL_PARAMETER));
}

/// Parameters that are not what they claim to be end the handshake with their alert, an empty list is
/// one, and in a join they do not matter.
#[test]
fn parameters_are_read_with_the_hello() {
    let params = ExtensionCodec::default().code_points.params;
    let flow_control = [0, 8, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
    for (list, expected) in [
        (&[9][..], HelloError::Decode(DecodeError::Truncated)),
        (&[0, 1, 0, 1, 9], HelloError::ParamSize(ParamId::MAX_IDLE)),
        (
            &[0x7f, 1, 0, 0, 0x7f, 1, 0, 0],
            HelloError::DuplicateParam(ParamId::from_wire(0x7f01)),
        ),
        (
            &flow_control,
            HelloError::MissingParam(ParamId::INITIAL_MAX_DATA),
        ),
    ] {
        let (error, out) = refusal(&with_extension(params.as_u16(), list));
        assert_eq!(error, expected.into());
        assert_eq!(out, alert(expected.alert()));
    }
    let empty = received(&with_extension(params.as_u16(), &[]));
    assert_eq!(empty.params(), Some(SessionParams::default()));
    assert_eq!(received(&client_hello(None)).params(), None);

    let garbage = with_extension(params.as_u16(), &[9]);
    let mut join = Vec::new();
    let token = Extension {
        kind: ExtensionCodec::default().code_points.join,
        body: &[5; 32],
    };
    insert_extensions(&garbage[5..], &[token], &mut join).unwrap();
    let first = read(&in_records(&join, 16_384)).unwrap();
    assert!(matches!(first, FirstFlight::Join(_)));
}

/// Other protocols are named, and not answered in TLS.
#[test]
fn peers_without_tls_are_told_apart() {
    for (bytes, guess) in [
        (&b"GET / HTTP/1.1\r\n"[..], Some("HTTP")),
        (b"SSH-2.0-x\r\n", Some("SSH")),
        (b"PRI * HTTP/2.0\r\n\r\n", Some("HTTP/2 without TLS")),
        (b"\x16\x16\x16\x16\x16", None),
        (b"\x80\x2e\x01\x03\x01", None),
    ] {
        let (error, out) = refusal(bytes);
        let HandshakeError::NotTls(not_tls) = error else {
            panic!("{error}")
        };
        assert_eq!(not_tls.guess(), guess);
        assert!(not_tls.start().len() <= 16);
        assert_eq!(out, []);
    }
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n"[..],
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\0\0",
    ] {
        let tls_client = tls_client();
        let mut client = client(&tls_client);
        let error = client.read(&mut BytesMut::from(bytes)).unwrap_err();
        assert!(matches!(error, HandshakeError::NotTls(_)), "{error}");
    }
}

/// The size of a hello is bounded, by its header alone.
#[test]
fn hellos_are_bounded() {
    let (error, out) = refusal(&in_records(&[1, 0, 0x40, 0], 16_384));
    assert_eq!(error, HandshakeError::HelloTooLong(16_388));
    assert_eq!(out, alert(AlertDescription::DECODE_ERROR));
    assert!(matches!(
        read(&in_records(&[1, 0, 0x3f, 0xfc], 16_384)),
        Ok(FirstFlight::Incomplete)
    ));
}

/// Anything but one `ClientHello` is refused.
#[test]
fn other_first_messages_are_refused() {
    let unexpected = |bytes: &[u8], kind| {
        let (error, out) = refusal(bytes);
        assert_eq!(error, HelloError::UnexpectedMessage(kind).into());
        assert_eq!(out, alert(AlertDescription::UNEXPECTED_MESSAGE));
    };
    unexpected(&in_records(&[2, 0, 0, 0], 10), 2);
    unexpected(&[23, 3, 3, 0, 1, 0], 23);
    unexpected(&[20, 3, 3, 0, 1, 1], 20);
    unexpected(&[22, 3, 1, 0, 0], 22);
    let mut followed = client_hello(None)[5..].to_vec();
    followed.push(20);
    unexpected(&in_records(&followed, 16_384), 20);

    let (error, out) = refusal(&[21, 3, 3, 0, 2, 2, 40]);
    assert_eq!(
        error,
        HandshakeError::AlertReceived(AlertDescription::HANDSHAKE_FAILURE)
    );
    assert_eq!(out, []);
}

/// A client without TLS 1.3 is told so.
#[test]
fn clients_without_tls_1_3_are_told() {
    let mut provider = base();
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_none());
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), name()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let (error, out) = refusal(&hello);
    assert_eq!(error, HandshakeError::Tls13Unsupported);
    assert_eq!(out, alert(AlertDescription::PROTOCOL_VERSION));
}

/// A server without TLS 1.3 is told apart, whether it says so or goes on with TLS 1.2.
#[test]
fn servers_without_tls_1_3_are_told_apart() {
    let tls_client = tls_client();
    // ServerHello of TLS 1.2: version, random, no session id, a suite, no compression.
    let hello = [&[2, 0, 0, 38, 3, 3][..], &[7; 32], &[0, 0xc0, 0x2f, 0]].concat();
    for answer in [
        alert(AlertDescription::PROTOCOL_VERSION),
        in_records(&hello, 100),
    ] {
        let mut client = client(&tls_client);
        let error = client.read(&mut BytesMut::from(&answer[..])).unwrap_err();
        assert_eq!(error, HandshakeError::Tls13Unsupported);
    }
}
