//! First hellos of sessions and random bytes, for the tests of joins.

use super::{client_hello, extension, hex, length, message};
use tcpls_wire::hello::join::{
    AnswerReader, AnswerStage, ExtensionOrder, JoinFailure, JoinOffer, JoinRequest, JoinShape,
    JoinTemplate, SessionFacts, TemplateError,
};
use tcpls_wire::hello::{CipherSuite, NamedGroup};
use tcpls_wire::{ClientHello, ExtensionCodec, ExtensionType, Token};

pub const BOTH: [JoinShape; 2] = [JoinShape::Resumption, JoinShape::Full];
pub const SUITES: [CipherSuite; 3] = [
    CipherSuite::AES_128_GCM_SHA256,
    CipherSuite::AES_256_GCM_SHA384,
    CipherSuite::CHACHA20_POLY1305_SHA256,
];
pub const X25519: NamedGroup = NamedGroup::X25519;
pub const HYBRID: NamedGroup = NamedGroup::X25519_MLKEM768;
pub const SECP256R1: NamedGroup = NamedGroup::from_wire(0x0017);
/// The beginning of a protected record.
pub const PROTECTED: [u8; 5] = [23, 3, 3, 0, 40];
pub const TOKEN: [u8; 32] = *b"thirty-two bytes of a join token";

/// Random bytes that are the same in each run (splitmix64).
pub fn random(mut state: u64) -> impl FnMut(&mut [u8]) {
    move |buffer| {
        for chunk in buffer.chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A `key_share` with these shares.
pub fn key_share(shares: &[(NamedGroup, &[u8])]) -> Vec<u8> {
    let entry = |(group, share): &(NamedGroup, &[u8])| extension(group.as_u16(), share);
    let list = shares.iter().map(entry).collect::<Vec<_>>().concat();
    extension(51, &[&length::<2>(list.len())[..], &list].concat())
}

/// The extensions of a first hello with these key shares.
pub fn first_extensions(shares: &[(NamedGroup, &[u8])]) -> Vec<Vec<u8>> {
    vec![
        extension(0xFF64, &[]),
        extension(0xFF67, &hex("0001 0000")),
        extension(0, &hex("000e 00 000b 6578616d706c652e636f6d")),
        extension(10, &hex("0006 11ec 001d 0017")),
        key_share(shares),
        extension(16, &hex("000c 02 6832 08 687474702f312e31")),
        extension(13, &hex("0004 0403 0804")),
        extension(43, &hex("04 0304 0303")),
        extension(45, &hex("0101")),
        extension(5, &hex("0100000000")),
    ]
}

/// The first hello of a session with key shares as rustls shows them.
pub fn first_hello() -> Vec<u8> {
    let hybrid = [9; 1216];
    client_hello(&first_extensions(&[
        (NamedGroup::X25519_MLKEM768, &hybrid),
        (NamedGroup::X25519, &[9; 32]),
    ]))
}

pub fn facts(group: NamedGroup) -> SessionFacts {
    SessionFacts {
        suite: CipherSuite::AES_128_GCM_SHA256,
        group,
        order: ExtensionOrder::Kept,
    }
}

/// The template of a session that began with [`first_hello`] and agreed on `group`.
pub fn template(group: NamedGroup) -> JoinTemplate {
    JoinTemplate::new(&first_hello(), ExtensionCodec::default(), facts(group)).unwrap()
}

/// The record of a join's hello, and the offer in it.
pub fn join(
    template: &JoinTemplate,
    shape: JoinShape,
    mut random: impl FnMut(&mut [u8]),
) -> (Vec<u8>, JoinOffer) {
    let mut record = Vec::new();
    let token = Token::from_bytes(TOKEN);
    let offer = template.hello(shape, token.as_token_ref(), &mut random, &mut record);
    (record, offer)
}

/// The handshake message in a record, which is all that is in it.
pub fn message_in(record: &[u8]) -> &[u8] {
    assert_eq!(record[3..5], length::<2>(record.len() - 5));
    &record[5..]
}

/// The types of the extensions of a hello, in order.
pub fn kinds(hello: &ClientHello<'_>) -> Vec<u16> {
    hello
        .extensions()
        .iter()
        .map(|extension| extension.kind.as_u16())
        .collect()
}

/// The body of an extension of a hello.
pub fn body<'a>(hello: &ClientHello<'a>, kind: u16) -> Option<&'a [u8]> {
    hello.extensions().get(ExtensionType::from_wire(kind))
}

/// The template of a session whose first hello had these extensions and that agreed on `group`.
pub fn template_of(
    extensions: &[Vec<u8>],
    group: NamedGroup,
) -> Result<JoinTemplate, TemplateError> {
    let hello = client_hello(extensions);
    JoinTemplate::new(&hello, ExtensionCodec::default(), facts(group))
}

pub type Outcome = Result<(AnswerStage, usize), JoinFailure>;

/// What a reader makes of `pieces` that arrive one after the other: where it ends, and how many
/// bytes it took in all.
pub fn read<'a>(offer: &JoinOffer, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = AnswerReader::new(offer.clone());
    let (mut input, mut total, mut stage) = (Vec::new(), 0, AnswerStage::Waiting);
    for piece in pieces {
        input.extend_from_slice(piece);
        let progress = match reader.read(&input) {
            Ok(progress) => progress,
            Err(failure) => {
                assert_eq!(reader.read(&[23]), Err(failure), "an error is final");
                return Err(failure);
            }
        };
        assert!(progress.stage >= stage);
        (stage, total) = (progress.stage, total + progress.consumed);
        input.drain(..progress.consumed);
        assert!(stage == AnswerStage::Protected || input.len() < AnswerReader::MAX_RECORD);
    }
    Ok((stage, total))
}

/// The same for every way to cut `stream` in two, and for single bytes.
pub fn read_in_any_pieces(offer: &JoinOffer, stream: &[u8]) -> Outcome {
    let outcome = read(offer, [stream]);
    assert_eq!(read(offer, stream.chunks(1)), outcome);
    for cut in 0..stream.len() {
        let (first, second) = stream.split_at(cut);
        assert_eq!(read(offer, [first, second]), outcome, "cut at {cut}");
    }
    outcome
}

/// A join of a session on X25519 and `TLS_AES_128_GCM_SHA256`, and the answer to it.
pub fn answered(shape: JoinShape) -> (JoinOffer, Vec<u8>) {
    let (record, offer) = join(&template(X25519), shape, random(1));
    let answer = answer_to(&record, CipherSuite::AES_128_GCM_SHA256);
    (offer, answer)
}

pub fn answer_to(record: &[u8], suite: CipherSuite) -> Vec<u8> {
    let hello = ClientHello::parse(message_in(record)).unwrap();
    let request = JoinRequest::parse(&hello).unwrap();
    let mut answer = Vec::new();
    request.answer(suite, &mut random(2), &mut answer);
    answer
}

pub fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &length::<2>(body.len()), body].concat()
}

/// The record of a `ServerHello` with these fields.
pub fn server_hello(
    random: &[u8],
    session_id: &[u8],
    suite: u16,
    extensions: &[Vec<u8>],
) -> Vec<u8> {
    let list = extensions.concat();
    let body = [
        &hex("0303")[..],
        random,
        &length::<1>(session_id.len()),
        session_id,
        &suite.to_be_bytes(),
        &[0],
        &length::<2>(list.len()),
        &list,
    ];
    record(22, &message(2, &body.concat()))
}

/// A `ServerHello` that differs from a right answer in its extensions.
pub fn hello_with(offer: &JoinOffer, extensions: &[Vec<u8>]) -> Vec<u8> {
    server_hello(&[7; 32], offer.session_id(), 0x1301, extensions)
}

pub fn versions() -> Vec<u8> {
    extension(43, &[3, 4])
}

pub fn psk() -> Vec<u8> {
    extension(41, &[0, 0])
}

pub fn share(group: NamedGroup, size: usize) -> Vec<u8> {
    let body = [
        &group.as_u16().to_be_bytes()[..],
        &length::<2>(size),
        &vec![7; size],
    ];
    extension(51, &body.concat())
}
