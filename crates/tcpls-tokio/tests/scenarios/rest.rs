//! Sessions at rest: how often their tasks wake up, on a clock that jumps from one timer to the next.

use std::time::Duration;

use tcpls_tokio::{RecvStream, SendStream, Session, SessionConfig, TransportConfig};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use crate::common::pair_with;

const STREAMS: u32 = 2000;

/// Opens a stream, and sends a byte there and back.
async fn exchange(near: &Session, far: &Session) -> [(SendStream, RecvStream); 2] {
    let (mut send, mut recv) = near.open_bi().await.unwrap();
    send.write_all(&[1]).await.unwrap();
    let (mut far_send, mut far_recv) = far.accept_bi().await.unwrap();
    let mut byte = [0];
    assert_eq!(far_recv.read(&mut byte).await, Ok(Some(1)));
    far_send.write_all(&byte).await.unwrap();
    assert_eq!(recv.read(&mut byte).await, Ok(Some(1)));
    [(send, recv), (far_send, far_recv)]
}

/// How often the only thread of the runtime goes to sleep within `time`.
async fn sleeps(time: Duration) -> u64 {
    let metrics = Handle::current().metrics();
    let before = metrics.worker_park_count(0);
    sleep(time).await;
    metrics.worker_park_count(0) - before
}

/// How often both ends of a session with so many idle streams sleep in the second after its last data, and
/// in the hour after that.
async fn wakes(streams: u32) -> [u64; 2] {
    let mut session = SessionConfig::default();
    session.own_streams(STREAMS).peer_streams(STREAMS);
    let mut transport = TransportConfig::default();
    transport.session(session);
    let (near, far) = pair_with(transport).await;
    let mut open = Vec::new();
    for _ in 0..streams {
        open.push(exchange(&near, &far).await);
    }
    let begun = Instant::now();
    let first = sleeps(Duration::from_secs(1)).await;
    let later = sleeps(Duration::from_secs(3600)).await;
    assert!(begun.elapsed() >= Duration::from_secs(3601));
    assert_eq!((near.close_reason(), far.close_reason()), (None, None));
    drop(open);
    [first, later]
}

/// A session at rest has nothing to wake up for, however many streams it has.
#[tokio::test(start_paused = true)]
async fn idle_streams_wake_nobody() {
    let alone = wakes(1).await;
    let crowded = wakes(STREAMS).await;
    let none = sleeps(Duration::from_secs(3600)).await;
    for [first, later] in [alone, crowded] {
        assert!(first <= 10, "{first} wake-ups in a second");
        assert!(
            later <= none + 1,
            "{later} wake-ups in an hour, without a session {none}"
        );
    }
}
