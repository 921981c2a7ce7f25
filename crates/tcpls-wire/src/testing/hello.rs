//! Bodies for hello messages and what is inside them.

use alloc::vec::Vec;

use crate::{
    ClientHello, EncryptedExtensions, Extension, ExtensionCodec, ExtensionType, HelloError,
    Offered, Params, RewriteError, ServerHello, Tcpls, Token, TokenForm, hello::HandshakeMessage,
    insert_extensions, strip_extensions,
};

const TOKEN: [u8; 32] = [0x20; 32];

/// Reads a `ClientHello` with everything in it; what is inserted into it is read back, and comes out
/// again without a trace.
///
/// # Panics
///
/// When it is not, or does not.
pub fn client_hello(data: &[u8]) {
    let Ok(hello) = ClientHello::parse(data) else {
        return;
    };
    assert!(hello.session_id().len() <= 32);
    assert!(hello.cipher_suites().next().is_some());
    for result in [
        hello.alpn_protocols().map(Iterator::count),
        hello.key_shares().map(Iterator::count),
        hello.server_name().map(|name| name.map_or(0, str::len)),
        hello.supports_tls13().map(usize::from),
    ] {
        assert!(result.is_err() || result.is_ok_and(|count| count <= data.len()));
    }
    for codec in codecs() {
        let Ok(offer) = hello.tcpls_offer(&codec) else {
            continue;
        };
        if offer.tcpls == Tcpls::Present || offer.join.is_some() || offer.params.is_some() {
            continue;
        }
        let body = codec.token_body(Token::from_bytes(TOKEN).as_token_ref());
        let Some(with) = insert(
            data,
            &[codec.tcpls(), codec.join(&body), codec.params(&[1])],
        ) else {
            continue;
        };
        let offer = ClientHello::parse(&with).and_then(|hello| {
            let offer = hello.tcpls_offer(&codec)?;
            Ok((offer.tcpls, offer.join, offer.params.map(<[u8]>::to_vec)))
        });
        let token = Token::from_bytes(TOKEN);
        assert_eq!(offer, Ok((Tcpls::Present, Some(token), Some([1].to_vec()))));
        strip_to(&with, &codec, data);
    }
}

/// Inserts into a `ClientHello` that is cut where the first two bytes say: the result is the whole
/// insertion, cut.
///
/// # Panics
///
/// When it is not.
pub fn cut_client_hello(data: &[u8]) {
    let Some((cut, message)) = data.split_first_chunk() else {
        return;
    };
    let codec = ExtensionCodec::default();
    let Some(whole) = insert(message, &[codec.tcpls()]) else {
        return;
    };
    let cut = usize::from(u16::from_be_bytes(*cut)).min(message.len());
    let Some(shortened) = message.get(..cut) else {
        return;
    };
    if let Some(with) = insert(shortened, &[codec.tcpls()]) {
        assert!(
            whole.starts_with(&with),
            "the front of the message does not depend on its end"
        );
        assert_eq!(with.len() - shortened.len(), whole.len() - message.len());
    }
}

/// Reads a `ServerHello`.
///
/// # Panics
///
/// When a TCPLS extension in it goes unnoticed.
pub fn server_hello(data: &[u8]) {
    let Ok(hello) = ServerHello::parse(data) else {
        return;
    };
    assert!(hello.session_id().len() <= 32);
    let codec = ExtensionCodec::default();
    let points = codec.code_points;
    let ours = [points.tcpls, points.join, points.token, points.params];
    let any = hello
        .extensions()
        .iter()
        .any(|extension| ours.contains(&extension.kind));
    assert_eq!(hello.refuse_tcpls(&codec).is_err(), any);
}

/// Reads `EncryptedExtensions`; what is inserted is read back, and comes out again without a trace.
///
/// # Panics
///
/// When it is not, or does not.
pub fn encrypted_extensions(data: &[u8]) {
    let Ok(message) = EncryptedExtensions::parse(data) else {
        return;
    };
    for codec in codecs() {
        for offered in [Offered::Nothing, Offered::Tcpls, Offered::TcplsAndParams] {
            let Ok(answer) = message.tcpls_answer(&codec, offered) else {
                continue;
            };
            if answer.tcpls == Tcpls::Present {
                assert_ne!(offered, Offered::Nothing);
                continue;
            }
            assert_eq!((answer.token, answer.params), (None, None));
        }
        let body = codec.token_body(Token::from_bytes(TOKEN).as_token_ref());
        let Some(with) = insert(data, &[codec.tcpls(), codec.token(&body)]) else {
            continue;
        };
        let answer = EncryptedExtensions::parse(&with).and_then(|message| {
            let answer = message.tcpls_answer(&codec, Offered::TcplsAndParams)?;
            Ok((answer.tcpls, answer.token))
        });
        let expected = Ok((Tcpls::Present, Some(Token::from_bytes(TOKEN))));
        let misplaced = Err(HelloError::MisplacedExtension(codec.code_points.join));
        assert!(answer == expected || answer == misplaced);
        strip_to(&with, &codec, data);
    }
}

/// Takes handshake messages off a stream; put together again they are its front.
///
/// # Panics
///
/// When they are not.
pub fn handshake_messages(data: &[u8]) {
    let mut rest = data;
    let mut taken = Vec::new();
    while let Some(message) = HandshakeMessage::take_first(&mut rest) {
        assert_eq!(message.bytes.len(), message.body.len() + 4);
        taken.extend_from_slice(message.bytes);
    }
    taken.extend_from_slice(rest);
    assert_eq!(taken, data);
    if let Some(length) = HandshakeMessage::announced_length(rest) {
        assert!(length > rest.len(), "a whole message was left");
    }
}

/// Reads a list of session parameters; written back it gives the same bytes.
///
/// # Panics
///
/// When it does not.
pub fn params(data: &[u8]) {
    let Ok(params) = Params::parse(data) else {
        return;
    };
    let mut written = Vec::new();
    for (id, value) in params.iter() {
        assert_eq!(params.get(id), Some(value), "no number comes twice");
        assert_eq!(params.get_u16(id).is_ok(), value.len() == 2);
        assert_eq!(params.get_u32(id).is_ok(), value.len() == 4);
        assert_eq!(params.get_u64(id).is_ok(), value.len() == 8);
        assert_eq!(Params::push(id, value, &mut written), Ok(()));
    }
    assert_eq!(written, data);
}

fn codecs() -> [ExtensionCodec; 2] {
    let prefixed = ExtensionCodec::default();
    [
        prefixed,
        ExtensionCodec {
            token_form: TokenForm::Bare,
            ..prefixed
        },
    ]
}

/// The message with these extensions; `None` when it takes none, and then for a good reason.
fn insert(message: &[u8], extensions: &[Extension<'_>]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match insert_extensions(message, extensions, &mut out) {
        Ok(()) => {
            let inserted: usize = extensions
                .iter()
                .map(|inserted| 4 + inserted.body.len())
                .sum();
            assert_eq!(out.len(), message.len() + inserted);
            Some(out)
        }
        Err(error) => {
            assert!(out.is_empty(), "a failed insertion writes nothing");
            if let RewriteError::AlreadyPresent(kind) = error {
                assert!(extensions.iter().any(|extension| extension.kind == kind));
            }
            None
        }
    }
}

/// Checks that `with` without the TCPLS extensions is `plain` without them.
fn strip_to(with: &[u8], codec: &ExtensionCodec, plain: &[u8]) {
    let points = codec.code_points;
    let ours = [points.tcpls, points.join, points.token, points.params];
    assert_eq!(strip(with, &ours), strip(plain, &ours));
    assert_eq!(strip(plain, &[]), plain);
}

fn strip(message: &[u8], kinds: &[ExtensionType]) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(strip_extensions(message, kinds, &mut out), Ok(()));
    out
}
