//! What a joining client remembers of its hello, to know the answer by.

use alloc::vec::Vec;

use super::{HelloField, JoinFailure, JoinGroup, JoinShape, TLS13};
use crate::{
    ExtensionType, ServerHello,
    cursor::Reader,
    hello::{CipherSuite, NamedGroup},
};

/// The hello of a join, as far as the answer depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinOffer {
    pub(super) shape: JoinShape,
    pub(super) session_id: [u8; 32],
    pub(super) suite: CipherSuite,
    /// The groups of the key shares.
    pub(super) groups: Vec<JoinGroup>,
}

impl JoinOffer {
    /// The shape that the client chose.
    pub fn shape(&self) -> JoinShape {
        self.shape
    }

    /// The session identifier, which the server echoes.
    pub fn session_id(&self) -> &[u8; 32] {
        &self.session_id
    }

    /// Whether `hello` answers this offer (reading A-20).
    ///
    /// An answer without a key share passes, since nobody needs the share; everything that is there
    /// must fit.
    pub(super) fn check(&self, hello: &ServerHello<'_>) -> Result<(), JoinFailure> {
        if hello.is_hello_retry_request() {
            return Err(JoinFailure::HelloRetryRequest);
        }
        let extensions = hello.extensions();
        let differs = |field| Err(JoinFailure::Mismatch(field));
        if extensions.get(ExtensionType::SUPPORTED_VERSIONS) != Some(&TLS13) {
            return differs(HelloField::Version);
        }
        if hello.session_id() != self.session_id {
            return differs(HelloField::SessionId);
        }
        if hello.cipher_suite() != self.suite.as_u16() {
            return differs(HelloField::CipherSuite);
        }
        if let Some(body) = extensions.get(ExtensionType::KEY_SHARE)
            && !self.fits(body)
        {
            return differs(HelloField::KeyShare);
        }
        match (self.shape, extensions.get(ExtensionType::PRE_SHARED_KEY)) {
            (JoinShape::Resumption, Some(FIRST_IDENTITY)) | (JoinShape::Full, None) => Ok(()),
            (JoinShape::Resumption, None) => Err(JoinFailure::WithoutPreSharedKey),
            (_, Some(_)) => differs(HelloField::PreSharedKey),
        }
    }

    /// Whether the body of `key_share` is a share of a group that was shown.
    fn fits(&self, body: &[u8]) -> bool {
        let mut reader = Reader::new(body);
        let (Ok(group), Ok(share)) = (reader.u16(), reader.bytes_u16()) else {
            return false;
        };
        let length = JoinGroup::from_group(NamedGroup::from_wire(group))
            .filter(|group| self.groups.contains(group))
            .map(JoinGroup::server_share_length);
        reader.is_empty() && length == Some(share.len())
    }
}

/// The number of the one identity of a join, 16 bits.
pub(super) const FIRST_IDENTITY: &[u8] = &[0, 0];
