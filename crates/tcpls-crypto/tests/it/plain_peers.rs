//! Against rustls by itself, which knows nothing of TCPLS: the handshake falls back to plain TLS 1.3,
//! and its records and ours are the same.

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::BytesMut;
use rustls::{ClientConnection, Connection, HandshakeKind, ServerConnection};
use tcpls_crypto::wire::{Alert, Role, SessionParams};
use tcpls_crypto::{
    ClientHandshake, ContentType, Established, KeyUpdateRequest, Negotiated, Offer, Options,
    PlainReason, Plaintext, PostHandshake, PostHandshakeMessage, RecordOpener, RecordSealer,
    TlsClient, TlsServer, WriteBuffer, key_update_message, provider,
};

use crate::peers::*;
use crate::records::combinations;
use crate::talk::halves;

/// Gives `bytes` to rustls.
fn feed(rustls: &mut Connection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        rustls.read_tls(&mut bytes).unwrap();
        rustls.process_new_packets().unwrap();
    }
}

/// Takes what rustls wants to send.
fn drain(rustls: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    while rustls.wants_write() {
        rustls.write_tls(&mut out).unwrap();
    }
    out
}

fn received(rustls: &mut Connection) -> Vec<u8> {
    let mut data = vec![0; 1000];
    let len = rustls.reader().read(&mut data).unwrap();
    data.truncate(len);
    data
}

/// Our client with rustls as the server; returns also what rustls sent behind the handshake.
fn with_stock_server(tls: &TlsClient, offer: Offer, options: Options) -> (Established, Plain) {
    let config = Arc::new(server_config(base()));
    let mut rustls = Connection::Server(ServerConnection::new(config).unwrap());
    let mut client = ClientHandshake::new(tls, name(), offer, options).unwrap();
    let (mut input, mut out) = (BytesMut::new(), Vec::new());
    loop {
        client.write(&mut out);
        if client.is_complete() && out.is_empty() {
            break;
        }
        feed(&mut rustls, &out);
        out.clear();
        input.extend_from_slice(&drain(&mut rustls));
        client.read(&mut input).unwrap();
    }
    input.extend_from_slice(&drain(&mut rustls));
    let established = client.finish().unwrap();
    let plain = Plain::new(Role::Client, &established, rustls, input);
    (established, plain)
}

/// Our server with rustls as the client.
fn with_stock_client(tls: &TlsServer) -> (Established, Plain) {
    let config = Arc::new(client_config(base()));
    let mut rustls = Connection::Client(ClientConnection::new(config, name()).unwrap());
    let mut server = Server::accepting(tls, answer(), Options::default());
    let (mut input, mut out) = (BytesMut::new(), Vec::new());
    while rustls.is_handshaking() || !server.is_complete() {
        input.extend_from_slice(&drain(&mut rustls));
        server.read(&mut input).unwrap();
        server.write(&mut out);
        feed(&mut rustls, &out);
        out.clear();
    }
    let established = server.finish().unwrap();
    let plain = Plain::new(Role::Server, &established, rustls, input);
    (established, plain)
}

/// A plain TLS connection between our record layer and rustls.
struct Plain {
    rustls: Connection,
    sealer: RecordSealer,
    opener: RecordOpener,
    messages: PostHandshake,
    input: BytesMut,
}

impl Plain {
    fn new(role: Role, ours: &Established, rustls: Connection, input: BytesMut) -> Self {
        let (sealer, opener) = halves(ours);
        Self {
            rustls,
            sealer,
            opener,
            messages: PostHandshake::new(role),
            input,
        }
    }

    fn send(&mut self, plaintext: &Plaintext<'_>) {
        let mut out = WriteBuffer::new();
        self.sealer.seal(plaintext, &mut out).unwrap();
        feed(&mut self.rustls, out.pending());
    }

    /// What rustls has sent: application data, and the messages among it.
    fn receive(&mut self) -> (Vec<u8>, Vec<PostHandshakeMessage>) {
        self.input.extend_from_slice(&drain(&mut self.rustls));
        let (mut data, mut messages) = (Vec::new(), Vec::new());
        while let Some(record) = self.opener.open_next(&mut self.input).unwrap() {
            match record.content_type {
                ContentType::ApplicationData => data.extend_from_slice(&record.payload),
                ContentType::Handshake => {
                    self.messages.handle(&record.payload);
                    messages.extend(std::iter::from_fn(|| self.messages.poll().unwrap()));
                }
                ContentType::Alert => {
                    assert_eq!(&record.payload[..], Alert::CLOSE_NOTIFY.encode());
                }
            }
        }
        (data, messages)
    }

    /// Sends both ways, with the lead and the tail of a record as rustls never cuts them.
    fn talk(&mut self) -> Vec<PostHandshakeMessage> {
        for size in [0, 1, 15, 16, 17, 900] {
            let (lead, tail) = (vec![1; size], vec![2; 17]);
            let plaintext = Plaintext {
                padding: 5,
                ..Plaintext::application_data(&lead, &tail)
            };
            self.send(&plaintext);
            assert_eq!(received(&mut self.rustls), [lead, tail].concat());
        }
        self.rustls.writer().write_all(b"from rustls").unwrap();
        let (data, messages) = self.receive();
        assert_eq!(data, b"from rustls");
        messages
    }
}

/// R35: a server that does not know TCPLS ignores the offer; Connection ID 0 is plain TLS 1.3, so
/// rustls opens what we seal and the other way round, in every suite and on every backend.
#[test]
fn plain_tls_with_a_stock_server() {
    for (suite, backend) in combinations() {
        let mut base = base();
        base.cipher_suites
            .retain(|known| known.suite() == suite.to_rustls());
        let tls = TlsClient::new(&client_config(provider(&base))).unwrap();
        let options = Options {
            backend,
            ..Options::default()
        };
        let offer = Offer::Tcpls {
            params: Some(SessionParams::default()),
        };
        let (ours, mut plain) = with_stock_server(&tls, offer, options);
        assert_eq!(ours.negotiated, Negotiated::Plain(PlainReason::NotAccepted));
        assert_eq!(ours.info.suite, suite);
        let tickets = plain.talk();
        assert_eq!(tickets.len(), 2);
    }
}

/// R35: a client that does not offer TCPLS gets plain TLS 1.3.
#[test]
fn plain_tls_with_a_stock_client() {
    let (ours, mut plain) = with_stock_client(&tls_server());
    assert_eq!(ours.negotiated, Negotiated::Plain(PlainReason::NotOffered));
    assert_eq!(plain.talk(), []);
}

/// without an offer nothing of TCPLS is in the hello.
#[test]
fn plain_offer_leaves_no_trace() {
    let (ours, mut plain) = with_stock_server(&tls_client(), Offer::Plain, Options::default());
    assert_eq!(ours.negotiated, Negotiated::Plain(PlainReason::NotOffered));
    plain.talk();
}

/// tickets of a stock server arrive in records and resume the next handshake with it.
#[test]
fn tickets_of_a_stock_server_resume() {
    let config = Arc::new(server_config(base()));
    let tls = tls_client();
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut rustls = Connection::Server(ServerConnection::new(Arc::clone(&config)).unwrap());
        let mut client = client(&tls);
        let (mut input, mut out) = (BytesMut::new(), Vec::new());
        while !client.is_complete() || rustls.is_handshaking() {
            client.write(&mut out);
            feed(&mut rustls, &out);
            out.clear();
            input.extend_from_slice(&drain(&mut rustls));
            client.read(&mut input).unwrap();
        }
        let ours = client.finish().unwrap();
        assert_eq!(ours.info.kind, expected);
        let mut plain = Plain::new(Role::Client, &ours, rustls, input);
        for message in plain.talk() {
            match message {
                PostHandshakeMessage::NewSessionTicket(ticket) => {
                    ours.tickets.store(&ticket).unwrap();
                }
                PostHandshakeMessage::KeyUpdate(_) => panic!("nobody updates keys"),
            }
        }
    }
}

/// key updates of rustls and ours are the same thing.
#[test]
fn key_updates_with_a_stock_peer() {
    let tls = tls_client();
    let offer = Offer::Tcpls { params: None };
    let (_, mut plain) = with_stock_server(&tls, offer, Options::default());
    plain.talk();

    // Ours, asking for one in return: rustls answers before it next writes.
    let update = key_update_message(KeyUpdateRequest::Requested);
    plain.send(&Plaintext::new(ContentType::Handshake, &update));
    assert_eq!(plain.sealer.generation(), 1);
    let answer = PostHandshakeMessage::KeyUpdate(KeyUpdateRequest::NotRequested);
    assert_eq!(plain.talk(), [answer]);
    assert_eq!(plain.opener.generation(), 1);

    // Theirs, asking for one in return.
    plain.rustls.refresh_traffic_keys().unwrap();
    let (_, messages) = plain.receive();
    assert_eq!(
        messages,
        [PostHandshakeMessage::KeyUpdate(KeyUpdateRequest::Requested)]
    );
    assert_eq!(plain.opener.generation(), 2);
    let update = key_update_message(KeyUpdateRequest::NotRequested);
    plain.send(&Plaintext::new(ContentType::Handshake, &update));
    assert_eq!(plain.talk(), []);
    assert_eq!(
        (plain.sealer.generation(), plain.opener.generation()),
        (2, 2)
    );
}

/// Exported keying material is what rustls exports (RFC 8446 section 7.5).
#[test]
fn exporter_equals_that_of_a_stock_peer() {
    for (suite, _) in combinations() {
        let mut base = base();
        base.cipher_suites
            .retain(|known| known.suite() == suite.to_rustls());
        let tls = TlsClient::new(&client_config(provider(&base))).unwrap();
        let offer = Offer::Tcpls { params: None };
        let (ours, plain) = with_stock_server(&tls, offer, Options::default());
        let Connection::Server(rustls) = &plain.rustls else {
            panic!("a server")
        };
        for context in [&b""[..], b"some context"] {
            let mut material = [0; 50];
            ours.exporter
                .export_keying_material(b"EXPORTER-x", context, &mut material)
                .unwrap();
            let theirs = rustls.export_keying_material([0; 50], b"EXPORTER-x", Some(context));
            assert_eq!(theirs.unwrap(), material);
        }
    }
}

/// The wrapped suites serve rustls by itself as well.
#[test]
fn stock_connections_on_our_provider() {
    let client = Arc::new(client_config(tcpls_provider()));
    let server = Arc::new(server_config(tcpls_provider()));
    let mut client = Connection::Client(ClientConnection::new(client, name()).unwrap());
    let mut server = Connection::Server(ServerConnection::new(server).unwrap());
    while client.is_handshaking() || server.is_handshaking() {
        feed(&mut server, &drain(&mut client));
        feed(&mut client, &drain(&mut server));
    }
    client.writer().write_all(b"plain").unwrap();
    feed(&mut server, &drain(&mut client));
    assert_eq!(received(&mut server), b"plain");
}
