//! What streams cost that are open and rest.
//!
//! A session with one idle stream and a session with 1,000 of them rest at the same time, each with both ends
//! on a thread and a runtime of its own, whose clock counts in nanoseconds what it computes. The first is
//! what a session costs that rests, with its runtime and this program's own timer; what the other one takes
//! more is the streams'. Both are looked at when what follows the last data is over: acknowledgements, and
//! what asks whether the peer is still there.

use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tcpls_benches::transport::{Link, Multiplexing, Peer, Sender, Session};
use tcpls_benches::{Error, Identity, cpu};

use super::patterns::receive_up_to;
use crate::arguments::Effort;
use crate::figure::Metric;
use crate::meter::now;
use crate::rounds::LIMIT;
use crate::subject::Outcome;

const STREAMS: u32 = 1000;

/// How long the sessions rest before they are looked at, in windows.
const SETTLE: u32 = 3;

const SESSION: Metric = Metric::less("CPU time of a session with one, both ends", "ms/s");
const STREAMS_ADD: Metric = Metric::less("CPU time that 1,000 add to it", "ms/s");

pub(super) fn run<P: Peer>(peer: &P, effort: Effort, identity: &Identity) -> Outcome {
    if peer.multiplexing() == Multiplexing::No {
        return Ok(None);
    }
    let (one, many) = thread::scope(|scope| {
        let one = scope.spawn(|| rest(peer, 1, effort.window, identity));
        let many = rest(peer, STREAMS, effort.window, identity);
        (one.join(), many)
    });
    let (one, many) = (one.map_err(|_| "somebody panicked")??, many?);
    Ok(Some(vec![
        (SESSION, one * 1e3),
        (STREAMS_ADD, (many - one) * 1e3),
    ]))
}

/// Seconds of this thread per second, while both ends of a session with so many streams rest on it.
fn rest<P: Peer>(
    peer: &P,
    streams: u32,
    window: Duration,
    identity: &Identity,
) -> Result<f64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let resting = async {
        let link = peer.link(identity, STREAMS).await?;
        let (near, far) = link.establish().await?;
        let mut open = Vec::new();
        for _ in 0..streams {
            open.push(exchange(&near, &far).await?);
        }
        tokio::time::sleep(window * SETTLE).await;
        let (start, computed) = (now(), cpu::now());
        tokio::time::sleep(window).await;
        let computed = cpu::now().saturating_sub(computed);
        drop(open);
        Ok(computed.as_secs_f64() / start.elapsed().as_secs_f64())
    };
    runtime.block_on(async { tokio::time::timeout(LIMIT, resting).await })?
}

/// A stream that carried a byte in each direction, with its four halves.
async fn exchange<S: Session>(near: &S, far: &S) -> Result<impl Sized + use<S>, Error> {
    let (mut send, mut receive) = near.open().await?;
    send.send(Bytes::from_static(&[7])).await?;
    let (mut far_send, mut far_receive) = far.accept().await?;
    receive_up_to(&mut far_receive, 1).await?;
    far_send.send(Bytes::from_static(&[7])).await?;
    receive_up_to(&mut receive, 1).await?;
    Ok((send, receive, far_send, far_receive))
}
