//! What the measuring programs share: a server that is trusted, and numbers that can be compared.

pub mod cpu;
#[cfg(feature = "peers")]
pub mod peers;
#[cfg(feature = "peers")]
pub mod transport;

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The name that the throw-away certificate is for.
pub const SERVER_NAME: &str = "localhost";

/// Anything that went wrong in a measurement.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A throw-away certificate authority of one certificate.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    /// Makes a certificate for [`SERVER_NAME`].
    ///
    /// # Errors
    /// What the certificate generator says.
    pub fn generate() -> Result<Self, Error> {
        let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
        Ok(Self {
            chain: vec![made.cert.der().clone()],
            key: made.signing_key.serialize_der(),
        })
    }

    /// A server configuration that presents the certificate.
    ///
    /// # Errors
    /// What rustls says about provider or key.
    pub fn server(&self, provider: &Arc<CryptoProvider>) -> Result<rustls::ServerConfig, Error> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        Ok(
            rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_no_client_auth()
                .with_single_cert(self.chain.clone(), key)?,
        )
    }

    /// A client configuration that trusts this certificate and nothing else.
    ///
    /// # Errors
    /// What rustls says about provider or certificate.
    pub fn client(&self, provider: &Arc<CryptoProvider>) -> Result<rustls::ClientConfig, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in &self.chain {
            roots.add(certificate.clone())?;
        }
        Ok(
            rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }
}

/// The base provider reduced to one cipher suite, so that every transport uses the same.
pub fn only_suite(base: CryptoProvider, suite: rustls::CipherSuite) -> CryptoProvider {
    let mut provider = base;
    provider
        .cipher_suites
        .retain(|candidate| candidate.suite() == suite);
    provider
}

/// Smallest, middle and largest of some measurements.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The middle one (the lower of two).
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; `None` for none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            min: *sorted.first()?,
            median: *sorted.get((sorted.len() - 1) / 2)?,
            max: *sorted.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_is_the_lower_one() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(
            spread,
            Spread {
                min: 1.0,
                median: 2.0,
                max: 4.0
            }
        );
        assert_eq!(Spread::of(&[]), None);
    }
}
