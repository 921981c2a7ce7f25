//! Properties of hello messages, their extensions and the session parameters.

use alloc::vec::Vec;
use std::collections::BTreeMap;

use proptest::{array::uniform32, collection, collection::vec as vec_of, prelude::*};

use crate::{
    ClientHello, EncryptedExtensions, Extension, ExtensionCodec, ExtensionType, Offered, ParamId,
    Params, Tcpls, Token, TokenForm, insert_extensions, strip_extensions, testing,
};

proptest! {
    /// R35, A-4: what is inserted into a `ClientHello` is the offer that is read from it, and taking
    /// it out leaves the message as it was.
    #[test]
    fn inserted_offer_is_read_and_stripped(
        plain in client_hello(),
        token in uniform32(any::<u8>()),
        params in vec_of(any::<u8>(), 0..50),
        codec in codec(),
    ) {
        let body = codec.token_body(Token::from_bytes(token).as_token_ref());
        let extensions = [codec.tcpls(), codec.params(&params), codec.join(&body)];
        let with = insert(&plain, &extensions);
        let hello = ClientHello::parse(&with).unwrap();
        let offer = hello.tcpls_offer(&codec).unwrap();
        prop_assert_eq!(offer.tcpls, Tcpls::Present);
        prop_assert_eq!(offer.join, Some(Token::from_bytes(token)));
        prop_assert_eq!(offer.params, Some(&params[..]));
        let first: Vec<_> = hello.extensions().iter().take(3).collect();
        prop_assert_eq!(&first[..], extensions);
        prop_assert_eq!(strip(&with, &extensions), plain);
    }

    /// R35, R39, A-4: so it is with the answer in `EncryptedExtensions`.
    #[test]
    fn inserted_answer_is_read_and_stripped(
        list in extensions(),
        token in uniform32(any::<u8>()),
        codec in codec(),
    ) {
        let plain = message(8, &[&length(&list), &list]);
        let body = codec.token_body(Token::from_bytes(token).as_token_ref());
        let extensions = [codec.tcpls(), codec.token(&body)];
        let with = insert(&plain, &extensions);
        let answer = EncryptedExtensions::parse(&with).unwrap();
        let answer = answer.tcpls_answer(&codec, Offered::Tcpls).unwrap();
        prop_assert_eq!(answer.tcpls, Tcpls::Present);
        prop_assert_eq!(answer.token, Some(Token::from_bytes(token)));
        prop_assert_eq!(strip(&with, &extensions), plain);
    }

    /// What is inserted into a cut `ClientHello`, as for its binders, is the cut of the whole.
    #[test]
    fn insertion_commutes_with_cutting(plain in client_hello(), missing in 0..200usize) {
        let codec = ExtensionCodec::default();
        let list = ClientHello::parse(&plain).unwrap().extensions();
        let list: usize = list.iter().map(|extension| 4 + extension.body.len()).sum();
        let cut = plain.len() - missing.min(list);
        let whole = insert(&plain, &[codec.tcpls()]);
        prop_assert_eq!(insert(&plain[..cut], &[codec.tcpls()]), &whole[..cut + 4]);
    }

    /// A message with any byte changed is read or refused.
    #[test]
    fn changed_hello_is_valid_or_refused(plain in client_hello(), change in 1..=u8::MAX) {
        let mut message = insert(&plain, &[ExtensionCodec::default().tcpls()]);
        for position in 0..message.len() {
            message[position] ^= change;
            testing::client_hello(&message);
            message[position] ^= change;
        }
    }

    /// A list of parameters is read as it was written.
    #[test]
    fn parameters_are_read_as_written(
        params in collection::btree_map(any::<u16>(), vec_of(any::<u8>(), 0..12), 0..8),
    ) {
        let mut list = Vec::new();
        for (id, value) in &params {
            Params::push(ParamId::from_wire(*id), value, &mut list).unwrap();
        }
        let read = Params::parse(&list).unwrap();
        let read: BTreeMap<_, _> =
            read.iter().map(|(id, value)| (id.as_u16(), value.to_vec())).collect();
        prop_assert_eq!(read, params);
    }
}

/// A `ClientHello` without TCPLS.
fn client_hello() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |sizes| vec_of(any::<u8>(), sizes);
    let suites = vec_of(any::<u16>(), 1..6);
    (uniform32(any::<u8>()), bytes(0..33), suites, extensions()).prop_map(
        |(random, session_id, suites, list)| {
            let suites: Vec<u8> = suites.into_iter().flat_map(u16::to_be_bytes).collect();
            message(
                1,
                &[
                    &[3, 3],
                    &random,
                    &[u8::try_from(session_id.len()).unwrap()],
                    &session_id,
                    &length(&suites),
                    &suites,
                    &[1, 0],
                    &length(&list),
                    &list,
                ],
            )
        },
    )
}

/// An extension list without TCPLS; where `pre_shared_key` appears it is the last.
fn extensions() -> impl Strategy<Value = Vec<u8>> {
    let highest = ExtensionType::PRE_SHARED_KEY.as_u16();
    collection::btree_map(0..=highest, vec_of(any::<u8>(), 0..20), 0..8).prop_map(|extensions| {
        let mut list = Vec::new();
        for (kind, body) in extensions {
            list.extend_from_slice(&kind.to_be_bytes());
            list.extend_from_slice(&length(&body));
            list.extend_from_slice(&body);
        }
        list
    })
}

fn codec() -> impl Strategy<Value = ExtensionCodec> {
    prop_oneof![Just(TokenForm::Prefixed), Just(TokenForm::Bare)].prop_map(|token_form| {
        ExtensionCodec {
            token_form,
            ..ExtensionCodec::default()
        }
    })
}

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

/// The message without the extensions of the same types as these.
fn strip(message: &[u8], extensions: &[Extension<'_>]) -> Vec<u8> {
    let kinds: Vec<_> = extensions.iter().map(|extension| extension.kind).collect();
    let mut out = Vec::new();
    strip_extensions(message, &kinds, &mut out).unwrap();
    out
}
