//! The hello of a join: made in the image of the session's first one (reading A-20).
#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod common;

use common::join::{
    BOTH, HYBRID, SUITES, TOKEN, X25519, body, facts, first_extensions, first_hello, join, kinds,
    message_in, random, template, template_of,
};
use common::{client_hello, extension, hex, length, message};
use tcpls_wire::hello::join::{JoinRequest, JoinShape, JoinTemplate, SessionFacts, TemplateError};
use tcpls_wire::hello::{HandshakeMessage, NamedGroup};
use tcpls_wire::{ClientHello, ExtensionCodec, ExtensionType, Tcpls, Token, TokenForm};

/// suites, server name, protocols and order are those of the first hello; what belongs to that
/// one alone is left out.
#[test]
fn join_looks_like_the_first_hello() {
    let first = first_hello();
    let first = ClientHello::parse(&first).unwrap();
    let template = template(HYBRID);
    for (shape, expected) in [
        (
            JoinShape::Full,
            &[0xff64, 0xff65, 0, 10, 51, 16, 13, 43, 45, 5][..],
        ),
        (
            JoinShape::Resumption,
            &[0xff64, 0xff65, 0, 10, 51, 16, 13, 43, 45, 5, 42, 41],
        ),
    ] {
        let (record, offer) = join(&template, shape, random(1));
        assert_eq!(record[..3], [22, 3, 1]);
        let hello = ClientHello::parse(message_in(&record)).unwrap();
        assert_eq!(kinds(&hello), expected);
        for kind in [0, 10, 16, 13, 43, 45, 5] {
            assert_eq!(body(&hello, kind), body(&first, kind), "{kind}");
        }
        assert!(hello.cipher_suites().eq(first.cipher_suites()));
        assert_eq!(hello.server_name().unwrap(), Some("example.com"));
        assert!(hello.supports_tls13().unwrap());
        assert_eq!(hello.session_id(), offer.session_id());
        assert_eq!(offer.shape(), shape);
        assert_ne!(hello.session_id(), first.session_id());
        assert_ne!(hello.random(), first.random());
        let offer = hello.tcpls_offer(&ExtensionCodec::default()).unwrap();
        assert_eq!(offer.tcpls, Tcpls::Present);
        assert_eq!(offer.join, Some(Token::from_bytes(TOKEN)));
        assert_eq!(offer.params, None);
    }
}

/// the token is written as the codec says.
#[test]
fn token_has_the_form_of_the_codec() {
    for (token_form, size) in [(TokenForm::Prefixed, 33), (TokenForm::Bare, 32)] {
        let codec = ExtensionCodec {
            token_form,
            ..ExtensionCodec::default()
        };
        let template = JoinTemplate::new(&first_hello(), codec, facts(X25519)).unwrap();
        let (record, _) = join(&template, JoinShape::Full, random(1));
        let hello = ClientHello::parse(message_in(&record)).unwrap();
        assert_eq!(body(&hello, 0xff65).unwrap().len(), size);
    }
}

/// the resumption shape ends with one identity of ticket length and one binder as long as the
/// suite's hash.
#[test]
fn resumption_offers_one_ticket_with_its_binder() {
    let hello = first_hello();
    for suite in SUITES {
        let facts = SessionFacts {
            suite,
            ..facts(X25519)
        };
        let mut template = JoinTemplate::new(&hello, ExtensionCodec::default(), facts).unwrap();
        for (set, ticket) in [
            (None, 208),
            (Some(0), 1),
            (Some(32), 32),
            (Some(9999), JoinTemplate::MAX_TICKET_LENGTH),
        ] {
            if let Some(set) = set {
                template.set_ticket_length(set);
            }
            let (record, _) = join(&template, JoinShape::Resumption, random(1));
            let hello = ClientHello::parse(message_in(&record)).unwrap();
            let psk = body(&hello, 41).unwrap();
            let (identities, binders) = psk.split_at(2 + 2 + ticket + 4);
            let hash = suite.hash_length();
            assert_eq!(identities[..2], length::<2>(2 + ticket + 4));
            assert_eq!(identities[2..4], length::<2>(ticket));
            assert_eq!(binders.len(), 2 + 1 + hash);
            assert_eq!(binders[..2], length::<2>(1 + hash));
            assert_eq!(binders[2..3], length::<1>(hash));
            assert_eq!(body(&hello, 42), Some(&[][..]));
        }
    }
}

/// a first hello that resumed an earlier session lends its ticket's length and nothing else of
/// it.
#[test]
fn ticket_of_the_first_hello_gives_the_length() {
    let mut extensions = first_extensions(&[(X25519, &[9; 32])]);
    extensions.push(extension(42, &[]));
    let ticket = [&hex("0024 001e")[..], &[0xaa; 30], &[1; 4]].concat();
    extensions.push(extension(
        41,
        &[&ticket[..], &hex("0021 20"), &[0xbb; 32]].concat(),
    ));
    let template = template_of(&extensions, X25519).unwrap();
    let (record, _) = join(&template, JoinShape::Full, random(1));
    let hello = ClientHello::parse(message_in(&record)).unwrap();
    assert_eq!((body(&hello, 41), body(&hello, 42)), (None, None));
    let (record, _) = join(&template, JoinShape::Resumption, random(1));
    let hello = ClientHello::parse(message_in(&record)).unwrap();
    let psk = body(&hello, 41).unwrap();
    assert_eq!(psk.len(), ticket.len() + 3 + 32);
    assert_eq!(psk[..4], ticket[..4]);
    assert!(
        !record
            .windows(8)
            .any(|window| window == [0xaa; 8] || window == [0xbb; 8])
    );
}

/// `psk_key_exchange_modes` is added where the first hello had none.
#[test]
fn resumption_names_its_key_exchange_mode() {
    let mut extensions = first_extensions(&[(X25519, &[9; 32])]);
    extensions.retain(|extension| extension[..2] != [0, 45]);
    let template = template_of(&extensions, X25519).unwrap();
    for (shape, modes) in [
        (JoinShape::Full, None),
        (JoinShape::Resumption, Some(&[1, 1][..])),
    ] {
        let (record, _) = join(&template, shape, random(1));
        let hello = ClientHello::parse(message_in(&record)).unwrap();
        assert_eq!(body(&hello, 45), modes);
    }
}

#[test]
fn hello_that_cannot_join_is_no_template() {
    let shown = [(X25519, &[9; 32][..])];
    let without = |kind: u16| {
        let mut extensions = first_extensions(&shown);
        extensions.retain(|extension| extension[..2] != kind.to_be_bytes());
        template_of(&extensions, X25519).unwrap_err()
    };
    assert_eq!(without(43), TemplateError::NotTls13);
    let incomplete = |kind| TemplateError::Incomplete(ExtensionType::from_wire(kind));
    assert_eq!(without(10), incomplete(10));
    assert_eq!(without(51), incomplete(51));
    let mut extensions = first_extensions(&shown);
    extensions[3] = extension(10, &hex("0005 001d"));
    assert!(matches!(
        template_of(&extensions, X25519),
        Err(TemplateError::Hello(_))
    ));
    extensions = first_extensions(&shown);
    extensions.push(extension(0x1234, &[0; 16_384 - 2048 - 500]));
    let template = template_of(&extensions, X25519).unwrap();
    let (record, _) = join(&template, JoinShape::Resumption, random(1));
    assert!(record.len() <= 5 + 16_384);
    extensions.push(extension(0x1235, &[0; 500]));
    assert_eq!(
        template_of(&extensions, X25519).unwrap_err(),
        TemplateError::TooLong
    );
}

/// The longest join that fits a record is taken as a template, and none that is a byte longer.
#[test]
fn a_template_knows_how_long_its_joins_are() {
    for (group, shown) in [
        (X25519, vec![(X25519, vec![9; 32])]),
        (HYBRID, vec![(HYBRID, vec![9; 1216]), (X25519, vec![9; 32])]),
        (HYBRID, vec![(NamedGroup::from_wire(0x0a0a), vec![9; 7])]),
    ] {
        let shown: Vec<_> = shown
            .iter()
            .map(|(number, share)| (*number, share.as_slice()))
            .collect();
        let with = |length: usize| {
            let mut extensions = first_extensions(&shown);
            extensions.push(extension(0x1234, &vec![0; length]));
            extensions.push(extension(35, &[1; 100]));
            template_of(&extensions, group)
        };
        let longest = (12_000..16_384).rev().find_map(|length| with(length).ok());
        let mut template = longest.unwrap();
        template.set_ticket_length(JoinTemplate::MAX_TICKET_LENGTH);
        let (record, _) = join(&template, JoinShape::Resumption, random(1));
        assert_eq!(record.len(), 5 + 16_384);
    }
}

#[test]
fn every_cut_or_change_of_the_first_hello_is_taken_or_refused() {
    let first = client_hello(&first_extensions(&[(X25519, &[9; 32])]));
    let codec = ExtensionCodec::default();
    let check = |bytes: &[u8]| {
        let Ok(template) = JoinTemplate::new(bytes, codec, facts(X25519)) else {
            return;
        };
        for shape in BOTH {
            let (record, _) = join(&template, shape, random(1));
            let hello = ClientHello::parse(message_in(&record)).unwrap();
            assert_eq!(JoinRequest::parse(&hello).unwrap().shape(), shape);
        }
    };
    for cut in 0..first.len() {
        assert!(JoinTemplate::new(&first[..cut], codec, facts(X25519)).is_err());
    }
    let mut changed = first;
    for position in 0..changed.len() {
        for bit in 0..8 {
            changed[position] ^= 1 << bit;
            check(&changed);
            changed[position] ^= 1 << bit;
        }
    }
}

/// a hello is one record, and in it one message.
#[test]
fn hello_fills_one_record() {
    for group in [HYBRID, X25519] {
        for shape in BOTH {
            let (record, _) = join(&template(group), shape, random(1));
            let mut rest = message_in(&record);
            let whole = HandshakeMessage::take_first(&mut rest).unwrap();
            assert_eq!((whole.kind.as_u8(), rest), (1, &[][..]));
            assert_eq!(whole.bytes, message(1, whole.body));
        }
    }
}
