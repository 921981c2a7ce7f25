//! Record protection in pure Rust, with the `RustCrypto` crates.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;

use super::{AeadError, RecordAead, RecordContext, copy_parts};
use crate::Suite;
use crate::secrets::KeyError;

pub(super) fn record_aead(suite: Suite, key: &[u8]) -> Result<Box<dyn RecordAead>, KeyError> {
    Ok(match suite {
        Suite::Aes128Gcm => boxed(Aes128Gcm::new_from_slice(key))?,
        Suite::Aes256Gcm => boxed(Aes256Gcm::new_from_slice(key))?,
        Suite::ChaCha20Poly1305 => boxed(ChaCha20Poly1305::new_from_slice(key))?,
    })
}

fn boxed<A, E>(key: Result<A, E>) -> Result<Box<dyn RecordAead>, KeyError>
where
    A: AeadInOut + Send + Sync + 'static,
{
    match key {
        Ok(key) => Ok(Box::new(RustCryptoKey(key))),
        Err(_) => Err(KeyError::Backend),
    }
}

struct RustCryptoKey<A>(A);

impl<A: AeadInOut + Send + Sync> RecordAead for RustCryptoKey<A> {
    /// These crates take one input, so both parts are copied to their place first.
    fn seal(
        &self,
        context: &RecordContext,
        lead: &[u8],
        extra: &[u8],
        out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (text, tag_out) = copy_parts(lead, extra, out)?;
        let nonce = context.nonce.as_slice().try_into().map_err(|_| AeadError)?;
        let tag = self
            .0
            .encrypt_inout_detached(nonce, &context.header, text.into())
            .map_err(|_| AeadError)?;
        if tag_out.len() != tag.len() {
            return Err(AeadError);
        }
        tag_out.copy_from_slice(&tag);
        Ok(())
    }

    fn open_in_place(
        &self,
        context: &RecordContext,
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        self.open(context, text.into(), tag)
    }

    fn open_into(
        &self,
        context: &RecordContext,
        text: &[u8],
        tag: &[u8],
        out: &mut [u8],
    ) -> Result<(), AeadError> {
        self.open(
            context,
            InOutBuf::new(text, out).map_err(|_| AeadError)?,
            tag,
        )
    }
}

impl<A: AeadInOut> RustCryptoKey<A> {
    fn open(
        &self,
        context: &RecordContext,
        text: InOutBuf<'_, '_, u8>,
        tag: &[u8],
    ) -> Result<(), AeadError> {
        let nonce = context.nonce.as_slice().try_into().map_err(|_| AeadError)?;
        let tag = tag.try_into().map_err(|_| AeadError)?;
        self.0
            .decrypt_inout_detached(nonce, &context.header, text, tag)
            .map_err(|_| AeadError)
    }
}
