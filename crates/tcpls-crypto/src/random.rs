//! Random bytes for what goes over the wire in clear.

use std::fmt;

use rustls::crypto::{GetRandomFailed, SecureRandom};
use zeroize::Zeroize;

/// Hands out the bytes of a random number generator, which is asked for many of them at a time: one
/// call costs it as much as a thousand bytes.
///
/// No byte is handed out twice, and none is kept after it was handed out. A process that forks must
/// not use it in both halves.
pub struct RandomBlock {
    source: &'static dyn SecureRandom,
    /// What is left, to be taken from the end; empty until it is needed.
    left: Vec<u8>,
}

/// Bytes drawn at a time.
const DRAWN: usize = 16 * 1024;

impl RandomBlock {
    /// Bytes of `source`; nothing is drawn yet.
    pub const fn new(source: &'static dyn SecureRandom) -> Self {
        Self {
            source,
            left: Vec::new(),
        }
    }

    /// Fills `output` with bytes that nobody can predict.
    ///
    /// # Errors
    /// That of the generator; `output` is not to be used then.
    pub fn fill(&mut self, output: &mut [u8]) -> Result<(), GetRandomFailed> {
        if output.len() > DRAWN {
            return self.source.fill(output);
        }
        if self.left.len() < output.len() {
            self.left.resize(DRAWN, 0);
            let drawn = self.source.fill(&mut self.left);
            if drawn.is_err() {
                self.left.clear();
            }
            drawn?;
        }
        let rest = self.left.len().saturating_sub(output.len());
        if let Some(taken) = self.left.get_mut(rest..) {
            output.copy_from_slice(taken);
            taken.fill(0);
        }
        self.left.truncate(rest);
        Ok(())
    }
}

impl Drop for RandomBlock {
    fn drop(&mut self) {
        self.left.zeroize();
    }
}

impl fmt::Debug for RandomBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomBlock(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;

    /// Counts in 32-bit words, so that none of them ever comes again; fails on demand.
    #[derive(Debug, Default)]
    struct Counter(Mutex<u32>);

    const BROKEN: u32 = u32::MAX;

    impl SecureRandom for Counter {
        fn fill(&self, output: &mut [u8]) -> Result<(), GetRandomFailed> {
            let mut next = self.0.lock().map_err(|_| GetRandomFailed)?;
            if *next == BROKEN {
                return Err(GetRandomFailed);
            }
            for word in output.chunks_mut(4) {
                *next += 1;
                word.copy_from_slice(&next.to_be_bytes()[..word.len()]);
            }
            Ok(())
        }
    }

    fn counter() -> &'static Counter {
        Box::leak(Box::default())
    }

    #[test]
    fn no_byte_is_handed_out_twice() {
        let mut random = RandomBlock::new(counter());
        let mut seen = BTreeSet::new();
        for length in [4, 32, 1096, 16_384, 4, 16_380, 8, 40_000, 32].repeat(5) {
            let mut output = vec![0; length];
            random.fill(&mut output).unwrap();
            for word in output.chunks(4) {
                assert!(seen.insert(word.to_vec()), "{word:?} came again");
            }
        }
    }

    #[test]
    fn a_generator_that_fails_gives_nothing() {
        let source = counter();
        let mut random = RandomBlock::new(source);
        let mut output = [0; 32];
        *source.0.lock().unwrap() = BROKEN;
        random.fill(&mut output).unwrap_err();
        *source.0.lock().unwrap() = 0;
        random.fill(&mut output).unwrap();
        assert_ne!(output, [0; 32]);
    }
}
