//! Handshakes that fail: who is to blame, and what the other end is told.

use std::sync::Arc;

use bytes::BytesMut;
use rustls::{CertificateError, ServerConnection};
use rustls_pki_types::ServerName;
use tcpls_crypto::wire::{AlertDescription, ExtensionCodec, strip_extensions};
use tcpls_crypto::{ClientHandshake, HandshakeError, Offer, Options, TlsClient, TlsServer};

use crate::handshakes::with_groups;
use crate::peers::*;

/// Runs a handshake that fails; returns the error of each end that has one.
pub fn fail(
    mut client: ClientHandshake,
    mut server: Server<'_>,
) -> (Option<HandshakeError>, Option<HandshakeError>) {
    let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
    let (mut client_error, mut server_error) = (None, None);
    let mut out = Vec::new();
    for _ in 0..10 {
        client.write(&mut out);
        to_server.extend_from_slice(&out);
        out.clear();
        server_error = server_error.or(server.read(&mut to_server).err());
        server.write(&mut out);
        to_client.extend_from_slice(&out);
        out.clear();
        client_error = client_error.or(client.read(&mut to_client).err());
    }
    (client_error, server_error)
}

pub const TCPLS: Offer = Offer::Tcpls { params: None };

/// A second hello that takes the offer back is refused before the server commits to anything.
#[test]
fn an_offer_that_changes_is_refused() {
    let (tls_client, tls_server) = (
        tls_client(),
        with_groups(&[rustls::crypto::aws_lc_rs::kx_group::SECP384R1]),
    );
    let mut client = client(&tls_client);
    let mut server = Server::accepting(&tls_server, answer(), Options::default());
    let (mut out, mut retry) = (Vec::new(), Vec::new());
    client.write(&mut out);
    server.read(&mut BytesMut::from(&out[..])).unwrap();
    server.write(&mut retry);
    client.read(&mut BytesMut::from(&retry[..])).unwrap();
    out.clear();
    client.write(&mut out);
    let second = &out[6..];
    assert_eq!(
        (out[0], second[0]),
        (20, 22),
        "a change_cipher_spec, then the second hello"
    );
    let mut message = Vec::new();
    let tcpls = ExtensionCodec::default().code_points.tcpls;
    strip_extensions(&second[5..], &[tcpls], &mut message).unwrap();
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let record = [&second[..3], &length, &message].concat();
    let error = server.read(&mut BytesMut::from(&record[..])).unwrap_err();
    assert_eq!(error, HandshakeError::OfferChanged);
    out.clear();
    server.write(&mut out);
    assert_eq!(out, [21, 3, 3, 0, 2, 2, 47]);
    assert_eq!(
        server.read(&mut BytesMut::new()),
        Err(HandshakeError::OfferChanged)
    );
}

/// A server that splits its `EncryptedExtensions` is told apart from one that is hostile.
#[test]
fn split_encrypted_extensions_are_an_error() {
    let mut config = server_config(base());
    config.max_fragment_size = Some(32);
    config.alpn_protocols = vec![vec![b'x'; 100]];
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    let mut config = client_config(tcpls_provider());
    config.alpn_protocols = vec![vec![b'x'; 100]];
    let tls_client = TlsClient::new(&config).unwrap();
    let mut client = client(&tls_client);
    let mut out = Vec::new();
    client.write(&mut out);
    server.read_tls(&mut out.as_slice()).unwrap();
    server.process_new_packets().unwrap();
    let mut flight = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut flight).unwrap();
    }
    let error = client.read(&mut BytesMut::from(&flight[..])).unwrap_err();
    assert_eq!(error, HandshakeError::SplitExtensions);
    out.clear();
    client.write(&mut out);
    server.read_tls(&mut out.as_slice()).unwrap();
    assert_eq!(
        server.process_new_packets().unwrap_err(),
        rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure)
    );
}

/// A certificate that does not prove the server's name is no fault of TLS.
#[test]
fn wrong_certificates_are_told_apart() {
    let other = ServerName::try_from("other.test").unwrap();
    let client = ClientHandshake::new(&tls_client(), other, TCPLS, Options::default()).unwrap();
    let tls_server = tls_server();
    let server = Server::accepting(&tls_server, answer(), Options::default());
    let (client, server) = fail(client, server);
    assert!(
        matches!(
            client,
            Some(HandshakeError::Certificate(
                CertificateError::NotValidForNameContext { .. }
            ))
        ),
        "{client:?}"
    );
    let told = HandshakeError::AlertReceived(AlertDescription::BAD_CERTIFICATE);
    assert_eq!(server, Some(told));
}

/// A server that asks for a certificate and gets none ends the handshake.
#[test]
fn missing_client_certificates_are_refused() {
    let config = server_config_that_asks_for_certificates(tcpls_provider());
    let tls_server = TlsServer::new(&config).unwrap();
    let server = Server::accepting(&tls_server, answer(), Options::default());
    let (_, server) = fail(client(&tls_client()), server);
    let expected = HandshakeError::PeerMisbehaved(rustls::Error::NoCertificatesPresented);
    assert_eq!(server, Some(expected));
}

/// No common protocol, suite or group is nobody's misbehaviour.
#[test]
fn no_common_ground() {
    let mut config = client_config(tcpls_provider());
    config.alpn_protocols = vec![b"one".to_vec()];
    let tls_client = TlsClient::new(&config).unwrap();
    let mut config = server_config(tcpls_provider());
    config.alpn_protocols = vec![b"two".to_vec()];
    let tls_server = TlsServer::new(&config).unwrap();
    let server = Server::accepting(&tls_server, answer(), Options::default());
    let (client, server) = fail(client(&tls_client), server);
    assert_eq!(
        server,
        Some(HandshakeError::Incompatible(
            rustls::Error::NoApplicationProtocol
        ))
    );
    let told = AlertDescription::NO_APPLICATION_PROTOCOL;
    assert_eq!(client, Some(HandshakeError::AlertReceived(told)));
}
