//! Certificates that nobody vouches for: both ends learn why, and nobody panics.

use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tcpls_crypto::{HandshakeError, Options, TlsClient, TlsServer};

use crate::peers::*;
use crate::refusals::fail;

/// Why each end failed, if it did.
fn outcomes(
    client_config: &ClientConfig,
    server_config: &ServerConfig,
) -> (Option<HandshakeError>, Option<HandshakeError>) {
    let tls_client = TlsClient::new(client_config).unwrap();
    let tls_server = TlsServer::new(server_config).unwrap();
    let server = Server::accepting(&tls_server, answer(), Options::default());
    fail(client(&tls_client), server)
}

/// The message that is refused has others behind it in the same record.
#[test]
fn a_server_that_is_not_trusted_is_told() {
    let stranger = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(stranger.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(tcpls_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![stranger.cert.der().clone()], key.into())
        .unwrap();
    let (client, server) = outcomes(&client_config(tcpls_provider()), &config);
    assert!(
        matches!(client, Some(HandshakeError::Certificate(_))),
        "{client:?}"
    );
    assert!(
        matches!(server, Some(HandshakeError::AlertReceived(_))),
        "{server:?}"
    );
}

/// Here too, and the client learns of it only after its own handshake is over.
#[test]
fn a_client_that_is_not_trusted_is_refused() {
    let demanding = server_config_that_asks_for_certificates(tcpls_provider());
    let stranger = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(stranger.signing_key.serialize_der());
    let config = ClientConfig::builder_with_provider(Arc::new(tcpls_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots())
        .with_client_auth_cert(vec![stranger.cert.der().clone()], key.into())
        .unwrap();
    let (client, server) = outcomes(&config, &demanding);
    assert_eq!(client, None);
    assert!(
        matches!(server, Some(HandshakeError::Certificate(_))),
        "{server:?}"
    );
}
