//! How sessions begin where a server has several addresses, or the client does (draft 4.2.2).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, patient_time, until};
use crate::proxy::Proxy;
use tcpls_tokio::{ConnectError, Endpoint, PathOptions, TransportConfig};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An address where nobody answers: a listener whose queue is full.
async fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(LOOPBACK).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    let patience = Duration::from_millis(300);
    while let Ok(tcp) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        queue.push(tcp.unwrap());
    }
    (address, listener, queue)
}

/// R17: an address that swallows connections does not keep a client from the next one.
#[tokio::test]
async fn an_address_that_swallows_connections_is_passed() {
    let _time = patient_time();
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), LOOPBACK).unwrap();
    let (hole, _listener, _queue) = black_hole().await;
    let mut config = identity.client_config();
    let mut transport = TransportConfig::default();
    transport.handshake_timeout(Duration::from_secs(5));
    config.transport_config(Arc::new(transport));
    let client = Endpoint::client(config);
    let addresses = [hole, server.local_addr().unwrap()];
    let accepting = server.clone();
    let _far = tokio::spawn(async move { accepting.accept().await.unwrap().await });
    let near = client.connect(&addresses[..], SERVER_NAME).await;
    assert_eq!(near.unwrap().remote_address(), Some(addresses[1]));
    let error = client.connect(hole, SERVER_NAME).await.unwrap_err();
    let limit = Duration::from_secs(5);
    assert!(matches!(error, ConnectError::TimedOut(after) if after == limit));
}

/// R17, A-22: of the connections that come about beside the first, one joins with the token of the
/// handshake and the others with later ones: no two with the same.
#[tokio::test]
async fn spare_connections_join_as_the_session_begins() {
    let _time = patient_time();
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), LOOPBACK).unwrap();
    let mut config = identity.client_config();
    let locals = [2, 3, 4, 5].map(|last| IpAddr::from([127, 0, 0, last]));
    config.local_addresses(locals).spare_connections(2);
    let client = Endpoint::client(config);
    let address = server.local_addr().unwrap();
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, far) = tokio::join!(client.connect(address, SERVER_NAME), accept);
    let near = near.unwrap();
    assert_eq!(near.local_address().unwrap().ip(), locals[0]);
    until("there are two more", || near.paths().len() == 3).await;
    let paths = near.paths();
    let mut ids: Vec<_> = paths.iter().map(|path| path.id().as_u32()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2]);
    let mut from: Vec<_> = paths
        .iter()
        .map(|path| path.local_address().unwrap().ip())
        .collect();
    from.sort_unstable();
    from.dedup();
    assert_eq!(from.len(), 3, "each from an address of its own");
    until("the server sees them", || far.paths().len() == 3).await;
}

/// R17, A-22: the other TCP connections are there before the handshake is over, and wait for a token.
#[tokio::test]
async fn spare_connections_wait_for_the_token() {
    let _time = patient_time();
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), LOOPBACK).unwrap();
    let address = server.local_addr().unwrap();
    let proxies = [Proxy::to(address).await, Proxy::to(address).await];
    let addresses = proxies.each_ref().map(Proxy::address);
    let mut config = identity.client_config();
    config.spare_connections(1);
    let client = Endpoint::client(config);
    let connecting = tokio::spawn({
        let client = client.clone();
        async move { client.connect(&addresses[..], SERVER_NAME).await }
    });
    // Its hello is not answered yet.
    let incoming = server.accept().await.unwrap();
    until("another is there", || proxies[1].connections() > 0).await;
    assert_eq!(proxies[0].connections(), 1);
    let far = incoming.await.unwrap();
    let near = connecting.await.unwrap().unwrap();
    let joined = || near.paths().len() == 2 && far.paths().len() == 2;
    until("it has joined", joined).await;
    let remotes: Vec<_> = near
        .paths()
        .iter()
        .map(tcpls_tokio::Path::remote_address)
        .collect();
    assert_eq!(remotes, addresses.map(Some));
    assert_eq!(proxies.each_ref().map(Proxy::connections), [1, 1]);
}

/// R17: a client gets as many spare connections as it wants, and those that come about beside these are
/// closed: each costs the server nothing but a TCP connection.
#[tokio::test]
async fn nobody_gets_more_connections_than_wanted() {
    let _time = patient_time();
    let identity = Identity::generate();
    let server = Endpoint::server(identity.server_config(), LOOPBACK).unwrap();
    let mut open = Vec::new();
    for wanted in 0..3 {
        let proxies = [
            Proxy::to(server.local_addr().unwrap()).await,
            Proxy::to(server.local_addr().unwrap()).await,
            Proxy::to(server.local_addr().unwrap()).await,
            Proxy::to(server.local_addr().unwrap()).await,
        ];
        let addresses = proxies.each_ref().map(Proxy::address);
        let mut config = identity.client_config();
        config.spare_connections(wanted);
        let client = Endpoint::client(config);
        let accept = async {
            loop {
                // Some of the connections before were closed before they said anything.
                if let Ok(session) = server.accept().await.unwrap().await {
                    return session;
                }
            }
        };
        let (near, far) = tokio::join!(client.connect(&addresses[..], SERVER_NAME), accept);
        let near = near.unwrap();
        let joined = || near.paths().len() > wanted && far.paths().len() > wanted;
        until("there are as many as wanted", joined).await;
        let dialled = || proxies.iter().map(Proxy::connections).sum::<usize>();
        if wanted == 0 {
            assert_eq!(dialled(), 1, "nobody else was asked");
        }
        // Longer than the distance of two attempts.
        tokio::time::sleep(Duration::from_millis(400)).await;
        for session in [&near, &far] {
            assert_eq!(session.paths().len(), wanted + 1);
            assert_eq!(usize::try_from(session.stats().connections), Ok(wanted + 1));
        }
        assert!((wanted + 1..=proxies.len()).contains(&dialled()));
        open.push((client, near, far, proxies));
    }
    assert_eq!(server.open_sessions(), 3, "all others came to nothing");
}

/// R51, A-25: a server on several addresses is one server: what begins on one goes on at another.
#[tokio::test]
async fn a_session_takes_connections_at_every_address_of_its_server() {
    let identity = Identity::generate();
    let wanted = [1, 2, 3].map(|last| SocketAddr::from(([127, 0, 0, last], 0)));
    let server = Endpoint::server_at(identity.server_config(), &wanted).unwrap();
    let addresses = server.local_addrs().unwrap();
    assert_eq!(server.local_addr().unwrap(), addresses[0]);
    let ips: Vec<_> = addresses.iter().map(SocketAddr::ip).collect();
    assert_eq!(ips, wanted.map(|address| address.ip()));
    let client = Endpoint::client(identity.client_config());
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, far) = tokio::join!(client.connect(addresses[1], SERVER_NAME), accept);
    let near = near.unwrap();
    for address in [addresses[0], addresses[2]] {
        near.open_path(PathOptions::new().remote(address))
            .await
            .unwrap();
    }
    assert_eq!(far.stats().connections, 3);
    let again = Endpoint::server_at(identity.server_config(), &addresses[..1]);
    assert!(again.is_err(), "it is taken");
    assert!(Endpoint::server_at(identity.server_config(), &[]).is_err());
}

/// A congestion control that the system does not have is named at once.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_unknown_congestion_control_is_refused() {
    let identity = Identity::generate();
    let mut config = identity.client_config();
    let mut transport = TransportConfig::default();
    transport.congestion_control("none-such");
    config.transport_config(Arc::new(transport));
    let client = Endpoint::client(config);
    let error = client.connect(LOOPBACK, SERVER_NAME).await.unwrap_err();
    assert!(matches!(error, ConnectError::CongestionControl(name, _) if name == "none-such"));
}
