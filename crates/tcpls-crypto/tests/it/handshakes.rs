//! Handshakes between a client and a server of this crate.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::kx_group;
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::CertifiedKey;
use rustls::{HandshakeKind, NamedGroup};
use tcpls_crypto::wire::{SessionParams, Token};
use tcpls_crypto::{
    Answer, ClientHandshake, Negotiated, Offer, Options, TlsClient, TlsServer, provider,
};

use crate::peers::*;
use crate::records::combinations;
use crate::talk::{resumable_after, talk};

/// R2, R3, R35, R39: `tcpls` in both hellos, the first token in `EncryptedExtensions`.
#[test]
fn full_handshake_negotiates_tcpls() {
    let token = Token::from_bytes([7; 32]);
    let params = |linger| SessionParams {
        linger: Some(linger),
        ..SessionParams::default()
    };
    let offer = Offer::Tcpls {
        params: Some(params(1)),
    };
    let answer = Answer::Tcpls {
        token: Some(token.duplicate()),
        params: Some(params(2)),
    };
    let (tls_client, tls_server) = (tls_client(), tls_server());
    let client = ClientHandshake::new(&tls_client, name(), offer, Options::default()).unwrap();
    let server = Server::accepting(&tls_server, answer, Options::default());
    let mut ends = shake_hands(client, server).unwrap();
    assert_eq!(
        ends.client.negotiated,
        Negotiated::Tcpls {
            token: Some(token),
            params: Some(params(2))
        }
    );
    assert_eq!(
        ends.server.negotiated,
        Negotiated::Tcpls {
            token: None,
            params: Some(params(1))
        }
    );
    assert_eq!(ends.client.info.kind, HandshakeKind::Full);
    talk(&mut ends);
}

/// Every suite with every backend, and the two ends may differ in theirs.
#[test]
fn every_suite_and_backend() {
    for (suite, backend) in combinations() {
        let mut base = base();
        base.cipher_suites
            .retain(|known| known.suite() == suite.to_rustls());
        let tls_client = TlsClient::new(&client_config(provider(&base))).unwrap();
        let options = Options {
            backend,
            ..Options::default()
        };
        let client = ClientHandshake::new(&tls_client, name(), Offer::Plain, options).unwrap();
        let tls_server = tls_server();
        let server = Server::accepting(&tls_server, answer(), Options::default());
        let mut ends = shake_hands(client, server).unwrap();
        assert_eq!(
            (ends.client.info.suite, ends.server.info.suite),
            (suite, suite)
        );
        talk(&mut ends);
    }
}

/// A server that only has these key exchange groups.
pub fn with_groups(groups: &[&'static dyn rustls::crypto::SupportedKxGroup]) -> TlsServer {
    let mut base = base();
    base.kx_groups = groups.to_vec();
    TlsServer::new(&server_config(provider(&base))).unwrap()
}

/// R3: the offer is in both hellos when the server asks for a second one.
#[test]
fn hello_retry_request() {
    let tls_server = with_groups(&[kx_group::SECP384R1]);
    let mut ends = session(&tls_client(), &tls_server, Options::default());
    assert_eq!(
        ends.client.info.kind,
        HandshakeKind::FullWithHelloRetryRequest
    );
    assert_eq!(
        ends.server.info.kind,
        HandshakeKind::FullWithHelloRetryRequest
    );
    assert_eq!(ends.client.info.key_exchange, Some(NamedGroup::secp384r1));
    assert!(matches!(ends.client.negotiated, Negotiated::Tcpls { .. }));
    talk(&mut ends);
}

/// PSK binders cover the extensions: the second handshake resumes.
#[test]
fn resumption() {
    let (tls_client, tls_server) = (tls_client(), tls_server());
    resumable_after(&mut session(&tls_client, &tls_server, Options::default()));
    let mut ends = session(&tls_client, &tls_server, Options::default());
    assert_eq!(ends.client.info.kind, HandshakeKind::Resumed);
    assert!(ends.client.info.is_resumed() && ends.server.info.is_resumed());
    assert!(matches!(ends.client.negotiated, Negotiated::Tcpls { .. }));
    talk(&mut ends);
}

/// PSK binders cover the extensions of both hellos when there is a retry in between.
#[test]
fn resumption_after_a_retry() {
    let tls_client = tls_client();
    let first = server_config(tcpls_provider());
    let mut base = base();
    base.kx_groups = vec![kx_group::SECP384R1];
    let mut second = server_config(provider(&base));
    second.session_storage = Arc::clone(&first.session_storage);
    let tls_server = TlsServer::new(&first).unwrap();
    resumable_after(&mut session(&tls_client, &tls_server, Options::default()));
    let tls_server = TlsServer::new(&second).unwrap();
    let mut ends = session(&tls_client, &tls_server, Options::default());
    assert_eq!(ends.server.info.kind, HandshakeKind::Resumed);
    assert_eq!(ends.server.info.key_exchange, Some(NamedGroup::secp384r1));
    assert_eq!(hellos(&ends.wire.sent_by_client), 2);
    talk(&mut ends);
}

/// How many cleartext handshake records there are.
fn hellos(mut stream: &[u8]) -> usize {
    let mut count = 0;
    while let [kind, _, _, high, low, rest @ ..] = stream {
        count += usize::from(*kind == 22);
        stream = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    count
}

/// The hybrid post-quantum group of rustls' default works, with its long key shares.
#[test]
fn post_quantum_key_exchange() {
    let tls_server = with_groups(&[kx_group::X25519MLKEM768]);
    let mut ends = session(&tls_client(), &tls_server, Options::default());
    assert_eq!(
        ends.client.info.key_exchange,
        Some(NamedGroup::X25519MLKEM768)
    );
    assert_eq!(
        ends.server.info.key_exchange,
        Some(NamedGroup::X25519MLKEM768)
    );
    talk(&mut ends);
}

/// Both ends' certificates are there after the handshake, the client's only if it has one.
#[test]
fn client_certificates() {
    let config = server_config_that_asks_for_certificates(tcpls_provider());
    let tls_server = TlsServer::new(&config).unwrap();
    let tls_client = TlsClient::new(&client_config_with_certificate(tcpls_provider())).unwrap();
    let mut ends = session(&tls_client, &tls_server, Options::default());
    assert_eq!(ends.server.info.peer_certificates, chain());
    assert_eq!(ends.client.info.peer_certificates, chain());
    talk(&mut ends);

    let ends = session(&tls_client, &crate::peers::tls_server(), Options::default());
    assert!(ends.server.info.peer_certificates.is_empty());
}

/// ALPN and SNI are those of the user's configurations.
#[test]
fn application_protocol_and_server_name() {
    let mut client = client_config(tcpls_provider());
    client.alpn_protocols = vec![b"one".to_vec(), b"two".to_vec()];
    let mut server = server_config(tcpls_provider());
    server.alpn_protocols = vec![b"two".to_vec(), b"three".to_vec()];
    let mut by_name = ResolvesServerCertUsingSni::new();
    let certified = CertifiedKey::from_der(chain(), key(), &tcpls_provider()).unwrap();
    by_name.add(NAME, certified).unwrap();
    server.cert_resolver = Arc::new(by_name);
    let tls_client = TlsClient::new(&client).unwrap();
    let tls_server = TlsServer::new(&server).unwrap();
    let mut ends = session(&tls_client, &tls_server, Options::default());
    for info in [&ends.client.info, &ends.server.info] {
        assert_eq!(info.alpn.as_deref(), Some(&b"two"[..]));
        assert_eq!(info.server_name.as_deref(), Some(NAME));
    }
    talk(&mut ends);
}
