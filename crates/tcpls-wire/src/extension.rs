//! The TLS extensions of TCPLS: their code points and the shape of their content (draft 5.1).

use core::fmt;

use zeroize::Zeroize;

use crate::{HelloError, Token, TokenRef, token::TOKEN_LENGTH};

/// Type of a TLS extension, 16 bits (RFC 8446 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionType(u16);

impl ExtensionType {
    /// `server_name` (RFC 6066)
    pub const SERVER_NAME: Self = Self(0);
    /// `supported_groups`
    pub const SUPPORTED_GROUPS: Self = Self(10);
    /// `application_layer_protocol_negotiation` (RFC 7301)
    pub const ALPN: Self = Self(16);
    /// `pre_shared_key`
    pub const PRE_SHARED_KEY: Self = Self(41);
    /// `early_data`
    pub const EARLY_DATA: Self = Self(42);
    /// `supported_versions`
    pub const SUPPORTED_VERSIONS: Self = Self(43);
    /// `cookie`
    pub const COOKIE: Self = Self(44);
    /// `psk_key_exchange_modes`
    pub const PSK_KEY_EXCHANGE_MODES: Self = Self(45);
    /// `key_share`
    pub const KEY_SHARE: Self = Self(51);

    /// The type with this value on the wire.
    pub const fn from_wire(value: u16) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ExtensionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// One TLS extension: `Type:2 Length:2 body[Length]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What it is.
    pub kind: ExtensionType,
    /// Its content, at most 65535 bytes.
    pub body: &'a [u8],
}

impl fmt::Debug for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extension({}, {} bytes)", self.kind, self.body.len())
    }
}

/// Which extension types carry TCPLS; the draft leaves all of them to be assigned (draft 7.1).
///
/// Both peers must use the same four, all different and none that TLS itself uses; a clash shows when
/// the extensions are inserted ([`crate::RewriteError::AlreadyPresent`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtensionCodePoints {
    /// `tcpls`, in `ClientHello` and `EncryptedExtensions` (draft 5.1.1).
    pub tcpls: ExtensionType,
    /// `tcpls_join`, in `ClientHello` (draft 5.1.2).
    pub join: ExtensionType,
    /// `tcpls_token`, in `EncryptedExtensions` (draft 5.1.3).
    pub token: ExtensionType,
    /// `tcpls_params`, in `ClientHello` and `EncryptedExtensions`: this project's own.
    pub params: ExtensionType,
}

impl Default for ExtensionCodePoints {
    /// Values of the private-use range, 0xFF64 to 0xFF67.
    fn default() -> Self {
        Self {
            tcpls: ExtensionType(0xFF64),
            join: ExtensionType(0xFF65),
            token: ExtensionType(0xFF66),
            params: ExtensionType(0xFF67),
        }
    }
}

/// How a token is written into `tcpls_join` and `tcpls_token` (reading A-4); both forms are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TokenForm {
    /// 33 bytes: a length byte, `20`, then the token.
    #[default]
    Prefixed,
    /// 32 bytes: the token alone.
    Bare,
}

/// How this endpoint writes the TCPLS extensions and where it looks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ExtensionCodec {
    /// The extension types.
    pub code_points: ExtensionCodePoints,
    /// The form in which tokens are sent.
    pub token_form: TokenForm,
}

impl ExtensionCodec {
    /// The `tcpls` extension, which has no content (draft 5.1.1).
    pub fn tcpls(&self) -> Extension<'static> {
        Extension {
            kind: self.code_points.tcpls,
            body: &[],
        }
    }

    /// The `tcpls_params` extension with a list from [`crate::params`].
    pub fn params<'a>(&self, list: &'a [u8]) -> Extension<'a> {
        Extension {
            kind: self.code_points.params,
            body: list,
        }
    }

    /// The `tcpls_join` extension with a body from [`Self::token_body`].
    pub fn join<'a>(&self, body: &'a TokenBody) -> Extension<'a> {
        Extension {
            kind: self.code_points.join,
            body: body.as_bytes(),
        }
    }

    /// The `tcpls_token` extension with a body from [`Self::token_body`].
    pub fn token<'a>(&self, body: &'a TokenBody) -> Extension<'a> {
        Extension {
            kind: self.code_points.token,
            body: body.as_bytes(),
        }
    }

    /// The content of `tcpls_join` or `tcpls_token`, in this codec's form (reading A-4).
    pub fn token_body(&self, token: TokenRef<'_>) -> TokenBody {
        TokenBody::new(token, self.token_form)
    }

    /// Checks the content of `tcpls`: there is none (draft 5.1.1).
    pub(crate) fn parse_tcpls(body: &[u8]) -> Result<(), HelloError> {
        if body.is_empty() {
            Ok(())
        } else {
            Err(HelloError::TcplsNotEmpty)
        }
    }

    /// Reads the content of `tcpls_join` or `tcpls_token`: 32 bytes, or `20` and 32 bytes (reading
    ///
    pub(crate) fn parse_token(body: &[u8]) -> Result<Token, HelloError> {
        let value = match body.split_first_chunk() {
            Some(([TOKEN_LENGTH_BYTE], value)) if value.len() == TOKEN_LENGTH => value,
            _ => body,
        };
        let value = value.try_into().map_err(|_| HelloError::TokenSize)?;
        Ok(TokenRef::from_bytes(value).to_token())
    }
}

const TOKEN_LENGTH_BYTE: u8 = 0x20;

/// The encoded content of a token extension, erased when dropped.
pub struct TokenBody {
    /// The prefixed form; the bare form leaves out the first byte.
    bytes: [u8; TOKEN_LENGTH + 1],
    form: TokenForm,
}

impl TokenBody {
    fn new(token: TokenRef<'_>, form: TokenForm) -> Self {
        let mut bytes = [TOKEN_LENGTH_BYTE; TOKEN_LENGTH + 1];
        let (_, value) = bytes.split_at_mut(1);
        value.copy_from_slice(token.as_bytes());
        Self { bytes, form }
    }

    /// The 33 or 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self.form {
            TokenForm::Prefixed => &self.bytes,
            TokenForm::Bare => self.bytes.split_at(1).1,
        }
    }
}

impl fmt::Debug for TokenBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenBody(..)")
    }
}

impl Drop for TokenBody {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}
