//! TCP sockets, and what only the operating system knows and decides about them.
//!
//! What a system does not have is left out here and nowhere else.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

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
        set_congestion_control(&options, name)
            .map_err(|error| DialError::CongestionControl(name.to_owned(), error))?;
    }
    if let Some(name) = dial.device {
        bind_device(&options, name).map_err(|error| DialError::Device(name.to_owned(), error))?;
    }
    if let Some(local) = dial.local {
        socket.bind(local_address(local, dial.remote))?;
    }
    Ok(socket.connect(dial.remote).await?)
}

/// Any port of `address`; a link-local one is on the link of `remote`.
fn local_address(address: IpAddr, remote: SocketAddr) -> SocketAddr {
    match (address, remote) {
        (IpAddr::V6(address), SocketAddr::V6(remote)) => {
            SocketAddrV6::new(address, 0, 0, remote.scope_id()).into()
        }
        (address, _) => SocketAddr::new(address, 0),
    }
}

#[cfg(target_os = "linux")]
fn set_congestion_control(socket: &SockRef<'_>, name: &str) -> io::Result<()> {
    socket.set_tcp_congestion(name.as_bytes())
}

#[cfg(target_os = "linux")]
fn bind_device(socket: &SockRef<'_>, name: &str) -> io::Result<()> {
    socket.bind_device(Some(name.as_bytes()))
}

#[cfg(not(target_os = "linux"))]
fn set_congestion_control(_socket: &SockRef<'_>, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn bind_device(_socket: &SockRef<'_>, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
