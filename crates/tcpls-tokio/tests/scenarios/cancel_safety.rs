//! Methods that claim to be cancel safe are dropped at every wait, and nothing is lost or repeated.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::common::{pair, pair_with, pattern};
use bytes::Bytes;
use tcpls_tokio::{SessionConfig, TransportConfig};

/// Polls once and drops: what a `select!` does to the branch that loses.
fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Polls once again and again, giving the rest of the program a turn in between.
macro_rules! until_ready {
    ($future:expr) => {
        loop {
            match once($future) {
                Some(output) => break output,
                None => tokio::task::yield_now().await,
            }
        }
    };
}

#[tokio::test]
async fn writes_and_reads_dropped_while_waiting_lose_nothing() {
    let mut session = SessionConfig::default();
    session.stream_send_buffer(5000);
    let mut transport = TransportConfig::default();
    transport.session(session);
    let (client, server) = pair_with(transport).await;
    let data = pattern(4, 300_000);
    let expected = data.clone();
    let writer = tokio::spawn(async move {
        let (mut send, _recv) = client.open_bi().await.unwrap();
        let (by_copy, by_chunk) = data.split_at(150_000);
        let mut rest = by_copy;
        while !rest.is_empty() {
            let count = until_ready!(send.write(rest)).unwrap();
            rest = &rest[count..];
        }
        let mut chunk = Bytes::copy_from_slice(by_chunk);
        while !chunk.is_empty() {
            until_ready!(send.write_some_chunk(&mut chunk)).unwrap();
        }
        send.finish().unwrap();
        until_ready!(send.stopped()).unwrap();
    });
    let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 777];
    while let Some(count) = until_ready!(far_recv.read(&mut buffer)).unwrap() {
        got.extend_from_slice(&buffer[..count]);
        match until_ready!(far_recv.read_chunk(999)).unwrap() {
            Some(chunk) => got.extend_from_slice(&chunk),
            None => break,
        }
    }
    assert!(got == expected);
    writer.await.unwrap();
}

#[tokio::test]
async fn opening_and_accepting_dropped_while_waiting_lose_no_stream() {
    let mut session = SessionConfig::default();
    session.own_streams(1);
    let mut transport = TransportConfig::default();
    transport.session(session);
    let (client, server) = pair_with(transport).await;
    let opener = tokio::spawn(async move {
        for number in 0..20_u8 {
            let (mut send, mut recv) = until_ready!(client.open_bi()).unwrap();
            send.write_all(&[number]).await.unwrap();
            send.finish().unwrap();
            assert_eq!(recv.read_to_end(1).await.unwrap(), [number]);
        }
        client
    });
    for number in 0..20_u8 {
        let (mut send, mut recv) = until_ready!(server.accept_bi()).unwrap();
        assert_eq!(recv.read_to_end(1).await.unwrap(), [number]);
        send.write_all(&[number]).await.unwrap();
        send.finish().unwrap();
    }
    let client = opener.await.unwrap();
    assert!(once(client.closed()).is_none());
}

#[tokio::test]
async fn a_connection_accepted_by_a_dropped_call_is_not_lost() {
    let identity = crate::common::Identity::generate();
    let address = ([127, 0, 0, 1], 0).into();
    let server = tcpls_tokio::Endpoint::server(identity.server_config(), address).unwrap();
    let client = tcpls_tokio::Endpoint::client(identity.client_config());
    let address = server.local_addr().unwrap();
    let connecting =
        tokio::spawn(async move { client.connect(address, crate::common::SERVER_NAME).await });
    let incoming = until_ready!(server.accept()).unwrap();
    let (near, far) = tokio::join!(connecting, incoming.accept());
    drop((near.unwrap().unwrap(), far.unwrap()));
    let (client, _server) = pair().await;
    drop(client);
}
