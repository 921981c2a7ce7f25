//! When requests are acknowledged: with the answer, or in time without one.

use std::time::Duration;

use tcpls_tokio::Session;

use crate::common::pair;

/// How many requests.
const REQUESTS: u64 = 50;

fn records_sent(session: &Session) -> u64 {
    session
        .connection_stats()
        .iter()
        .map(|stats| stats.records_sent)
        .sum()
}

/// The acknowledgment of a request goes out with the answer, and that of an answer with the next request.
#[tokio::test(start_paused = true)]
async fn acknowledgments_go_out_with_answers() {
    let (client, server) = pair().await;
    let answering = server.clone();
    tokio::spawn(async move {
        while let Ok((mut send, mut recv)) = answering.accept_bi().await {
            tokio::spawn(async move {
                let request = recv.read_to_end(1024).await.unwrap();
                send.write_all(&request).await.unwrap();
                send.finish().unwrap();
            });
        }
    });
    let before = [records_sent(&client), records_sent(&server)];
    for _ in 0..REQUESTS {
        let (mut send, mut recv) = client.open_bi().await.unwrap();
        send.write_all(&[7; 100]).await.unwrap();
        send.finish().unwrap();
        assert_eq!(recv.read_to_end(1024).await.unwrap(), [7; 100]);
    }
    // Tokens, limits and the like are few.
    for (session, before) in [&client, &server].into_iter().zip(before) {
        let records = records_sent(session) - before;
        assert!(records <= REQUESTS + REQUESTS / 5, "{records}");
    }
}

/// A request that nobody comes for is acknowledged all the same, and one that is not answered, too.
#[tokio::test(start_paused = true)]
async fn requests_are_acknowledged_without_an_answer() {
    let (client, server) = pair().await;
    let accepting = server.clone();
    // It takes streams and leaves them alone.
    let taken = tokio::spawn(async move {
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(accepting.accept_bi().await.unwrap());
        }
        taken
    });
    for _ in 0..3 {
        let (mut send, _recv) = client.open_bi().await.unwrap();
        send.write_all(b"request").await.unwrap();
        send.finish().unwrap();
        let acknowledged = tokio::time::timeout(Duration::from_millis(100), send.stopped());
        assert_eq!(acknowledged.await.unwrap().unwrap(), None);
    }
    assert_eq!(taken.await.unwrap().len(), 3);
}
