//! The key schedule of RFC 8446 once more, written independently: it reads a whole handshake off the
//! wire with the secrets of the key log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes128Gcm, Nonce};
use hkdf::{
    Hkdf,
    hmac::{Hmac, Mac},
};
use rustls::KeyLog;
use sha2::{Digest, Sha256};
use tcpls_crypto::wire::{ConnectionId, Token};
use tcpls_crypto::{
    Answer, ContentType, KeyUpdateRequest, Options, Plaintext, RecordSealer, Suite, TlsClient,
    TlsServer, WriteBuffer, key_update_message, provider,
};

use crate::peers::*;
use crate::talk::halves;

/// The labels of a key log with their secrets.
#[derive(Debug, Default)]
struct Secrets(Mutex<BTreeMap<String, Vec<u8>>>);

impl Secrets {
    fn get(&self, label: &str) -> Vec<u8> {
        self.0.lock().unwrap()[label].clone()
    }

    fn labels(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        assert_eq!(client_random.len(), 32);
        self.0
            .lock()
            .unwrap()
            .insert(label.to_owned(), secret.to_vec());
    }
}

/// A session with AES-128-GCM and the key logs of both ends.
fn logged_session(token: Option<Token>) -> (Ends, Arc<Secrets>, Arc<Secrets>) {
    let mut base = base();
    base.cipher_suites
        .retain(|known| known.suite() == Suite::Aes128Gcm.to_rustls());
    let (client_log, server_log) = (Arc::<Secrets>::default(), Arc::<Secrets>::default());
    let mut config = client_config(provider(&base));
    config.key_log = client_log.clone();
    let tls_client = TlsClient::new(&config).unwrap();
    let mut config = server_config(provider(&base));
    config.key_log = server_log.clone();
    let tls_server = TlsServer::new(&config).unwrap();
    let answer = Answer::Tcpls {
        token,
        params: None,
    };
    let server = Server::accepting(&tls_server, answer, Options::default());
    let ends = shake_hands(client(&tls_client), server).unwrap();
    (ends, client_log, server_log)
}

fn expand_label(secret: &[u8], label: &str, len: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let mut info = u16::try_from(len).unwrap().to_be_bytes().to_vec();
    info.push(u8::try_from(label.len()).unwrap());
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut out = vec![0; len];
    Hkdf::<Sha256>::from_prk(secret)
        .unwrap()
        .expand(&info, &mut out)
        .unwrap();
    out
}

/// A record layer of one's own.
struct Keys {
    cipher: Aes128Gcm,
    iv: Vec<u8>,
}

impl Keys {
    fn new(secret: &[u8]) -> Self {
        let key = expand_label(secret, "key", 16);
        Self {
            cipher: Aes128Gcm::new_from_slice(&key).unwrap(),
            iv: expand_label(secret, "iv", 12),
        }
    }

    fn open(&self, connection: u32, sequence: u64, record: &[u8]) -> Vec<u8> {
        let mixed = [&connection.to_be_bytes()[..], &sequence.to_be_bytes()].concat();
        let nonce: Vec<u8> = self.iv.iter().zip(mixed).map(|(a, b)| a ^ b).collect();
        let payload = Payload {
            msg: &record[5..],
            aad: &record[..5],
        };
        let nonce = Nonce::try_from(&nonce[..]).unwrap();
        let mut inner = self
            .cipher
            .decrypt(&nonce, payload)
            .expect("an authentic record");
        while inner.last() == Some(&0) {
            inner.pop();
        }
        inner
    }
}

fn records(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let [_, _, _, high, low, ..] = stream {
        let (record, rest) = stream.split_at(5 + usize::from(u16::from_be_bytes([*high, *low])));
        records.push(record);
        stream = rest;
    }
    records
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// R2, R3, R38, R39: the transcript that the server's Finished signs is what is on the wire, with
/// `tcpls` in both hellos and the token in the second.
#[test]
fn finished_covers_what_is_on_the_wire() {
    let (ends, _, log) = logged_session(Some(Token::from_bytes([0xab; 32])));
    let mut transcript = Vec::new();
    let client = records(&ends.wire.sent_by_client);
    assert_eq!(client[0][0], 22);
    transcript.extend_from_slice(&client[0][5..]);
    assert!(
        contains(&transcript, &[0xff, 0x64, 0, 0]),
        "tcpls in the ClientHello"
    );
    let server = records(&ends.wire.sent_by_server);
    assert_eq!(server[0][0], 22);
    transcript.extend_from_slice(&server[0][5..]);

    let secret = log.get("SERVER_HANDSHAKE_TRAFFIC_SECRET");
    let keys = Keys::new(&secret);
    let protected = server.iter().filter(|record| record[0] == 23);
    let mut flight = Vec::new();
    for (sequence, record) in protected.enumerate() {
        let inner = keys.open(0, u64::try_from(sequence).unwrap(), record);
        let (content_type, messages) = inner.split_last().unwrap();
        assert_eq!(*content_type, 22);
        flight.extend_from_slice(messages);
        // Finished: 4 bytes of header and 32 of verification data.
        if flight[..flight.len() - 32].ends_with(&[20, 0, 0, 32]) {
            break;
        }
    }
    assert_eq!(flight[0], 8, "EncryptedExtensions come first");
    let token = [&[0xff, 0x66, 0, 33, 32][..], &[0xab; 32]].concat();
    assert!(contains(&flight, &[0xff, 0x64, 0, 0]) && contains(&flight, &token));

    let (signed, finished) = flight.split_at(flight.len() - 36);
    transcript.extend_from_slice(signed);
    let key = expand_label(&secret, "finished", 32);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(&Sha256::digest(&transcript));
    assert_eq!(mac.finalize().into_bytes()[..], finished[4..]);
}

/// R25: the keys that are handed over are those of the logged traffic secrets, in every
/// generation and for every connection.
#[test]
fn handed_over_keys_are_those_of_the_key_log() {
    let (ends, log, _) = logged_session(None);
    let ids = [0, 1, 77];
    for (end, label) in [
        (&ends.client, "CLIENT_TRAFFIC_SECRET_0"),
        (&ends.server, "SERVER_TRAFFIC_SECRET_0"),
    ] {
        let mut secret = log.get(label);
        for generation in 0..4 {
            let keys = Keys::new(&secret);
            for id in ids {
                let connection = ConnectionId::from_wire(id);
                let send = Arc::clone(&end.keys.send);
                let mut sealer = RecordSealer::starting_at(send, connection, generation).unwrap();
                let mut out = WriteBuffer::new();
                sealer
                    .seal(&Plaintext::application_data(b"data", b"!"), &mut out)
                    .unwrap();
                assert_eq!(keys.open(id, 0, out.pending()), b"data!\x17");
            }
            secret = expand_label(&secret, "traffic upd", 32);
        }
    }
}

/// the server's tickets are record 0, and numbers go on from there.
#[test]
fn numbers_of_the_first_connection_go_on_after_the_tickets() {
    let (ends, log, _) = logged_session(None);
    let keys = Keys::new(&log.get("SERVER_TRAFFIC_SECRET_0"));
    let tickets = records(&ends.wire.to_client);
    assert_eq!(
        tickets.len(),
        1,
        "rustls packs both tickets into one record"
    );
    let inner = keys.open(0, 0, tickets[0]);
    assert_eq!((inner.first(), inner.last()), (Some(&4), Some(&22)));

    let (mut sealer, _) = halves(&ends.server);
    let mut out = WriteBuffer::new();
    let update = key_update_message(KeyUpdateRequest::NotRequested);
    sealer
        .seal(&Plaintext::new(ContentType::Handshake, &update), &mut out)
        .unwrap();
    assert_eq!(
        keys.open(0, 1, out.pending()),
        [&update[..], &[22]].concat()
    );
}

/// The user's key log sees what it would see without TCPLS.
#[test]
fn key_log_gets_every_secret() {
    let (_, client, server) = logged_session(None);
    let labels = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_TRAFFIC_SECRET_0",
    ];
    assert_eq!(client.labels(), labels);
    assert_eq!(server.labels(), labels);
    for label in labels {
        assert_eq!(client.get(label), server.get(label), "{label}");
    }
}
