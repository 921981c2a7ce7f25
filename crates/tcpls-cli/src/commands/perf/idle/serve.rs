//! The server's side: sessions that rest, and one that looks at them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tcpls_tokio::Session;

use super::message::{Figures, Look, Purpose, RestRequest};
use crate::commands::perf::control::{Receiver, Reply, Sender};
use crate::exit::Failure;

/// How many sessions rest at this server.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Resting(Arc<AtomicU32>);

/// Counts a session while it is there.
struct Counted(Arc<AtomicU32>);

impl Resting {
    fn enter(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&self.0))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Does what the client asks for, and waits for the end of the session unless it refused.
pub(in super::super) async fn serve(
    session: Session,
    request: RestRequest,
    (mut sender, receiver): (Sender, Receiver),
    resting: Resting,
) -> Result<(), Failure> {
    if let Err(reason) = request.check() {
        let failure = Failure::lost(format!("the request was refused: {reason}"));
        sender.send(&Reply::Refused { reason }).await?;
        sender.finish();
        session.closed().await;
        return Err(failure);
    }
    sender.send(&Reply::Ready).await?;
    match request.idle {
        Purpose::Rest => {
            sender.finish();
            drop((sender, receiver));
            let counted = resting.enter();
            let reason = session.closed().await;
            drop(counted);
            if reason.is_orderly() {
                Ok(())
            } else {
                Err(Failure::session(reason))
            }
        }
        Purpose::Watch => watch(sender, receiver, &resting).await,
    }
}

async fn watch(
    mut sender: Sender,
    mut receiver: Receiver,
    resting: &Resting,
) -> Result<(), Failure> {
    while let Some(Look::Now) = receiver.receive().await? {
        let resting = resting.0.load(Ordering::Relaxed);
        sender.send(&Figures::of_this_process(resting)).await?;
    }
    sender.finish();
    Ok(())
}
