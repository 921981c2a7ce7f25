//! What the hello of a join draws anew each time (reading A-20).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed expectation ends the test"
)]

mod common;

use common::join::{
    BOTH, HYBRID, X25519, body, facts, first_extensions, join, kinds, message_in, random, template,
    template_of,
};
use common::{client_hello, extension, hex};
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use tcpls_wire::hello::join::{ExtensionOrder, JoinShape, JoinTemplate, SessionFacts};
use tcpls_wire::{ClientHello, ExtensionCodec, Token};

/// what was random or private in the first hello is not repeated.
#[test]
fn values_of_one_hello_are_drawn_anew() {
    let mut extensions = first_extensions(&[(X25519, &[9; 32])]);
    let outer = hex("00 0001 0001 5c 0020");
    let encrypted = [&outer[..], &[0xaa; 32], &hex("0040"), &[0xbb; 64]].concat();
    extensions.push(extension(0xfe0d, &encrypted));
    extensions.push(extension(35, &[0xcc; 40]));
    extensions.push(extension(44, &hex("0008 dddddddddddddddd")));
    let template = template_of(&extensions, X25519).unwrap();
    let (record, _) = join(&template, JoinShape::Full, random(1));
    for private in [[9; 8], [0xaa; 8], [0xbb; 8], [0xcc; 8], [0xdd; 8]] {
        assert!(!record.windows(8).any(|window| window == private));
    }
    let hello = ClientHello::parse(message_in(&record)).unwrap();
    let drawn = body(&hello, 0xfe0d).unwrap();
    assert_eq!((drawn.len(), &drawn[..8]), (encrypted.len(), &outer[..]));
    assert_eq!(drawn[40..42], hex("0040"));
    assert_eq!(body(&hello, 35).unwrap().len(), 40);
    assert_eq!(
        body(&hello, 44),
        None,
        "a cookie answers a HelloRetryRequest"
    );
    // An encrypted hello whose share cannot be made up, or that is of the inner kind, is left out.
    for other in [&hex("00 0001 0001 5c 0003 aabbcc 0001 dd")[..], &[1]] {
        let mut extensions = first_extensions(&[(X25519, &[9; 32])]);
        extensions.push(extension(0xfe0d, other));
        let template = template_of(&extensions, X25519).unwrap();
        let (record, _) = join(&template, JoinShape::Full, random(1));
        let hello = ClientHello::parse(message_in(&record)).unwrap();
        assert_eq!(body(&hello, 0xfe0d), None);
    }
}

/// joins of a library that shuffles its extensions have an order of their own.
#[test]
fn shuffled_extensions_keep_their_ends() {
    let mut extensions = first_extensions(&[(X25519, &[9; 32])]);
    let encrypted = [&hex("00 0001 0001 5c 0020")[..], &[9; 32], &hex("0001 aa")].concat();
    extensions.insert(4, extension(0xfe0d, &encrypted));
    let facts = SessionFacts {
        order: ExtensionOrder::Shuffled,
        ..facts(X25519)
    };
    let hello = client_hello(&extensions);
    let template = JoinTemplate::new(&hello, ExtensionCodec::default(), facts).unwrap();
    let mut random = random(5);
    let mut orders = BTreeSet::new();
    let mut third = BTreeSet::new();
    for _ in 0..200 {
        let (record, _) = join(&template, JoinShape::Resumption, &mut random);
        let hello = ClientHello::parse(message_in(&record)).unwrap();
        let order = kinds(&hello);
        assert_eq!(order[..2], [0xff64, 0xff65]);
        assert_eq!(order[order.len() - 2..], [0xfe0d, 41]);
        third.insert(order[2]);
        orders.insert(order);
    }
    assert_eq!(third.len(), 9, "each of them comes first at times");
    assert_eq!(orders.len(), 200);
    assert_eq!(
        orders
            .iter()
            .map(|order| order.iter().collect::<BTreeSet<_>>())
            .collect::<BTreeSet<_>>()
            .len(),
        1,
        "and all are always there"
    );
}

/// an observer cannot tell by their bytes that joins belong together: all that repeats is
/// what the first hello of any session of this client has too.
#[test]
fn joins_share_nothing_but_the_template() {
    let template = template(HYBRID);
    let mut random = random(27);
    let mut seen = HashSet::new();
    let mut skeletons = BTreeSet::new();
    for index in 0..1000 {
        let mut token = [0; 32];
        random(&mut token);
        let token = Token::from_bytes(token);
        let shape = BOTH[index % 2];
        let mut record = Vec::new();
        template.hello(shape, token.as_token_ref(), &mut random, &mut record);
        let message = message_in(&record);
        let mut skeleton = message.to_vec();
        for (field, copied) in drawn_fields(message, shape) {
            for window in message[field.clone()].windows(8) {
                let fresh = seen.insert(<[u8; 8]>::try_from(window).unwrap());
                assert!(fresh, "{window:?}");
            }
            skeleton[field].fill(0);
            skeleton[copied].fill(0);
        }
        skeletons.insert(skeleton);
    }
    assert!(seen.len() > 1_000_000);
    assert_eq!(skeletons.len(), BOTH.len(), "all else is the template");
}

/// Where the drawn fields of a join's hello are, each with where a copy of it is, if there is one:
/// that repeats inside one hello only.
fn drawn_fields(message: &[u8], shape: JoinShape) -> Vec<(Range<usize>, Range<usize>)> {
    let hello = ClientHello::parse(message).unwrap();
    let range = |field: &[u8]| {
        let start = field.as_ptr().addr() - message.as_ptr().addr();
        start..start + field.len()
    };
    let shares: Vec<_> = hello.key_shares().unwrap().collect();
    let [(_, hybrid), (_, copy)] = shares[..] else {
        panic!("two shares are shown")
    };
    assert!(hybrid.ends_with(copy));
    let token = body(&hello, 0xff65).unwrap();
    let mut fields = vec![
        (range(hello.random()), 0..0),
        (range(hello.session_id()), 0..0),
        (range(&token[1..]), 0..0),
        (range(hybrid), range(copy)),
    ];
    if shape == JoinShape::Resumption {
        let psk = body(&hello, 41).unwrap();
        fields.push((range(&psk[4..4 + 208 + 4]), 0..0));
        fields.push((range(&psk[psk.len() - 32..]), 0..0));
    }
    fields
}
