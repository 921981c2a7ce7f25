//! Handshakes that must not succeed end in one clear error, in bounded time.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, server_name};
use rustls::crypto::aws_lc_rs;
use tcpls_tokio::{
    Acceptor, ClientConfig, ConnectError, Connector, Endpoint, InvalidConfig, TransportConfig,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused_at_both_ends() {
    let (known, unknown) = (Identity::generate(), Identity::generate());
    let (near, far) = tokio::io::duplex(20_000);
    let connector = Connector::new(known.client_config());
    let acceptor = Acceptor::new(unknown.server_config());
    let (near, far) = tokio::join!(connector.connect(server_name(), near), acceptor.accept(far));
    let text = near.unwrap_err().to_string();
    assert!(text.contains("certificate"), "{text}");
    assert!(matches!(far.unwrap_err(), ConnectError::Handshake(_)));
}

#[tokio::test]
async fn a_server_that_is_not_tls_is_named_as_such() {
    let identity = Identity::generate();
    for banner in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0; 64],
    ] {
        let (near, mut far) = tokio::io::duplex(20_000);
        far.write_all(banner).await.unwrap();
        let connector = Connector::new(identity.client_config());
        let error = connector.connect(server_name(), near).await.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake(_)), "{error}");
        assert!(error.to_string().contains("TLS"), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_is_not_tls_is_named_as_such() {
    let identity = Identity::generate();
    let (mut near, far) = tokio::io::duplex(20_000);
    near.write_all(b"GET / HTTP/1.1\r\nHost: server.example\r\n\r\n")
        .await
        .unwrap();
    let error = Acceptor::new(identity.server_config())
        .accept(far)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}

/// T24: a peer that says nothing, or one byte now and then, is given up after the deadline.
#[tokio::test(start_paused = true)]
async fn a_silent_or_dripping_peer_is_given_up_in_time() {
    let identity = Identity::generate();
    let mut transport = TransportConfig::default();
    transport.handshake_timeout(Duration::from_secs(3));
    let transport = Arc::new(transport);
    let (mut client, mut server) = (identity.client_config(), identity.server_config());
    client.transport_config(Arc::clone(&transport));
    server.transport_config(transport);
    let (near, _silent) = tokio::io::duplex(20_000);
    let error = Connector::new(client)
        .connect(server_name(), near)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut(limit) if limit == Duration::from_secs(3)));
    let (mut near, far) = tokio::io::duplex(20_000);
    let drip = tokio::spawn(async move {
        for byte in [22, 3, 1, 1, 0, 1, 0, 0, 252]
            .into_iter()
            .chain(std::iter::repeat(3))
        {
            if near.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let error = Acceptor::new(server).accept(far).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut(_)), "{error}");
    drip.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_hangs_up_during_the_handshake_is_reported() {
    let identity = Identity::generate();
    let (near, mut far) = tokio::io::duplex(20_000);
    let hang_up = async move {
        let mut some = [0; 10];
        far.read_exact(&mut some).await.unwrap();
    };
    let connector = Connector::new(identity.client_config());
    let (result, ()) = tokio::join!(connector.connect(server_name(), near), hang_up);
    let error = result.unwrap_err();
    assert!(
        matches!(error, ConnectError::Closed | ConnectError::Io(_)),
        "{error}"
    );
}

/// A-23, R37: a join token that this server never issued is refused with `illegal_parameter`.
#[tokio::test]
async fn a_join_with_an_unknown_token_is_refused() {
    let identity = Identity::generate();
    // A ClientHello of ours, with the join extension put in front as the join codec does it.
    let (near, mut far) = tokio::io::duplex(20_000);
    let connector = Connector::new(identity.client_config());
    let connecting = tokio::spawn(async move { connector.connect(server_name(), near).await });
    let mut header = [0; 5];
    far.read_exact(&mut header).await.unwrap();
    let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    far.read_exact(&mut hello).await.unwrap();
    drop(far);
    connecting.await.unwrap().unwrap_err();
    let mut join = Vec::new();
    let body = [&[32][..], &[7; 32]].concat();
    let codec = tcpls_tokio::core::wire::ExtensionCodec::default();
    let extension = tcpls_tokio::core::wire::Extension {
        kind: codec.code_points.join,
        body: &body,
    };
    tcpls_tokio::core::wire::hello::insert_extensions(&hello, &[extension], &mut join).unwrap();
    let (mut near, far) = tokio::io::duplex(20_000);
    let length = u16::try_from(join.len()).unwrap().to_be_bytes();
    near.write_all(&[&[22, 3, 1], &length[..], &join].concat())
        .await
        .unwrap();
    let error = Acceptor::new(identity.server_config())
        .accept(far)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::UnknownToken), "{error}");
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 47]);
}

#[tokio::test]
async fn bad_arguments_are_refused_before_anything_is_sent() {
    let identity = Identity::generate();
    let client = Endpoint::client(identity.client_config());
    let error = client
        .connect("127.0.0.1:9", "no good name")
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::InvalidServerName(_)));
    assert!(client.accept().await.is_none());
    assert!(client.local_addr().is_err());
    let server = Endpoint::server(identity.server_config(), ([127, 0, 0, 1], 0).into()).unwrap();
    let error = server
        .connect("127.0.0.1:9", SERVER_NAME)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::NoConfig("client")));
    client.close();
    let error = client
        .connect("127.0.0.1:9", SERVER_NAME)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::EndpointClosed));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_plain_io_error() {
    let identity = Identity::generate();
    // As long as a socket is bound to it that does not listen, nobody else is.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let free = bound.local_addr().unwrap();
    let client = Endpoint::client(identity.client_config());
    let error = client.connect(free, SERVER_NAME).await.unwrap_err();
    let ConnectError::Io(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_configuration_on_a_foreign_provider_is_refused_with_the_remedy() {
    let identity = Identity::generate();
    let foreign = rustls::ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(identity.roots())
        .with_no_client_auth();
    let error = ClientConfig::new(&Arc::new(foreign)).unwrap_err();
    assert!(matches!(error, InvalidConfig::Provider(_)));
    assert!(error.to_string().contains("provider"), "{error}");
}
