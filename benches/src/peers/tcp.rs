//! TCP on loopback, below the transports that run on it.

use std::net::SocketAddr;

#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::Error;

/// The congestion control of all transports: what Linux and the QUIC libraries take by default. Another one, like
/// BBR, may pace, which costs timers.
#[cfg(target_os = "linux")]
pub(super) const CONGESTION_CONTROL: &str = "cubic";

/// A listener, and its address.
pub(super) struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listening {
    pub(super) async fn new() -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Both ends of a new connection, the client's first.
    pub(super) async fn pair(&self) -> Result<(TcpStream, TcpStream), Error> {
        let (near, accepted) =
            tokio::join!(TcpStream::connect(self.address), self.listener.accept());
        let (near, far) = (near?, accepted?.0);
        for end in [&near, &far] {
            end.set_nodelay(true)?;
            #[cfg(target_os = "linux")]
            SockRef::from(end).set_tcp_congestion(CONGESTION_CONTROL.as_bytes())?;
        }
        Ok((near, far))
    }
}
