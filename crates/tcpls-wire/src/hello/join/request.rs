//! The server's side: reading a join's hello and answering it in kind.

use alloc::vec::Vec;

use super::{
    CHANGE_CIPHER_SPEC, JoinGroup, JoinShape, RECORD_HEADER, RandomSource, TLS12, TLS13,
    offer::FIRST_IDENTITY, write,
};
use crate::{
    ClientHello, ExtensionType, HelloError,
    hello::{CipherSuite, HANDSHAKE_HEADER, HandshakeType, NamedGroup},
};

/// A join's hello, as far as the answer depends on it.
///
/// Its token is not here: see [`ClientHello::tcpls_offer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinRequest<'a> {
    shape: JoinShape,
    session_id: &'a [u8],
    group: Option<JoinGroup>,
}

impl<'a> JoinRequest<'a> {
    /// Reads a hello that carries `tcpls_join`.
    ///
    /// One without a key share, or with shares of other groups only, passes: the answer then has
    /// none either, since nobody needs it.
    pub fn parse(hello: &ClientHello<'a>) -> Result<Self, HelloError> {
        let shape = match hello.extensions().get(ExtensionType::PRE_SHARED_KEY) {
            Some(_) => JoinShape::Resumption,
            None => JoinShape::Full,
        };
        let shown: Vec<_> = hello
            .key_shares()?
            .filter_map(|(number, share)| {
                JoinGroup::from_group(NamedGroup::from_wire(number))
                    .filter(|group| group.client_share_length() == share.len())
            })
            .collect();
        let group = [JoinGroup::X25519MlKem768, JoinGroup::X25519]
            .into_iter()
            .find(|group| shown.contains(group));
        Ok(Self {
            shape,
            session_id: hello.session_id(),
            group,
        })
    }

    /// Appends the answer to `out`: the records of a `ServerHello` and of `change_cipher_spec`.
    ///
    /// `suite` is that of the session. It is all that a server sends before a record of the client
    /// was authentic (reading A-21), and less than what the client sent.
    pub fn answer(&self, suite: CipherSuite, random: &mut RandomSource<'_>, out: &mut Vec<u8>) {
        let mut server_random = [0; 32];
        random(&mut server_random);
        let extensions = self.extension_list(random);
        let mut body = Vec::with_capacity(extensions.len() + OTHER_FIELDS);
        body.extend_from_slice(&TLS12);
        body.extend_from_slice(&server_random);
        write::prefixed_u8(self.session_id, &mut body);
        body.extend_from_slice(&suite.as_u16().to_be_bytes());
        body.push(NO_COMPRESSION);
        write::prefixed_u16(&extensions, &mut body);
        out.reserve(body.len() + RECORDS);
        write::record(TLS12, HandshakeType::SERVER_HELLO, &body, out);
        out.extend_from_slice(&CHANGE_CIPHER_SPEC);
    }

    /// The shape of the client's hello, and so of the answer.
    pub fn shape(&self) -> JoinShape {
        self.shape
    }

    /// The session identifier, 0 to 32 bytes.
    pub fn session_id(&self) -> &'a [u8] {
        self.session_id
    }

    /// The group of the key share that is answered.
    pub fn group(&self) -> Option<JoinGroup> {
        self.group
    }

    /// The extensions in the order of rustls.
    fn extension_list(&self, random: &mut RandomSource<'_>) -> Vec<u8> {
        let length = self.group.map_or(0, JoinGroup::server_share_length);
        let mut list = Vec::with_capacity(length + OTHER_EXTENSIONS);
        if let Some(group) = self.group {
            let mut share = Vec::with_capacity(length + 4);
            share.extend_from_slice(&group.group().as_u16().to_be_bytes());
            write::prefixed_u16(&group.server_share(random), &mut share);
            write::extension(ExtensionType::KEY_SHARE, &share, &mut list);
        }
        if self.shape == JoinShape::Resumption {
            write::extension(ExtensionType::PRE_SHARED_KEY, FIRST_IDENTITY, &mut list);
        }
        write::extension(ExtensionType::SUPPORTED_VERSIONS, &TLS13, &mut list);
        list
    }
}

const NO_COMPRESSION: u8 = 0;
/// Space for everything in a `ServerHello` but its extensions.
const OTHER_FIELDS: usize = 2 + 32 + 33 + 2 + 1 + 2;
/// Space for everything in the extensions but the key share itself.
const OTHER_EXTENSIONS: usize = 8 + 6 + 6;
/// Space for everything in the two records but the message's body.
const RECORDS: usize = RECORD_HEADER + HANDSHAKE_HEADER + CHANGE_CIPHER_SPEC.len();
