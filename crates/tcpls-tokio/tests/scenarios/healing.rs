//! Sessions that get their connections back by themselves.

use std::any::Any;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, path_event, patient_time, pattern, server_name, until};
use crate::paths::{transfer, transfer_while_there};
use crate::proxy::{Mode, Proxy};
use tcpls_tokio::{
    ConnectionFailure, Connector, Endpoint, FollowPaths, PathError, PathEvent, PathEvents,
    PathOptions, PathState, PathStatus, Session, TransportConfig,
};
use tokio::net::TcpSocket;

/// A session through a proxy, and the server's address behind it. As long as it is there, time is
/// [patient](patient_time).
pub(crate) struct Home {
    pub(crate) near: Session,
    pub(crate) far: Session,
    pub(crate) proxy: Proxy,
    pub(crate) server: SocketAddr,
    _endpoints: [Endpoint; 2],
    _time: Option<Box<dyn Any>>,
}

impl Home {
    pub(crate) async fn new(follow: FollowPaths) -> Self {
        let mut transport = TransportConfig::default();
        transport.follow_paths(follow);
        Self::with(transport).await
    }

    pub(crate) async fn with(transport: TransportConfig) -> Self {
        let time = patient_time();
        Self {
            _time: Some(Box::new(time)),
            ..Self::beside_another(transport).await
        }
    }

    /// While another one sees to the time.
    async fn beside_another(transport: TransportConfig) -> Self {
        let identity = Identity::generate();
        let mut config = identity.client_config();
        config.transport_config(Arc::new(transport));
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let server = Endpoint::server(identity.server_config(), listen).unwrap();
        let client = Endpoint::client(config);
        let address = server.local_addr().unwrap();
        let proxy = Proxy::to(address).await;
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (near, far) = tokio::join!(client.connect(proxy.address(), SERVER_NAME), accept);
        let near = near.unwrap();
        until("there are tokens", || near.stats().unused_tokens >= 8).await;
        Self {
            near,
            far,
            proxy,
            server: address,
            _endpoints: [server, client],
            _time: None,
        }
    }
}

/// The next path that is established.
pub(crate) async fn established(events: &mut PathEvents) -> u32 {
    let established = |event| {
        let PathEvent::Established { id } = event else {
            return None;
        };
        Some(id.as_u32())
    };
    path_event(events, established).await
}

/// The next path that ends.
pub(crate) async fn closed(events: &mut PathEvents) -> (u32, Option<ConnectionFailure>) {
    let closed = |event| {
        let PathEvent::Closed { id, reason } = event else {
            return None;
        };
        Some((id.as_u32(), reason))
    };
    path_event(events, closed).await
}

/// Whether nothing comes back on a path for a moment, as happens where the machine is busy.
fn is_silent(session: &Session, path: usize) -> bool {
    session.path_stats()[path].state == PathState::Suspect
}

/// R18, A-45: a path that fails is joined again while the session goes on with another.
#[tokio::test]
async fn a_path_that_fails_comes_back() {
    let home = Home::new(FollowPaths::Keep).await;
    let second = Proxy::to(home.server).await;
    let mut options = PathOptions::new();
    options.remote(second.address());
    let path = home.near.open_path(&options).await.unwrap();
    let mut events = home.near.path_events();
    second.reset();
    assert_eq!(established(&mut events).await, 2);
    assert!(path.is_closed());
    let remotes = home.near.paths().into_iter();
    let remotes: Vec<_> = remotes.map(|path| path.remote_address()).collect();
    let expected = [home.proxy.address(), second.address()].map(Some);
    assert_eq!(remotes, expected);
    transfer(&home.near, &home.far, pattern(1, 100_000)).await;
}

/// R18, A-19, A-44: a session that lost its only connection in the middle of a transfer gets it back as
/// soon as there is somebody at the other end, and goes on. Until then, attempts cost no token.
#[tokio::test]
async fn a_session_comes_back_by_itself() {
    let home = Home::new(FollowPaths::Keep).await;
    let mut events = home.near.path_events();
    let (mut send, _recv) = home.near.open_bi().await.unwrap();
    let data = pattern(2, 3 << 20);
    let copy = data.clone();
    let writing = tokio::spawn(async move {
        send.write_all(&copy).await.unwrap();
        send.finish().unwrap();
    });
    let (_send, mut recv) = home.far.accept_bi().await.unwrap();
    let first = recv.read_chunk(1000).await.unwrap().unwrap();
    home.proxy.set(Mode::Swallow);
    home.proxy.reset();
    let unused = home.near.stats().unused_tokens;
    until("a second one is tried", || home.proxy.swallowed() >= 2).await;
    assert_eq!(
        home.near.stats().unused_tokens + 1,
        unused,
        "one is being tried"
    );
    home.proxy.set(Mode::Forward);
    assert_eq!(
        established(&mut events).await,
        1,
        "the same token all the time"
    );
    let rest = recv.read_to_end(1 << 30).await.unwrap();
    assert!([&first[..], &rest].concat() == data);
    writing.await.unwrap();
}

/// a path that is closed ends in order on both sides. What became of it can be told afterwards.
#[tokio::test]
async fn a_closed_path_ends_in_order() {
    let home = Home::new(FollowPaths::Off).await;
    let (near, far) = (&home.near, &home.far);
    let options = &mut PathOptions::new();
    let path = near.open_path(options.remote(home.server)).await.unwrap();
    let first = near.paths().remove(0);
    let (mut near_events, mut far_events) = (near.path_events(), far.path_events());
    let closing = async {
        let sent = || first.stats().bytes_sent;
        let is_time = || sent() >= 1 << 20 && !is_silent(near, 1);
        until("it has carried much, and another can", is_time).await;
        first.close();
    };
    tokio::join!(transfer_while_there(&first, near, far), closing);
    assert_eq!(closed(&mut near_events).await, (0, None));
    assert_eq!(closed(&mut far_events).await, (0, None));
    until("the other one is heard", || !is_silent(near, 1)).await;
    let stats = near.path_stats();
    let states: Vec<_> = stats.iter().map(|path| path.state).collect();
    assert_eq!(states, [PathState::Ended { reason: None }, PathState::Open]);
    assert_eq!(stats[0].remote_address, Some(home.proxy.address()));
    assert_eq!(stats[0].counters, first.stats());
    assert!(stats[0].counters.bytes_sent >= 1 << 20);
    let counted: Vec<_> = stats
        .iter()
        .map(|path| path.segments_retransmitted.is_some())
        .collect();
    assert_eq!(counted, [cfg!(target_os = "linux"); 2], "also of the end");
    assert_eq!(
        (stats[1].id, stats[1].local_address),
        (path.id(), path.local_address())
    );
    for session in [near, far] {
        assert_eq!(session.paths().len(), 1);
    }
}

/// a path that fails comes back for what it was for.
#[tokio::test]
async fn a_backup_comes_back_as_a_backup() {
    let home = Home::new(FollowPaths::Keep).await;
    let second = Proxy::to(home.server).await;
    let mut options = PathOptions::new();
    options.remote(second.address()).status(PathStatus::Backup);
    let path = home.near.open_path(&options).await.unwrap();
    assert_eq!(path.status(), PathStatus::Backup);
    let first = home.near.paths().remove(0);
    first.set_status(PathStatus::Backup);
    let mut events = home.near.path_events();
    for proxy in [&home.proxy, &second] {
        proxy.reset();
        established(&mut events).await;
    }
    let paths = home.near.paths().into_iter();
    let statuses: Vec<_> = paths.map(|path| path.status()).collect();
    assert_eq!(statuses, [PathStatus::Backup, PathStatus::Backup]);
}

/// a path that the application closed stays closed, and with [`FollowPaths::Off`] one that failed
/// stays away.
#[tokio::test]
async fn nothing_comes_back_that_nobody_wants() {
    let home = Home::new(FollowPaths::Keep).await;
    let options = &mut PathOptions::new();
    let options = options.remote(home.server);
    let path = home.near.open_path(options).await.unwrap();
    path.close();
    let mut transport = TransportConfig::default();
    transport.follow_paths(FollowPaths::Off);
    let quiet = Home::beside_another(transport).await;
    quiet.proxy.reset();
    until("its path is gone", || quiet.near.paths().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(home.near.stats().connections, 2);
    assert_eq!(quiet.near.stats().connections, 1);
    assert_eq!(quiet.proxy.connections(), 1);
}

/// a session moves to another path in the middle of transfers, and back.
#[tokio::test]
async fn a_session_moves_to_another_path_and_back() {
    let home = Home::new(FollowPaths::Off).await;
    let (near, far) = (&home.near, &home.far);
    let second = Proxy::to(home.server).await;
    let mut there = PathOptions::new();
    there.remote(second.address());
    for options in [there, PathOptions::new()] {
        let before = near.paths().remove(0);
        let start = before.stats().bytes_sent;
        let moving = async {
            let sent = || before.stats().bytes_sent - start;
            until("the transfer has begun", || sent() >= 1 << 20).await;
            near.migrate(&options).await.unwrap()
        };
        let ((), (), path) = tokio::join!(
            transfer(near, far, pattern(1, 24 << 20)),
            transfer(far, near, pattern(2, 24 << 20)),
            moving
        );
        until("the old path is gone", || near.paths().len() == 1).await;
        assert_eq!(near.paths()[0].id(), path.id());
    }
    let paths = near.path_stats();
    let ended = PathState::Ended { reason: None };
    let states: Vec<_> = paths.iter().map(|path| path.state).collect();
    assert_eq!(states[..2], [ended, ended]);
    // Or silent for a moment, where the machine is busy.
    assert!(states.len() == 3 && states[2] != ended, "{states:?}");
    assert_eq!(paths[2].remote_address, Some(home.proxy.address()));
}

/// what was lost before a migration stays lost after it.
#[tokio::test]
async fn a_session_that_moved_leaves_behind_what_it_had_lost() {
    let home = Home::new(FollowPaths::Keep).await;
    let lost = Proxy::to(home.server).await;
    let mut options = PathOptions::new();
    options.remote(lost.address());
    home.near.open_path(&options).await.unwrap();
    lost.set(Mode::Refuse);
    lost.reset();
    until("it is tried again", || lost.connections() >= 2).await;
    let path = home
        .near
        .migrate(options.remote(home.server))
        .await
        .unwrap();
    lost.set(Mode::Forward);
    // An attempt may have been on its way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let tried = lost.connections();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(lost.connections(), tried);
    let paths = home.near.paths();
    let ids: Vec<_> = paths.iter().map(tcpls_tokio::Path::id).collect();
    assert_eq!(ids, [path.id()]);
}

/// a migration that does not get through, or is dropped, changes nothing.
#[tokio::test]
async fn a_migration_that_fails_changes_nothing() {
    let home = Home::new(FollowPaths::Keep).await;
    let second = Proxy::to(home.server).await;
    second.set(Mode::Swallow);
    let mut options = PathOptions::new();
    options.remote(second.address());
    let patience = Duration::from_millis(100);
    let dropped = tokio::time::timeout(patience, home.near.migrate(&options)).await;
    assert!(dropped.is_err());
    options.remote(([127, 0, 0, 1], 1).into());
    home.near.migrate(&options).await.unwrap_err();
    assert_eq!(home.near.paths().len(), 1);
    assert_eq!(home.near.paths()[0].id().as_u32(), 0);
    transfer(&home.near, &home.far, pattern(3, 100_000)).await;
    home.proxy.reset();
    let mut events = home.near.path_events();
    established(&mut events).await;
    transfer(&home.near, &home.far, pattern(4, 100_000)).await;
}

/// the path to which a session moves fails at once: the session stays on the one before, and
/// gets that back when it fails.
#[tokio::test]
async fn a_path_that_could_not_be_left_comes_back() {
    let home = Home::new(FollowPaths::Keep).await;
    let second = Proxy::to(home.server).await;
    let mut options = PathOptions::new();
    options.remote(second.address());
    let mut events = home.near.path_events();
    let failing = async {
        established(&mut events).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        second.set(Mode::Refuse);
        second.reset();
    };
    let (moved, ()) = tokio::join!(home.near.migrate(&options), failing);
    assert!(moved.unwrap().is_closed());
    let [first] = &home.near.paths()[..] else {
        panic!("one path is left");
    };
    assert_eq!(first.id().as_u32(), 0);
    home.proxy.reset();
    established(&mut events).await;
    let remote = home.near.paths()[0].remote_address();
    assert_eq!(remote, Some(home.proxy.address()));
}

/// a path that was closed and had to go on, because the only other one broke, is one like any
/// other again: it comes back when it fails.
#[tokio::test]
async fn a_closed_path_that_had_to_go_on_comes_back() {
    let home = Home::new(FollowPaths::Keep).await;
    let second = Proxy::to(home.server).await;
    let mut options = PathOptions::new();
    options.remote(second.address());
    let path = home.near.open_path(&options).await.unwrap();
    second.set(Mode::Refuse);
    let first = home.near.paths().remove(0);
    let (mut send, _recv) = home.near.open_bi().await.unwrap();
    send.set_paths(std::slice::from_ref(&first)).unwrap();
    send.write_all(b"waits for its acknowledgment")
        .await
        .unwrap();
    first.close();
    path.abort();
    let (_send, mut recv) = home.far.accept_bi().await.unwrap();
    send.finish().unwrap();
    let arrived = recv.read_to_end(100).await.unwrap();
    assert_eq!(arrived, b"waits for its acknowledgment");
    assert!(!first.is_closed());
    let mut events = home.near.path_events();
    home.proxy.reset();
    established(&mut events).await;
    let remote = home.near.paths()[0].remote_address();
    assert_eq!(remote, Some(home.proxy.address()));
}

/// a first connection that the application opened itself comes back from where it came.
#[tokio::test]
async fn a_first_connection_comes_back_as_it_was_opened() {
    let _time = patient_time();
    let identity = Identity::generate();
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let server = Endpoint::server(identity.server_config(), listen).unwrap();
    let proxy = Proxy::to(server.local_addr().unwrap()).await;
    let local = Ipv4Addr::new(127, 0, 0, 9);
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((local, 0).into()).unwrap();
    let tcp = socket.connect(proxy.address()).await.unwrap();
    let mut options = PathOptions::new();
    options.local(local.into()).status(PathStatus::Backup);
    let connector = Connector::new(identity.client_config());
    let connect = connector.connect_opened(server_name(), tcp, &options);
    let accept = async { server.accept().await.unwrap().await.unwrap() };
    let (near, _far) = tokio::join!(connect, accept);
    let near = near.unwrap().into_session().await.unwrap();
    let mut events = near.path_events();
    proxy.reset();
    assert_eq!(established(&mut events).await, 1);
    let path = near.paths().remove(0);
    assert_eq!(path.local_address().unwrap().ip(), local);
    assert_eq!(path.remote_address(), Some(proxy.address()));
    assert_eq!(path.status(), PathStatus::Backup);
}

/// a path that the application wants is opened once that works, and again when it fails.
#[tokio::test]
async fn a_path_is_kept() {
    let home = Home::new(FollowPaths::Keep).await;
    let second = Proxy::to(home.server).await;
    let mut events = home.near.path_events();
    let mut options = PathOptions::new();
    options.remote(second.address());
    second.set(Mode::Refuse);
    home.near.keep_path(&options).unwrap();
    home.near.keep_path(&options).unwrap();
    until("it is tried twice", || second.connections() >= 2).await;
    second.set(Mode::Forward);
    let first = established(&mut events).await;
    second.reset();
    assert!(established(&mut events).await > first);
    assert_eq!(home.near.paths().len(), 2);
    assert_eq!(home.far.keep_path(&options), Err(PathError::NotClient));
}

/// R21, A-14: a path that is aborted vanishes with a RST, in the middle of transfers, and what it carried
/// goes out elsewhere. The client gets it back, whichever side did so.
#[tokio::test]
async fn an_aborted_path_is_reset_and_comes_back() {
    let home = Home::new(FollowPaths::Keep).await;
    let (near, far) = (&home.near, &home.far);
    let mut options = PathOptions::new();
    let first = near.migrate(options.remote(home.server)).await.unwrap();
    let moved = || near.paths().len() == 1 && far.paths().len() == 1;
    until("the first path is gone", moved).await;
    let mut events = near.path_events();
    let aborting = async {
        let sent = || first.stats().bytes_sent;
        until("the transfer has begun", || sent() >= 1 << 20).await;
        first.abort();
        assert!(first.is_closed());
    };
    let mut far_events = far.path_events();
    tokio::join!(
        transfer(near, far, pattern(1, 12 << 20)),
        transfer(far, near, pattern(2, 12 << 20)),
        aborting
    );
    let id = first.id().as_u32();
    let abandoned = Some(ConnectionFailure::Abandoned);
    assert_eq!(closed(&mut events).await, (id, abandoned));
    let reset = Some(ConnectionFailure::Reset);
    assert_eq!(closed(&mut far_events).await, (id, reset));
    assert!(established(&mut events).await > id);
    let second = near.paths().pop().unwrap();
    assert_eq!(second.remote_address(), Some(home.server));
    for path in far.paths() {
        path.abort();
    }
    // Where the machine is busy, silence may have brought one more.
    let second = second.id().as_u32();
    let end = loop {
        let (id, reason) = closed(&mut events).await;
        if id == second {
            break reason;
        }
    };
    assert_eq!(end, reset);
    assert!(established(&mut events).await > second);
    transfer(near, far, pattern(3, 100_000)).await;
}
