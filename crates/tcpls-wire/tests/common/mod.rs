//! What several test files share: hex text and hello messages.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]
#![allow(clippy::indexing_slicing, reason = "a wrong index ends the test")]

pub mod join;

/// The bytes that a string of hex digits and spaces stands for.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

/// A length in `N` bytes.
pub fn length<const N: usize>(of: usize) -> [u8; N] {
    *of.to_be_bytes().last_chunk().unwrap()
}

/// A handshake message with this type and body.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &length::<3>(body.len()), body].concat()
}

/// One extension.
pub fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &length::<2>(body.len()), body].concat()
}

/// The fields of a `ClientHello` before its extension list.
pub fn client_fields() -> Vec<u8> {
    let (session_id, suites) = ([7; 32], hex("1301 1302 1303"));
    [
        &hex("0303")[..],
        &[0x5a; 32],
        &[32],
        &session_id,
        &length::<2>(suites.len()),
        &suites,
        &hex("01 00"),
    ]
    .concat()
}

/// A `ClientHello` with these extensions, in order.
pub fn client_hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    let list = extensions.concat();
    message(
        1,
        &[&client_fields()[..], &length::<2>(list.len()), &list].concat(),
    )
}

/// A `ServerHello` with these extensions, in order.
pub fn server_hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    let list = extensions.concat();
    let fields = [&hex("0303")[..], &[0xa5; 32], &[0], &hex("1301 00")].concat();
    message(2, &[&fields[..], &length::<2>(list.len()), &list].concat())
}

/// An `EncryptedExtensions` with these extensions, in order.
pub fn encrypted_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    let list = extensions.concat();
    message(8, &[&length::<2>(list.len())[..], &list].concat())
}
