//! The server's part of a join, from the bytes of the hello to those of the first protected record.
//!
//! The steps are those of `tcpls-tokio`, on the crates below it: the hello is read and routed, its
//! token looked up and redeemed, the answer made, the first record opened, the connection added to
//! the session, a token issued in place of the used one, and the first record sealed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::ServerName;
use tcpls_benches::{Identity, SERVER_NAME, cpu};
use tcpls_core::{ConnectionHandle, ConnectionStart, Event, Session, SessionConfig, Transmit};
use tcpls_crypto::wire::hello::CipherSuite;
use tcpls_crypto::wire::hello::join::size::{self, ServerFlight};
use tcpls_crypto::wire::hello::join::{CHANGE_CIPHER_SPEC, JoinRequest, JoinShape, JoinTemplate};
use tcpls_crypto::wire::{ConnectionId, ExtensionCodec, RecordSequence, Role, Token};
use tcpls_crypto::{
    Answer, ClientHandshake, Established, FirstFlight, HandshakeInfo, HelloReader, Offer, Options,
    RandomBlock, RecordOpener, RecordSealer, ServerHandshake, SessionKeys, TlsClient, TlsServer,
    WriteBuffer,
};

use crate::Work;

/// Joins to sessions of one server, all with the keys of one handshake.
pub(crate) struct Joins {
    shape: JoinShape,
    template: JoinTemplate,
    client_keys: SessionKeys,
    server: Server,
}

/// What a server knows when a connection comes in.
struct Server {
    keys: SessionKeys,
    info: HandshakeInfo,
    random: Mutex<RandomBlock>,
    /// The unused tokens of all sessions, by value as the endpoint keeps them.
    tokens: Mutex<HashMap<[u8; 32], ConnectionId>>,
}

/// The connection that joins with the token of the handshake.
const FIRST_JOINED: ConnectionId = ConnectionId::from_wire(1);
/// Tokens of other sessions among which the right one is found.
const OTHER_TOKENS: usize = 10_000;
/// More plaintext than a first record has.
const BATCH: usize = 64 * 1024;
/// Space for a first record: connections take theirs from a common store.
const RECORD: usize = 4096;

impl Joins {
    pub(crate) fn new(group: &'static dyn SupportedKxGroup, shape: JoinShape) -> Self {
        let mut base = aws_lc_rs::default_provider();
        base.kx_groups = vec![group];
        let (client, server) = handshake(&base);
        let facts = client.info.session_facts();
        let hello = client.client_hello.as_deref().unwrap();
        let template = JoinTemplate::new(hello, ExtensionCodec::default(), facts).unwrap();
        let server = Server {
            keys: server.keys,
            info: server.info,
            random: Mutex::new(RandomBlock::new(base.secure_random)),
            tokens: Mutex::default(),
        };
        for _ in 0..OTHER_TOKENS {
            server.insert(&server.token(), FIRST_JOINED);
        }
        Self {
            shape,
            template,
            client_keys: client.keys,
            server,
        }
    }

    /// All that a client sends to join: hello, `change_cipher_spec` and a record with a Ping.
    fn sent_by_client(&self, token: &Token) -> BytesMut {
        let mut random = |buffer: &mut [u8]| self.server.fill(buffer);
        let mut sent = Vec::new();
        self.template
            .hello(self.shape, token.as_token_ref(), &mut random, &mut sent);
        sent.extend_from_slice(&CHANGE_CIPHER_SPEC);
        let id = FIRST_JOINED;
        let suite = self.template.suite();
        let start = ConnectionStart {
            record_sizes: [size::client_first(self.shape, suite, &mut random), 0],
            ..ConnectionStart::joined(id)
        };
        let mut session = Session::new(Role::Client, SessionConfig::new(), now());
        session.handle_early_token(token.duplicate());
        let _taken = session.take_token();
        session.add_connection(ConnectionStart::joined(ConnectionId::FIRST), now());
        let joined = session.add_connection(start, now());
        session.ping(joined);
        let mut sealer = sealer(&self.client_keys, id);
        sent.extend_from_slice(seal(&mut session, joined, &mut sealer).pending());
        BytesMut::from(sent.as_slice())
    }
}

impl Work for Joins {
    fn once(&mut self) -> Duration {
        let server = &self.server;
        let mut issued = Vec::new();
        let (mut session, token) = server.session(&mut issued);
        let mut received = self.sent_by_client(&token);

        let start = cpu::now();
        let (answer, first) = server.join(&mut session, &mut issued, &mut received, self.shape);
        let time = cpu::since(start);

        assert!(answer.len() > 100 && first.len() > 40);
        // The tokens of a session go with it.
        let mut tokens = server.tokens.lock().unwrap();
        for token in &issued {
            tokens.remove(token.as_bytes());
        }
        time
    }
}

impl Server {
    /// A session with its first connection and all the tokens that it wants; the early one is given.
    fn session(&self, issued: &mut Vec<Token>) -> (Session, Token) {
        let now = now();
        let mut session = Session::new(Role::Server, SessionConfig::new(), now);
        let early = self.token();
        self.insert(&early, FIRST_JOINED);
        session.handle_early_token(early.duplicate());
        let first = session.add_connection(ConnectionStart::joined(ConnectionId::FIRST), now);
        self.issue_tokens(&mut session, issued);
        // The New Token frames are on their way before anybody joins.
        seal(
            &mut session,
            first,
            &mut sealer(&self.keys, ConnectionId::FIRST),
        );
        (session, early)
    }

    /// Answers what a client sent to join `session`: what goes out before the client has proved
    /// itself, and the first record after that.
    fn join(
        &self,
        session: &mut Session,
        issued: &mut Vec<Token>,
        received: &mut BytesMut,
        shape: JoinShape,
    ) -> (Vec<u8>, WriteBuffer) {
        let mut reader = HelloReader::new(ExtensionCodec::default());
        let FirstFlight::Join(join) = reader.read(received).unwrap() else {
            panic!("a join is one");
        };
        let id = self.tokens.lock().unwrap().remove(join.token().as_bytes());
        let id = session.redeem_token(id.unwrap()).unwrap().id;
        let hello = join.client_hello().unwrap();
        assert_eq!(
            hello.server_name().unwrap(),
            self.info.server_name.as_deref()
        );
        let request = JoinRequest::parse(&hello).unwrap();
        assert_eq!(request.shape(), shape);
        let suite = CipherSuite::from_wire(self.info.suite.code_point());
        let mut answer = Vec::new();
        let mut random = |buffer: &mut [u8]| self.fill(buffer);
        request.answer(suite, &mut random, &mut answer);

        let receiving = Arc::clone(&self.keys.receive);
        let mut opener = RecordOpener::new(receiving, id, RecordSequence::ZERO).unwrap();
        let record = opener.open_next(received).unwrap().unwrap();
        let mut sealer = sealer(&self.keys, id);
        let flight = ServerFlight {
            suite,
            protocol: 0,
            certificates: None,
        };
        let start = ConnectionStart {
            record_sizes: [flight.first_record(shape), 0],
            ..ConnectionStart::joined(id)
        };
        let now = now();
        let connection = session.add_connection(start, now);
        session.handle_record(connection, record, now);
        session.ping(connection);
        self.issue_tokens(session, issued);
        assert!(session.is_established(connection));
        (answer, seal(session, connection, &mut sealer))
    }

    fn issue_tokens(&self, session: &mut Session, issued: &mut Vec<Token>) {
        while let Some(event) = session.poll_event() {
            if let Event::TokensWanted(count) = event {
                for _ in 0..count {
                    let token = self.token();
                    let id = session.issue_token(token.duplicate()).unwrap();
                    self.insert(&token, id);
                    issued.push(token);
                }
            }
        }
    }

    fn fill(&self, buffer: &mut [u8]) {
        self.random.lock().unwrap().fill(buffer).unwrap();
    }

    fn token(&self) -> Token {
        let mut token = [0; 32];
        self.fill(&mut token);
        Token::from_bytes(token)
    }

    fn insert(&self, token: &Token, id: ConnectionId) {
        let mut tokens = self.tokens.lock().unwrap();
        tokens.insert(*token.as_bytes(), id);
    }
}

/// What the session takes for the time.
#[allow(
    clippy::disallowed_methods,
    reason = "a bench stands where the runtime does, and pays for the clock as it does"
)]
fn now() -> Instant {
    Instant::now()
}

/// A TCPLS handshake in memory.
fn handshake(base: &CryptoProvider) -> (Established, Established) {
    let provider = Arc::new(tcpls_crypto::provider(base));
    let identity = Identity::generate().unwrap();
    let tls_client = TlsClient::new(&identity.client(&provider).unwrap()).unwrap();
    let tls_server = TlsServer::new(&identity.server(&provider).unwrap()).unwrap();
    let options = Options::default();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let offer = Offer::Tcpls { params: None };
    let mut client = ClientHandshake::new(&tls_client, name, offer, options).unwrap();
    let (mut sent, mut to_server, mut to_client) = (Vec::new(), BytesMut::new(), BytesMut::new());
    client.write(&mut sent);
    to_server.extend_from_slice(&sent);
    let FirstFlight::Hello(hello) = HelloReader::new(options.codec)
        .read(&mut to_server)
        .unwrap()
    else {
        panic!("a hello joins nothing");
    };
    let answer = Answer::Tcpls {
        token: None,
        params: None,
    };
    let mut server = ServerHandshake::accept(&hello, &tls_server, answer, options).unwrap();
    while !(client.is_complete() && server.is_complete()) {
        sent.clear();
        server.write(&mut sent);
        to_client.extend_from_slice(&sent);
        client.read(&mut to_client).unwrap();
        sent.clear();
        client.write(&mut sent);
        to_server.extend_from_slice(&sent);
        server.read(&mut to_server).unwrap();
    }
    server.write(&mut sent);
    (client.finish().unwrap(), server.finish().unwrap())
}

/// The sealer of a connection that joined.
fn sealer(keys: &SessionKeys, id: ConnectionId) -> RecordSealer {
    RecordSealer::new(Arc::clone(&keys.send), id, RecordSequence::ZERO).unwrap()
}

/// What the session has for this connection, sealed.
fn seal(
    session: &mut Session,
    connection: ConnectionHandle,
    sealer: &mut RecordSealer,
) -> WriteBuffer {
    let mut transmit = Transmit::new();
    let _state = session.poll_transmit(connection, BATCH, now(), &mut transmit);
    let mut out = WriteBuffer::with_capacity(RECORD);
    for record in &transmit.records {
        let sequence = sealer.seal(&record.plaintext(&transmit.tails), &mut out);
        assert_eq!(sequence.unwrap(), record.sequence);
    }
    out
}
