//! The hellos of joins against rustls by itself: it reads them like any others, and what it answers
//! is told from an answer to a join.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::Acceptor;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use tcpls_crypto::wire::hello::CipherSuite;
use tcpls_crypto::wire::hello::join::{
    AnswerReader, AnswerStage, JoinFailure, JoinGroup, JoinOffer, JoinRequest, JoinShape,
    JoinTemplate,
};
use tcpls_crypto::wire::{ClientHello, ExtensionCodec, ExtensionType, ServerHello, Token};
use tcpls_crypto::{FirstFlight, HandshakeInfo, HelloReader, Options, TlsClient, TlsServer};

use crate::peers::*;

const SHAPES: [JoinShape; 2] = [JoinShape::Resumption, JoinShape::Full];
const TOKEN: [u8; 32] = [0x55; 32];
const PROTOCOLS: [&[u8]; 2] = [b"tcpls-test", b"h2"];

/// A client's session with what it takes to join it.
struct Session {
    first_hello: Vec<u8>,
    info: HandshakeInfo,
    template: JoinTemplate,
}

impl Session {
    /// A session whose client and server know these key exchange groups.
    fn with_groups(client: &CryptoProvider, server: &CryptoProvider) -> Self {
        let mut config = client_config(tcpls_crypto::provider(client));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        let client = TlsClient::new(&config).unwrap();
        let mut config = server_config(tcpls_crypto::provider(server));
        config.alpn_protocols = vec![PROTOCOLS[0].to_vec()];
        let server = TlsServer::new(&config).unwrap();
        let ends = session(&client, &server, Options::default());
        let first_hello = ends.client.client_hello.unwrap();
        assert_eq!(first_hello, last_hello(&ends.wire.sent_by_client));
        assert_eq!(ends.server.client_hello, None);
        let info = ends.client.info;
        let codec = ExtensionCodec::default();
        let template = JoinTemplate::new(&first_hello, codec, info.session_facts()).unwrap();
        Self {
            first_hello,
            info,
            template,
        }
    }

    fn join(&self, shape: JoinShape) -> (Vec<u8>, JoinOffer) {
        let mut record = Vec::new();
        let token = Token::from_bytes(TOKEN);
        let offer = self
            .template
            .hello(shape, token.as_token_ref(), &mut random, &mut record);
        (record, offer)
    }
}

fn random(buffer: &mut [u8]) {
    base().secure_random.fill(buffer).unwrap();
}

/// A provider with these groups only.
fn groups(groups: &[&'static dyn rustls::crypto::SupportedKxGroup]) -> CryptoProvider {
    CryptoProvider {
        kx_groups: groups.to_vec(),
        ..base()
    }
}

/// A provider that likes this group best: given a share of another, rustls asks for one of it.
fn liking(group: JoinGroup) -> CryptoProvider {
    match group {
        JoinGroup::X25519MlKem768 => base(),
        JoinGroup::X25519 => groups(&[aws_lc_rs::kx_group::X25519]),
    }
}

/// Pairs of peers that agree on the hybrid group, on X25519, and on another after a
/// `HelloRetryRequest`.
fn sessions() -> [(Session, JoinGroup); 3] {
    use aws_lc_rs::kx_group::{SECP256R1, X25519};
    [
        (
            Session::with_groups(&base(), &base()),
            JoinGroup::X25519MlKem768,
        ),
        (
            Session::with_groups(&base(), &groups(&[X25519])),
            JoinGroup::X25519,
        ),
        (
            Session::with_groups(&base(), &groups(&[SECP256R1])),
            JoinGroup::X25519,
        ),
    ]
}

/// The last `ClientHello` among these records.
fn last_hello(mut records: &[u8]) -> Vec<u8> {
    let mut last = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = records {
        let (body, next) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        if *kind == 22 {
            last = body.to_vec();
        }
        records = next;
    }
    last
}

fn in_record(message: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&[22, 3, 1, high, low], message].concat()
}

/// What a stock server reads in the record of a hello.
#[derive(Debug, PartialEq)]
struct Read {
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    suites: Vec<rustls::CipherSuite>,
    schemes: Vec<rustls::SignatureScheme>,
    groups: Option<Vec<rustls::NamedGroup>>,
}

fn read_by_rustls(record: &[u8]) -> Read {
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut &record[..]).unwrap();
    let accepted = acceptor
        .accept()
        .unwrap_or_else(|(error, _)| panic!("{error}"));
    let accepted = accepted.expect("a whole hello");
    let hello = accepted.client_hello();
    Read {
        server_name: hello.server_name().map(str::to_owned),
        alpn: hello.alpn().unwrap().map(<[u8]>::to_vec).collect(),
        suites: hello.cipher_suites().to_vec(),
        schemes: hello.signature_schemes().to_vec(),
        groups: hello.named_groups().map(<[_]>::to_vec),
    }
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut out).unwrap();
    }
    out
}

fn feed(connection: &mut Connection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        connection.read_tls(&mut bytes).unwrap();
        connection.process_new_packets().unwrap();
    }
}

/// What a stock server with this provider answers to a hello.
fn answer_of_rustls(provider: CryptoProvider, record: &[u8]) -> Vec<u8> {
    let mut config = server_config(provider);
    config.alpn_protocols = vec![PROTOCOLS[0].to_vec()];
    config.max_early_data_size = 1000;
    let mut server = Connection::Server(ServerConnection::new(Arc::new(config)).unwrap());
    feed(&mut server, record);
    drain(&mut server)
}

fn server_hello(answer: &[u8]) -> ServerHello<'_> {
    let length = usize::from(u16::from_be_bytes([answer[3], answer[4]]));
    ServerHello::parse(&answer[5..5 + length]).unwrap()
}

/// The extensions of a `ServerHello` in order, with the lengths of their bodies.
fn layout(hello: &ServerHello<'_>) -> Vec<(u16, usize)> {
    hello
        .extensions()
        .iter()
        .map(|extension| (extension.kind.as_u16(), extension.body.len()))
        .collect()
}

/// R23, A-20: a stock server reads in a join what it reads in the first hello.
#[test]
fn joins_are_read_by_rustls() {
    for (session, group) in sessions() {
        assert_eq!(session.template.group(), group);
        let first = read_by_rustls(&in_record(&session.first_hello));
        assert_eq!(first.server_name.as_deref(), Some(NAME));
        assert_eq!(first.alpn, PROTOCOLS);
        for shape in SHAPES {
            let (record, _) = session.join(shape);
            assert_eq!(read_by_rustls(&record), first);
        }
    }
}

/// the two ends of a join understand each other.
#[test]
fn joins_are_answered_in_kind() {
    for (session, group) in sessions() {
        for shape in SHAPES {
            let (record, offer) = session.join(shape);
            let mut input = BytesMut::from(&record[..]);
            let mut reader = HelloReader::new(ExtensionCodec::default());
            let FirstFlight::Join(join) = reader.read(&mut input).unwrap() else {
                panic!("a join is one");
            };
            assert_eq!(*join.token(), Token::from_bytes(TOKEN));
            let hello = join.client_hello().unwrap();
            let request = JoinRequest::parse(&hello).unwrap();
            assert_eq!((request.shape(), request.group()), (shape, Some(group)));
            let suite = CipherSuite::from_wire(session.info.suite.code_point());
            let mut answer = Vec::new();
            request.answer(suite, &mut random, &mut answer);
            let progress = AnswerReader::new(offer).read(&answer).unwrap();
            assert_eq!(progress.stage, AnswerStage::Answered);
            assert_eq!(progress.consumed, answer.len());
        }
    }
}

/// a stock server that is reached instead does a real handshake with the made-up key shares;
/// it has no such ticket, which a resumption notices, and what it protects opens for nobody.
#[test]
fn another_server_answers_with_a_handshake() {
    for (session, group) in sessions() {
        let (record, offer) = session.join(JoinShape::Resumption);
        let answer = answer_of_rustls(liking(group), &record);
        assert_eq!(
            AnswerReader::new(offer).read(&answer),
            Err(JoinFailure::WithoutPreSharedKey)
        );
        let (record, offer) = session.join(JoinShape::Full);
        let answer = answer_of_rustls(liking(group), &record);
        let progress = AnswerReader::new(offer).read(&answer).unwrap();
        assert_eq!(progress.stage, AnswerStage::Protected);
        assert_eq!(answer[progress.consumed], 23);
    }
}

/// a stock server that wants another group asks for another hello.
#[test]
fn another_server_asks_for_another_hello() {
    let provider = groups(&[aws_lc_rs::kx_group::SECP256R1]);
    for (session, _) in sessions() {
        for shape in SHAPES {
            let (record, offer) = session.join(shape);
            let answer = answer_of_rustls(provider.clone(), &record);
            assert_eq!(
                AnswerReader::new(offer).read(&answer),
                Err(JoinFailure::HelloRetryRequest)
            );
        }
    }
}

/// R23, A-20: the answer to a join has the layout of what a stock server answers to the same hello.
#[test]
fn answers_are_laid_out_like_those_of_rustls() {
    for (session, group) in sessions() {
        let (record, _) = session.join(JoinShape::Full);
        let real = answer_of_rustls(liking(group), &record);
        let hello = ClientHello::parse(&record[5..]).unwrap();
        let mut ours = Vec::new();
        let suite = CipherSuite::from_wire(session.info.suite.code_point());
        JoinRequest::parse(&hello)
            .unwrap()
            .answer(suite, &mut random, &mut ours);
        let protected = ours.len();
        assert_eq!(ours[protected - 6..], real[protected - 6..protected]);
        assert_eq!(real[protected], 23);
        let (real, ours) = (server_hello(&real), server_hello(&ours));
        assert_eq!(layout(&ours), layout(&real));
        assert_eq!(ours.session_id(), real.session_id());
        assert_eq!(ours.cipher_suite(), real.cipher_suite());
    }
}

/// R23, A-20: a join in the resumption shape, and its answer, have the extensions of a real resumption
/// with early data, in the same sizes.
#[test]
fn joins_look_like_a_resumption_of_rustls() {
    let mut config = client_config(base());
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    config.enable_early_data = true;
    let client = Arc::new(config);
    let mut config = server_config(base());
    config.alpn_protocols = vec![PROTOCOLS[0].to_vec()];
    config.max_early_data_size = 1000;
    let server = Arc::new(config);
    talk_once(&client, &server);
    let (real_hello, real_answer) = talk_once(&client, &server);

    let mut session = Session::with_groups(&groups_of(&client), &base());
    let real = ClientHello::parse(&real_hello[5..]).unwrap();
    let psk = real.extensions().get(ExtensionType::PRE_SHARED_KEY);
    let psk = psk.expect("the second time is a resumption");
    let ticket = usize::from(u16::from_be_bytes([psk[2], psk[3]]));
    session.template.set_ticket_length(ticket);
    let (record, _) = session.join(JoinShape::Resumption);
    let ours = ClientHello::parse(&record[5..]).unwrap();
    let sizes = |hello: &ClientHello<'_>| -> BTreeMap<u16, usize> {
        let extensions = hello.extensions();
        let sizes = extensions.iter().map(|one| (one.kind, one.body.len()));
        sizes
            .map(|(kind, size)| (kind.as_u16(), size))
            .filter(|(kind, _)| *kind < 0xff00)
            .collect()
    };
    // The template is of a client without TLS 1.2, which names fewer versions and more of TLS 1.2.
    let of_tls12 = [13, 23, 35, 43];
    let mut expected = sizes(&real);
    let mut found = sizes(&ours);
    for kind in of_tls12 {
        expected.remove(&kind);
        found.remove(&kind);
    }
    assert_eq!(found, expected);

    let mut answer = Vec::new();
    let request = JoinRequest::parse(&ours).unwrap();
    request.answer(session.template.suite(), &mut random, &mut answer);
    assert_eq!(
        layout(&server_hello(&answer)),
        layout(&server_hello(&real_answer))
    );
}

fn groups_of(config: &ClientConfig) -> CryptoProvider {
    config.crypto_provider().as_ref().clone()
}

/// A handshake of rustls with itself: the first flight of each side.
fn talk_once(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> (Vec<u8>, Vec<u8>) {
    let client = ClientConnection::new(Arc::clone(client), name()).unwrap();
    let mut client = Connection::Client(client);
    let mut server = Connection::Server(ServerConnection::new(Arc::clone(server)).unwrap());
    let hello = drain(&mut client);
    feed(&mut server, &hello);
    let answer = drain(&mut server);
    feed(&mut client, &answer);
    feed(&mut server, &drain(&mut client));
    feed(&mut client, &drain(&mut server));
    let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
    (hello[..5 + length].to_vec(), answer)
}
