//! Record protection with aws-lc-rs.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{AeadError, RecordAead, RecordContext, copy_parts};
use crate::Suite;
use crate::header::{HEADER_LEN, TAG_LEN};
use crate::secrets::KeyError;

pub(super) fn record_aead(suite: Suite, key: &[u8]) -> Result<Box<dyn RecordAead>, KeyError> {
    // aws-lc seals the extra input of AES-GCM at full speed, that of ChaCha20-Poly1305 byte by byte
    // with a keystream block for each call, which costs more than copying a whole record.
    let (algorithm, input) = match suite {
        Suite::Aes128Gcm => (&aead::AES_128_GCM, Input::Scattered),
        Suite::Aes256Gcm => (&aead::AES_256_GCM, Input::Scattered),
        Suite::ChaCha20Poly1305 => (&aead::CHACHA20_POLY1305, Input::Copied),
    };
    let key = UnboundKey::new(algorithm, key).map_err(|_| KeyError::Backend)?;
    Ok(Box::new(AwsLcKey {
        key: LessSafeKey::new(key),
        input,
    }))
}

struct AwsLcKey {
    key: LessSafeKey,
    input: Input,
}

/// How the two parts of a record's plaintext get into the cipher.
enum Input {
    /// Each is read from where it is.
    Scattered,
    /// Both are copied to where the ciphertext will be.
    Copied,
}

impl RecordAead for AwsLcKey {
    fn seal(
        &self,
        context: &RecordContext,
        lead: &[u8],
        extra: &[u8],
        out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (nonce, aad) = inputs(context);
        match self.input {
            Input::Scattered => {
                let (text, rest) = out.split_at_mut_checked(lead.len()).ok_or(AeadError)?;
                self.key
                    .seal_out_of_place_scatter(nonce, aad, lead, text, extra, rest)
            }
            Input::Copied => {
                let (text, tag) = copy_parts(lead, extra, out)?;
                self.key.seal_in_place_scatter(nonce, aad, text, &[], tag)
            }
        }
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
