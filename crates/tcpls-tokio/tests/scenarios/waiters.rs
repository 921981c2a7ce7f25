//! Tasks that wait when something else ends what they wait for: each hears of it.

use std::future::Future;
use std::time::Duration;

use crate::common::{pair, pair_with, pattern};
use tcpls_tokio::{
    OpenError, ReadError, Session, SessionConfig, SessionError, TransportConfig, WriteError,
};
use tokio::task::JoinHandle;

/// Lets `future` wait in a task of its own.
async fn waiting<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let task = tokio::spawn(future);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!task.is_finished());
    task
}

/// What the task ends with, in much less than the time that any part of a session waits for.
async fn told<T>(task: JoinHandle<T>) -> T {
    let result = tokio::time::timeout(Duration::from_secs(1), task).await;
    result.unwrap().unwrap()
}

fn narrow() -> TransportConfig {
    let mut session = SessionConfig::default();
    session.stream_send_buffer(5000).own_streams(2);
    let mut transport = TransportConfig::default();
    transport.session(session);
    transport
}

#[tokio::test(start_paused = true)]
async fn readers_and_writers_hear_of_resets_and_stops() {
    let (client, server) = pair_with(narrow()).await;
    let (mut send, mut recv) = client.open_bi().await.unwrap();
    let reader = waiting(async move { recv.read(&mut [0; 10]).await }).await;
    let (mut far_send, mut far_recv) = server.accept_bi().await.unwrap();
    far_send.reset(7).unwrap();
    assert_eq!(told(reader).await, Err(ReadError::Reset(7)));
    let data = pattern(1, 100_000_000);
    let writer = waiting(async move { send.write_all(&data).await }).await;
    far_recv.stop(8);
    assert_eq!(told(writer).await, Err(WriteError::Stopped(8)));
}

/// A peer that reads nothing keeps nobody waiting once this side closes.
#[tokio::test(start_paused = true)]
async fn closing_ends_what_waits_for_room() {
    let (client, _silent) = silent_pair().await;
    let (mut finished, _recv) = client.open_bi().await.unwrap();
    finished.write_all(b"all").await.unwrap();
    finished.finish().unwrap();
    let (mut send, _recv) = client.open_bi().await.unwrap();
    let data = pattern(1, 100_000);
    let writer = waiting(async move { send.write_all(&data).await }).await;
    let opening = client.clone();
    let opener = waiting(async move { opening.open_bi().await.err() }).await;
    client.close(1, b"enough");
    let reason = SessionError::LocalClose;
    assert_eq!(told(writer).await, Err(WriteError::SessionLost(reason)));
    assert_eq!(told(opener).await, Some(OpenError::SessionLost(reason)));
    assert_eq!(client.close_reason(), None, "there is more to acknowledge");
}

/// The only connection is lost while the last words are on their way: that is the end.
#[tokio::test(start_paused = true)]
async fn a_connection_lost_while_closing_ends_the_session() {
    let (client, cut) = silent_pair().await;
    let accepting = client.clone();
    let acceptor = waiting(async move { accepting.accept_bi().await.err() }).await;
    let watching = client.clone();
    let watcher = waiting(async move { watching.closed().await }).await;
    client.close(1, b"enough");
    drop(cut);
    let reason = told(watcher).await;
    assert_eq!(told(acceptor).await, Some(reason));
    assert_eq!(client.close_reason(), Some(reason));
}

/// A client whose server hears and says nothing from now on, until its connection is cut.
async fn silent_pair() -> (Session, impl Sized) {
    let (near, mut near_far) = tokio::io::duplex(64 * 1024);
    let (mut far_near, far) = tokio::io::duplex(64 * 1024);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let relay = tokio::spawn(async move {
        tokio::select! {
            _ended = tokio::io::copy_bidirectional(&mut near_far, &mut far_near) => {}
            _stopped = stopped => {}
        }
        (near_far, far_near)
    });
    let (client, server) = crate::common::pair_over(near, far, narrow()).await;
    drop(stop);
    let ends = relay.await.unwrap();
    (client, (ends, server))
}

/// Tasks that waited for the end and gave up do not keep those who wait from being told.
#[tokio::test(start_paused = true)]
async fn who_gave_up_waiting_is_in_nobodys_way() {
    let (client, server) = pair().await;
    let watching = client.clone();
    let watcher = waiting(async move { watching.closed().await }).await;
    for _ in 0..100 {
        let leaving = client.clone();
        waiting(async move { leaving.closed().await }).await.abort();
    }
    server.close(0, b"");
    assert_eq!(told(watcher).await, SessionError::PeerClose);
}
