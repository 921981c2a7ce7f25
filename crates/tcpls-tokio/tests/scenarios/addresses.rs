//! Addresses that either side advertises and withdraws.

use std::any::Any;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, path_event, patient_time, pattern, until};
use crate::healing::established;
use crate::paths::transfer;
use tcpls_tokio::{
    AddressError, AddressFilter, AdvertisedAddresses, ConnectionFailure, Endpoint, PathError,
    PathEvent, PathOptions, PathState, Session, TransportConfig,
};

/// A session with a server that can be reached at several addresses of the loopback interface.
struct Site {
    near: Session,
    far: Session,
    port: u16,
    _endpoints: [Endpoint; 2],
    _time: Box<dyn Any>,
}

impl Site {
    async fn new(transport: TransportConfig) -> Self {
        let time = patient_time();
        let identity = Identity::generate();
        let mut config = identity.client_config();
        config.transport_config(Arc::new(transport));
        let listen = (Ipv4Addr::UNSPECIFIED, 0).into();
        let server = Endpoint::server(identity.server_config(), listen).unwrap();
        let client = Endpoint::client(config);
        let port = server.local_addr().unwrap().port();
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let connect = client.connect((Ipv4Addr::LOCALHOST, port), SERVER_NAME);
        let (near, far) = tokio::join!(connect, accept);
        let near = near.unwrap();
        until("there are tokens", || near.stats().unused_tokens >= 8).await;
        Self {
            near,
            far,
            port,
            _endpoints: [server, client],
            _time: Box::new(time),
        }
    }

    /// The server's address 127.0.0.`last`.
    fn address(&self, last: u8) -> SocketAddr {
        ([127, 0, 0, last], self.port).into()
    }

    fn remotes(&self) -> Vec<SocketAddr> {
        let paths = self.near.paths();
        let remotes = paths.iter().filter_map(tcpls_tokio::Path::remote_address);
        remotes.collect()
    }

    /// Waits until the client's connections go there and nowhere else, and the server has as many.
    async fn remotes_become(&self, expected: &[SocketAddr]) {
        until("the client is where it should be", || {
            self.remotes() == expected
        })
        .await;
        let count = || self.far.paths().len();
        until("the server sees it, too", || count() == expected.len()).await;
    }
}

/// R51, R52, R53, A-32, A-33: a server drains its address while it carries a transfer: the client moves to
/// another one that was advertised, nothing is lost, and nothing connects to the
/// withdrawn address any more.
#[tokio::test]
async fn a_server_drains_an_address() {
    let site = Site::new(TransportConfig::default()).await;
    let (near, far) = (&site.near, &site.far);
    let [old, new] = [1, 2].map(|last| site.address(last));
    let mut events = near.path_events();
    far.advertise(old).unwrap();
    far.advertise(new).unwrap();
    // Those of one record come in the order in which it is read, from its end.
    let told = [events.recv().await.unwrap(), events.recv().await.unwrap()];
    for address in [old, new] {
        let added = PathEvent::AddressAdded { address };
        assert!(told.contains(&added), "{told:?}");
    }
    let drain = async {
        let sent = || far.path_stats()[0].counters.bytes_sent;
        until("the transfer has begun", || sent() >= 1 << 20).await;
        assert_eq!(
            near.stats().connections,
            1,
            "nothing is opened without need"
        );
        far.withdraw(old).unwrap();
    };
    tokio::join!(
        transfer(far, near, pattern(1, 16 << 20)),
        transfer(near, far, pattern(2, 16 << 20)),
        drain
    );
    site.remotes_become(&[new]).await;
    for session in [near, far] {
        assert_eq!(
            session.path_stats()[0].state,
            PathState::Ended { reason: None }
        );
    }
    let mut options = PathOptions::new();
    let refused = near.open_path(&options).await.unwrap_err();
    assert_eq!(refused, PathError::AddressWithdrawn(old));
    near.open_path(options.remote(new)).await.unwrap();
    assert_eq!(far.withdraw(old), Err(AddressError::Unknown));
}

/// R51, R53: with [`AdvertisedAddresses::Open`] a client connects to what is advertised, once, and leaves
/// it when it is withdrawn.
#[tokio::test]
async fn a_client_follows_what_is_advertised() {
    let mut transport = TransportConfig::default();
    transport.advertised_addresses(AdvertisedAddresses::Open);
    let site = Site::new(transport).await;
    let [first, second] = [1, 2].map(|last| site.address(last));
    let mut events = site.near.path_events();
    site.far.advertise(first).unwrap();
    site.far.advertise(second).unwrap();
    site.far.advertise(second).unwrap();
    assert_eq!(established(&mut events).await, 1);
    assert_eq!(site.remotes(), [first, second]);
    site.far.withdraw(second).unwrap();
    site.remotes_become(&[first]).await;
    assert_eq!(site.near.stats().connections, 2);
    transfer(&site.near, &site.far, pattern(3, 100_000)).await;
}

/// where an address is withdrawn that is all there is, its connections end after a while, and
/// the session waits for another.
#[tokio::test]
async fn a_session_outlives_all_its_addresses() {
    let site = Site::new(TransportConfig::default()).await;
    let mut events = site.near.path_events();
    site.far.advertise(site.address(1)).unwrap();
    site.far.withdraw(site.address(1)).unwrap();
    let (mut send, _recv) = site.near.open_bi().await.unwrap();
    let (_send, mut recv) = site.far.accept_bi().await.unwrap();
    send.write_all(&pattern(4, 1000)).await.unwrap();
    send.finish().unwrap();
    while !site.near.paths().is_empty() {
        events.recv().await.unwrap();
    }
    let reason = Some(ConnectionFailure::Abandoned);
    let ended = |session: &Session| session.path_stats()[0].state;
    assert!(
        [&site.near, &site.far]
            .iter()
            .any(|session| ended(session) == PathState::Ended { reason })
    );
    let mut options = PathOptions::new();
    site.near
        .open_path(options.remote(site.address(2)))
        .await
        .unwrap();
    assert_eq!(recv.read_to_end(1000).await.unwrap(), pattern(4, 1000));
    transfer(&site.near, &site.far, pattern(5, 100_000)).await;
}

/// R53, A-32: a client's address goes with all its ports.
#[tokio::test]
async fn a_client_withdraws_an_address() {
    let site = Site::new(TransportConfig::default()).await;
    let (near, far) = (&site.near, &site.far);
    let mut options = PathOptions::new();
    let home = Ipv4Addr::new(127, 0, 0, 9).into();
    near.open_path(options.local(home)).await.unwrap();
    near.open_path(options.local(home)).await.unwrap();
    let address = SocketAddr::new(home, 0);
    let mut events = far.path_events();
    near.advertise(address).unwrap();
    let added = PathEvent::AddressAdded { address };
    path_event(&mut events, |event| (event == added).then_some(())).await;
    assert_eq!(far.peer_addresses(), [address]);
    near.withdraw(address).unwrap();
    for session in [near, far] {
        until("its paths are gone", || session.paths().len() == 1).await;
        for path in &session.path_stats()[1..] {
            assert_eq!(path.state, PathState::Ended { reason: None });
        }
    }
    let removed = PathEvent::AddressRemoved { address };
    path_event(&mut events, |event| (event == removed).then_some(())).await;
    assert!(far.peer_addresses().is_empty());
    transfer(near, far, pattern(6, 100_000)).await;
}

/// Allows nothing.
#[derive(Debug)]
struct Nothing;

impl AddressFilter for Nothing {
    fn allows(&self, _advertised: SocketAddr, _primary: SocketAddr) -> bool {
        false
    }
}

/// the application has the last word on where its sessions go.
#[tokio::test]
async fn the_application_may_refuse_addresses() {
    let mut transport = TransportConfig::default();
    transport.advertised_addresses(AdvertisedAddresses::Open);
    transport.address_filter(Arc::new(Nothing));
    let site = Site::new(transport).await;
    let mut events = site.near.path_events();
    let address = site.address(2);
    site.far.advertise(address).unwrap();
    let added = PathEvent::AddressAdded { address };
    path_event(&mut events, |event| (event == added).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(site.near.stats().connections, 1);
}
