//! Clients on their way to a server.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use crate::acceptor::{Acceptor, Hello};
use crate::connector::Connected;
use crate::error::ConnectError;
use crate::io::{Addresses, Transport};
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
        let (door, receiver) = Door::new(acceptor);
        let listen = |listener: &Arc<TcpListener>| {
            let task = listen(Arc::clone(listener), door.clone());
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

async fn listen(listener: Arc<TcpListener>, door: Door) {
    loop {
        match listener.accept().await {
            Ok((tcp, remote)) => {
                let local = tcp.local_addr().ok();
                let addresses = Addresses {
                    local,
                    remote: Some(remote),
                };
                door.admit(Transport::of_tcp(tcp, addresses), remote, local);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Where clients say what they want. Those that take their time make room for others.
#[derive(Clone)]
struct Door {
    acceptor: Acceptor,
    waiting: mpsc::Sender<Incoming>,
    hellos: Pending,
}

impl Door {
    /// Behind it, clients come out that join nothing.
    fn new(acceptor: &Acceptor) -> (Self, mpsc::Receiver<Incoming>) {
        let (waiting, receiver) = mpsc::channel(WAITING);
        let door = Self {
            acceptor: acceptor.clone(),
            waiting,
            hellos: Pending::new(HELLOS),
        };
        (door, receiver)
    }

    /// Begins to read what a client wants.
    fn admit(&self, transport: Transport, remote: SocketAddr, local: Option<SocketAddr>) {
        let (acceptor, waiting) = (self.acceptor.clone(), self.waiting.clone());
        self.hellos.spawn(async move {
            let hello = acceptor.hello_over(transport).await;
            pass_on(hello, remote, local, &waiting);
        });
    }
}

/// A connection that joins, or tries to, is done with here.
fn pass_on(
    hello: Result<Hello, ConnectError>,
    remote: SocketAddr,
    local: Option<SocketAddr>,
    waiting: &mpsc::Sender<Incoming>,
) {
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

#[cfg(all(test, feature = "aws-lc"))]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on shall say where"
)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustls::RootCertStore;
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use tokio::io::{AsyncWriteExt, DuplexStream};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::{ClientConfig, Connector, ServerConfig};

    const NAME: &str = "server.example";
    const REMOTE: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(
        std::net::Ipv4Addr::LOCALHOST,
        4433,
    ));
    const DRIPPING: usize = 2000;

    fn ends() -> (Connector, Acceptor) {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let server = ServerConfig::with_single_cert(vec![certificate], key).unwrap();
        let client = ClientConfig::with_root_certificates(roots).unwrap();
        (Connector::new(client), Acceptor::new(server))
    }

    /// Sends the beginning of a hello of 16 KiB, a byte each 100 ms, for as long as the server takes it.
    async fn drip(mut io: DuplexStream, dripping: Arc<AtomicUsize>) -> Duration {
        let begun = Instant::now();
        let hello = [22, 3, 1, 63, 0, 1, 0, 62, 252, 3, 3];
        for byte in hello.into_iter().chain(std::iter::repeat(7)) {
            if io.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        dripping.fetch_sub(1, Ordering::Relaxed);
        begun.elapsed()
    }

    /// T24: clients that trickle their hello keep nobody out: the oldest make room for who comes, no more
    /// than a fixed number is kept, and none for longer than 5 s.
    #[tokio::test(start_paused = true)]
    async fn dripping_clients_keep_nobody_out_and_are_dropped() {
        let (connector, acceptor) = ends();
        let (door, mut waiting) = Door::new(&acceptor);
        let dripping = Arc::new(AtomicUsize::new(0));
        let mut drips = Vec::new();
        for count in 0..DRIPPING {
            let (near, far) = tokio::io::duplex(64);
            door.admit(Transport::new(far), REMOTE, None);
            dripping.fetch_add(1, Ordering::Relaxed);
            drips.push(tokio::spawn(drip(near, Arc::clone(&dripping))));
            if count % 100 == 0 {
                sleep(Duration::from_millis(100)).await;
            }
        }
        sleep(Duration::from_millis(200)).await;
        assert_eq!(dripping.load(Ordering::Relaxed), HELLOS);
        let (near, far) = tokio::io::duplex(1 << 16);
        door.admit(Transport::new(far), REMOTE, None);
        let accept = async { waiting.recv().await.unwrap().await };
        let connect = connector.connect(NAME.try_into().unwrap(), near);
        let (near, far) = tokio::join!(connect, accept);
        let (near, far) = (near.unwrap(), far.unwrap());
        assert_eq!((near.paths().len(), far.paths().len()), (1, 1));
        let mut longest = Duration::ZERO;
        for drip in drips {
            longest = longest.max(drip.await.unwrap());
        }
        let limit = Duration::from_secs(5);
        assert!(limit <= longest && longest < limit + Duration::from_millis(300));
        assert_eq!(dripping.load(Ordering::Relaxed), 0);
        // They are reported, as far as the application did not fall behind.
        let timed_out = waiting.recv().await.unwrap().hello().unwrap_err();
        assert!(matches!(timed_out, ConnectError::TimedOut(after) if after == limit));
    }
}
