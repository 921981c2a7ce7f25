//! The inputs that the corpus starts from: one of each kind, by name.

use alloc::{string::String, vec::Vec};

use super::join;
use crate::{Extension, ExtensionCodec, Token, insert_extensions};

/// A seed: its body, its name, the input.
pub(super) type Seed = (&'static str, &'static str, Vec<u8>);

pub(super) fn all() -> Vec<Seed> {
    let mut all = Vec::new();
    all.extend(named("record", &RECORDS));
    all.extend(named("build_record", &BUILT_RECORDS));
    all.extend(named("params", &PARAMS));
    all.extend(named(
        "alert",
        &[("close_notify", "0100"), ("illegal_parameter", "022f")],
    ));
    all.extend(client_hellos());
    all.extend(server_messages());
    all.extend(joins());
    all
}

/// Stream 4, offset 16, the data `hi`, FIN.
const STREAM: &str = "6869 0002 0000000000000010 00000004 03";
const RECORDS: [(&str, &str); 13] = [
    ("nothing", ""),
    (
        "stream_and_ack",
        "616263 0003 0000000000000000 00000000 02 0000000000000007 00000000 04",
    ),
    ("stream_with_fin", STREAM),
    (
        "empty_streams",
        "0000 0000000000000005 00000002 03 0000 0000000000000000 00000004 02",
    ),
    ("last_offset", "6162 0002 fffffffffffffffd 00000000 03"),
    (
        "zeros_in_data",
        "00000000 0004 0000000000000000 00000000 02",
    ),
    (
        "padding_between",
        "0000 01 00000000000000000000000000000000000000 01 00",
    ),
    ("failover", "00000001 06 0000000000000007 00000001 04"),
    (
        "addresses",
        "01bb c0000201 04 03 07 0000 20010db8000000000000000000000001 06 ff 07 03 08",
    ),
    (
        "token",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f ff 05",
    ),
    ("stream_change", "00000006 0000000000010000 09"),
    ("unknown_type", "616263 0003 10 01"),
    (
        "every_frame",
        "6869 0002 0000000000000010 00000004 03 0000 01 0000000000000007 00000001 04
         abababababababababababababababababababababababababababababababab 02 05 00000001 06
         01bb c0000201 04 03 07 03 08 00000006 0000000000010000 09",
    ),
];

const BUILT_RECORDS: [(&str, &str); 3] = [
    (
        "one_stream",
        "4000 12 00ff 6869 0d 0000000000000007 00000000 04 00",
    ),
    (
        "several_streams",
        "4000 10 0400 12 02ff 6161 13 07ff 626262 13 04ff 636363 05 00000001 06 01 01 00 01 01",
    ),
    (
        "tight_limit",
        "0014 05 00000001 06 10 00ff 10 02ff 01 01 01 01 00 11 0200 61 12 0201 6161",
    ),
];

const PARAMS: [(&str, &str); 4] = [
    ("empty", ""),
    (
        "every_size",
        "0001 0004 00007530 0002 0008 0000000000100000 0005 0002 0010 8888 0000",
    ),
    (
        "duplicate",
        "0001 0004 00007530 0005 0002 0010 0001 0004 00007530",
    ),
    ("too_long", "0001 0005 00007530"),
];

fn client_hellos() -> Vec<Seed> {
    let codec = ExtensionCodec::default();
    let body = codec.token_body(Token::from_bytes([0x20; 32]).as_token_ref());
    let fields = "0303 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
         04 deadbeef 0006 1301 1302 1303 01 00";
    let list =
        "0000 0010 000e 00 000b 6578616d706c652e636f6d 0010 000e 000c 02 6832 08 687474702f312e31
         002b 0005 04 0304 0303 0033 000d 000b 001d 0003 aabbcc 0017 0000 002d 0002 0101
         0029 0012 0007 0001 74 00000001 0007 06 b1b2b3b4b5b6";
    let bare = message(1, &[&hex(fields)]);
    let list = hex(list);
    let list_start = bare.len() + 2;
    let plain = message(1, &[&hex(fields), &length(&list), &list]);
    let cut = |at: usize| [&u16::try_from(at).unwrap().to_be_bytes()[..], &plain].concat();
    [
        (
            "client_hello",
            "tcpls",
            insert(&plain, &[codec.tcpls(), codec.params(&[])]),
        ),
        (
            "client_hello",
            "join",
            insert(&plain, &[codec.tcpls(), codec.join(&body)]),
        ),
        (
            "client_hello",
            "misplaced_token",
            insert(&plain, &[codec.token(&body)]),
        ),
        ("client_hello", "without_list", bare),
        ("cut_client_hello", "before_binders", cut(plain.len() - 9)),
        ("cut_client_hello", "after_list_length", cut(list_start)),
        (
            "cut_client_hello",
            "before_list_length",
            cut(list_start - 1),
        ),
        ("client_hello", "plain", plain),
    ]
    .into()
}

fn server_messages() -> Vec<Seed> {
    let codec = ExtensionCodec::default();
    let body = codec.token_body(Token::from_bytes([0x20; 32]).as_token_ref());
    let list = hex("0010 0005 0003 02 6832 000a 0004 0002 001d");
    let answer = message(8, &[&length(&list), &list]);
    let fields = hex(
        "0303 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
         04 deadbeef 1301 00",
    );
    let server_list = hex("002b 0002 0304 0033 0006 001d 0002 aabb");
    let misplaced = [&server_list[..], &hex("ff64 0000")].concat();
    let flight = [
        &answer[..],
        &message(11, &[&[0; 4]]),
        &message(20, &[&[7; 32]]),
        &[4, 0],
    ];
    [
        (
            "encrypted_extensions",
            "tcpls",
            insert(&answer, &[codec.tcpls()]),
        ),
        (
            "encrypted_extensions",
            "token",
            insert(&answer, &[codec.tcpls(), codec.token(&body)]),
        ),
        (
            "encrypted_extensions",
            "token_alone",
            insert(&answer, &[codec.token(&body)]),
        ),
        (
            "encrypted_extensions",
            "misplaced_join",
            insert(&answer, &[codec.join(&body)]),
        ),
        ("encrypted_extensions", "empty", message(8, &[&[0, 0]])),
        (
            "server_hello",
            "plain",
            message(2, &[&fields, &length(&server_list), &server_list]),
        ),
        (
            "server_hello",
            "misplaced_tcpls",
            message(2, &[&fields, &length(&misplaced), &misplaced]),
        ),
        ("server_hello", "without_list", message(2, &[&fields])),
        ("handshake_messages", "flight", flight.concat()),
        ("encrypted_extensions", "plain", answer),
    ]
    .into()
}

/// Joins: bit 0 of the choice means the hybrid group, bit 1 the resumption shape.
fn joins() -> Vec<Seed> {
    let (_, full) = join::exchange(0);
    let (hello, resumption) = join::exchange(2);
    let answer = |choice: u8, parts: &[&[u8]]| [&[choice, 3][..], &parts.concat()].concat();
    let (first, second) = full.split_at(70);
    let split = [
        &[22, 3, 3, 0, 65],
        first.strip_prefix(&full[..5]).unwrap(),
        &[22, 3, 3],
        &length(&second[..second.len() - 6]),
        second,
    ];
    let refusal = &hex("15 0303 0002 022f");
    [
        ("join_template", "first_hello", join::FIRST_HELLO.to_vec()),
        ("join_template", "resumption", hello.clone()),
        ("join_request", "resumption", hello),
        ("join_request", "full_hybrid", join::exchange(1).0),
        (
            "join_answer",
            "full",
            answer(0, &[&full, &hex("17 0303 0040")]),
        ),
        (
            "join_answer",
            "full_hybrid",
            answer(1, &[&join::exchange(1).1]),
        ),
        (
            "join_answer",
            "resumption",
            answer(2, &[&resumption, &[23]]),
        ),
        ("join_answer", "not_resumed", answer(2, &[&full])),
        ("join_answer", "in_two_records", answer(0, &split)),
        ("join_answer", "refused", answer(3, &[refusal])),
        (
            "join_answer",
            "protected_at_once",
            answer(3, &[&[23, 3, 3]]),
        ),
        ("join_answer", "not_tls", answer(0, &[b"HTTP/1.1 400"])),
    ]
    .into()
}

fn named<'a>(
    body: &'static str,
    seeds: &'a [(&'static str, &str)],
) -> impl Iterator<Item = Seed> + use<'a> {
    seeds
        .iter()
        .map(move |(name, text)| (body, *name, hex(text)))
}

/// A handshake message with its header.
fn message(kind: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    [&[kind, 0][..], &length(&body), &body].concat()
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_be_bytes()
}

fn insert(message: &[u8], extensions: &[Extension<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    insert_extensions(message, extensions, &mut out).unwrap();
    out
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}
