//! Certificates and keys: read from PEM files, or made on the spot.

use std::net::IpAddr;
use std::path::Path;

use rcgen::{Certificate, CertificateParams, DnType, KeyPair};
use tcpls_tokio::rustls::RootCertStore;
use tcpls_tokio::rustls::pki_types::pem::PemObject as _;
use tcpls_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem};

use crate::exit::{Exit, Failure};

/// A certificate chain, end entity first, and the key of its first certificate.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both from PEM files, which may be the same file.
    pub(crate) fn from_files(chain: &Path, key: &Path) -> Result<Self, Failure> {
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| Failure::file(key, describe(&error, "no private key")))?;
        Ok(Self {
            chain: read_certificates(chain)?,
            key: private,
        })
    }
}

/// A certificate that signs itself, for one run of the program.
#[derive(Debug)]
pub(crate) struct SelfSigned {
    pub(crate) identity: Identity,
    /// The certificate in PEM form: what a client passes as `--ca`.
    pub(crate) pem: String,
}

impl SelfSigned {
    /// A certificate for `localhost`, the loopback addresses and `address`.
    pub(crate) fn generate(address: IpAddr) -> Result<Self, Failure> {
        let mut names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        let address = address.to_string();
        if !names.contains(&address) {
            names.push(address);
        }
        let (key, certificate) = sign(names)
            .map_err(|error| Failure::new(Exit::Internal, format!("no certificate: {error}")))?;
        let private = PrivatePkcs8KeyDer::from(key.serialize_der());
        let identity = Identity {
            chain: vec![certificate.der().clone()],
            key: private.into(),
        };
        Ok(Self {
            identity,
            pem: certificate.pem(),
        })
    }

    /// A root store that trusts this certificate and no other.
    pub(crate) fn as_roots(&self) -> Result<RootCertStore, Failure> {
        roots_of(self.identity.chain.clone())
            .map_err(|error| Failure::new(Exit::Internal, format!("not a root: {error}")))
    }
}

/// Each certificate gets a name of its own: with a common one, a client that trusts another of them
/// would complain about its signature and not about the stranger.
fn sign(names: Vec<String>) -> Result<(KeyPair, Certificate), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    let common_name = format!("tcpls self-signed {:016x}", rand::random::<u64>());
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let certificate = params.self_signed(&key)?;
    Ok((key, certificate))
}

/// The certificates that a PEM file lists as trusted.
pub(crate) fn read_roots(path: &Path) -> Result<RootCertStore, Failure> {
    roots_of(read_certificates(path)?).map_err(|error| Failure::file(path, error))
}

/// The certificates that the system trusts. `SSL_CERT_FILE` and `SSL_CERT_DIR` override it.
pub(crate) fn system_roots() -> Result<RootCertStore, Failure> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(roots);
    }
    let why = found
        .errors
        .first()
        .map_or_else(String::new, |error| format!(" ({error})"));
    Err(Failure::new(
        Exit::File,
        format!("the system has no trusted certificates{why}; use --ca"),
    ))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| Failure::file(path, describe(&error, "no certificate")))?;
    if certificates.is_empty() {
        return Err(Failure::file(path, "holds no certificate in PEM form"));
    }
    Ok(certificates)
}

fn roots_of(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<RootCertStore, tcpls_tokio::rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// What is wrong with a PEM file; `missing` names what it should hold.
fn describe(error: &pem::Error, missing: &str) -> String {
    if let pem::Error::NoItemsFound = error {
        return format!("holds {missing} in PEM form");
    }
    error.to_string()
}
