//! The inputs that the corpus starts from: one of each kind, by name.

use crate::{
    ContentType, KeyUpdateRequest, Plaintext, Suite, WriteBuffer, key_update_message,
    testing::record::ends,
};

/// A seed: its body, its name, the input.
pub(super) type Seed = (&'static str, &'static str, Vec<u8>);

pub(super) fn all() -> Vec<Seed> {
    [records(), plaintexts(), hellos(), messages(), answers()].concat()
}

/// Streams of records in pieces of 7 bytes.
fn records() -> Vec<Seed> {
    let update = key_update_message(KeyUpdateRequest::Requested);
    let data = Plaintext::application_data(b"some stream data", b"and its trailer");
    let padded = Plaintext {
        padding: 9,
        ..Plaintext::application_data(b"", b"x")
    };
    let handshake = |content| Plaintext::new(ContentType::Handshake, content);
    let mut two = sealed(&[handshake(&[4, 0, 0]), handshake(&[2, 9, 9]), data]);
    let change_cipher_spec = [20, 3, 3, 0, 1, 1];
    let joined = [&change_cipher_spec[..], &sealed(&[data, padded])].concat();
    let stream = |bytes: &[u8]| [&[7], bytes].concat();
    let updates = sealed(&[data, handshake(&update), data, handshake(&update), padded]);
    let ticket = stream(&two);
    two.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    vec![
        ("opener", "data", stream(&sealed(&[data, padded]))),
        ("opener", "key_updates", stream(&updates)),
        ("opener", "joined", stream(&joined)),
        ("opener", "split_ticket", ticket),
        ("opener", "injected_text", stream(&two)),
        (
            "opener",
            "alert",
            stream(&sealed(&[Plaintext::new(ContentType::Alert, &[1, 0])])),
        ),
        (
            "opener",
            "plaintext_alert",
            stream(&[21, 3, 3, 0, 2, 2, 80]),
        ),
        ("opener", "overlong", stream(&[23, 3, 3, 0x41, 1])),
    ]
}

fn sealed(plaintexts: &[Plaintext<'_>]) -> Vec<u8> {
    let (mut sealer, _) = ends(Suite::Aes128Gcm).unwrap();
    let mut out = WriteBuffer::new();
    for plaintext in plaintexts {
        sealer.seal(plaintext, &mut out).unwrap();
    }
    out.pending().to_vec()
}

fn plaintexts() -> Vec<Seed> {
    let long: Vec<u8> = (0..=255).cycle().take(700).collect();
    vec![
        (
            "sealed",
            "aes_128",
            [&[0, 5, 0][..], b"lead and tail"].concat(),
        ),
        (
            "sealed",
            "aes_256",
            [&[1, 0, 30][..], b"only a tail"].concat(),
        ),
        ("sealed", "chacha", [&[2, 200, 3][..], &long].concat()),
        ("sealed", "empty", vec![0, 0, 0]),
        ("tampered", "type", [&[0, 1][..], b"content"].concat()),
        ("tampered", "length", [&[0, 39][..], b"content"].concat()),
        ("tampered", "text", [&[0, 50][..], b"content"].concat()),
        ("tampered", "tag", [&[0, 120][..], b"content"].concat()),
    ]
}

/// First flights in pieces of 5 bytes.
fn hellos() -> Vec<Seed> {
    let fields = [
        &[3, 3][..],
        &[0x11; 32],
        &[4],
        b"echo",
        &[0, 2, 0x13, 1, 1, 0],
    ]
    .concat();
    let versions = [0, 43, 0, 3, 2, 3, 4];
    let tcpls = [0xff, 0x64, 0, 0];
    let join = [&[0xff, 0x65, 0, 33, 32][..], &[0x77; 32]].concat();
    let hello = |extensions: &[&[u8]]| {
        let extensions = extensions.concat();
        let body = [&fields, &length(&extensions)[..], &extensions].concat();
        [&[1, 0][..], &length(&body), &body].concat()
    };
    let record = |content: &[u8]| [&[22, 3, 1][..], &length(content), content].concat();
    let stream = |bytes: Vec<u8>| [vec![5], bytes].concat();
    let whole = hello(&[&tcpls, &versions]);
    let split: Vec<u8> = whole.chunks(20).flat_map(record).collect();
    let followed = [record(&whole), vec![20, 3, 3, 0, 1, 1]].concat();
    vec![
        ("hello_reader", "tcpls", stream(record(&whole))),
        (
            "hello_reader",
            "join",
            stream(record(&hello(&[&tcpls, &join, &versions]))),
        ),
        (
            "hello_reader",
            "plain",
            stream(record(&hello(&[&versions]))),
        ),
        (
            "hello_reader",
            "without_tls_1_3",
            stream(record(&hello(&[&tcpls]))),
        ),
        ("hello_reader", "split", stream(split)),
        ("hello_reader", "followed", stream(followed)),
        (
            "hello_reader",
            "http",
            stream(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ),
        ("hello_reader", "alert", stream(vec![21, 3, 1, 0, 2, 2, 40])),
        (
            "hello_reader",
            "huge",
            stream(record(&[1, 0xff, 0xff, 0xff, 3, 3])),
        ),
    ]
}

/// Post-handshake messages in records of 3 bytes.
fn messages() -> Vec<Seed> {
    let ticket = [4, 0, 0, 5, 1, 2, 3, 4, 5];
    let update = key_update_message(KeyUpdateRequest::NotRequested);
    let stream = |parts: &[&[u8]]| [&[3], parts.concat().as_slice()].concat();
    vec![
        (
            "post_handshake",
            "tickets_and_update",
            stream(&[&ticket, &ticket, &update]),
        ),
        (
            "post_handshake",
            "certificate_request",
            stream(&[&[13, 0, 0, 1, 0]]),
        ),
        (
            "post_handshake",
            "unknown_request",
            stream(&[&[24, 0, 0, 1, 7]]),
        ),
        ("post_handshake", "huge_ticket", stream(&[&[4, 1, 0, 0]])),
    ]
}

/// What a server might say to a hello, in pieces of 50 bytes.
#[cfg(feature = "aws-lc")]
fn answers() -> Vec<Seed> {
    let share = [&[0, 51, 0, 36, 0, 29, 0, 32][..], &[9; 32]].concat();
    let versions = [0, 43, 0, 2, 3, 4];
    let extensions = [&versions[..], &share].concat();
    let fields = [&[3, 3][..], &[0x22; 32], &[0, 0x13, 1, 0]].concat();
    let body = [&fields, &length(&extensions)[..], &extensions].concat();
    let message = [&[2, 0][..], &length(&body), &body].concat();
    let hello = [&[22, 3, 3][..], &length(&message), &message].concat();
    let flight = [
        &hello[..],
        &[20, 3, 3, 0, 1, 1],
        &[23, 3, 3, 0, 40],
        &[7; 40],
    ]
    .concat();
    let stream = |bytes: &[u8]| [&[50], bytes].concat();
    vec![
        ("client_handshake", "server_hello", stream(&hello)),
        ("client_handshake", "flight", stream(&flight)),
        (
            "client_handshake",
            "alert",
            stream(&[21, 3, 3, 0, 2, 2, 70]),
        ),
        (
            "client_handshake",
            "ssh",
            stream(b"SSH-2.0-OpenSSH_9.9\r\n"),
        ),
        (
            "client_handshake",
            "protected_first",
            stream(&[23, 3, 3, 0, 17, 1, 2, 3]),
        ),
    ]
}

#[cfg(not(feature = "aws-lc"))]
fn answers() -> Vec<Seed> {
    Vec::new()
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_be_bytes()
}
