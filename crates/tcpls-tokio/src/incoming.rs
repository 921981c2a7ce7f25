//! Clients on their way to a server.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use crate::acceptor::{Acceptor, Hello};
use crate::connector::Connected;
use crate::error::ConnectError;
use crate::pending::Pending;
use crate::session::Session;

/// Accepts TCP connections in tasks of its own until dropped: those that join a session are its, the
/// others wait for the application.
#[derive(Debug)]
pub(crate) struct Listening {
    listeners: Vec<Arc<TcpListener>>,
    waiting: Mutex<mpsc::Receiver<Incoming>>,
    tasks: Vec<AbortHandle>,
}

/// How many clients may be read from at a time; one more ends the one that took longest.
const HELLOS: usize = 1024;

/// How many clients may wait for the application to accept them; more are closed.
const WAITING: usize = 1024;

/// How long accepting rests after the system refused it (no file descriptors, no memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Listening {
    pub(crate) fn new(listeners: Vec<TcpListener>, acceptor: &Acceptor) -> Self {
        let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
        let (sender, receiver) = mpsc::channel(WAITING);
        let hellos = Pending::new(HELLOS);
        let listen = |listener: &Arc<TcpListener>| {
            let (acceptor, sender, hellos) = (acceptor.clone(), sender.clone(), hellos.clone());
            let task = listen(Arc::clone(listener), acceptor, sender, hellos);
            tokio::spawn(task).abort_handle()
        };
        let tasks = listeners.iter().map(listen).collect();
        Self {
            listeners,
            waiting: Mutex::new(receiver),
            tasks,
        }
    }

    /// The next client that joins nothing; `None` once accepting was stopped.
    pub(crate) async fn next(&self) -> Option<Incoming> {
        self.waiting.lock().await.recv().await
    }

    /// Accepts nothing more.
    pub(crate) fn stop(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }

    /// Where it listens, in the order of the listeners.
    pub(crate) fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners
            .iter()
            .map(|listener| listener.local_addr())
            .collect()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn listen(
    listener: Arc<TcpListener>,
    acceptor: Acceptor,
    waiting: mpsc::Sender<Incoming>,
    hellos: Pending,
) {
    loop {
        match listener.accept().await {
            Ok((tcp, remote)) => {
                let (acceptor, waiting) = (acceptor.clone(), waiting.clone());
                hellos.spawn(receive(tcp, remote, acceptor, waiting));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Reads what a client wants. A connection that joins, or tries to, is done with here.
async fn receive(
    tcp: TcpStream,
    remote: SocketAddr,
    acceptor: Acceptor,
    waiting: mpsc::Sender<Incoming>,
) {
    let local = tcp.local_addr().ok();
    let hello = acceptor.hello(tcp).await;
    match hello {
        Err(ConnectError::Joined) => {}
        Err(error @ ConnectError::UnknownToken) => tracing::debug!(%remote, %error),
        hello => {
            let incoming = Incoming {
                hello,
                remote,
                local,
            };
            if waiting.try_send(incoming).is_err() {
                tracing::warn!(%remote, "too many clients wait to be accepted");
            }
        }
    }
}

/// A client's TCP connection before its handshake.
///
/// Await it, or call [`accept`](Self::accept), to get a session. Dropping it closes the connection.
#[derive(Debug)]
pub struct Incoming {
    hello: Result<Hello, ConnectError>,
    remote: SocketAddr,
    local: Option<SocketAddr>,
}

impl Incoming {
    /// The client's address.
    pub fn remote_address(&self) -> SocketAddr {
        self.remote
    }

    /// The address at which it arrived.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] when the connection was gone before it could be told.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.local.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Runs the handshake and starts a session.
    ///
    /// # Errors
    /// [`ConnectError::NotTcpls`] when the client speaks only TLS; all others when there is no
    /// secure connection at all.
    ///
    /// # Cancel safety
    /// Dropped before it completes, the connection is closed.
    pub async fn accept(self) -> Result<Session, ConnectError> {
        self.hello?.accept().await
    }

    /// As [`accept`](Self::accept), but a client that speaks only TLS 1.3 gives a plain TLS
    /// stream: one port serves both.
    ///
    /// # Errors
    /// As [`accept`](Self::accept), without [`ConnectError::NotTcpls`].
    ///
    /// # Cancel safety
    /// Dropped before it completes, the connection is closed.
    pub async fn accept_or_plain(self) -> Result<Connected, ConnectError> {
        self.hello?.accept_or_plain().await
    }

    /// The client's first message, which was not answered, to decide by server name, application
    /// protocols or what it offers.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn hello(self) -> Result<Hello, ConnectError> {
        self.hello
    }
}

impl IntoFuture for Incoming {
    type Output = Result<Session, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.accept())
    }
}
