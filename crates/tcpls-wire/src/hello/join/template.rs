//! What the joins of a session have in common: the look of its first hello.

use alloc::vec::Vec;

use thiserror::Error;

use super::{
    JoinGroup, JoinOffer, JoinShape, RECORD_HEADER, RandomSource, TLS12,
    key_share::scale,
    parts::{KeyShares, Part, random_bytes, ticket_length},
    write,
};
use crate::{
    ClientHello, ExtensionCodec, ExtensionType, HelloError, TokenRef,
    hello::{CipherSuite, HANDSHAKE_HEADER, HandshakeType, NamedGroup},
};

/// Makes the hellos of a session's joins in the image of its first one (reading A-20).
///
/// A join keeps what identifies the client's software and its target: cipher suites, server name,
/// application protocols and all other extensions that do not differ from hello to hello. It draws
/// anew what does differ: random, session identifier, key shares, session ticket, encrypted hello.
/// `cookie` and the session parameters belong to the first hello alone.
#[derive(Debug, Clone)]
pub struct JoinTemplate {
    codec: ExtensionCodec,
    order: ExtensionOrder,
    suite: CipherSuite,
    /// The list of suites as on the wire.
    cipher_suites: Vec<u8>,
    /// The extensions of both shapes, in the order of the first hello.
    extensions: Vec<Part>,
    /// Those that the resumption shape adds, without `pre_shared_key`.
    resumption: Vec<Part>,
    shares: KeyShares,
    ticket_length: usize,
}

/// What the session's handshake agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFacts {
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The group of the key exchange.
    pub group: NamedGroup,
    /// How the client's TLS library orders extensions.
    pub order: ExtensionOrder,
}

/// How the extensions of a join are ordered; `tcpls` and `tcpls_join` always come first and
/// `pre_shared_key` last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtensionOrder {
    /// As in the session's first hello.
    Kept,
    /// In a new order each time, as with rustls and the browsers: there, two hellos of the same
    /// order would be seen to belong together.
    Shuffled,
}

/// Why a hello is no template for joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// The hello itself is wrong.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// It does not offer TLS 1.3.
    #[error("the hello does not offer TLS 1.3")]
    NotTls13,
    /// It lacks an extension that every hello with a key exchange has.
    #[error("the hello has no extension {0}")]
    Incomplete(ExtensionType),
    /// A join in its image would not fit one record.
    #[error("a hello in this image does not fit a record")]
    TooLong,
}

impl JoinTemplate {
    /// The longest identity of a made-up ticket, in bytes.
    pub const MAX_TICKET_LENGTH: usize = 2048;

    /// Takes the image of `message`, a whole `ClientHello` with its header as it went on the wire;
    /// after a `HelloRetryRequest`, the second one.
    pub fn new(
        message: &[u8],
        codec: ExtensionCodec,
        facts: SessionFacts,
    ) -> Result<Self, TemplateError> {
        let hello = ClientHello::parse(message)?;
        if !hello.supports_tls13()? {
            return Err(TemplateError::NotTls13);
        }
        let group = JoinGroup::for_session(facts.group);
        let mut template = Self {
            codec,
            order: facts.order,
            suite: facts.suite,
            cipher_suites: hello.cipher_suites().flat_map(u16::to_be_bytes).collect(),
            extensions: Part::all_of(&hello, &codec, group)?,
            resumption: Part::of_resumption(&hello),
            shares: KeyShares::new(&hello, group)?,
            ticket_length: Self::MAX_TICKET_LENGTH,
        };
        let longest = template.message_length(JoinShape::Resumption);
        if longest > write::MAX_MESSAGE {
            return Err(TemplateError::TooLong);
        }
        template.set_ticket_length(ticket_length(&hello).unwrap_or(TYPICAL_TICKET));
        Ok(template)
    }

    /// Sets the length of the tickets that the server hands out, in bytes, 1 to
    /// [`Self::MAX_TICKET_LENGTH`]: it is that of the identity in the resumption shape.
    ///
    /// Until then it is that of the ticket in the first hello, or else 208 bytes, which is common.
    pub fn set_ticket_length(&mut self, length: usize) -> &mut Self {
        self.ticket_length = length.clamp(1, Self::MAX_TICKET_LENGTH);
        self
    }

    /// Appends the record of a join's hello to `out`, and tells what an answer to it looks like.
    ///
    /// The hello shows `token`, so it may go on one connection only (reading A-22). In
    /// [`JoinShape::Resumption`], [`super::CHANGE_CIPHER_SPEC`] and protected records follow it.
    pub fn hello(
        &self,
        shape: JoinShape,
        token: TokenRef<'_>,
        random: &mut RandomSource<'_>,
        out: &mut Vec<u8>,
    ) -> JoinOffer {
        let (mut client_random, mut session_id) = ([0; 32], [0; 32]);
        random(&mut client_random);
        random(&mut session_id);
        let length = self.message_length(shape);
        out.reserve(length + RECORD_HEADER);
        let mut body = Vec::with_capacity(length);
        body.extend_from_slice(&TLS12);
        body.extend_from_slice(&client_random);
        write::prefixed_u8(&session_id, &mut body);
        write::prefixed_u16(&self.cipher_suites, &mut body);
        write::prefixed_u8(&[NO_COMPRESSION], &mut body);
        write::prefixed_u16(&self.extension_list(shape, token, random), &mut body);
        debug_assert_eq!(HANDSHAKE_HEADER + body.len(), length, "measured wrong");
        write::record(RECORD_VERSION, HandshakeType::CLIENT_HELLO, &body, out);
        JoinOffer {
            shape,
            session_id,
            suite: self.suite,
            groups: self.shares.groups(),
        }
    }

    /// The group of the key share that the server is to answer.
    pub fn group(&self) -> JoinGroup {
        self.shares.group()
    }

    /// The session's cipher suite.
    pub fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// Length of the message with its header.
    fn message_length(&self, shape: JoinShape) -> usize {
        let token = self.codec.token_body(TokenRef::from_bytes(&[0; 32]));
        let of_tcpls = [self.codec.tcpls(), self.codec.join(&token)];
        let added = match shape {
            JoinShape::Resumption => self.resumption.as_slice(),
            JoinShape::Full => &[],
        };
        let parts = self.extensions.iter().chain(added);
        let ticket = match shape {
            JoinShape::Resumption => write::EXTENSION + self.pre_shared_key_length(),
            JoinShape::Full => 0,
        };
        let extensions = of_tcpls
            .iter()
            .map(|extension| write::EXTENSION + extension.body.len())
            .chain(parts.map(|part| part.length(&self.shares)))
            .sum::<usize>();
        HANDSHAKE_HEADER + OTHER_FIELDS + self.cipher_suites.len() + extensions + ticket
    }

    fn extension_list(
        &self,
        shape: JoinShape,
        token: TokenRef<'_>,
        random: &mut RandomSource<'_>,
    ) -> Vec<u8> {
        let mut list = Vec::new();
        let token = self.codec.token_body(token);
        for extension in [self.codec.tcpls(), self.codec.join(&token)] {
            write::extension(extension.kind, extension.body, &mut list);
        }
        for part in self.ordered(shape, random) {
            part.write(&self.shares, random, &mut list);
        }
        if shape == JoinShape::Resumption {
            let body = self.pre_shared_key(random);
            write::extension(ExtensionType::PRE_SHARED_KEY, &body, &mut list);
        }
        list
    }

    /// The extensions between those of TCPLS and `pre_shared_key`, in the order of one hello.
    fn ordered(&self, shape: JoinShape, random: &mut RandomSource<'_>) -> Vec<&Part> {
        let added = match shape {
            JoinShape::Resumption => self.resumption.as_slice(),
            JoinShape::Full => &[],
        };
        let mut parts: Vec<_> = self.extensions.iter().chain(added).collect();
        match self.order {
            ExtensionOrder::Kept => {}
            ExtensionOrder::Shuffled => {
                shuffle(&mut parts, random);
                parts.sort_by_key(|part| part.is_encrypted_hello());
            }
        }
        parts
    }

    fn pre_shared_key_length(&self) -> usize {
        2 + (2 + self.ticket_length + OBFUSCATED_AGE) + 2 + (1 + self.suite.hash_length())
    }

    /// One identity and one binder: `Identities<7..2^16-1> Binders<33..2^16-1>` (RFC 8446 section
    /// 4.2.11), all of it random.
    fn pre_shared_key(&self, random: &mut RandomSource<'_>) -> Vec<u8> {
        let mut identity = Vec::new();
        write::prefixed_u16(&random_bytes(self.ticket_length, random), &mut identity);
        identity.extend_from_slice(&random_bytes(OBFUSCATED_AGE, random));
        let mut binders = Vec::new();
        let binder = random_bytes(self.suite.hash_length(), random);
        write::prefixed_u8(&binder, &mut binders);
        let mut body = Vec::new();
        write::prefixed_u16(&identity, &mut body);
        write::prefixed_u16(&binders, &mut body);
        body
    }
}

/// Draws an order in which each is as likely as any other.
fn shuffle(parts: &mut [&Part], random: &mut RandomSource<'_>) {
    let mut unordered = parts;
    while let Ok(count @ 2..) = u32::try_from(unordered.len()) {
        let mut drawn = [0; 4];
        random(&mut drawn);
        let chosen = scale(u32::from_le_bytes(drawn), count);
        unordered.swap(0, usize::try_from(chosen).unwrap_or_default());
        unordered = unordered.split_at_mut(1).1;
    }
}

/// The version in the record of a first hello (RFC 8446 section 5.1).
const RECORD_VERSION: [u8; 2] = [3, 1];
const NO_COMPRESSION: u8 = 0;
/// Length of a `ClientHello` without its header, its suites and its extensions: version, random, session
/// identifier, two lengths of lists, and one compression method.
const OTHER_FIELDS: usize = 2 + 32 + 33 + 2 + 2 + 2;
/// Length of a ticket's age in milliseconds, on the wire.
const OBFUSCATED_AGE: usize = 4;
/// What OpenSSL's tickets weigh without a client certificate, in bytes.
const TYPICAL_TICKET: usize = 208;
