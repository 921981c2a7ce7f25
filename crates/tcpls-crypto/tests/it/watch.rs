//! rustls on suites that only watch, with both ends in memory.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, LazyLock, Mutex};

use rustls::client::UnbufferedClientConnection;
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    OutboundOpaqueMessage, OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider, SupportedKxGroup};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{
    ClientConfig, ConnectionTrafficSecrets, ContentType, Error, ServerConfig, SupportedCipherSuite,
    Tls13CipherSuite,
};

use crate::peers::*;

/// What a watched suite was used for.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A hash context was made, inside a call into rustls or not.
    Start(Where),
    /// Bytes were added to a context.
    Update(Vec<u8>),
    /// An encrypter or decrypter with a key of this length.
    Encrypter(Where, usize),
    Decrypter(Where, usize),
    /// A record was sealed or opened: content type, plaintext, sequence.
    Sealed(ContentType, Vec<u8>, u64),
    Opened(ContentType, Vec<u8>, u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Where {
    Client,
    Server,
    Outside,
}

thread_local! {
    static INSIDE: Cell<Where> = const { Cell::new(Where::Outside) };
    // Tests run one to a thread.
    static LOG: RefCell<Vec<(Where, Seen)>> = const { RefCell::new(Vec::new()) };
}

/// Calls rustls as one of the two ends.
pub fn inside<T>(place: Where, call: impl FnOnce() -> T) -> T {
    let before = INSIDE.replace(place);
    let result = call();
    INSIDE.set(before);
    result
}

fn note(seen: Seen) {
    LOG.with_borrow_mut(|log| log.push((INSIDE.get(), seen)));
}

pub fn seen_by(place: Where) -> Vec<Seen> {
    let here = |(at, seen): &(Where, Seen)| (*at == place).then(|| seen.clone());
    LOG.with_borrow(|log| log.iter().filter_map(here).collect())
}

struct WatchedHash(&'static dyn Hash);
struct WatchedContext(Box<dyn Context>);
struct WatchedAead(&'static dyn Tls13AeadAlgorithm);
struct WatchedEncrypter(Box<dyn MessageEncrypter>);
struct WatchedDecrypter(Box<dyn MessageDecrypter>);

impl Hash for WatchedHash {
    fn start(&self) -> Box<dyn Context> {
        note(Seen::Start(INSIDE.get()));
        Box::new(WatchedContext(self.0.start()))
    }
    fn hash(&self, data: &[u8]) -> Output {
        self.0.hash(data)
    }
    fn output_len(&self) -> usize {
        self.0.output_len()
    }
    fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }
}

impl Context for WatchedContext {
    fn fork_finish(&self) -> Output {
        self.0.fork_finish()
    }
    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.fork()))
    }
    fn finish(self: Box<Self>) -> Output {
        self.0.finish()
    }
    fn update(&mut self, data: &[u8]) {
        note(Seen::Update(data.to_vec()));
        self.0.update(data);
    }
}

impl Tls13AeadAlgorithm for WatchedAead {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        note(Seen::Encrypter(INSIDE.get(), key.as_ref().len()));
        Box::new(WatchedEncrypter(self.0.encrypter(key, iv)))
    }
    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        note(Seen::Decrypter(INSIDE.get(), key.as_ref().len()));
        Box::new(WatchedDecrypter(self.0.decrypter(key, iv)))
    }
    fn key_len(&self) -> usize {
        self.0.key_len()
    }
    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

impl MessageEncrypter for WatchedEncrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        note(Seen::Sealed(
            message.typ,
            message.payload.to_vec(),
            sequence,
        ));
        self.0.encrypt(message, sequence)
    }
    fn encrypted_payload_len(&self, len: usize) -> usize {
        self.0.encrypted_payload_len(len)
    }
}

impl MessageDecrypter for WatchedDecrypter {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let opened = self.0.decrypt(message, sequence)?;
        note(Seen::Opened(opened.typ, opened.payload.to_vec(), sequence));
        Ok(opened)
    }
}

/// The TLS 1.3 suites of the base provider, watched; AES-128-GCM first.
fn watched(groups: &[&'static dyn SupportedKxGroup]) -> CryptoProvider {
    static SUITES: LazyLock<Mutex<Vec<SupportedCipherSuite>>> = LazyLock::new(|| {
        let suites = base()
            .cipher_suites
            .into_iter()
            .filter_map(|suite| suite.tls13());
        let watch = |suite: &'static Tls13CipherSuite| -> SupportedCipherSuite {
            let watched: &'static Tls13CipherSuite = Box::leak(Box::new(Tls13CipherSuite {
                common: CipherSuiteCommon {
                    suite: suite.common.suite,
                    hash_provider: Box::leak(Box::new(WatchedHash(suite.common.hash_provider))),
                    confidentiality_limit: suite.common.confidentiality_limit,
                },
                hkdf_provider: suite.hkdf_provider,
                aead_alg: Box::leak(Box::new(WatchedAead(suite.aead_alg))),
                quic: None,
            }));
            watched.into()
        };
        let mut suites: Vec<_> = suites.map(watch).collect();
        suites.sort_by_key(|suite| u16::from(suite.suite()));
        Mutex::new(suites)
    });
    CryptoProvider {
        cipher_suites: SUITES.lock().unwrap().clone(),
        kx_groups: groups.to_vec(),
        ..base()
    }
}

/// Two rustls connections and the bytes between them.
pub struct Pair {
    pub client: UnbufferedClientConnection,
    pub server: UnbufferedServerConnection,
    pub to_client: Vec<u8>,
    pub to_server: Vec<u8>,
}

/// The state of one end after it has read all it can.
pub fn drive<Data>(status: UnbufferedStatus<'_, '_, Data>, out: &mut Vec<u8>) -> (usize, bool) {
    let UnbufferedStatus { discard, state, .. } = status;
    let again = match state.unwrap() {
        ConnectionState::EncodeTlsData(mut data) => {
            let mut space = vec![0; 20_000];
            let len = data.encode(&mut space).unwrap();
            out.extend_from_slice(&space[..len]);
            true
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            true
        }
        _ => false,
    };
    (discard, again)
}

impl Pair {
    pub fn new(client: ClientConfig, server: ServerConfig) -> Self {
        let client = inside(Where::Client, || {
            UnbufferedClientConnection::new(Arc::new(client), name()).unwrap()
        });
        let server = UnbufferedServerConnection::new(Arc::new(server)).unwrap();
        Self {
            client,
            server,
            to_client: Vec::new(),
            to_server: Vec::new(),
        }
    }

    /// Runs the handshake; what is left for the client is what the server sent after it.
    pub fn shake_hands(mut self) -> Self {
        for _ in 0..200 {
            let (discard, client) = inside(Where::Client, || {
                let input = if self.client.is_handshaking() {
                    &mut self.to_client[..]
                } else {
                    &mut []
                };
                drive(self.client.process_tls_records(input), &mut self.to_server)
            });
            self.to_client.drain(..discard);
            let (discard, server) = inside(Where::Server, || {
                let status = self.server.process_tls_records(&mut self.to_server);
                drive(status, &mut self.to_client)
            });
            self.to_server.drain(..discard);
            if !client && !server && !self.client.is_handshaking() && !self.server.is_handshaking()
            {
                return self;
            }
        }
        panic!("the handshake stalls");
    }
}

pub fn configs(
    client: &[&'static dyn SupportedKxGroup],
    server: &[&'static dyn SupportedKxGroup],
) -> (ClientConfig, ServerConfig) {
    let mut client = client_config(watched(client));
    client.enable_secret_extraction = true;
    let mut server = server_config(watched(server));
    server.enable_secret_extraction = true;
    (client, server)
}

pub fn watched_handshake() -> Pair {
    let (client, server) = configs(&[kx_group::X25519], &[kx_group::X25519]);
    Pair::new(client, server).shake_hands()
}

/// Handshake types of the messages in `data`, the last of which may be cut.
pub fn kinds(mut data: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [kind, a, b, c, rest @ ..] = data {
        kinds.push(*kind);
        let len = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        data = &rest[len.min(rest.len())..];
    }
    kinds
}

pub fn updates(seen: &[Seen]) -> Vec<Vec<u8>> {
    let data = |seen: &Seen| match seen {
        Seen::Update(data) => Some(data.clone()),
        _ => None,
    };
    seen.iter().filter_map(data).collect()
}

/// Forgets what was seen so far.
pub fn look_again() {
    LOG.take();
}
