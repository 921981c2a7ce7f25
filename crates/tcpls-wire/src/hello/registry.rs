//! Numbers of the TLS registries that hello messages carry.

use core::fmt;

/// Number of a cipher suite, 16 bits (RFC 8446 appendix B.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CipherSuite(u16);

impl CipherSuite {
    /// `TLS_AES_128_GCM_SHA256`
    pub const AES_128_GCM_SHA256: Self = Self(0x1301);
    /// `TLS_AES_256_GCM_SHA384`
    pub const AES_256_GCM_SHA384: Self = Self(0x1302);
    /// `TLS_CHACHA20_POLY1305_SHA256`
    pub const CHACHA20_POLY1305_SHA256: Self = Self(0x1303);

    /// The suite with this number on the wire.
    pub const fn from_wire(value: u16) -> Self {
        Self(value)
    }

    /// The number on the wire.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Length in bytes of the suite's hash, and so of a `Finished` and of a PSK binder: 48 for
    /// `TLS_AES_256_GCM_SHA384`, 32 for the other suites of TLS 1.3.
    pub const fn hash_length(self) -> usize {
        match self {
            Self::AES_256_GCM_SHA384 => 48,
            _ => 32,
        }
    }
}

impl fmt::Debug for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CipherSuite({:#06x})", self.0)
    }
}

/// Number of a key exchange group, 16 bits (RFC 8446 section 4.2.7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedGroup(u16);

impl NamedGroup {
    /// `x25519` (RFC 7748)
    pub const X25519: Self = Self(0x001d);
    /// `X25519MLKEM768` (draft-ietf-tls-ecdhe-mlkem)
    pub const X25519_MLKEM768: Self = Self(0x11ec);

    /// The group with this number on the wire.
    pub const fn from_wire(value: u16) -> Self {
        Self(value)
    }

    /// The number on the wire.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether the number means nothing and only exercises the tolerance of servers (RFC 8701).
    pub const fn is_grease(self) -> bool {
        let [high, low] = self.0.to_be_bytes();
        high == low && low & 0x0f == 0x0a
    }
}

impl fmt::Debug for NamedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedGroup({:#06x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_know_their_hash() {
        assert_eq!(CipherSuite::AES_128_GCM_SHA256.hash_length(), 32);
        assert_eq!(CipherSuite::AES_256_GCM_SHA384.hash_length(), 48);
        assert_eq!(CipherSuite::CHACHA20_POLY1305_SHA256.hash_length(), 32);
    }

    #[test]
    fn grease_is_told_from_groups() {
        let grease: usize = (0..=u16::MAX)
            .filter(|value| NamedGroup::from_wire(*value).is_grease())
            .count();
        assert_eq!(grease, 16);
        assert!(NamedGroup::from_wire(0x0a0a).is_grease());
        assert!(NamedGroup::from_wire(0xfafa).is_grease());
        assert!(!NamedGroup::X25519.is_grease());
        assert!(!NamedGroup::from_wire(0x0a1a).is_grease());
    }
}
