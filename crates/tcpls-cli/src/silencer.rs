//! Makes a TCP connection fall silent, as if what it goes through were gone.
//!
//! The system throws away whatever arrives for the socket, acknowledgements too, so that neither end
//! hears of the other and nobody is told. What this side still sends does arrive, until TCP's window
//! is full. It takes no privileges, and touches no other connection.

use std::io;

use tokio::net::TcpStream;

/// A second handle of a connection, which is only kept to silence it.
#[derive(Debug)]
pub(crate) struct Silencer {
    #[cfg(target_os = "linux")]
    socket: socket2::Socket,
}

#[cfg(target_os = "linux")]
impl Silencer {
    pub(crate) fn new(stream: &TcpStream) -> io::Result<Self> {
        let socket = socket2::SockRef::from(stream).try_clone()?;
        Ok(Self { socket })
    }

    /// From now on nothing arrives.
    pub(crate) fn silence(self) -> io::Result<()> {
        // The program of the filter: `ret #0`, which is to keep 0 bytes of every segment.
        self.socket
            .attach_filter(&[socket2::SockFilter::new(RETURN, 0, 0, 0)])
    }
}

/// `BPF_RET | BPF_K`.
#[cfg(target_os = "linux")]
const RETURN: u16 = 0x06;

#[cfg(not(target_os = "linux"))]
impl Silencer {
    pub(crate) fn new(_stream: &TcpStream) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn silence(self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn nothing_arrives_on_a_silent_connection_and_nobody_is_told() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (mut near, mut far) = (near.unwrap(), far.unwrap().0);
        let silencer = Silencer::new(&near).unwrap();
        far.write_all(b"a").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'a');
        silencer.silence().unwrap();
        far.write_all(b"b").await.unwrap();
        let nothing = tokio::time::timeout(Duration::from_millis(200), near.read_u8()).await;
        assert!(nothing.is_err(), "{nothing:?}");
    }
}
