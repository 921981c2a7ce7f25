//! What the handshake tells the application.

use std::sync::Arc;

use crate::common::{Identity, SERVER_NAME, server_name};
use tcpls_tokio::{Acceptor, ClientConfig, Connector, ServerConfig};

#[tokio::test]
async fn alpn_certificates_and_keying_material_agree() {
    let identity = Identity::generate();
    let mut client = identity.rustls_client();
    client.alpn_protocols = vec![b"one".to_vec(), b"two".to_vec()];
    let mut server = identity.rustls_server();
    server.alpn_protocols = vec![b"two".to_vec()];
    let connector = Connector::new(ClientConfig::new(&Arc::new(client)).unwrap());
    let acceptor = Acceptor::new(ServerConfig::new(&Arc::new(server)).unwrap());
    let (near, far) = tokio::io::duplex(20_000);
    let (near, far) = tokio::join!(connector.connect(server_name(), near), async {
        let hello = acceptor.hello(far).await.unwrap();
        assert_eq!(hello.server_name(), Some(SERVER_NAME));
        assert_eq!(hello.alpn_protocols(), [b"one", b"two"]);
        assert!(hello.offers_tcpls());
        hello.accept().await
    });
    let (near, far) = (near.unwrap(), far.unwrap());
    assert_eq!(near.alpn_protocol(), Some(&b"two"[..]));
    assert_eq!(far.alpn_protocol(), Some(&b"two"[..]));
    assert_eq!(near.peer_identity().unwrap(), identity.chain);
    assert_eq!(far.peer_identity(), None);
    let export = |session: &tcpls_tokio::Session, label: &[u8]| {
        let mut out = [0; 40];
        session
            .export_keying_material(&mut out, label, b"context")
            .unwrap();
        out
    };
    assert_eq!(export(&near, b"label"), export(&far, b"label"));
    assert_ne!(export(&near, b"label"), export(&near, b"other"));
    let again = near.clone();
    assert_eq!(near.stable_id(), again.stable_id());
    assert_ne!(near.stable_id(), far.stable_id());
}
