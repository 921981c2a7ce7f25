//! Two AEAD libraries behind one interface.

use core::fmt;

use crate::Suite;
use crate::header::HEADER_LEN;
use crate::nonce::NONCE_LEN;
use crate::secrets::KeyError;

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;

/// The library that protects records. The handshake uses whatever the user's rustls provider uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// aws-lc-rs: assembly for every common processor. Feature `aws-lc`.
    #[cfg(feature = "aws-lc")]
    AwsLc,
    /// The pure Rust crates `aes-gcm` and `chacha20poly1305`. Feature `rustcrypto`.
    #[cfg(feature = "rustcrypto")]
    RustCrypto,
}

impl Backend {
    /// The backends that are compiled in, the default one first.
    pub const ALL: &[Self] = &[
        #[cfg(feature = "aws-lc")]
        Self::AwsLc,
        #[cfg(feature = "rustcrypto")]
        Self::RustCrypto,
    ];

    /// A key of this backend; `key` must be as long as the suite wants.
    pub(crate) fn record_aead(
        self,
        suite: Suite,
        key: &[u8],
    ) -> Result<Box<dyn RecordAead>, KeyError> {
        if key.len() != suite.key_len() {
            return Err(KeyError::Length);
        }
        match self {
            #[cfg(feature = "aws-lc")]
            Self::AwsLc => aws_lc::record_aead(suite, key),
            #[cfg(feature = "rustcrypto")]
            Self::RustCrypto => rustcrypto::record_aead(suite, key),
        }
    }
}

impl Default for Backend {
    /// aws-lc-rs where it is compiled in, else the pure Rust crates.
    fn default() -> Self {
        #[cfg(feature = "aws-lc")]
        return Self::AwsLc;
        #[cfg(all(feature = "rustcrypto", not(feature = "aws-lc")))]
        return Self::RustCrypto;
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "aws-lc")]
            Self::AwsLc => f.write_str("aws-lc-rs"),
            #[cfg(feature = "rustcrypto")]
            Self::RustCrypto => f.write_str("RustCrypto"),
        }
    }
}

/// What is unique to one record: its nonce, and its header as the associated data.
pub(crate) struct RecordContext {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) header: [u8; HEADER_LEN],
}

/// Record protection with one key.
pub(crate) trait RecordAead: Send + Sync {
    /// Seals `lead ‖ extra` into `out`, which is 16 bytes longer than both together.
    fn seal(
        &self,
        context: &RecordContext,
        lead: &[u8],
        extra: &[u8],
        out: &mut [u8],
    ) -> Result<(), AeadError>;

    /// Opens `text ‖ tag` in place; the plaintext is as long as `text`.
    fn open_in_place(
        &self,
        context: &RecordContext,
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError>;

    /// Opens `text ‖ tag` into `out`, which is as long as `text`.
    fn open_into(
        &self,
        context: &RecordContext,
        text: &[u8],
        tag: &[u8],
        out: &mut [u8],
    ) -> Result<(), AeadError>;
}

/// The tag is wrong, or a buffer has the wrong length; the libraries do not tell more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AeadError;

/// Copies both parts of a plaintext to the front of `out` and returns that and the rest.
fn copy_parts<'a>(
    lead: &[u8],
    extra: &[u8],
    out: &'a mut [u8],
) -> Result<(&'a mut [u8], &'a mut [u8]), AeadError> {
    let (text, rest) = out
        .split_at_mut_checked(lead.len() + extra.len())
        .ok_or(AeadError)?;
    let (first, second) = text.split_at_mut_checked(lead.len()).ok_or(AeadError)?;
    first.copy_from_slice(lead);
    second.copy_from_slice(extra);
    Ok((text, rest))
}
