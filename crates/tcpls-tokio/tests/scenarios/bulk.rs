//! Much data over TCP: who waits for it reads the socket at its own call, and whatever else arrives there
//! reaches whom it is for.

use std::net::Ipv4Addr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tcpls_tokio::{
    Endpoint, FollowPaths, PathOptions, ReadError, RecvStream, Session, TransportConfig,
};
use tokio::io::AsyncReadExt;

use crate::common::{Identity, SERVER_NAME, pattern};

/// A client and a server with this many connections; the endpoints live as long as these.
async fn pair(connections: usize) -> (Session, Session, [Endpoint; 2]) {
    let identity = Identity::generate();
    let (mut client, mut server) = (identity.client_config(), identity.server_config());
    let mut transport = TransportConfig::default();
    transport.follow_paths(FollowPaths::Off);
    let transport = std::sync::Arc::new(transport);
    client.transport_config(std::sync::Arc::clone(&transport));
    server.transport_config(transport);
    let far = Endpoint::server(server, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let near = Endpoint::client(client);
    let address = far.local_addr().unwrap();
    let accept = async { far.accept().await.unwrap().await.unwrap() };
    let (client, server) = tokio::join!(near.connect(address, SERVER_NAME), accept);
    let client = client.unwrap();
    for _ in 1..connections {
        client.open_path(&PathOptions::new()).await.unwrap();
    }
    (client, server, [near, far])
}

/// Sends `data` on a stream of its own.
fn send(session: &Session, data: Vec<u8>) -> tokio::task::JoinHandle<()> {
    let session = session.clone();
    tokio::spawn(async move {
        let (mut send, _recv) = session.open_bi().await.unwrap();
        send.write_all(&data).await.unwrap();
        send.finish().unwrap();
        send.stopped().await.unwrap();
    })
}

/// Sends on a stream of its own until nobody wants more.
fn send_for_ever(session: &Session) -> tokio::task::JoinHandle<()> {
    let session = session.clone();
    tokio::spawn(async move {
        let (mut send, _recv) = session.open_bi().await.unwrap();
        let data = pattern(8, 1_000_000);
        while send.write_all(&data).await.is_ok() {}
    })
}

/// Reads all of a stream in turn in every way there is.
async fn read_all(recv: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut space = vec![0; 300_000];
    let mut chunks = [const { Bytes::new() }; 20];
    for turn in 0_usize.. {
        let before = all.len();
        match turn / 7 % 4 {
            0 => {
                let count = recv.read(&mut space).await.unwrap();
                all.extend_from_slice(&space[..count.unwrap_or(0)]);
            }
            1 => {
                let room = [1, 100, 16_384, 16_385, 40_000][turn % 5];
                let count = AsyncReadExt::read(recv, &mut space[..room]).await.unwrap();
                all.extend_from_slice(&space[..count]);
            }
            2 => {
                let count = recv.read_chunks(&mut chunks).await.unwrap();
                all.extend(chunks.iter().take(count.unwrap_or(0)).flatten());
            }
            _ => all.extend(recv.read_chunk(30_000).await.unwrap().unwrap_or_default()),
        }
        if all.len() == before {
            break;
        }
    }
    all
}

/// R7: much data of several streams arrives whole and in order, however each of them is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_streams_read_in_every_way_keep_their_bytes_in_order() {
    for (connections, streams) in [(1, 1), (1, 7), (2, 3)] {
        let (client, server, _endpoints) = pair(connections).await;
        let mut tasks = Vec::new();
        for stream in 0..streams {
            let data = pattern(stream, 6_000_000);
            let sending = send(&client, data.clone());
            let (_send, mut recv) = server.accept_bi().await.unwrap();
            tasks.push(tokio::spawn(async move {
                // Which stream it is, its first bytes tell.
                let all = read_all(&mut recv).await;
                sending.await.unwrap();
                all
            }));
        }
        let mut received = Vec::new();
        for task in tasks {
            received.push(task.await.unwrap());
        }
        for stream in 0..streams {
            let data = pattern(stream, 6_000_000);
            let copies = received.iter().filter(|all| **all == data).count();
            assert_eq!(copies, 1, "stream {stream} of {streams}");
        }
    }
}

/// Requests on one stream are answered while another one brings much data on the same connection.
#[tokio::test]
async fn requests_get_through_beside_bulk_data() {
    let (client, server, _endpoints) = pair(1).await;
    let (mut ask, mut answer) = client.open_bi().await.unwrap();
    ask.write_all(&[0]).await.unwrap();
    let (mut reply, mut asked) = server.accept_bi().await.unwrap();
    let data = pattern(3, 20_000_000);
    let sending = send(&client, data.clone());
    let (_send, mut recv) = server.accept_bi().await.unwrap();
    let reading = tokio::spawn(async move { read_all(&mut recv).await });
    let answering = tokio::spawn(async move {
        let mut request = [0];
        while asked.read(&mut request).await.unwrap().is_some() {
            reply.write_all(&request).await.unwrap();
        }
        reply.finish().unwrap();
    });
    for number in 1..=200 {
        let mut got = [0];
        answer.read_exact(&mut got).await.unwrap();
        assert_eq!(got[0], number - 1);
        ask.write_all(&[number]).await.unwrap();
    }
    ask.finish().unwrap();
    assert_eq!(answer.read_to_end(10).await.unwrap(), [200]);
    answering.await.unwrap();
    sending.await.unwrap();
    assert!(reading.await.unwrap() == data);
}

/// A reader that waited for bulk data and does not come again leaves the connection to the others.
#[tokio::test]
async fn who_stops_waiting_for_bulk_data_holds_nobody_up() {
    for round in 0..20 {
        let (client, server, _endpoints) = pair(1).await;
        let bulk = send_for_ever(&client);
        let (_send, mut abandoned) = server.accept_bi().await.unwrap();
        let mut space = vec![0; 100_000];
        let mut received = 0;
        // Until it waits, after some of it came.
        while received < 500_000 + round * 50_000 {
            received += abandoned.read(&mut space).await.unwrap().unwrap();
        }
        loop {
            let read = pin!(abandoned.read(&mut space));
            match read.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(count) => assert!(count.unwrap().is_some(), "it ended"),
                Poll::Pending => break,
            }
        }
        let data = pattern(6, 400_000);
        let other = send(&client, data.clone());
        let (_send, mut recv) = server.accept_bi().await.unwrap();
        assert!(recv.read_to_end(data.len()).await.unwrap() == data);
        other.await.unwrap();
        drop(abandoned);
        bulk.await.unwrap();
    }
}

/// The end of the session in the middle of bulk data is an error for who reads it, not an end.
#[tokio::test]
async fn a_session_that_ends_amid_bulk_data_is_no_end_of_the_stream() {
    let (client, server, endpoints) = pair(1).await;
    let sending = send_for_ever(&client);
    let (_send, mut recv) = server.accept_bi().await.unwrap();
    let mut space = vec![0; 256 * 1024];
    let mut received = 0;
    let end = loop {
        match recv.read(&mut space).await {
            Ok(Some(count)) => received += count,
            Ok(None) => panic!("it was not finished"),
            Err(error) => break error,
        }
        if received > 5_000_000 {
            client.close(7, b"enough");
        }
    };
    assert!(matches!(end, ReadError::SessionLost(_)), "{end:?}");
    sending.await.unwrap();
    drop(endpoints);
}
