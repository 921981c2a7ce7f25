//! A path of a session, as given on the command line: `LOCAL[%DEV][=REMOTE][,backup]`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use tcpls_tokio::{PathOptions, PathStatus};
use tokio::net::{TcpSocket, TcpStream};

/// Where a TCP connection comes from and goes to. What is not said is the system's choice, or the
/// session's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PathArg {
    local: Option<IpAddr>,
    device: Option<String>,
    remote: Option<Remote>,
    pub(crate) status: PathStatus,
}

/// An address of the server, at the port of the first one unless it has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remote {
    Address(IpAddr),
    Socket(SocketAddr),
}

impl FromStr for PathArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (text, status) = match text.rsplit_once(',') {
            Some((path, "backup")) => (path, PathStatus::Backup),
            Some((_, flag)) => return Err(format!("'{flag}' is not 'backup'")),
            None => (text, PathStatus::Available),
        };
        let (from, remote) = match text.split_once('=') {
            Some((from, remote)) => (from, Some(parse_remote(remote)?)),
            None => (text, None),
        };
        let (local, device) = match from.split_once('%') {
            Some((_, "")) => return Err("the name of the network interface is missing".to_owned()),
            Some((local, device)) => (local, Some(device.to_owned())),
            None => (from, None),
        };
        let local = match local {
            "" if device.is_none() && remote.is_none() => {
                return Err("expected LOCAL[%DEV][=REMOTE][,backup]".to_owned());
            }
            "" => None,
            address => Some(parse_address(address)?),
        };
        Ok(Self {
            local,
            device,
            remote,
            status,
        })
    }
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not an IP address"))
}

fn parse_remote(text: &str) -> Result<Remote, String> {
    if let Ok(socket) = text.parse() {
        return Ok(Remote::Socket(socket));
    }
    text.parse()
        .map(Remote::Address)
        .map_err(|_| format!("'{text}' is not an IP address, with or without a port"))
}

impl PathArg {
    /// One from this address.
    pub(crate) fn from_local(address: IpAddr) -> Self {
        Self {
            local: Some(address),
            ..Self::default()
        }
    }

    /// Where it goes, when the session's server is at `first`.
    pub(crate) fn remote(&self, first: SocketAddr) -> SocketAddr {
        self.own_remote(first.port()).unwrap_or(first)
    }

    /// Where it goes, if that was said; `port` where it was not.
    pub(crate) fn own_remote(&self, port: u16) -> Option<SocketAddr> {
        self.remote.map(|remote| match remote {
            Remote::Address(address) => SocketAddr::new(address, port),
            Remote::Socket(socket) => socket,
        })
    }

    /// The same for the library.
    pub(crate) fn options(&self, first: SocketAddr) -> PathOptions {
        let mut options = PathOptions::new();
        options.remote(self.remote(first)).status(self.status);
        if let Some(local) = self.local {
            options.local(local);
        }
        if let Some(device) = &self.device {
            options.device(device);
        }
        options
    }

    /// Opens a TCP connection of this kind to `remote`.
    pub(crate) async fn dial(&self, remote: SocketAddr) -> io::Result<TcpStream> {
        let socket = match remote {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(device) = &self.device {
            bind_device(&socket, device)?;
        }
        if let Some(local) = self.local {
            socket.bind(SocketAddr::new(local, 0))?;
        }
        socket.connect(remote).await
    }
}

#[cfg(target_os = "linux")]
fn bind_device(socket: &TcpSocket, device: &str) -> io::Result<()> {
    socket
        .bind_device(Some(device.as_bytes()))
        .map_err(|error| {
            let text = format!("the network interface '{device}' cannot be used: {error}");
            io::Error::new(error.kind(), text)
        })
}

#[cfg(not(target_os = "linux"))]
fn bind_device(_socket: &TcpSocket, device: &str) -> io::Result<()> {
    let text = format!("the network interface '{device}' can only be chosen on Linux");
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote_of(text: &str) -> String {
        let first = "[2001:db8::1]:443".parse().unwrap();
        text.parse::<PathArg>().unwrap().remote(first).to_string()
    }

    #[test]
    fn every_part_may_be_missing_but_not_all() {
        let whole: PathArg = "192.0.2.1%eth1=198.51.100.1:99,backup".parse().unwrap();
        assert_eq!(whole.local, Some([192, 0, 2, 1].into()));
        assert_eq!(whole.device.as_deref(), Some("eth1"));
        assert_eq!(whole.status, PathStatus::Backup);
        assert_eq!(
            remote_of("192.0.2.1%eth1=198.51.100.1:99,backup"),
            "198.51.100.1:99"
        );
        assert_eq!(remote_of("=198.51.100.1"), "198.51.100.1:443");
        assert_eq!(remote_of("%eth1"), "[2001:db8::1]:443");
        assert_eq!(remote_of("::1=[2001:db8::2]:7"), "[2001:db8::2]:7");
        assert_eq!(remote_of("::1=2001:db8::2"), "[2001:db8::2]:443");
        let plain: PathArg = "fe80::1%eth0".parse().unwrap();
        assert_eq!(plain.local, Some("fe80::1".parse().unwrap()));
        assert_eq!(
            (plain.device.as_deref(), plain.remote),
            (Some("eth0"), None)
        );
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_part() {
        for (text, problem) in [
            ("", "expected LOCAL"),
            (",backup", "expected LOCAL"),
            ("127.0.0.1,spare", "'spare' is not 'backup'"),
            ("localhost", "'localhost' is not an IP address"),
            ("127.0.0.1%", "the name of the network interface is missing"),
            ("127.0.0.1=host:1", "'host:1' is not an IP address"),
            ("127.0.0.1=", "'' is not an IP address"),
        ] {
            let error = text.parse::<PathArg>().unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }
}
