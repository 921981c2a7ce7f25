//! How much one key may be used (reading A-26).

use crate::Suite;

/// Bounds on the use of one key, counted over all connections of a session that share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sealed records after which [`RecordSealer::update_is_due`](crate::RecordSealer::update_is_due)
    /// asks for a `KeyUpdate`. What is left up to `confidentiality` is headroom, so that connections
    /// that join late can still climb through this generation.
    pub update_after: u64,
    /// Records that may be sealed under the key; the next one is refused.
    pub confidentiality: u64,
    /// Records that may fail to open under the key; after them every record is refused.
    pub integrity: u64,
}

impl Limits {
    /// The default limits of a suite.
    ///
    /// Confidentiality: RFC 8446 section 5.5 gives 2^24.5 full records for AES-GCM, and no limit
    /// that a sequence number could reach for ChaCha20-Poly1305. Integrity: RFC 9147 section 4.5.3
    /// counts records of the same size and gives 2^36 for all three.
    pub const fn for_suite(suite: Suite) -> Self {
        match suite {
            Suite::Aes128Gcm | Suite::Aes256Gcm => Self {
                update_after: 1 << 23,
                confidentiality: 23_726_566,
                integrity: 1 << 36,
            },
            Suite::ChaCha20Poly1305 => Self {
                update_after: 1 << 62,
                confidentiality: 1 << 63,
                integrity: 1 << 36,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// updates at 2^23 records leave headroom below the limit of AES-GCM.
    #[test]
    fn aes_gcm_updates_well_before_its_limit() {
        let limits = Limits::for_suite(Suite::Aes128Gcm);
        assert_eq!(limits.update_after, 1 << 23);
        // 2^24.5, rounded down: its square is at most 2^49, the next number's is above.
        let square = |n: u64| u128::from(n).pow(2);
        assert!(square(limits.confidentiality) <= 1 << 49);
        assert!(square(limits.confidentiality + 1) > 1 << 49);
    }
}
