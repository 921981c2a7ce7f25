//! Peers that speak TLS 1.3 but not TCPLS (R35, A-40).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, pattern, server_name};
use rustls::crypto::aws_lc_rs;
use tcpls_tokio::{
    Acceptor, ConnectError, Connected, Connector, Endpoint, PlainReason, PlainStream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

fn stock_acceptor(identity: &Identity) -> TlsAcceptor {
    let config = rustls::ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn stock_connector(identity: &Identity) -> TlsConnector {
    let config = rustls::ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(identity.roots())
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn client_of_stock_server() -> (Box<PlainStream>, server::TlsStream<DuplexStream>) {
    let identity = Identity::generate();
    let (near, far) = tokio::io::duplex(20_000);
    let connector = Connector::new(identity.client_config());
    let acceptor = stock_acceptor(&identity);
    let (near, far) = tokio::join!(
        connector.connect_or_plain(server_name(), near),
        acceptor.accept(far)
    );
    match near.unwrap() {
        Connected::Plain(plain) => (plain, far.unwrap()),
        Connected::Session(session) => panic!("{session:?}"),
    }
}

async fn server_of_stock_client() -> (client::TlsStream<DuplexStream>, Box<PlainStream>) {
    let identity = Identity::generate();
    let (near, far) = tokio::io::duplex(20_000);
    let connector = stock_connector(&identity);
    let acceptor = Acceptor::new(identity.server_config());
    let (near, far) = tokio::join!(
        connector.connect(server_name(), near),
        acceptor.accept_or_plain(far)
    );
    match far.unwrap() {
        Connected::Plain(plain) => (near.unwrap(), plain),
        Connected::Session(session) => panic!("{session:?}"),
    }
}

/// Sends `data` both ways at once and ends both directions cleanly.
async fn exchange<A, B>(a: A, b: B, data: Vec<u8>)
where
    A: tokio::io::AsyncRead + tokio::io::AsyncWrite,
    B: tokio::io::AsyncRead + tokio::io::AsyncWrite,
{
    let (mut a_read, mut a_write) = tokio::io::split(a);
    let (mut b_read, mut b_write) = tokio::io::split(b);
    let send_a = async {
        a_write.write_all(&data).await.unwrap();
        a_write.shutdown().await.unwrap();
    };
    let send_b = async {
        b_write.write_all(&data).await.unwrap();
        b_write.shutdown().await.unwrap();
    };
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    let ((), (), read_a, read_b) = tokio::join!(
        send_a,
        send_b,
        a_read.read_to_end(&mut at_a),
        b_read.read_to_end(&mut at_b)
    );
    read_a.unwrap();
    read_b.unwrap();
    assert!(at_a == data && at_b == data);
}

/// a server without the extension gives a plain stream that says why.
#[tokio::test(start_paused = true)]
async fn a_client_falls_back_to_plain_tls_and_says_why() {
    let (plain, far) = client_of_stock_server().await;
    assert_eq!(plain.reason(), PlainReason::NotAccepted);
    exchange(plain, far, pattern(1, 1 << 20)).await;
}

/// a client without the extension is served on the same port.
#[tokio::test(start_paused = true)]
async fn a_server_falls_back_to_plain_tls_and_says_why() {
    let (near, plain) = server_of_stock_client().await;
    assert_eq!(plain.reason(), PlainReason::NotOffered);
    exchange(near, plain, pattern(2, 1 << 20)).await;
}

/// without the caller's permission there is an error and no plain stream.
#[tokio::test(start_paused = true)]
async fn a_caller_that_wants_a_session_gets_an_error_instead_of_plain_tls() {
    let identity = Identity::generate();
    let (near, far) = tokio::io::duplex(20_000);
    let acceptor = stock_acceptor(&identity);
    let connector = Connector::new(identity.client_config());
    let (near, far) = tokio::join!(connector.connect(server_name(), near), acceptor.accept(far));
    assert!(matches!(
        near.unwrap_err(),
        ConnectError::NotTcpls(PlainReason::NotAccepted)
    ));
    // The server sees an orderly end.
    assert_eq!(far.unwrap().read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_plain_stream_cut_without_close_notify_is_no_clean_end() {
    let (mut plain, mut far) = client_of_stock_server().await;
    far.write_all(b"half").await.unwrap();
    far.flush().await.unwrap();
    let (io, _) = far.into_inner();
    drop(io);
    let mut data = Vec::new();
    let error = plain.read_to_end(&mut data).await.unwrap_err();
    assert_eq!(
        (error.kind(), &data[..]),
        (ErrorKind::UnexpectedEof, &b"half"[..])
    );
}

/// a key update that a plain peer asks for is answered.
#[tokio::test(start_paused = true)]
async fn a_plain_stream_follows_key_updates() {
    let (mut near, mut plain) = server_of_stock_client().await;
    for round in 0..5_u8 {
        near.get_mut().1.refresh_traffic_keys().unwrap();
        near.write_all(&[round; 3000]).await.unwrap();
        near.flush().await.unwrap();
        let mut got = [0; 3000];
        plain.read_exact(&mut got).await.unwrap();
        assert_eq!(got, [round; 3000]);
        plain.write_all(&got).await.unwrap();
        plain.flush().await.unwrap();
        near.read_exact(&mut got).await.unwrap();
    }
}

/// the two directions of a plain stream may be driven by two tasks: neither takes the other's
/// place when the transport is full.
#[tokio::test(start_paused = true)]
async fn a_plain_stream_is_read_and_written_by_different_tasks() {
    let (near, plain) = server_of_stock_client().await;
    let data = pattern(4, 1 << 20);
    let (mut reader, mut writer) = tokio::io::split(plain);
    let upload = data.clone();
    let write = tokio::spawn(async move {
        writer.write_all(&upload).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let read = tokio::spawn(async move {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await.map(|_| all)
    });
    let (mut near_read, mut near_write) = tokio::io::split(near);
    // The writer waits when the reader gets something to look at.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        near_write.write_all(b"x").await.unwrap();
        near_write.flush().await.unwrap();
    }
    let mut back = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), near_read.read_to_end(&mut back))
        .await
        .unwrap()
        .unwrap();
    assert!(back == data);
    near_write.shutdown().await.unwrap();
    write.await.unwrap();
    assert_eq!(read.await.unwrap().unwrap(), b"xxxxx");
}

/// after our `close_notify` a key update is not answered, and reading goes on.
#[tokio::test(start_paused = true)]
async fn a_plain_stream_that_was_shut_down_follows_key_updates() {
    let (mut near, mut plain) = server_of_stock_client().await;
    plain.shutdown().await.unwrap();
    near.get_mut().1.refresh_traffic_keys().unwrap();
    near.flush().await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(50), plain.read_u8()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    near.write_all(b"after").await.unwrap();
    near.shutdown().await.unwrap();
    let mut got = Vec::new();
    plain.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"after");
}

/// many requests for a key update have one answer while it cannot be sent, so that a peer which
/// asks and does not read costs no memory.
#[tokio::test(start_paused = true)]
async fn a_plain_stream_answers_many_key_updates_at_once() {
    let (mut near, mut plain) = server_of_stock_client().await;
    // What the server has sent so far is out of the way.
    let nothing = tokio::time::timeout(Duration::from_millis(50), near.read_u8()).await;
    assert!(nothing.is_err());
    let (tcp, session) = near.into_inner();
    let mut tcp = tcp;
    let mut session = session;
    let mut sealed = Vec::new();
    for _ in 0..100 {
        session.refresh_traffic_keys().unwrap();
        while session.wants_write() {
            session.write_tls(&mut sealed).unwrap();
        }
    }
    tcp.write_all(&sealed).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(50), plain.read_u8()).await;
    assert!(nothing.is_err());
    let mut answers = vec![0; 20_000];
    let count = tcp.read(&mut answers).await.unwrap();
    // Header, message, content type and tag.
    assert_eq!(count, 5 + 5 + 1 + 16);
}

/// R35: one listening endpoint serves sessions and plain TLS.
#[tokio::test]
async fn one_port_serves_tcpls_and_plain_tls() {
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), ([127, 0, 0, 1], 0).into()).unwrap();
    let address = server.local_addr().unwrap();
    let serve = tokio::spawn(async move {
        let mut kinds = Vec::new();
        for _ in 0..2 {
            match server
                .accept()
                .await
                .unwrap()
                .accept_or_plain()
                .await
                .unwrap()
            {
                Connected::Session(session) => {
                    kinds.push("session");
                    let (mut send, mut recv) = session.accept_bi().await.unwrap();
                    tokio::io::copy(&mut recv, &mut send).await.unwrap();
                    send.finish().unwrap();
                    session.closed().await;
                }
                Connected::Plain(mut plain) => {
                    kinds.push("plain");
                    let mut got = [0; 5];
                    plain.read_exact(&mut got).await.unwrap();
                    plain.write_all(&got).await.unwrap();
                    plain.shutdown().await.unwrap();
                }
            }
        }
        kinds
    });
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut plain = stock_connector(&identity)
        .connect(server_name(), tcp)
        .await
        .unwrap();
    plain.write_all(b"plain").await.unwrap();
    let mut back = Vec::new();
    plain.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b"plain");
    let client = Endpoint::client(identity.client_config());
    let session = client.connect(address, SERVER_NAME).await.unwrap();
    let (mut send, mut recv) = session.open_bi().await.unwrap();
    send.write_all(b"tcpls").await.unwrap();
    send.finish().unwrap();
    assert_eq!(recv.read_to_end(10).await.unwrap(), b"tcpls");
    session.close(0, b"");
    assert_eq!(serve.await.unwrap(), ["plain", "session"]);
}

/// A relay that resets connections whose hello offers TCPLS, and counts all it sees.
async fn hostile_relay(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let mut hello = [0; 4096];
            let length = near.peek(&mut hello).await.unwrap();
            if hello[..length]
                .windows(4)
                .any(|four| four == [0xFF, 0x64, 0, 0])
            {
                // What was not read makes closing a reset.
                continue;
            }
            let mut far = TcpStream::connect(server).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    (address, seen)
}

/// a hello that is reset is tried again without `tcpls`, if plain TLS is allowed, and that is
/// reported.
#[tokio::test]
async fn a_path_that_resets_the_offer_is_crossed_without_it() {
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), ([127, 0, 0, 1], 0).into()).unwrap();
    let (relay, seen) = hostile_relay(server.local_addr().unwrap()).await;
    let client = Endpoint::client(identity.client_config());
    let error = client.connect(relay, SERVER_NAME).await.unwrap_err();
    assert!(matches!(error, ConnectError::Io(_) | ConnectError::Closed));
    assert_eq!(seen.load(Ordering::SeqCst), 1, "nobody allowed plain TLS");
    let (near, far) = tokio::join!(client.connect_or_plain(relay, SERVER_NAME), async {
        server.accept().await.unwrap().accept_or_plain().await
    });
    let (Connected::Plain(near), Connected::Plain(far)) = (near.unwrap(), far.unwrap()) else {
        panic!("a session through a relay that resets the offer")
    };
    assert_eq!(near.reason(), PlainReason::OfferLost);
    assert_eq!(far.reason(), PlainReason::NotOffered);
    assert_eq!(seen.load(Ordering::SeqCst), 3);
    exchange(near, far, pattern(5, 100_000)).await;
}
