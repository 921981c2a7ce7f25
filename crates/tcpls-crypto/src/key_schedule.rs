//! The part of the TLS 1.3 key schedule that comes after the handshake (RFC 8446 section 7).

use hkdf::Hkdf;
use sha2::{Digest, Sha256, Sha384};
use zeroize::Zeroizing;

use crate::suite::Hash;

/// A secret of the key schedule, as long as the hash; zeroed on drop.
pub(crate) struct Secret {
    hash: Hash,
    bytes: Zeroizing<Vec<u8>>,
}

/// A length that HKDF cannot give, or a secret that is not as long as the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongLength;

impl Secret {
    pub(crate) fn new(hash: Hash, bytes: &[u8]) -> Result<Self, WrongLength> {
        if bytes.len() == hash.output_len() {
            Ok(Self {
                hash,
                bytes: Zeroizing::new(bytes.to_vec()),
            })
        } else {
            Err(WrongLength)
        }
    }

    /// `HKDF-Expand-Label(self, label, context, out.len())`; the label without its `tls13 `.
    pub(crate) fn expand_label(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), WrongLength> {
        let length = u16::try_from(out.len())
            .map_err(|_| WrongLength)?
            .to_be_bytes();
        let label_len = [u8::try_from(PREFIX.len() + label.len()).map_err(|_| WrongLength)?];
        let context_len = [u8::try_from(context.len()).map_err(|_| WrongLength)?];
        let info: [&[u8]; 6] = [&length, &label_len, PREFIX, label, &context_len, context];
        match self.hash {
            Hash::Sha256 => Hkdf::<Sha256>::from_prk(&self.bytes)
                .map_err(|_| WrongLength)?
                .expand_multi_info(&info, out)
                .map_err(|_| WrongLength),
            Hash::Sha384 => Hkdf::<Sha384>::from_prk(&self.bytes)
                .map_err(|_| WrongLength)?
                .expand_multi_info(&info, out)
                .map_err(|_| WrongLength),
        }
    }

    /// The secret of the same length under `label` and `context`.
    pub(crate) fn derive(&self, label: &[u8], context: &[u8]) -> Result<Self, WrongLength> {
        let mut bytes = Zeroizing::new(vec![0; self.hash.output_len()]);
        self.expand_label(label, context, &mut bytes)?;
        Ok(Self {
            hash: self.hash,
            bytes,
        })
    }

    /// Exported keying material (RFC 8446 section 7.5), from an exporter secret.
    pub(crate) fn export(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), WrongLength> {
        let secret = self.derive(label, &digest(self.hash, b""))?;
        secret.expand_label(b"exporter", &digest(self.hash, context), out)
    }
}

fn digest(hash: Hash, data: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(data).to_vec(),
        Hash::Sha384 => Sha384::digest(data).to_vec(),
    }
}

const PREFIX: &[u8] = b"tls13 ";

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect()
    }

    /// RFC 8448 section 3: the server's application traffic secret, its key and IV.
    #[test]
    fn record_key_and_iv_of_rfc_8448() {
        let secret = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
        let secret = Secret::new(Hash::Sha256, &bytes(secret)).unwrap();
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        secret.expand_label(b"key", b"", &mut key).unwrap();
        secret.expand_label(b"iv", b"", &mut iv).unwrap();
        assert_eq!(key.to_vec(), bytes("9f02283b6c9c07efc26bb9f2ac92e356"));
        assert_eq!(iv.to_vec(), bytes("cf782b88dd83549aadf1e984"));
    }

    #[test]
    fn secrets_of_another_length_are_refused() {
        assert!(Secret::new(Hash::Sha256, &[0; 48]).is_err());
        assert!(Secret::new(Hash::Sha384, &[0; 32]).is_err());
        assert!(Secret::new(Hash::Sha384, &[0; 48]).is_ok());
    }
}
