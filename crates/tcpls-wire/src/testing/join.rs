//! Bodies for the hellos of joined connections.

use alloc::vec::Vec;

use crate::{
    ClientHello, ExtensionCodec, ServerHello, Token,
    cursor::Reader,
    hello::{
        CipherSuite, HandshakeMessage, NamedGroup,
        join::{
            AnswerReader, AnswerStage, CHANGE_CIPHER_SPEC, ExtensionOrder, JoinFailure, JoinGroup,
            JoinOffer, JoinRequest, JoinShape, JoinTemplate, SessionFacts,
        },
    },
};

const RECORD_HEADER: usize = 5;
const SUITE: CipherSuite = CipherSuite::AES_256_GCM_SHA384;
const SHAPES: [JoinShape; 2] = [JoinShape::Full, JoinShape::Resumption];

/// Makes joins in the image of a `ClientHello`; each is a hello in one record, shows its token, and
/// gets an answer that its client knows.
///
/// # Panics
///
/// When it is not, does not or gets none.
pub fn join_template(data: &[u8]) {
    let codec = ExtensionCodec::default();
    for (group, order) in [
        (NamedGroup::X25519, ExtensionOrder::Kept),
        (NamedGroup::X25519_MLKEM768, ExtensionOrder::Shuffled),
    ] {
        let facts = SessionFacts {
            suite: SUITE,
            group,
            order,
        };
        let Ok(template) = JoinTemplate::new(data, codec, facts) else {
            continue;
        };
        for shape in SHAPES {
            let (record, offer) = hello(&template, shape);
            let message = one_message(&record);
            let offered = ClientHello::parse(message).and_then(|hello| {
                let offer = hello.tcpls_offer(&codec)?;
                Ok((
                    offer.join,
                    hello.supports_tls13()?,
                    JoinRequest::parse(&hello)?,
                ))
            });
            assert!(offered.is_ok(), "a join is a hello: {offered:?}");
            let Ok((join, supports_tls13, request)) = offered else {
                return;
            };
            assert_eq!(join, Some(token()));
            assert!(supports_tls13);
            assert_eq!(request.shape(), shape);
            assert_eq!(request.group(), Some(JoinGroup::for_session(group)));
            let mut answer = Vec::new();
            request.answer(SUITE, &mut counting(), &mut answer);
            assert!(answer.len() < record.len());
            let progress = AnswerReader::new(offer).read(&answer);
            let known = progress.map(|progress| (progress.stage, progress.consumed));
            assert_eq!(known, Ok((AnswerStage::Answered, answer.len())));
        }
    }
}

/// Answers any `ClientHello` as if it were a join: what comes out is a `ServerHello` and at most
/// three times as long (reading A-21).
///
/// # Panics
///
/// When it is not.
pub fn join_request(data: &[u8]) {
    let Ok(hello) = ClientHello::parse(data) else {
        return;
    };
    let Ok(request) = JoinRequest::parse(&hello) else {
        return;
    };
    let mut answer = Vec::new();
    request.answer(SUITE, &mut counting(), &mut answer);
    assert!(answer.len() <= 3 * (RECORD_HEADER + data.len()));
    assert!(answer.ends_with(&CHANGE_CIPHER_SPEC));
    let record = answer.strip_suffix(&CHANGE_CIPHER_SPEC).unwrap_or_default();
    let mirrored = ServerHello::parse(one_message(record)).map(|hello| hello.session_id());
    assert_eq!(mirrored, Ok(hello.session_id()));
}

/// Reads the answer to a join, whose shape and group the first byte says; the rest comes in one
/// piece, byte by byte, or cut where the second byte says, and that makes no difference.
///
/// # Panics
///
/// When it does, or when more is taken than the records before the first protected one.
pub fn join_answer(data: &[u8]) {
    let Some((&[choice, cut], stream)) = data.split_first_chunk() else {
        return;
    };
    let Some((_, offer)) = chosen_hello(choice) else {
        return;
    };
    let whole = read(&offer, core::iter::once(stream));
    assert_eq!(read(&offer, stream.chunks(1)), whole);
    assert_eq!(read(&offer, stream.chunks(usize::from(cut).max(1))), whole);
    if let Ok((stage, consumed)) = whole {
        let rest = stream.get(consumed..);
        let kind = rest.map(|rest| rest.first());
        assert!(stage != AnswerStage::Protected || kind == Some(Some(&23)));
    }
}

/// A join's hello of the group and shape that `choice` says.
fn chosen_hello(choice: u8) -> Option<(Vec<u8>, JoinOffer)> {
    let group = match choice & 1 {
        0 => NamedGroup::X25519,
        _ => NamedGroup::X25519_MLKEM768,
    };
    let shape = match choice & 2 {
        0 => JoinShape::Full,
        _ => JoinShape::Resumption,
    };
    let facts = SessionFacts {
        suite: SUITE,
        group,
        order: ExtensionOrder::Kept,
    };
    let template = JoinTemplate::new(FIRST_HELLO, ExtensionCodec::default(), facts);
    assert!(template.is_ok());
    template.ok().map(|template| hello(&template, shape))
}

/// The message of a join's hello, and the records that answer it.
#[cfg(test)]
pub(super) fn exchange(choice: u8) -> (Vec<u8>, Vec<u8>) {
    let (record, _) = chosen_hello(choice).unwrap();
    let message = one_message(&record);
    let request = ClientHello::parse(message).and_then(|hello| JoinRequest::parse(&hello));
    let mut answer = Vec::new();
    request.unwrap().answer(SUITE, &mut counting(), &mut answer);
    (message.to_vec(), answer)
}

/// Where a reader ends after these pieces, and how much it took.
fn read<'a>(
    offer: &JoinOffer,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<(AnswerStage, usize), JoinFailure> {
    let mut reader = AnswerReader::new(offer.clone());
    let (mut input, mut consumed, mut stage) = (Vec::new(), 0, AnswerStage::Waiting);
    for piece in pieces {
        input.extend_from_slice(piece);
        let progress = reader.read(&input)?;
        assert!(progress.stage >= stage);
        (stage, consumed) = (progress.stage, consumed + progress.consumed);
        input.drain(..progress.consumed);
        assert!(stage == AnswerStage::Protected || input.len() < AnswerReader::MAX_RECORD);
    }
    Ok((stage, consumed))
}

fn hello(template: &JoinTemplate, shape: JoinShape) -> (Vec<u8>, JoinOffer) {
    let mut record = Vec::new();
    let offer = template.hello(shape, token().as_token_ref(), &mut counting(), &mut record);
    (record, offer)
}

/// The one message that fills the one record.
fn one_message(record: &[u8]) -> &[u8] {
    let mut reader = Reader::new(record);
    let message = reader.take(3).and_then(|_| reader.bytes_u16());
    assert!(message.is_ok() && reader.is_empty());
    let message = message.unwrap_or_default();
    assert_eq!(
        HandshakeMessage::announced_length(message),
        Some(message.len())
    );
    message
}

fn token() -> Token {
    Token::from_bytes([0x74; 32])
}

/// Bytes that differ, and are the same each time.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0_u8;
    move |buffer| {
        for byte in buffer {
            next = next.wrapping_mul(5).wrapping_add(113);
            *byte = next;
        }
    }
}

/// A `ClientHello` of TLS 1.3 with the least that a template needs.
pub(super) const FIRST_HELLO: &[u8] = b"\x01\x00\x00\x42\x03\x03\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x00\x02\x13\x02\x01\x00\x00\x17\
    \x00\x0a\x00\x06\x00\x04\x11\xec\x00\x1d\
    \x00\x2b\x00\x03\x02\x03\x04\
    \x00\x33\x00\x02\x00\x00";
