//! The numbers that made-up key shares of ML-KEM consist of: drawn, compressed and packed.
//!
//! A server makes a thousand of them for each join. Each step runs over a whole polynomial and takes no
//! turns that depend on the numbers, so that compilers make vector instructions of it.

use alloc::vec::Vec;

use super::RandomSource;

/// The modulus of ML-KEM.
pub(super) const MODULUS: u16 = 3329;
/// Coefficients of one polynomial.
pub(super) const POLYNOMIAL: usize = 256;

type Polynomial = [u16; POLYNOMIAL];

/// Appends `count` polynomials whose coefficients are drawn below the modulus, each in 12 bits.
pub(super) fn push_plain(count: usize, random: &mut RandomSource<'_>, out: &mut Vec<u8>) {
    for _ in 0..count {
        pack::<12>(&draw(random), out);
    }
}

/// Appends `count` polynomials whose coefficients are drawn below the modulus and compressed to `BITS`
/// bits, at most 10.
///
/// Compression maps 3329 values to 1024, three to most of them and four to the others. Plain random
/// bytes would lack this: one ciphertext is enough to see the difference.
pub(super) fn push_compressed<const BITS: usize>(
    count: usize,
    random: &mut RandomSource<'_>,
    out: &mut Vec<u8>,
) {
    for _ in 0..count {
        let mut polynomial = draw(random);
        for value in &mut polynomial {
            *value = compress::<BITS>(*value);
        }
        pack::<BITS>(&polynomial, out);
    }
}

/// Numbers below the modulus, each as likely as any other.
///
/// One polynomial of six has a pair that is not to be used, and is drawn again: cheaper than to look for
/// the pair.
fn draw(random: &mut RandomSource<'_>) -> Polynomial {
    let mut polynomial = [0; POLYNOMIAL];
    let mut drawn = [[[0; 2]; PAIRS]; 2];
    for _ in 0..ATTEMPTS {
        random(drawn.as_flattened_mut().as_flattened_mut());
        let [highs, lows] = &drawn;
        let (firsts, seconds) = polynomial.split_at_mut(PAIRS);
        let places = firsts.iter_mut().zip(seconds);
        let mut useless = 0;
        for ((first, second), (high, low)) in places.zip(highs.iter().zip(lows)) {
            let pair = Pair::of(u16::from_le_bytes(*high), u16::from_le_bytes(*low));
            (*first, *second) = (pair.first, pair.second);
            useless |= pair.useless;
        }
        if useless == 0 {
            break;
        }
    }
    polynomial
}

/// Two numbers below the modulus out of 32 random bits.
///
/// The bits stand for a part of one. Times the modulus, what is above the point is the first number, and
/// what is below it, times the modulus, gives the second. Of what is left then, the least values belong to
/// pairs that would come once more often than others.
struct Pair {
    first: u16,
    second: u16,
    /// Not 0 when the pair is not to be used.
    useless: u16,
}

impl Pair {
    fn of(high: u16, low: u16) -> Self {
        let (first, high, low) = times_modulus(high, low);
        let (second, high, low) = times_modulus(high, low);
        let [least_high, least_low] = LEAST;
        let less = high < least_high || (high == least_high && low < least_low);
        Self {
            first,
            second,
            useless: u16::from(less),
        }
    }
}

/// A number of 32 bits times the modulus: its upper 16 bits, and the 32 below them.
fn times_modulus(high: u16, low: u16) -> (u16, u16, u16) {
    let (middle, carried) = high
        .wrapping_mul(MODULUS)
        .overflowing_add(high_half(low, MODULUS));
    let upper = high_half(high, MODULUS) + u16::from(carried);
    (upper, middle, low.wrapping_mul(MODULUS))
}

/// 2^32 modulo the square of the modulus, in halves: as many values are too many for pairs to be alike.
const LEAST: [u16; 2] = {
    let least = u32::MAX % (3329 * 3329) + 1;
    let [first, second, third, fourth] = least.to_be_bytes();
    [
        u16::from_be_bytes([first, second]),
        u16::from_be_bytes([third, fourth]),
    ]
};

/// The value scaled from the modulus to `BITS` bits and rounded (FIPS 203 section 4.2.1).
///
/// In 16 bits: first a number that is one off at most, then what it lacks, by what is left over.
fn compress<const BITS: usize>(value: u16) -> u16 {
    let near = (high_half(value << 4, factor(BITS)) + 4) >> 3;
    let rest = (value << BITS).wrapping_sub(near.wrapping_mul(MODULUS));
    let rest = rest.cast_signed();
    let half = MODULUS.cast_signed() / 2;
    let rounded = near + u16::from(rest > half) - u16::from(rest < -half);
    rounded & ((1 << BITS) - 1)
}

/// What `high_half` takes a value times 16 to eight times its compressed one with.
const fn factor(bits: usize) -> u16 {
    let [low, high, ..] = (((1_u32 << (bits + 15)) + 1664) / 3329).to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn high_half(first: u16, second: u16) -> u16 {
    let product = u32::from(first) * u32::from(second);
    u16::try_from(product >> 16).unwrap_or_default()
}

/// Appends the coefficients in `BITS` bits each, the lowest bits first (FIPS 203 section 4.2.1): four of
/// them are whole bytes.
fn pack<const BITS: usize>(polynomial: &Polynomial, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + POLYNOMIAL * BITS / 8, 0);
    let space = out.get_mut(start..).unwrap_or_default();
    let (fours, _) = polynomial.as_chunks::<4>();
    for (space, four) in space.chunks_exact_mut(BITS / 2).zip(fours) {
        let [first, second, third, fourth] = four.map(u64::from);
        let packed = first | second << BITS | third << (2 * BITS) | fourth << (3 * BITS);
        let packed = packed.to_le_bytes();
        space.copy_from_slice(packed.get(..BITS / 2).unwrap_or_default());
    }
}

/// Numbers are drawn two at a time.
const PAIRS: usize = POLYNOMIAL / 2;
/// How often a polynomial is drawn before the source is given up: one that works gives it long before.
const ATTEMPTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// As the standard has it.
    fn rounded(value: u32, bits: u32) -> u32 {
        let modulus = u32::from(MODULUS);
        (((value << bits) + modulus / 2) / modulus) % (1 << bits)
    }

    /// made-up ciphertexts are compressed as real ones.
    #[test]
    fn compression_rounds_as_in_the_standard() {
        for value in 0..MODULUS {
            let wide = u32::from(value);
            assert_eq!(u32::from(compress::<10>(value)), rounded(wide, 10));
            assert_eq!(u32::from(compress::<4>(value)), rounded(wide, 4));
        }
    }

    /// of all that 32 bits can be, as much is used for each pair: what an exact product says.
    #[test]
    fn pairs_are_drawn_alike() {
        let square = u64::from(MODULUS) * u64::from(MODULUS);
        let too_many = (1 << 32) % square;
        let of_edges = (0..=3328).flat_map(|pair| {
            let edge = (pair * square).div_ceil(3329) << 32;
            [edge / square, edge / square + 1]
        });
        let some = (0..1 << 32).step_by(65_537).chain(of_edges);
        let mut useless = 0;
        for drawn in some
            .chain([u64::from(u32::MAX)])
            .filter(|drawn| *drawn < 1 << 32)
        {
            let product = drawn * square;
            let [high, low] =
                [drawn >> 16, drawn & 0xffff].map(|half| u16::try_from(half).unwrap());
            let pair = Pair::of(high, low);
            let number = u64::from(pair.first) * u64::from(MODULUS) + u64::from(pair.second);
            assert_eq!(number, product >> 32);
            assert!(pair.first < MODULUS && pair.second < MODULUS);
            let is_useless = product & 0xffff_ffff < too_many;
            assert_eq!(pair.useless != 0, is_useless);
            useless += u32::from(is_useless);
        }
        assert!(useless > 0);
    }

    /// What is not to be used leaves no trace.
    #[test]
    fn a_polynomial_with_a_useless_pair_is_drawn_again() {
        let mut calls = 0;
        let polynomial = draw(&mut |buffer| {
            calls += 1;
            buffer.fill(0x55);
            if calls < 3 {
                // The high and the low half of a pair.
                buffer[100..102].fill(0);
                buffer[100 + 2 * PAIRS..102 + 2 * PAIRS].fill(0);
            }
        });
        let pair = Pair::of(0x5555, 0x5555);
        assert_eq!((calls, pair.useless), (3, 0));
        assert_eq!(polynomial[..PAIRS], [pair.first; PAIRS]);
        assert_eq!(polynomial[PAIRS..], [pair.second; PAIRS]);
    }

    /// A generator that gives nothing useful ends in numbers that may be sent, and is not asked for ever.
    #[test]
    fn a_broken_source_is_given_up() {
        let mut calls = 0;
        let polynomial = draw(&mut |buffer| {
            calls += 1;
            buffer.fill(0);
        });
        assert_eq!(calls, ATTEMPTS);
        assert!(polynomial.iter().all(|value| *value < MODULUS));
    }
}
