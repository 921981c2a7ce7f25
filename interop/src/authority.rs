//! Throw-away certificates: one authority, a server and a client, as files and as rustls values.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The name that the server's certificate is for.
pub(crate) const SERVER_NAME: &str = "localhost";

/// The name in the client's certificate.
pub(crate) const CLIENT_NAME: &str = "interop client";

/// An authority and the two certificates that it signed.
#[derive(Debug)]
pub(crate) struct Authority {
    /// The authority's own certificate, which both sides trust.
    pub(crate) roots: Arc<RootCertStore>,
    /// For servers, valid for [`SERVER_NAME`] and the loopback addresses.
    pub(crate) server: Identity,
    /// For clients.
    pub(crate) client: Identity,
    /// The authority's certificate as a PEM file.
    pub(crate) root_file: PathBuf,
}

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Identity {
    /// As a PEM file.
    pub(crate) certificate_file: PathBuf,
    /// As a PEM file.
    pub(crate) key_file: PathBuf,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    /// Makes everything anew and writes the files to `directory`.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "interop authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let root_file = directory.join("root.pem");
        fs::write(&root_file, issuer.pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone())?;

        let names = [SERVER_NAME, "127.0.0.1", "::1"].map(str::to_owned);
        let server = CertificateParams::new(names)?;
        let client = CertificateParams::new(vec![])?;
        Ok(Self {
            roots: Arc::new(roots),
            server: Identity::new(&issuer, server, SERVER_NAME, directory)?,
            client: Identity::new(&issuer, client, CLIENT_NAME, directory)?,
            root_file,
        })
    }
}

impl Identity {
    /// Signs `params` for `name`.
    fn new(
        issuer: &CertifiedIssuer<'static, KeyPair>,
        mut params: CertificateParams,
        name: &str,
        directory: &Path,
    ) -> Result<Self> {
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        let stem = name.replace(' ', "-");
        let certificate_file = directory.join(format!("{stem}.pem"));
        let key_file = directory.join(format!("{stem}.key"));
        fs::write(&certificate_file, certificate.pem())?;
        fs::write(&key_file, key.serialize_pem())?;
        Ok(Self {
            certificate_file,
            key_file,
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        })
    }

    /// The chain without the authority.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    /// The key that fits the chain.
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }
}
