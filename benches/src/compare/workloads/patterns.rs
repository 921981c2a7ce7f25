//! What several workloads do with a stream.

use bytes::Bytes;
use tcpls_benches::Error;
use tcpls_benches::transport::{Receiver, Sender, Session, WRITE};

use crate::meter::Gauge;

/// What [`pump`] sends again and again: the same memory for all streams, so that the bytes of many are no further
/// from the processor than those of one. Each of them counts its own references to it.
pub(super) fn block() -> Bytes {
    static BLOCK: &[u8] = &[7; WRITE];
    Bytes::from_owner(BLOCK)
}

/// Sends `block` until the gauge says stop; gives the bytes.
pub(super) async fn pump(mut to: impl Sender, block: Bytes, gauge: &Gauge) -> Result<u64, Error> {
    let mut sent = 0;
    while !gauge.is_stopped() {
        to.send(block.clone()).await?;
        sent += u64::try_from(block.len())?;
    }
    to.finish().await?;
    Ok(sent)
}

/// Receives until the end, and has the gauge count it; gives the bytes.
pub(super) async fn drain(mut from: impl Receiver, gauge: &Gauge) -> Result<u64, Error> {
    let mut received = 0;
    loop {
        let count = from.receive().await?;
        if count == 0 {
            return Ok(received);
        }
        gauge.count(count);
        received += u64::try_from(count)?;
    }
}

/// Receives `length` bytes, or fewer if the stream ends before.
pub(super) async fn receive_up_to(from: &mut impl Receiver, length: usize) -> Result<usize, Error> {
    let mut received = 0;
    while received < length {
        match from.receive().await? {
            0 => break,
            count => received += count,
        }
    }
    Ok(received)
}

/// Receives until the end; gives the bytes.
pub(super) async fn receive_to_end(from: &mut impl Receiver) -> Result<usize, Error> {
    receive_up_to(from, usize::MAX).await
}

/// Answers every stream that is opened in a task of its own: receives to the end, and sends `answer`.
/// Goes on until the session is over.
pub(super) async fn serve<S: Session>(session: S, answer: Bytes) {
    while let Ok((mut send, mut receive)) = session.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            receive_to_end(&mut receive).await?;
            if !answer.is_empty() {
                send.send(answer).await?;
            }
            send.finish().await
        });
    }
}

/// Opens a stream, sends `request` on it, and receives `length` bytes and the end.
pub(super) async fn exchange(
    session: &impl Session,
    request: Bytes,
    length: usize,
) -> Result<(), Error> {
    let (mut send, mut receive) = session.open().await?;
    send.send(request).await?;
    send.finish().await?;
    if receive_to_end(&mut receive).await? == length {
        return Ok(());
    }
    Err("the answer is of the wrong length".into())
}
