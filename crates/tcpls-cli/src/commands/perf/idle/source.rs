//! Where the connections of many sessions come from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};

use tcpls_tokio::PathOptions;
use tokio::net::TcpStream;

use crate::path_arg::PathArg;

/// Local addresses to connect from: the one that the system chooses until its ports are used up, then,
/// on the loopback interface, others.
#[derive(Debug)]
pub(super) struct Sources {
    remote: SocketAddr,
    /// How many were used up.
    used_up: AtomicU8,
}

/// Addresses on the loopback interface beside the first.
const SPARE: u8 = 30;

impl Sources {
    pub(super) fn new(remote: SocketAddr) -> Self {
        Self {
            remote,
            used_up: AtomicU8::new(0),
        }
    }

    /// Opens a TCP connection, and says how.
    pub(super) async fn dial(&self) -> io::Result<(TcpStream, PathOptions)> {
        loop {
            let used_up = self.used_up.load(Ordering::Relaxed);
            let path = from(used_up);
            match path.dial(self.remote).await {
                Ok(tcp) => return Ok((tcp, path.options(self.remote))),
                Err(error) if is_without_port(&error) && self.has_spares(used_up) => {
                    // Somebody else may have noticed, too.
                    let _noticed = self.used_up.compare_exchange(
                        used_up,
                        used_up + 1,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn has_spares(&self, used_up: u8) -> bool {
        let loopback = match self.remote.ip() {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(_) => false,
        };
        loopback && used_up < SPARE
    }
}

/// From the address that is next when so many were used up.
fn from(used_up: u8) -> PathArg {
    match used_up {
        0 => PathArg::default(),
        used_up => PathArg::from_local(Ipv4Addr::new(127, 0, 0, 1 + used_up).into()),
    }
}

/// Whether no port was left: Linux says so in one way for a socket that is bound, and in another for
/// one that is not.
fn is_without_port(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn another_address_is_taken_when_ports_run_out() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sources = Sources::new(listener.local_addr().unwrap());
        for (used_up, local) in [(0, [127, 0, 0, 1]), (1, [127, 0, 0, 2])] {
            sources.used_up.store(used_up, Ordering::Relaxed);
            let (tcp, _accepted) = tokio::join!(sources.dial(), listener.accept());
            let (tcp, _options) = tcp.unwrap();
            assert_eq!(tcp.local_addr().unwrap().ip(), IpAddr::from(local));
        }
        assert!(sources.has_spares(1) && !sources.has_spares(SPARE));
        let elsewhere = Sources::new("192.0.2.1:1".parse().unwrap());
        assert!(!elsewhere.has_spares(0));
    }
}
