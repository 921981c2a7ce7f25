//! The three TLS 1.3 cipher suites that record protection knows, and what each one allows.

use rustls::CipherSuite;

use crate::limits::Limits;

/// A TLS 1.3 cipher suite with a 12-byte IV and a 16-byte tag (reading A-41).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// `TLS_AES_128_GCM_SHA256`, 0x1301.
    Aes128Gcm,
    /// `TLS_AES_256_GCM_SHA384`, 0x1302.
    Aes256Gcm,
    /// `TLS_CHACHA20_POLY1305_SHA256`, 0x1303.
    ChaCha20Poly1305,
}

/// The hash of a suite's key schedule (RFC 8446 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
}

impl Suite {
    /// All of them, in the order of their code points.
    pub const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// The suite with this TLS code point; `None` for TLS 1.2 suites and unknown ones.
    pub fn from_rustls(suite: CipherSuite) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.to_rustls() == suite)
    }

    /// The TLS code point, in the type of rustls.
    pub fn to_rustls(self) -> CipherSuite {
        match self {
            Self::Aes128Gcm => CipherSuite::TLS13_AES_128_GCM_SHA256,
            Self::Aes256Gcm => CipherSuite::TLS13_AES_256_GCM_SHA384,
            Self::ChaCha20Poly1305 => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        }
    }

    /// The TLS code point.
    pub fn code_point(self) -> u16 {
        u16::from(self.to_rustls())
    }

    /// Length of the record key in bytes: 16 or 32.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// The hash of the key schedule.
    pub const fn hash(self) -> Hash {
        match self {
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => Hash::Sha256,
            Self::Aes256Gcm => Hash::Sha384,
        }
    }

    /// How many records one key may protect, and how many forgeries it may see, by default.
    pub const fn limits(self) -> Limits {
        Limits::for_suite(self)
    }
}

impl Hash {
    /// Length of the output, and of every secret of the key schedule, in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_map_to_their_code_points_and_back() {
        for suite in Suite::ALL {
            assert_eq!(Suite::from_rustls(suite.to_rustls()), Some(suite));
        }
        assert_eq!(Suite::ALL.map(Suite::code_point), [0x1301, 0x1302, 0x1303]);
        assert_eq!(
            Suite::from_rustls(CipherSuite::TLS13_AES_128_CCM_SHA256),
            None
        );
    }
}
