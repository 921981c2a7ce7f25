//! What other systems than Linux do not offer, or not in the same way.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tcpls_core::PathInfo;
use tokio::net::TcpStream;

pub(super) fn has_whole_info(_stream: &TcpStream) -> bool {
    false
}

pub(super) fn tcp_info(_stream: &TcpStream) -> Option<PathInfo> {
    None
}

pub(super) fn segments_retransmitted(_stream: &TcpStream) -> Option<u64> {
    None
}

pub(super) fn bytes_delivered(_stream: &TcpStream) -> Option<u64> {
    None
}

pub(super) fn set_retransmission_limit(_stream: &TcpStream, _limit: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn set_unsent_limit(_stream: &TcpStream, _limit: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn pace(_stream: &TcpStream) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn set_congestion_control(_socket: &SockRef<'_>, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn bind_device(_socket: &SockRef<'_>, _name: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
