//! TCP sockets, and what only the operating system knows and decides about them.
//!
//! What a system does not have is left out here and nowhere else.

mod halves;
#[cfg_attr(target_os = "linux", path = "tcp/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "tcp/elsewhere.rs")]
mod system;

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tcpls_core::PathInfo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use self::halves::{TcpReadHalf, TcpWriteHalf};

/// One TCP connection that is to be opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dial<'a> {
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    pub(crate) device: Option<&'a str>,
    pub(crate) congestion_control: Option<&'a str>,
}

/// Why a TCP connection was not opened.
#[derive(Debug)]
pub(crate) enum DialError {
    /// The socket cannot be bound to this device.
    Device(String, io::Error),
    /// The system does not have this congestion control, or does not allow it.
    CongestionControl(String, io::Error),
    /// Binding to the local address or connecting failed.
    Io(io::Error),
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a TCP connection.
pub(crate) async fn dial(dial: Dial<'_>) -> Result<TcpStream, DialError> {
    let socket = match dial.remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let options = SockRef::from(&socket);
    if let Some(name) = dial.congestion_control {
        system::set_congestion_control(&options, name)
            .map_err(|error| DialError::CongestionControl(name.to_owned(), error))?;
    }
    if let Some(name) = dial.device {
        system::bind_device(&options, name)
            .map_err(|error| DialError::Device(name.to_owned(), error))?;
    }
    if let Some(local) = dial.local {
        socket.bind(local_address(local, dial.remote))?;
    }
    Ok(socket.connect(dial.remote).await?)
}

/// Of which families a listener takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// That of its address.
    OfAddress,
    /// Both with the address "::", where the system allows it.
    Any,
}

/// Listens on `address`, from within a runtime. The connections inherit the congestion control.
pub(crate) fn listen(
    address: SocketAddr,
    family: Family,
    congestion_control: Option<&str>,
) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() && family == Family::OfAddress {
        socket.set_only_v6(true)?;
    }
    // On Windows the option means something else.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if let Some(name) = congestion_control {
        system::set_congestion_control(&SockRef::from(&socket), name)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Connections that wait for the server at most, if the system allows as many.
const BACKLOG: i32 = 4096;

/// Any port of `address`; a link-local one is on the link of `remote`.
fn local_address(address: IpAddr, remote: SocketAddr) -> SocketAddr {
    match (address, remote) {
        (IpAddr::V6(address), SocketAddr::V6(remote)) => {
            SocketAddrV6::new(address, 0, 0, remote.scope_id()).into()
        }
        (address, _) => SocketAddr::new(address, 0),
    }
}

/// A TCP connection of a session, for what is asked of it beside reading and writing.
#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    stream: Arc<TcpStream>,
    /// Whether the system tells how the connection does.
    observable: bool,
}

impl Tcp {
    /// Prepares a connection to carry records, and splits it. What the system refuses is only logged:
    /// the connection then still carries the session, only later.
    pub(crate) fn new(stream: TcpStream) -> (Self, TcpReadHalf, TcpWriteHalf) {
        // What it is given is sent at once: records are batched before they reach the socket.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY refused");
        }
        if let Err(error) = system::set_retransmission_limit(&stream, RETRANSMISSION_LIMIT) {
            tracing::trace!(%error, "TCP_RTO_MAX_MS refused");
        }
        let observable = system::has_whole_info(&stream);
        let stream = Arc::new(stream);
        let (read, write) = halves::split(&stream);
        (Self { stream, observable }, read, write)
    }

    /// Whether [`info`](Self::info) gives anything.
    pub(crate) fn is_observable(&self) -> bool {
        self.observable
    }

    /// What TCP says about the connection now; `None` where the system does not tell.
    pub(crate) fn info(&self) -> Option<PathInfo> {
        self.observable
            .then(|| system::tcp_info(&self.stream))
            .flatten()
    }

    /// Has the connection end with a RST once nobody holds it any more.
    pub(crate) fn reset_on_close(&self) {
        if let Err(error) = self.stream.set_zero_linger() {
            tracing::debug!(%error, "SO_LINGER refused");
        }
    }

    /// How many segments TCP sent again so far; `None` where the system does not tell.
    pub(crate) fn segments_retransmitted(&self) -> Option<u64> {
        self.observable
            .then(|| system::segments_retransmitted(&self.stream))
            .flatten()
    }

    /// How many bytes got through in both directions together; `None` where the system does not tell.
    pub(crate) fn bytes_delivered(&self) -> Option<u64> {
        self.observable
            .then(|| system::bytes_delivered(&self.stream))
            .flatten()
    }

    /// How many bytes that TCP has not sent yet the socket takes before it counts as full;
    /// [`NO_UNSENT_LIMIT`] is where a connection begins.
    pub(crate) fn set_unsent_limit(&self, limit: u32) {
        if let Err(error) = system::set_unsent_limit(&self.stream, limit) {
            tracing::trace!(%error, "TCP_NOTSENT_LOWAT refused");
        }
    }

    /// Spreads what is sent from now on over the round trip, where the system can.
    pub(crate) fn pace(&self) {
        if let Err(error) = system::pace(&self.stream) {
            tracing::trace!(%error, "SO_MAX_PACING_RATE refused");
        }
    }
}

/// As much as the socket has room for.
pub(crate) const NO_UNSENT_LIMIT: u32 = 0;

/// The longest time after which TCP tries again what was not acknowledged: the least that Linux takes.
const RETRANSMISSION_LIMIT: Duration = Duration::from_secs(1);

#[cfg(all(test, target_os = "linux"))]
#[allow(
    clippy::as_conversions,
    clippy::unwrap_used,
    reason = "a count of bytes; a test that cannot go on shall say where"
)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    /// what TCP says changes with what the connection does, and stands in its own units.
    #[tokio::test]
    async fn tcp_tells_what_it_has_in_flight() {
        let (near, mut far) = pair().await;
        let (tcp, _read, mut write) = Tcp::new(near);
        let fresh = tcp.info().unwrap();
        assert!(fresh.congestion_window > 0);
        assert_eq!((fresh.in_flight, fresh.unsent), (0, 0));
        // Until the receiver's window and the sender's buffer are full.
        let chunk = vec![0; 1 << 20];
        let mut written = 0;
        let pause = Duration::from_millis(300);
        let full = loop {
            if let Ok(count) = tokio::time::timeout(pause, write.write(&chunk)).await {
                written += count.unwrap();
                continue;
            }
            let info = tcp.info().unwrap();
            if info.unsent > 0 {
                break info;
            }
        };
        assert!(!full.round_trip.is_zero() && full.round_trip < Duration::from_secs(1));
        assert!(full.unsent > 0 && full.unsent < written as u64);
        assert!(full.since_ack < Duration::from_secs(10));
        let drain = async { while far.read(&mut vec![0; 1 << 20]).await.unwrap() > 0 {} };
        drop(write);
        drain.await;
        assert_eq!(tcp.info().unwrap().unsent, 0);
    }

    /// R15: a limit on what waits in the socket holds it back in the session, where another connection
    /// can take it.
    #[tokio::test]
    async fn little_waits_in_the_socket_when_it_is_told_so() {
        let (near, _far) = pair().await;
        let (tcp, _read, mut write) = Tcp::new(near);
        tcp.set_unsent_limit(1 << 15);
        let chunk = vec![0; 1 << 13];
        let filling = async {
            loop {
                write.write_all(&chunk).await.unwrap();
            }
        };
        let pause = Duration::from_millis(300);
        tokio::time::timeout(pause, filling).await.unwrap_err();
        let unsent = tcp.info().unwrap().unsent;
        assert!(unsent <= 1 << 17, "{unsent} bytes wait");
    }

    #[tokio::test]
    async fn the_system_paces_when_it_is_asked_to() {
        let (near, _far) = pair().await;
        system::pace(&near).unwrap();
    }

    /// Reading in small pieces and writing into a full socket both go on when there is more.
    #[tokio::test]
    async fn halves_carry_everything_in_pieces_of_any_size() {
        let (near, far) = pair().await;
        let (_near, _read, mut write) = Tcp::new(near);
        let (_far, mut read, _write) = Tcp::new(far);
        let data: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let copy = data.clone();
        let writing = tokio::spawn(async move {
            for piece in copy.chunks(77_777) {
                write.write_all(piece).await.unwrap();
            }
            write.shutdown().await.unwrap();
        });
        let mut received = Vec::new();
        let mut space = vec![0; 100_000];
        for size in [1, 10, 1000, 100_000].into_iter().cycle() {
            match read.read(&mut space[..size]).await.unwrap() {
                0 => break,
                count => received.extend_from_slice(&space[..count]),
            }
        }
        assert!(received == data);
        writing.await.unwrap();
    }
}
