//! A TCP relay that can do to connections what networks do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Forward,
    /// They are accepted and never answered.
    Swallow,
    /// They are reset at once.
    Refuse,
}

/// A relay to one server, for any number of connections.
pub(crate) struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    resets: watch::Sender<()>,
    counts: Arc<Counts>,
    task: tokio::task::AbortHandle,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    swallowed: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = watch::Sender::new(Mode::Forward);
        let resets = watch::Sender::new(());
        let counts = Arc::new(Counts::default());
        let modes = mode.subscribe();
        let (reset, counted) = (resets.clone(), Arc::clone(&counts));
        let task = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                counted.connections.fetch_add(1, Ordering::Relaxed);
                let mut reset = reset.subscribe();
                reset.mark_unchanged();
                let mode = *modes.borrow();
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    match mode {
                        Mode::Forward => forward(near, server, reset).await,
                        Mode::Refuse => near.set_zero_linger().unwrap(),
                        Mode::Swallow => swallow(near, &counted, reset).await,
                    }
                });
            }
        });
        Self {
            address,
            mode,
            resets,
            counts,
            task: task.abort_handle(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What becomes of connections from now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Resets every connection, to both sides.
    pub(crate) fn reset(&self) {
        self.resets.send_replace(());
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Of these, how many sent something and got no answer.
    pub(crate) fn swallowed(&self) -> usize {
        self.counts.swallowed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut near: TcpStream, server: SocketAddr, mut reset: watch::Receiver<()>) {
    let mut far = TcpStream::connect(server).await.unwrap();
    tokio::select! {
        _end = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _reset = reset.changed() => {
            near.set_zero_linger().unwrap();
            far.set_zero_linger().unwrap();
        }
    }
}

async fn swallow(mut near: TcpStream, counts: &Counts, mut reset: watch::Receiver<()>) {
    let mut space = [0; 4096];
    tokio::select! {
        _reset = reset.changed() => near.set_zero_linger().unwrap(),
        () = async {
            let mut sent = false;
            while let Ok(1..) = near.read(&mut space).await {
                if !std::mem::replace(&mut sent, true) {
                    counts.swallowed.fetch_add(1, Ordering::Relaxed);
                }
            }
        } => {}
    }
}
