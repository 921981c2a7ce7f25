//! UDP sockets on loopback for the QUIC transports, with buffers as large as the system allows.

use std::net::UdpSocket;

use socket2::{Domain, Protocol, Socket, Type};

use crate::Error;

/// Bytes of the socket's buffers: those of the system's defaults lose packets at these rates.
pub(super) const BUFFER: usize = 4 << 20;

/// A socket on a free port.
pub(super) fn socket() -> Result<UdpSocket, Error> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    Ok(socket.into())
}
