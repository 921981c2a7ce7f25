//! The nonce of a protected record (draft 4.3).

use tcpls_wire::ConnectionId;
use zeroize::Zeroize;

/// Length of an IV and of a nonce, in bytes.
pub const NONCE_LEN: usize = 12;

/// The IV of one key on one connection, as a big-endian number of 96 bits: the traffic IV with the
/// Connection ID already mixed into the leftmost 32 of them.
///
/// What is left for each record is to mix its sequence into the rightmost 64. With Connection ID 0
/// this is the IV of plain TLS 1.3.
pub(crate) struct ConnectionIv(u128);

impl ConnectionIv {
    pub(crate) fn new(iv: &[u8; NONCE_LEN], connection: ConnectionId) -> Self {
        let mut bytes = [0; size_of::<u128>()];
        if let Some(low) = bytes.last_chunk_mut() {
            *low = *iv;
        }
        let iv = Self(u128::from_be_bytes(bytes) ^ u128::from(connection.as_u32()) << u64::BITS);
        bytes.zeroize();
        iv
    }

    /// The nonce of the record with this sequence, counted from 0 in the key's generation.
    pub(crate) fn nonce(&self, sequence: u64) -> [u8; NONCE_LEN] {
        let [_, _, _, _, nonce @ ..] = (self.0 ^ u128::from(sequence)).to_be_bytes();
        nonce
    }
}

impl Drop for ConnectionIv {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The nonce of a record (draft 4.3, figure 9): the Connection ID mixed into the leftmost 32 bits of
/// the IV and the record's sequence into the rightmost 64.
///
/// `sequence` counts the records of one generation (reading A-26); in generation 0 it is the record
/// sequence that acknowledgements name.
pub fn nonce(iv: &[u8; NONCE_LEN], connection: ConnectionId, sequence: u64) -> [u8; NONCE_LEN] {
    ConnectionIv::new(iv, connection).nonce(sequence)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rustls::crypto::cipher::{Iv, Nonce};

    use super::*;

    proptest! {
        /// R25: rustls computes the same nonce for a path of multipath QUIC.
        #[test]
        fn nonce_equals_the_one_of_rustls_for_a_path(
            iv: [u8; 12], connection: u32, sequence: u64,
        ) {
            let ours = nonce(&iv, ConnectionId::from_wire(connection), sequence);
            let oracle = Nonce::for_path(connection, &Iv::from(iv), sequence);
            prop_assert_eq!(ours, oracle.0);
        }

        /// R25: Connection ID 0 is plain TLS 1.3.
        #[test]
        fn first_connection_has_the_nonce_of_plain_tls(iv: [u8; 12], sequence: u64) {
            let ours = nonce(&iv, ConnectionId::FIRST, sequence);
            prop_assert_eq!(ours, Nonce::new(&Iv::from(iv), sequence).0);
        }
    }

    /// R24, R25: records of different connections or sequences never share a nonce.
    #[test]
    fn nonces_of_connections_and_sequences_are_distinct() {
        let iv = [0xa5; NONCE_LEN];
        let mut seen = BTreeSet::new();
        for connection in [0, 1, 2, 255, 256, u32::MAX] {
            for sequence in [0, 1, 2, 255, 256, 1 << 32, 1 << 63, u64::MAX] {
                assert!(seen.insert(nonce(&iv, ConnectionId::from_wire(connection), sequence)));
            }
        }
    }

    /// R25: the layout of draft figure 9, byte by byte.
    #[test]
    fn nonce_layout() {
        let nonce = nonce(
            &[0; 12],
            ConnectionId::from_wire(0x0102_0304),
            0x1112_1314_1516_1718,
        );
        assert_eq!(
            nonce,
            [1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18],
            "Connection ID left, sequence right, both big-endian"
        );
    }
}
