//! Peers that are not the program: plain TLS, no TLS, silence.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tcpls_tokio::rustls::crypto::aws_lc_rs;
use tcpls_tokio::rustls::pki_types::pem::PemObject as _;
use tcpls_tokio::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tcpls_tokio::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use tokio::net::TcpSocket;

use crate::process::{Scratch, scratch};

/// A certificate and its key, also as files.
pub(crate) struct Certificate {
    made: CertifiedKey<KeyPair>,
    pub(crate) cert: Scratch,
    pub(crate) key: Scratch,
}

impl Certificate {
    /// For `localhost` and 127.0.0.1. `name` is the test's own.
    pub(crate) fn make(name: &str) -> Self {
        let made = generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]).unwrap();
        let (cert, key) = (
            scratch(&format!("{name}.pem")),
            scratch(&format!("{name}.key")),
        );
        std::fs::write(&*cert, made.cert.pem()).unwrap();
        std::fs::write(&*key, made.signing_key.serialize_pem()).unwrap();
        Self { made, cert, key }
    }
}

/// A TLS 1.3 server that knows nothing of TCPLS and echoes what one client sends.
pub(crate) fn plain_tls_server(certificate: &Certificate) -> SocketAddr {
    let key = PrivatePkcs8KeyDer::from(certificate.made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.made.cert.der().clone()], key.into())
        .unwrap();
    tcp_server(move |tcp| {
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, tcp);
        let mut buffer = [0; 4096];
        loop {
            let count = stream.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            stream.write_all(&buffer[..count]).unwrap();
        }
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    })
}

/// Sends `input` over plain TLS 1.3 and returns what comes back.
pub(crate) fn plain_tls_client(address: &str, ca: &str, input: &[u8]) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    stream.write_all(input).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let mut output = Vec::new();
    stream.read_to_end(&mut output).unwrap();
    output
}

/// A server that greets as another protocol and waits for the client to go.
pub(crate) fn greeting_server(greeting: &'static [u8]) -> SocketAddr {
    tcp_server(move |mut tcp| {
        tcp.write_all(greeting).unwrap();
        let mut received = Vec::new();
        // The client may leave by a reset.
        tcp.read_to_end(&mut received).ok();
    })
}

/// An address at which nobody listens, as long as the socket is there that has it.
pub(crate) fn closed_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Serves one client on a thread.
fn tcp_server(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    address
}

/// The address of a relay to `to` for one connection; later ones are refused.
pub(crate) fn relay_once(to: &str) -> SocketAddr {
    relay(to, 1)
}

/// The address of a relay to `to` for so many connections; later ones are refused.
pub(crate) fn relay(to: &str, connections: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let to = to.to_owned();
    thread::spawn(move || {
        let mut listener = Some(listener);
        for left in (0..connections).rev() {
            let (near, _) = listener.as_ref().unwrap().accept().unwrap();
            // Before anybody hears of it who would then connect again.
            listener = listener.filter(|_| left > 0);
            let far = TcpStream::connect(&to).unwrap();
            let (from_near, to_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || copy(from_near, to_far));
            thread::spawn(move || copy(far, near));
        }
    });
    address
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    std::io::copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Write).ok();
}
