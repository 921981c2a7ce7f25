//! The adapter that lets a rustls handshake carry TCPLS extensions.
//!
//! rustls neither sends nor accepts extensions that it does not know, but it takes the transcript
//! hash and the record protection of the handshake from its caller. The provider made here wraps
//! both for every TLS 1.3 suite, so that the hello messages on the wire and in the transcript can
//! hold more than rustls sees. Outside a handshake of this crate the wrapped suites do nothing but
//! forward, so the same provider serves ordinary rustls connections too.

use std::sync::{Mutex, PoisonError};

use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{SupportedCipherSuite, Tls13CipherSuite};

use crate::Suite;
use crate::handshake::{ExtendedAead, ExtendedHash};

/// `base` with its TLS 1.3 cipher suites wrapped, and without those of TLS 1.2.
///
/// Build a `rustls::ClientConfig` or `ServerConfig` with it, then a [`TlsClient`](crate::TlsClient)
/// or [`TlsServer`](crate::TlsServer) from that. Each suite of a base provider is wrapped once in the
/// life of the process; calling this again costs next to nothing.
///
/// QUIC is not offered by the wrapped suites. Encrypted Client Hello cannot be used with TCPLS: a
/// handshake in which the server accepts it fails.
pub fn provider(base: &CryptoProvider) -> CryptoProvider {
    let cipher_suites = base
        .cipher_suites
        .iter()
        .filter_map(SupportedCipherSuite::tls13);
    CryptoProvider {
        cipher_suites: cipher_suites
            .filter_map(wrapped)
            .map(SupportedCipherSuite::from)
            .collect(),
        ..base.clone()
    }
}

/// Whether every suite of `provider` is wrapped, and there is one.
pub(crate) fn is_wrapped(provider: &CryptoProvider) -> bool {
    let wraps = lock();
    let known = |suite: &SupportedCipherSuite| {
        let suite = suite.tls13();
        suite.is_some_and(|suite| wraps.iter().any(|wrap| std::ptr::eq(wrap.wrapped, suite)))
    };
    !provider.cipher_suites.is_empty() && provider.cipher_suites.iter().all(known)
}

/// The wrap of a suite; `None` for a suite that record protection does not know.
fn wrapped(base: &'static Tls13CipherSuite) -> Option<&'static Tls13CipherSuite> {
    let mut wraps = lock();
    let same = |wrap: &&Wrap| std::ptr::eq(wrap.base, base) || std::ptr::eq(wrap.wrapped, base);
    if let Some(wrap) = wraps.iter().find(same) {
        return Some(wrap.wrapped);
    }
    let wrapped = wrap(base)?;
    wraps.push(Wrap { base, wrapped });
    Some(wrapped)
}

fn wrap(base: &'static Tls13CipherSuite) -> Option<&'static Tls13CipherSuite> {
    let suite = Suite::from_rustls(base.common.suite)?;
    Some(Box::leak(Box::new(Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: base.common.suite,
            hash_provider: Box::leak(Box::new(ExtendedHash::new(base.common.hash_provider))),
            confidentiality_limit: base.common.confidentiality_limit,
        },
        hkdf_provider: base.hkdf_provider,
        aead_alg: Box::leak(Box::new(ExtendedAead::new(suite, base.aead_alg))),
        quic: None,
    })))
}

fn lock() -> std::sync::MutexGuard<'static, Vec<Wrap>> {
    WRAPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A suite and its wrap, both compared by address: rustls compares suites by code point alone.
struct Wrap {
    base: &'static Tls13CipherSuite,
    wrapped: &'static Tls13CipherSuite,
}

static WRAPS: Mutex<Vec<Wrap>> = Mutex::new(Vec::new());
