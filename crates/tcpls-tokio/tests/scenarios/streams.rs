//! Streams of a session over one connection.

use std::time::Duration;

use crate::common::{pair, pair_with, pattern};
use bytes::Bytes;
use tcpls_tokio::{
    OpenError, Profile, ReadError, SessionConfig, SessionError, TransportConfig, WriteError,
};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A transport with which both sides follow the draft alone.
fn draft_only(own_streams: u32) -> TransportConfig {
    let mut session = SessionConfig::default();
    session.own_streams(own_streams).profile(Profile::DraftOnly);
    let mut transport = TransportConfig::default();
    transport.session(session);
    transport
}

/// R6: both sides open streams and both directions of each carry bytes.
#[tokio::test(start_paused = true)]
async fn either_side_opens_streams_that_carry_bytes_both_ways() {
    let (client, server) = pair().await;
    for (opener, acceptor) in [(&client, &server), (&server, &client)] {
        let (mut send, mut recv) = opener.open_bi().await.unwrap();
        send.write_all(b"question").await.unwrap();
        send.finish().unwrap();
        let (mut far_send, mut far_recv) = acceptor.accept_bi().await.unwrap();
        assert_eq!(far_send.id(), send.id());
        assert_eq!(far_recv.read_to_end(100).await.unwrap(), b"question");
        far_send.write_all(b"answer").await.unwrap();
        far_send.finish().unwrap();
        assert_eq!(recv.read_to_end(100).await.unwrap(), b"answer");
        assert_eq!(send.stopped().await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn opening_a_stream_announces_it_without_any_data() {
    let (client, server) = pair().await;
    let (send, _recv) = client.open_bi().await.unwrap();
    let (far_send, _far_recv) = server.accept_bi().await.unwrap();
    assert_eq!(send.id(), far_send.id());
}

/// R8: one direction ends while the other goes on.
#[tokio::test(start_paused = true)]
async fn a_finished_direction_leaves_the_other_open() {
    let (client, server) = pair().await;
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    send.finish().unwrap();
    assert!(send.finish().is_err());
    assert_eq!(send.write(b"x").await, Err(WriteError::ClosedStream));
    let (mut far_send, mut far_recv) = server.accept_bi().await.unwrap();
    assert_eq!(far_recv.read_chunk(10).await.unwrap(), None);
    for _ in 0..100 {
        far_send.write_all(&[5; 1000]).await.unwrap();
        let mut back = [0; 1000];
        recv.read_exact(&mut back).await.unwrap();
        assert_eq!(back, [5; 1000]);
    }
}

/// R7: several chunks at a time are the bytes in their order, and then the end.
#[tokio::test(start_paused = true)]
async fn chunks_are_read_several_at_a_time() {
    let (client, server) = pair().await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    let data = pattern(9, 1_000_000);
    let writing = data.clone();
    let writer = tokio::spawn(async move {
        send.write_all(&writing).await.unwrap();
        send.finish().unwrap();
        send.stopped().await.unwrap();
    });
    let (_send, mut recv) = server.accept_bi().await.unwrap();
    assert_eq!(recv.read_chunks(&mut []).await.unwrap(), Some(0));
    let mut chunks = [const { Bytes::new() }; 5];
    let mut all: Vec<u8> = Vec::new();
    let mut most = 0;
    while let Some(count) = recv.read_chunks(&mut chunks).await.unwrap() {
        most = most.max(count);
        all.extend(chunks[..count].iter().flatten());
        // Some more arrive meanwhile.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(all == data, "{} bytes", all.len());
    assert!((2..=5).contains(&most), "{most}");
    assert_eq!(recv.read_chunks(&mut chunks).await.unwrap(), None);
    writer.await.unwrap();
    drop((client, server));
    assert_eq!(recv.read_chunks(&mut chunks).await.unwrap(), None);
}

/// R6: streams do not mix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_at_once_keep_their_bytes_apart() {
    let (client, server) = pair().await;
    let echo = tokio::spawn(async move {
        while let Ok((mut send, mut recv)) = server.accept_bi().await {
            tokio::spawn(async move {
                while let Some(chunk) = recv.read_chunk(usize::MAX).await.unwrap() {
                    send.write_chunk(chunk).await.unwrap();
                }
                send.finish().unwrap();
                send.stopped().await.unwrap();
            });
        }
    });
    let mut streams = Vec::new();
    for seed in 0..40 {
        let client = client.clone();
        streams.push(tokio::spawn(async move {
            let (mut send, mut recv) = client.open_bi().await.unwrap();
            let data = pattern(seed, 100_000 + 777 * usize::try_from(seed).unwrap());
            let expected = data.clone();
            let write = async move {
                for piece in data.chunks(1 + usize::try_from(seed).unwrap() * 301) {
                    send.write_all(piece).await.unwrap();
                }
                send.finish().unwrap();
                send
            };
            let (_send, back) = tokio::join!(write, recv.read_to_end(1 << 20));
            assert!(back.unwrap() == expected, "stream {seed}");
        }));
    }
    for stream in streams {
        stream.await.unwrap();
    }
    client.close(0, b"");
    echo.await.unwrap();
}

/// an echo server whose client writes more than every buffer before it reads does not stall.
#[tokio::test(start_paused = true)]
async fn a_client_that_writes_everything_before_it_reads_gets_it_all_back() {
    let (client, server) = pair().await;
    let echo = tokio::spawn(async move {
        let (mut send, mut recv) = server.accept_bi().await.unwrap();
        tokio::io::copy(&mut recv, &mut send).await.unwrap();
        send.finish().unwrap();
        send.stopped().await.unwrap();
    });
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    let data = pattern(1, 12 << 20);
    send.write_all(&data).await.unwrap();
    send.finish().unwrap();
    assert!(recv.read_to_end(1 << 30).await.unwrap() == data);
    echo.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn vectored_writes_and_chunks_arrive_in_order() {
    let (client, server) = pair().await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    assert!(send.is_write_vectored());
    let parts = [
        std::io::IoSlice::new(b"one "),
        std::io::IoSlice::new(b"two "),
    ];
    assert_eq!(
        AsyncWriteExt::write_vectored(&mut send, &parts)
            .await
            .unwrap(),
        8
    );
    send.write_chunk(Bytes::from_static(b"three "))
        .await
        .unwrap();
    let mut chunks = [
        Bytes::from_static(b"four "),
        Bytes::new(),
        Bytes::from_static(b"five"),
    ];
    send.write_all_chunks(&mut chunks).await.unwrap();
    AsyncWriteExt::flush(&mut send).await.unwrap();
    AsyncWriteExt::shutdown(&mut send).await.unwrap();
    AsyncWriteExt::shutdown(&mut send).await.unwrap();
    let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
    let mut text = String::new();
    far_recv.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "one two three four five");
}

#[tokio::test(start_paused = true)]
async fn reading_to_the_end_stops_at_the_limit() {
    let (client, server) = pair().await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    send.write_all(&[0; 1001]).await.unwrap();
    send.finish().unwrap();
    let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
    let error = far_recv.read_to_end(1000).await.unwrap_err();
    assert_eq!(error, tcpls_tokio::ReadToEndError::TooLong);
}

/// an unfinished stream is never ended for the peer, whatever the application drops.
#[tokio::test(start_paused = true)]
async fn a_stream_dropped_unfinished_never_looks_finished() {
    let (client, server) = pair_with(draft_only(256)).await;
    let (mut send, recv) = client.open_bi().await.unwrap();
    send.write_all(b"half of a mess").await.unwrap();
    drop((send, recv));
    let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
    let mut part = [0; 14];
    far_recv.read_exact(&mut part).await.unwrap();
    client.close(0, b"");
    let error = far_recv.read_chunk(10).await.unwrap_err();
    assert_eq!(error, ReadError::SessionLost(SessionError::PeerClose));
}

/// Where the peer can be told, streams that were dropped are broken off on both sides.
#[tokio::test(start_paused = true)]
async fn streams_that_are_dropped_are_reset() {
    let (client, server) = pair().await;
    let (mut send, recv) = client.open_bi().await.unwrap();
    send.write_all(b"half of a mess").await.unwrap();
    let (mut far_send, mut far_recv) = server.accept_bi().await.unwrap();
    drop((send, recv));
    let error = loop {
        match far_recv.read_chunk(100).await {
            Ok(chunk) => assert!(chunk.is_some(), "a reset looks like an end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, ReadError::Reset(0));
    let megabyte = vec![1; 1 << 20];
    let error = loop {
        match far_send.write_all(&megabyte).await {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error, WriteError::Stopped(0));
}

/// what nobody reads holds up nobody else.
#[tokio::test(start_paused = true)]
async fn a_dropped_reader_does_not_hold_up_the_session() {
    let (client, server) = pair_with(draft_only(256)).await;
    let (mut send, _recv) = client.open_bi().await.unwrap();
    let (far_send, mut far_recv) = server.accept_bi().await.unwrap();
    far_recv.stop(0);
    let megabyte = vec![1; 1 << 20];
    for _ in 0..20 {
        send.write_all(&megabyte).await.unwrap();
    }
    send.finish().unwrap();
    assert_eq!(send.stopped().await.unwrap(), None);
    drop(far_send);
}

/// at the limit on open streams, opening waits for one to be done.
#[tokio::test(start_paused = true)]
async fn opening_waits_for_room_and_reports_a_limit_filled_for_good() {
    let (client, server) = pair_with(draft_only(2)).await;
    let (mut one, one_recv) = client.open_bi().await.unwrap();
    let two = client.open_bi().await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.open_bi().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    one.finish().unwrap();
    let (mut far_one, far_recv) = server.accept_bi().await.unwrap();
    far_one.finish().unwrap();
    drop((far_recv, one_recv));
    let three = waiting.await.unwrap().unwrap();
    drop((two, three));
    assert_eq!(client.open_bi().await.unwrap_err(), OpenError::StreamLimit);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_every_byte() {
    let (client, server) = pair().await;
    let data = pattern(3, 9 << 20);
    let expected = data.clone();
    let writer = tokio::spawn(async move {
        let (mut send, _recv) = client.open_bi().await.unwrap();
        send.write_all(&data).await.unwrap();
        send.finish().unwrap();
        send.stopped().await.unwrap();
    });
    let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
    // Long enough for every buffer between the two to fill.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut got = Vec::new();
    while let Some(chunk) = far_recv.read_chunk(50_000).await.unwrap() {
        got.extend_from_slice(&chunk);
        tokio::task::yield_now().await;
    }
    assert!(got == expected);
    writer.await.unwrap();
}

/// What a write leaves of a record is filled up by the next one, whether it is copied or not, and goes out
/// by itself when nothing follows.
#[tokio::test(start_paused = true)]
async fn many_writes_go_out_in_full_records() {
    const WRITES: usize = 20;
    for copied in [false, true] {
        let (client, server) = pair().await;
        let (mut send, _recv) = client.open_bi().await.unwrap();
        let (_far_send, mut far_recv) = server.accept_bi().await.unwrap();
        let chunk = Bytes::from(pattern(1, 65_536));
        let path = client.paths().remove(0);
        let before = path.stats().records_sent;
        for _ in 0..WRITES {
            if copied {
                send.write_all(&chunk).await.unwrap();
            } else {
                send.write_chunk(chunk.clone()).await.unwrap();
            }
        }
        let mut received = vec![0; WRITES * chunk.len()];
        far_recv.read_exact(&mut received).await.unwrap();
        assert!(received.chunks(chunk.len()).all(|part| part == chunk));
        let full = u64::try_from(received.len()).unwrap().div_ceil(16_384 - 15);
        let records = path.stats().records_sent - before;
        assert!(records <= full + 5, "{records} records instead of {full}");
    }
}
