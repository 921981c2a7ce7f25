//! Key shares that nobody has the private key of.

use alloc::vec::Vec;

use super::RandomSource;
use super::coefficients::{POLYNOMIAL, push_compressed, push_plain};
use crate::hello::NamedGroup;

/// A group whose key shares can be made up (reading A-20): a random point of another curve would
/// have to be computed, and one that is not on the curve would be told at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinGroup {
    /// `x25519`: 32 bytes each way.
    X25519,
    /// `X25519MLKEM768`: the ML-KEM part first, then 32 bytes of X25519.
    X25519MlKem768,
}

impl JoinGroup {
    /// The group that joins of a session show whose handshake used `group`.
    pub fn for_session(group: NamedGroup) -> Self {
        Self::from_group(group).unwrap_or(Self::X25519)
    }

    /// The join group of this number; `None` for all other groups.
    pub fn from_group(group: NamedGroup) -> Option<Self> {
        [Self::X25519, Self::X25519MlKem768]
            .into_iter()
            .find(|known| known.group() == group)
    }

    /// Its number in the TLS registry.
    pub const fn group(self) -> NamedGroup {
        match self {
            Self::X25519 => NamedGroup::X25519,
            Self::X25519MlKem768 => NamedGroup::X25519_MLKEM768,
        }
    }

    /// Length of a client's share in bytes.
    pub const fn client_share_length(self) -> usize {
        match self {
            Self::X25519 => X25519_LENGTH,
            Self::X25519MlKem768 => ENCAPSULATION_KEY + X25519_LENGTH,
        }
    }

    /// Length of a server's share in bytes.
    pub const fn server_share_length(self) -> usize {
        match self {
            Self::X25519 => X25519_LENGTH,
            Self::X25519MlKem768 => CIPHERTEXT + X25519_LENGTH,
        }
    }

    /// A client's share.
    pub(super) fn client_share(self, random: &mut RandomSource<'_>) -> Vec<u8> {
        let mut share = Vec::with_capacity(self.client_share_length());
        match self {
            Self::X25519 => {}
            Self::X25519MlKem768 => push_encapsulation_key(random, &mut share),
        }
        push_x25519(random, &mut share);
        share
    }

    /// A server's share.
    pub(super) fn server_share(self, random: &mut RandomSource<'_>) -> Vec<u8> {
        let mut share = Vec::with_capacity(self.server_share_length());
        match self {
            Self::X25519 => {}
            Self::X25519MlKem768 => push_ciphertext(random, &mut share),
        }
        push_x25519(random, &mut share);
        share
    }
}

/// Length of an X25519 share, and of the X25519 part at the end of a hybrid one.
pub(super) const X25519_LENGTH: usize = 32;

/// Appends the form of an X25519 coordinate: below 2^255, little-endian (RFC 7748 section 5).
pub(super) fn push_x25519(random: &mut RandomSource<'_>, out: &mut Vec<u8>) {
    let mut share = [0; X25519_LENGTH];
    random(&mut share);
    let [.., last] = &mut share;
    *last &= 0x7f;
    out.extend_from_slice(&share);
}

/// Appends an ML-KEM-768 encapsulation key: 768 coefficients of 12 bits, then a seed (FIPS 203
/// section 5.1).
fn push_encapsulation_key(random: &mut RandomSource<'_>, out: &mut Vec<u8>) {
    push_plain(VECTOR, random, out);
    let mut seed = [0; SEED];
    random(&mut seed);
    out.extend_from_slice(&seed);
}

/// Appends an ML-KEM-768 ciphertext: 768 coefficients compressed to 10 bits and 256 to 4 (FIPS 203
/// section 5.2).
fn push_ciphertext(random: &mut RandomSource<'_>, out: &mut Vec<u8>) {
    push_compressed::<10>(VECTOR, random, out);
    push_compressed::<4>(1, random, out);
}

/// Scales a number drawn from all of 32 bits to one below `limit`.
pub(super) fn scale(drawn: u32, limit: u32) -> u32 {
    let scaled = (u64::from(drawn) * u64::from(limit)) >> 32;
    u32::try_from(scaled).unwrap_or_default()
}

/// Polynomials of a vector of ML-KEM-768.
const VECTOR: usize = 3;
/// Bytes of the seed at the end of an encapsulation key.
const SEED: usize = 32;
/// Bytes of an encapsulation key.
const ENCAPSULATION_KEY: usize = VECTOR * POLYNOMIAL * 12 / 8 + SEED;
/// Bytes of a ciphertext.
const CIPHERTEXT: usize = VECTOR * POLYNOMIAL * 10 / 8 + POLYNOMIAL * 4 / 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn splitmix(mut state: u64) -> impl FnMut(&mut [u8]) {
        move |buffer| {
            for chunk in buffer.chunks_mut(8) {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^= z >> 31;
                chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
            }
        }
    }

    /// The numbers of `bits` bits in `bytes`, read one bit at a time.
    fn unpack(bytes: &[u8], bits: usize) -> Vec<u32> {
        let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
        (0..bytes.len() * 8 / bits)
            .map(|index| (0..bits).map(|at| bit(index * bits + at) << at).sum())
            .collect()
    }

    /// the lengths are those of the hybrid group, ML-KEM first.
    #[test]
    fn shares_have_the_lengths_of_their_group() {
        let mut random = splitmix(1);
        for (group, client, server) in [
            (JoinGroup::X25519, 32, 32),
            (JoinGroup::X25519MlKem768, 1184 + 32, 1088 + 32),
        ] {
            assert_eq!(group.client_share_length(), client);
            assert_eq!(group.client_share(&mut random).len(), client);
            assert_eq!(group.server_share_length(), server);
            assert_eq!(group.server_share(&mut random).len(), server);
        }
    }

    /// every coefficient of a made-up encapsulation key passes the check of a real server.
    #[test]
    fn coefficients_are_below_the_modulus() {
        let mut random = splitmix(2);
        let mut seen = [false; 3329];
        for _ in 0..50 {
            let share = JoinGroup::X25519MlKem768.client_share(&mut random);
            for value in unpack(&share[..1152], 12) {
                seen[usize::try_from(value).unwrap()] = true;
            }
        }
        assert!(
            seen.iter().all(|seen| *seen),
            "all values occur, the edges too"
        );
    }

    /// a made-up ciphertext prefers the values that compression prefers.
    #[test]
    fn ciphertext_has_the_distribution_of_a_compressed_one() {
        let mut sources = [0; 1024];
        for value in 0..3329 {
            sources[(value * 1024 + 1664) / 3329 % 1024] += 1;
        }
        assert!(sources.iter().all(|count| [3, 4].contains(count)));
        let mut random = splitmix(3);
        let mut preferred = 0;
        for _ in 0..50 {
            let share = JoinGroup::X25519MlKem768.server_share(&mut random);
            preferred += unpack(&share[..960], 10)
                .into_iter()
                .filter(|value| sources[usize::try_from(*value).unwrap()] == 4)
                .count();
        }
        // 257 values of four sources each: 11858 expected, 9638 if all values were alike.
        assert!((11_500..12_200).contains(&preferred), "{preferred}");
    }

    #[test]
    fn coordinates_are_below_the_top_bit() {
        let share = JoinGroup::X25519.client_share(&mut |buffer| buffer.fill(0xff));
        assert_eq!(share.last(), Some(&0x7f));
        assert_eq!(share[..31], [0xff; 31]);
    }

    /// a session on another group shows X25519.
    #[test]
    fn other_groups_show_x25519() {
        let hybrid = NamedGroup::X25519_MLKEM768;
        assert_eq!(JoinGroup::for_session(hybrid), JoinGroup::X25519MlKem768);
        for other in [0x001d, 0x0017, 0x0018, 0x001e, 0x11eb, 0x0200, 0x0a0a] {
            let group = NamedGroup::from_wire(other);
            assert_eq!(JoinGroup::for_session(group), JoinGroup::X25519);
        }
    }
}
