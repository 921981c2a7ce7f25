//! Streams that are broken off or go one way, over TCP, with and without the profile.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tcpls_tokio::{
    Endpoint, OpenError, Profile, ReadError, ResetError, Session, SessionConfig, SessionError,
    Sharing, StoppedError, TransportConfig, WriteError,
};

use crate::common::{Identity, SERVER_NAME};

/// Both ends of a session over a TCP connection, and who keeps them.
struct Sessions {
    near: Session,
    far: Session,
    _endpoints: [Endpoint; 2],
}

async fn sessions(client: Profile, server: Profile) -> Sessions {
    let identity = Identity::generate();
    let transport = |profile| {
        let mut session = SessionConfig::default();
        session.profile(profile);
        let mut transport = TransportConfig::default();
        transport.session(session);
        Arc::new(transport)
    };
    let (mut near, mut far) = (identity.client_config(), identity.server_config());
    near.transport_config(transport(client));
    far.transport_config(transport(server));
    let client = Endpoint::client(near);
    let server = Endpoint::server(far, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = server.local_addr().unwrap();
    let accept = async { server.accept().await.unwrap().await };
    let (near, far) = tokio::join!(client.connect(address, SERVER_NAME), accept);
    Sessions {
        near: near.unwrap(),
        far: far.unwrap(),
        _endpoints: [client, server],
    }
}

async fn extended() -> Sessions {
    sessions(Profile::Extended, Profile::Extended).await
}

#[tokio::test]
async fn a_reset_ends_reading_with_the_code_and_writing_here() {
    let ends = extended().await;
    let (mut send, _recv) = ends.near.open_bi().await.unwrap();
    let (_far_send, mut far_recv) = ends.far.accept_bi().await.unwrap();
    send.write_all(b"a beginning").await.unwrap();
    send.reset(77).unwrap();
    let error = loop {
        match far_recv.read_chunk(100).await {
            Ok(chunk) => assert!(chunk.is_some(), "a reset looks like an end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, ReadError::Reset(77));
    assert_eq!(
        send.write_all(b"more").await.unwrap_err(),
        WriteError::ClosedStream
    );
    assert_eq!(send.reset(78), Err(ResetError::ClosedStream));
    assert_eq!(
        send.stopped().await.unwrap_err(),
        StoppedError::ClosedStream
    );
}

#[tokio::test]
async fn a_reader_that_waits_is_woken_by_a_reset() {
    let ends = extended().await;
    let (mut send, _recv) = ends.near.open_bi().await.unwrap();
    let (_far_send, mut far_recv) = ends.far.accept_bi().await.unwrap();
    let waiting = tokio::spawn(async move { far_recv.read_chunk(100).await });
    tokio::task::yield_now().await;
    send.reset(5).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err(), ReadError::Reset(5));
}

#[tokio::test]
async fn a_finished_stream_that_the_peer_has_cannot_be_reset() {
    let ends = extended().await;
    let (mut send, _recv) = ends.near.open_bi().await.unwrap();
    let (_far_send, mut far_recv) = ends.far.accept_bi().await.unwrap();
    send.write_all(b"all of it").await.unwrap();
    send.finish().unwrap();
    assert_eq!(far_recv.read_to_end(100).await.unwrap(), b"all of it");
    assert_eq!(send.stopped().await, Ok(None));
    assert_eq!(send.reset(1), Err(ResetError::ClosedStream));
}

#[tokio::test]
async fn a_stop_ends_writing_with_the_code_and_reading_here() {
    let ends = extended().await;
    let (mut send, _recv) = ends.near.open_bi().await.unwrap();
    let (_far_send, mut far_recv) = ends.far.accept_bi().await.unwrap();
    // One waits for the code, and a writer meets it.
    far_recv.stop(9);
    assert_eq!(send.stopped().await, Ok(Some(9)));
    let error = send.write_all(b"unwanted").await.unwrap_err();
    assert_eq!(error, WriteError::Stopped(9));
    // It counts once, and the code can be asked for again.
    far_recv.stop(10);
    assert_eq!(send.stopped().await, Ok(Some(9)));
    let error = far_recv.read_chunk(100).await.unwrap_err();
    assert_eq!(error, ReadError::ClosedStream);
}

/// Also when all of it had arrived, and nothing else kept the stream.
#[tokio::test]
async fn a_stream_that_was_stopped_never_looks_finished() {
    let ends = extended().await;
    let (mut send, _recv) = ends.near.open_bi().await.unwrap();
    send.write_all(b"all of it").await.unwrap();
    send.finish().unwrap();
    let (mut far_send, mut far_recv) = ends.far.accept_bi().await.unwrap();
    far_send.finish().unwrap();
    assert_eq!(far_send.stopped().await, Ok(None));
    assert_eq!(send.stopped().await, Ok(None));
    far_recv.stop(9);
    let error = far_recv.read_chunk(100).await.unwrap_err();
    assert_eq!(error, ReadError::ClosedStream);
}

#[tokio::test]
async fn a_writer_that_waits_is_woken_by_a_stop() {
    let ends = extended().await;
    let (mut send, _recv) = ends.near.open_bi().await.unwrap();
    let (_far_send, mut far_recv) = ends.far.accept_bi().await.unwrap();
    let writing = tokio::spawn(async move {
        let piece = vec![1; 1 << 20];
        loop {
            if let Err(error) = send.write_all(&piece).await {
                return error;
            }
        }
    });
    // It has begun, and nobody reads: the buffers fill.
    assert!(far_recv.read_chunk(1).await.unwrap().is_some());
    far_recv.stop(3);
    assert_eq!(writing.await.unwrap(), WriteError::Stopped(3));
}

/// Cancel safety: waiting for the end of a stream leaves nothing behind.
#[tokio::test]
async fn waiting_to_be_stopped_can_be_given_up() {
    let ends = extended().await;
    let (mut send, _recv) = ends.near.open_bi().await.unwrap();
    let (_far_send, mut far_recv) = ends.far.accept_bi().await.unwrap();
    tokio::select! {
        biased;
        stopped = send.stopped() => panic!("{stopped:?}"),
        () = tokio::task::yield_now() => {}
    }
    send.write_all(b"still open").await.unwrap();
    send.finish().unwrap();
    assert_eq!(far_recv.read_to_end(100).await.unwrap(), b"still open");
    assert_eq!(send.stopped().await, Ok(None));
}

/// a peer that speaks the draft alone cannot be told, so nothing is broken off; that nobody reads
/// holds up nobody.
#[tokio::test]
async fn a_draft_only_peer_is_told_nothing() {
    for (client, server) in [
        (Profile::Extended, Profile::DraftOnly),
        (Profile::DraftOnly, Profile::Extended),
    ] {
        let ends = sessions(client, server).await;
        let (mut send, mut recv) = ends.near.open_bi().await.unwrap();
        let (mut far_send, mut far_recv) = ends.far.accept_bi().await.unwrap();
        assert_eq!(send.reset(1), Err(ResetError::UnsupportedByPeer));
        // It goes on as if nothing had been asked.
        send.write_all(b"whole").await.unwrap();
        send.finish().unwrap();
        assert_eq!(far_recv.read_to_end(100).await.unwrap(), b"whole");
        assert_eq!(send.stopped().await, Ok(None));
        // Nobody reads what comes back, and all of it is acknowledged.
        let piece = vec![0; 1 << 20];
        recv.stop(2);
        for _ in 0..20 {
            far_send.write_all(&piece).await.unwrap();
        }
        far_send.finish().unwrap();
        assert_eq!(far_send.stopped().await, Ok(None));
    }
}

#[tokio::test]
async fn streams_go_one_way_only_where_both_sides_agreed() {
    let ends = sessions(Profile::Extended, Profile::DraftOnly).await;
    let error = ends.near.open_uni().await.unwrap_err();
    assert_eq!(error, OpenError::UnsupportedByPeer);
    let error = ends.far.open_uni().await.unwrap_err();
    assert_eq!(error, OpenError::UnsupportedByPeer);
    // Who waits for one hears of the end.
    let far = ends.far.clone();
    let waiting = tokio::spawn(async move { far.accept_uni().await.map(drop) });
    tokio::task::yield_now().await;
    ends.near.close(0, b"");
    assert_eq!(waiting.await.unwrap(), Err(SessionError::PeerClose));
}

#[tokio::test]
async fn streams_of_one_direction_carry_it_both_ways_side_by_side() {
    let ends = extended().await;
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    for (here, there) in [(&ends.near, &ends.far), (&ends.far, &ends.near)] {
        let mut one_way = here.open_uni().await.unwrap();
        let (mut send, _recv) = here.open_bi().await.unwrap();
        let write = async {
            one_way.write_all(&bytes).await.unwrap();
            one_way.finish().unwrap();
            send.write_all(b"both").await.unwrap();
            send.finish().unwrap();
            assert_eq!(one_way.stopped().await, Ok(None));
        };
        let read = async {
            let mut incoming = there.accept_uni().await.unwrap();
            assert!(incoming.read_to_end(bytes.len()).await.unwrap() == bytes);
            let (_send, mut incoming) = there.accept_bi().await.unwrap();
            assert_eq!(incoming.read_to_end(10).await.unwrap(), b"both");
        };
        tokio::join!(write, read);
    }
}

#[tokio::test]
async fn as_many_one_way_streams_are_open_as_the_peer_says() {
    let ends = extended().await;
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(ends.near.open_uni().await.unwrap());
    }
    let near = ends.near.clone();
    let waiting = tokio::spawn(async move { near.open_uni().await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    open.pop().unwrap().finish().unwrap();
    waiting.await.unwrap().unwrap();
    // A stream that is dropped unfinished makes room, too.
    drop(open);
    for _ in 0..255 {
        ends.near.open_uni().await.unwrap().finish().unwrap();
    }
    assert!(ends.far.accept_uni().await.is_ok());
}

#[tokio::test]
async fn a_priority_is_set_until_all_of_the_stream_is_there() {
    let ends = extended().await;
    let (mut slow, _) = ends.near.open_bi().await.unwrap();
    let (mut fast, _) = ends.near.open_bi().await.unwrap();
    assert_eq!(fast.priority(), 0);
    fast.set_priority(1).unwrap();
    assert_eq!(fast.priority(), 1);
    fast.set_sharing(Sharing::OneByOne).unwrap();
    let (_, mut slow_recv) = ends.far.accept_bi().await.unwrap();
    let (_, mut fast_recv) = ends.far.accept_bi().await.unwrap();
    // More than fits the sockets, so that it waits when the other one is written.
    let bulk = bytes::Bytes::from(vec![1; 4 << 20]);
    let writing = tokio::spawn(async move {
        for _ in 0..8 {
            slow.write_chunk(bulk.clone()).await.unwrap();
        }
        slow.finish().unwrap();
        slow.stopped().await.unwrap();
    });
    assert!(slow_recv.read_chunk(1).await.unwrap().is_some());
    fast.write_all(b"urgent").await.unwrap();
    fast.finish().unwrap();
    let reading = async { slow_recv.read_to_end(64 << 20).await.unwrap().len() };
    let (urgent, length) = tokio::join!(fast_recv.read_to_end(10), reading);
    assert_eq!(
        (urgent.unwrap().as_slice(), length),
        (&b"urgent"[..], (32 << 20) - 1)
    );
    writing.await.unwrap();
    assert_eq!(fast.stopped().await, Ok(None));
    assert!(fast.set_priority(2).is_err(), "all of it is there");
}
