//! TCP on loopback, below the transports that run on it.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use crate::Error;

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
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        Ok((near, far))
    }
}
