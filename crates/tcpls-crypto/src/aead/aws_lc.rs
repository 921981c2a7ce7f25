//! Record protection with aws-lc-rs.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{AeadError, RecordAead, RecordContext};
use crate::Suite;
use crate::header::{HEADER_LEN, TAG_LEN};
use crate::secrets::KeyError;

pub(super) fn record_aead(suite: Suite, key: &[u8]) -> Result<Box<dyn RecordAead>, KeyError> {
    let (algorithm, max_scattered) = match suite {
        Suite::Aes128Gcm => (&aead::AES_128_GCM, usize::MAX),
        Suite::Aes256Gcm => (&aead::AES_256_GCM, usize::MAX),
        Suite::ChaCha20Poly1305 => (&aead::CHACHA20_POLY1305, MAX_CHACHA_SCATTERED),
    };
    let key = UnboundKey::new(algorithm, key).map_err(|_| KeyError::Backend)?;
    Ok(Box::new(AwsLcKey {
        key: LessSafeKey::new(key),
        max_scattered,
    }))
}

struct AwsLcKey {
    key: LessSafeKey,
    /// Extra input up to this length is sealed straight from where it is; longer input is copied.
    max_scattered: usize,
}

impl RecordAead for AwsLcKey {
    fn seal(
        &self,
        context: &RecordContext,
        lead: &[u8],
        extra: &[u8],
        out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (text, rest) = out.split_at_mut_checked(lead.len()).ok_or(AeadError)?;
        if extra.len() <= self.max_scattered {
            let (nonce, aad) = inputs(context);
            return self
                .key
                .seal_out_of_place_scatter(nonce, aad, lead, text, extra, rest)
                .map_err(|_| AeadError);
        }
        text.copy_from_slice(lead);
        rest.get_mut(..extra.len())
            .ok_or(AeadError)?
            .copy_from_slice(extra);
        let (text, tag) = out
            .split_at_mut_checked(lead.len() + extra.len())
            .ok_or(AeadError)?;
        let (nonce, aad) = inputs(context);
        self.key
            .seal_in_place_scatter(nonce, aad, text, &[], tag)
            .map_err(|_| AeadError)
    }

    fn open_in_place(
        &self,
        context: &RecordContext,
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        let (nonce, aad) = inputs(context);
        match self.key.open_in_place_separate_tag(nonce, aad, tag, text) {
            Ok(_) => Ok(()),
            Err(_) => Err(AeadError),
        }
    }

    fn open_into(
        &self,
        context: &RecordContext,
        text: &[u8],
        tag: &[u8],
        out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (nonce, aad) = inputs(context);
        self.key
            .open_separate_gather(nonce, aad, text, tag, out)
            .map_err(|_| AeadError)
    }
}

fn inputs(context: &RecordContext) -> (Nonce, Aad<[u8; HEADER_LEN]>) {
    (
        Nonce::assume_unique_for_key(context.nonce),
        Aad::from(context.header),
    )
}

const _: () = assert!(TAG_LEN == aead::MAX_TAG_LEN);

/// aws-lc seals the extra input of ChaCha20-Poly1305 byte by byte, and AES-GCM's at full speed.
const MAX_CHACHA_SCATTERED: usize = 256;
