//! The server's part of a TLS 1.3 handshake: rustls by itself, without anything of TCPLS.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::{SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, Connection, HandshakeKind, ServerConfig, ServerConnection,
};
use tcpls_benches::{Identity, SERVER_NAME, cpu};

use crate::Work;

/// Whether the client shows a ticket of an earlier handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    Resumed,
}

/// Handshakes with one server.
pub(crate) struct Handshakes {
    kind: Kind,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Handshakes {
    pub(crate) fn new(group: &'static dyn SupportedKxGroup, kind: Kind) -> Self {
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![group];
        let provider = Arc::new(provider);
        let identity = Identity::generate().unwrap();
        let mut client = identity.client(&provider).unwrap();
        if kind == Kind::Full {
            client.resumption = Resumption::disabled();
        }
        let handshakes = Self {
            kind,
            client: Arc::new(client),
            server: Arc::new(identity.server(&provider).unwrap()),
        };
        // Leaves the client with tickets, if it takes any.
        handshakes.run();
        handshakes
    }

    /// Runs a handshake; returns the time of the server and the kind that it was.
    fn run(&self) -> (Duration, HandshakeKind) {
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        let client = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        let mut client = Connection::Client(client);
        let hello = drain(&mut client);

        let start = cpu::now();
        let server = ServerConnection::new(Arc::clone(&self.server)).unwrap();
        let mut server = Connection::Server(server);
        feed(&mut server, &hello);
        let flight = drain(&mut server);
        let first = cpu::since(start);

        feed(&mut client, &flight);
        let finished = drain(&mut client);

        let start = cpu::now();
        feed(&mut server, &finished);
        let tickets = drain(&mut server);
        let second = cpu::since(start);

        feed(&mut client, &tickets);
        (first + second, server.handshake_kind().unwrap())
    }
}

impl Work for Handshakes {
    fn once(&mut self) -> Duration {
        let (time, kind) = self.run();
        assert_eq!(kind == HandshakeKind::Resumed, self.kind == Kind::Resumed);
        time
    }
}

fn feed(connection: &mut Connection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        connection.read_tls(&mut bytes).unwrap();
        connection.process_new_packets().unwrap();
    }
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut out).unwrap();
    }
    out
}
