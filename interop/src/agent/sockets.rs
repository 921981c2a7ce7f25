//! TCP and Multipath TCP sockets with their congestion control chosen.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::protocol::{Kind, Setup};

/// Connects to `remote`.
pub(super) async fn connect(setup: &Setup, remote: SocketAddr) -> Result<TcpStream> {
    let socket = socket(setup, remote)?;
    // tokio's own way would make the socket itself, and not for Multipath TCP.
    tokio::task::spawn_blocking(move || {
        socket.connect(&remote.into())?;
        socket.set_nonblocking(true)?;
        anyhow::Ok(TcpStream::from_std(socket.into()))
    })
    .await??
    .context("cannot connect")
}

/// Listens on `address`.
pub(super) fn listen(setup: &Setup, address: SocketAddr) -> Result<TcpListener> {
    let socket = socket(setup, address)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(16)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into())?)
}

fn socket(setup: &Setup, address: SocketAddr) -> Result<Socket> {
    let protocol = match setup.kind {
        Kind::Mptcp => Protocol::MPTCP,
        Kind::Ours | Kind::Tls => Protocol::TCP,
    };
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(protocol))
        .with_context(|| format!("no {:?} socket", setup.kind))?;
    let name = setup.congestion_control.as_str();
    socket
        .set_tcp_congestion(name.as_bytes())
        .with_context(|| format!("no congestion control {name}"))?;
    Ok(socket)
}
