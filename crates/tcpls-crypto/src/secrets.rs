//! The keys of a session: one sequence of generations for each direction (reading A-26).

use core::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::aead::{Backend, RecordAead};
use crate::generations::Generations;
use crate::key_schedule::Secret;
use crate::nonce::NONCE_LEN;
use crate::{Limits, Suite};

/// The keys of both directions, as the handshake hands them over.
#[derive(Debug, Clone)]
pub struct SessionKeys {
    /// The suite that the handshake agreed on.
    pub suite: Suite,
    /// What this end seals with.
    pub send: Arc<DirectionKeys>,
    /// What this end opens with.
    pub receive: Arc<DirectionKeys>,
}

/// All generations of the keys of one direction, shared by the connections of a session.
///
/// Generation 0 comes from the handshake. Each `KeyUpdate` on a connection moves that connection to
/// the next generation, which is the same key for every connection; the Connection ID in the nonce
/// keeps them apart. A generation is derived when a connection first reaches it and kept until
/// [`forget_before`](Self::forget_before).
pub struct DirectionKeys {
    suite: Suite,
    limits: Limits,
    backend: Backend,
    generations: Mutex<Generations>,
}

/// The key of one generation, with the count of what was done with it on all connections.
pub struct RecordKey {
    aead: Box<dyn RecordAead>,
    iv: Zeroizing<[u8; NONCE_LEN]>,
    sealed: AtomicU64,
    failed: AtomicU64,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The secret or key is not as long as the suite wants.
    #[error("the secret has another length than the cipher suite's")]
    Length,
    /// The backend is not compiled in, or the AEAD library refuses the key.
    #[error("the cryptographic backend refuses the key")]
    Backend,
    /// The TLS library gives no further secret.
    #[error("the TLS library gives no further secret")]
    Source,
    /// The generation was erased by [`DirectionKeys::forget_before`].
    #[error("key generation {0} was erased")]
    Forgotten(u32),
    /// The generation is further from the first one that is kept than
    /// [`DirectionKeys::MAX_GENERATIONS`].
    #[error("key generation {0} is beyond the limit")]
    TooManyGenerations(u32),
}

impl DirectionKeys {
    /// How many generations are kept at most: a bound on what a peer that keeps updating its keys can make
    /// this end store, some 600 bytes each. Where none is erased, because connections that join start at the
    /// first one, it is also how many there are in all: enough for 500 TB at the default threshold.
    pub const MAX_GENERATIONS: u32 = 4096;

    /// Keys derived from a traffic secret with HKDF (RFC 8446 sections 7.2 and 7.3).
    ///
    /// For tests, simulations, and sessions whose handshake ran elsewhere. `secret` is 32 bytes, or
    /// 48 for AES-256-GCM.
    pub fn from_traffic_secret(
        suite: Suite,
        backend: Backend,
        secret: &[u8],
    ) -> Result<Self, KeyError> {
        let secret = Secret::new(suite.hash(), secret).map_err(|_| KeyError::Length)?;
        let secret = TrafficSecret { suite, secret };
        let first = secret.record_secret()?;
        Self::new(suite, backend, &first, Box::new(secret))
    }

    /// Keys whose first generation is `first` and whose further ones come from `source`.
    pub(crate) fn new(
        suite: Suite,
        backend: Backend,
        first: &RecordSecret,
        source: Box<dyn NextSecret>,
    ) -> Result<Self, KeyError> {
        let first = RecordKey::new(suite, backend, first)?;
        let generations = Mutex::new(Generations::new(first, source));
        Ok(Self {
            suite,
            limits: suite.limits(),
            backend,
            generations,
        })
    }

    /// The same keys under other limits, so that tests can cross them.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The key of a generation, derived now if no connection reached it before.
    pub fn key(&self, generation: u32) -> Result<Arc<RecordKey>, KeyError> {
        self.key_of(&mut self.lock(), generation)
    }

    /// Erases the generations before this one, as far as no sealer or opener is still at them or at one
    /// before. Generation 0 is needed as long as a connection may join without being told where to
    /// start (reading A-26).
    pub fn forget_before(&self, generation: u32) {
        self.lock().forget_before(generation);
    }

    /// The highest generation that any connection has reached in this direction.
    pub fn highest_generation(&self) -> u32 {
        self.lock().highest()
    }

    /// The key of a generation that somebody is going to use.
    pub(crate) fn enter(&self, generation: u32) -> Result<Arc<RecordKey>, KeyError> {
        let mut generations = self.lock();
        let key = self.key_of(&mut generations, generation)?;
        generations.enter(generation);
        Ok(key)
    }

    /// Somebody left a generation, for another one or altogether.
    pub(crate) fn on_moved(&self, to: Option<u32>, from: u32) {
        self.lock().on_moved(to, from);
    }

    fn key_of(
        &self,
        generations: &mut Generations,
        generation: u32,
    ) -> Result<Arc<RecordKey>, KeyError> {
        generations.key(generation, Self::MAX_GENERATIONS, |source| {
            RecordKey::new(self.suite, self.backend, &source.next_secret()?)
        })
    }

    /// The suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The limits on the use of each generation.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Nothing panics while the lock is held, and if it did the generations would still be whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordKey {
    pub(crate) fn new(
        suite: Suite,
        backend: Backend,
        secret: &RecordSecret,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            aead: backend.record_aead(suite, &secret.key)?,
            iv: secret.iv.clone(),
            sealed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    pub(crate) fn aead(&self) -> &dyn RecordAead {
        &*self.aead
    }

    pub(crate) fn iv(&self) -> &[u8; NONCE_LEN] {
        &self.iv
    }

    /// Records sealed under this key, on all connections.
    pub fn sealed(&self) -> u64 {
        self.sealed.load(Ordering::Relaxed)
    }

    /// Records that failed to open under this key, on all connections.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Counts one record to seal and returns how many there were before it.
    pub(crate) fn count_sealed(&self) -> u64 {
        self.sealed.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for DirectionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectionKeys")
            .field("suite", &self.suite)
            .field("backend", &self.backend)
            .field("highest_generation", &self.highest_generation())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKey")
            .field("sealed", &self.sealed())
            .field("failed", &self.failed())
            .finish_non_exhaustive()
    }
}

/// Where the generations after the first come from.
pub(crate) trait NextSecret: Send {
    /// The key and IV of the next generation.
    fn next_secret(&mut self) -> Result<RecordSecret, KeyError>;
}

/// A record key and its IV, zeroed on drop.
pub(crate) struct RecordSecret {
    key: Zeroizing<Vec<u8>>,
    iv: Zeroizing<[u8; NONCE_LEN]>,
}

impl RecordSecret {
    /// A copy of a key and an IV; `None` if the IV is not 12 bytes long (reading A-41).
    pub(crate) fn new(key: &[u8], iv: &[u8]) -> Option<Self> {
        let iv = Zeroizing::new(iv.try_into().ok()?);
        Some(Self {
            key: Zeroizing::new(key.to_vec()),
            iv,
        })
    }
}

struct TrafficSecret {
    suite: Suite,
    secret: Secret,
}

impl TrafficSecret {
    fn record_secret(&self) -> Result<RecordSecret, KeyError> {
        let mut key = Zeroizing::new(vec![0; self.suite.key_len()]);
        let mut iv = Zeroizing::new([0; NONCE_LEN]);
        self.secret
            .expand_label(b"key", b"", &mut key)
            .map_err(|_| KeyError::Length)?;
        self.secret
            .expand_label(b"iv", b"", &mut *iv)
            .map_err(|_| KeyError::Length)?;
        Ok(RecordSecret { key, iv })
    }
}

impl NextSecret for TrafficSecret {
    fn next_secret(&mut self) -> Result<RecordSecret, KeyError> {
        self.secret = self
            .secret
            .derive(b"traffic upd", b"")
            .map_err(|_| KeyError::Length)?;
        self.record_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// only suites whose IV is 12 bytes long.
    #[test]
    fn other_iv_lengths_are_refused() {
        for len in [0, 8, 11, 13, 16] {
            assert!(RecordSecret::new(&[1; 32], &vec![2; len]).is_none());
        }
        assert!(RecordSecret::new(&[1; 32], &[2; 12]).is_some());
    }

    #[test]
    fn secrets_and_keys_of_another_length_are_refused() {
        let backend = Backend::default();
        for suite in Suite::ALL {
            let wrong = vec![0; suite.hash().output_len() + 1];
            let keys = DirectionKeys::from_traffic_secret(suite, backend, &wrong);
            assert_eq!(keys.unwrap_err(), KeyError::Length);
            let secret = RecordSecret::new(&[0; 31], &[0; 12]).unwrap();
            let key = RecordKey::new(suite, backend, &secret);
            assert_eq!(key.unwrap_err(), KeyError::Length);
        }
    }
}
