//! rustls configurations from command-line flags.

use std::ffi::OsString;
use std::sync::Arc;

use clap::ValueEnum;
use tcpls_tokio::core::crypto::{HandshakeInfo, Suite};
use tcpls_tokio::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tcpls_tokio::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tcpls_tokio::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tcpls_tokio::rustls::{
    CipherSuite, DigitallySignedStruct, Error, KeyLog, KeyLogFile, NoKeyLog, SignatureScheme,
};

use crate::exit::{Exit, Failure};

/// What clients and servers agree on in the handshake.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TlsArgs {
    /// Application protocols for ALPN, in order of preference
    #[arg(long, value_name = "PROTO", value_delimiter = ',', value_parser = parse_protocol)]
    alpn: Vec<Protocol>,
    /// Cipher suites, in order of preference [default: all]
    #[arg(long, value_name = "SUITE", value_delimiter = ',', ignore_case = true)]
    cipher: Vec<Cipher>,
    /// Write the session's secrets to the file that SSLKEYLOGFILE names
    #[arg(long)]
    keylog: bool,
}

impl TlsArgs {
    /// The provider to build a configuration on.
    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        let mut base = aws_lc_rs::default_provider();
        if !self.cipher.is_empty() {
            let all = std::mem::take(&mut base.cipher_suites);
            let wanted = self.cipher.iter().map(|cipher| cipher.suite());
            base.cipher_suites = wanted
                .filter_map(|wanted| all.iter().find(|suite| suite.suite() == wanted).copied())
                .collect();
        }
        Arc::new(tcpls_tokio::provider(&base))
    }

    /// The protocols in the form of rustls.
    pub(crate) fn protocols(&self) -> Vec<Vec<u8>> {
        self.alpn
            .iter()
            .map(|protocol| protocol.0.clone())
            .collect()
    }

    /// Where secrets are logged.
    pub(crate) fn key_log(&self) -> Result<Arc<dyn KeyLog>, Failure> {
        if !self.keylog {
            return Ok(Arc::new(NoKeyLog));
        }
        let path = std::env::var_os("SSLKEYLOGFILE").filter(|path: &OsString| !path.is_empty());
        let path = path.ok_or_else(|| {
            Failure::new(Exit::Usage, "--keylog needs a file name in SSLKEYLOGFILE")
        })?;
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|error| Failure::file(path.as_ref(), error))?;
        Ok(Arc::new(KeyLogFile::new()))
    }
}

/// An application protocol: 1 to 255 bytes (RFC 7301 section 3.1).
#[derive(Clone, Debug)]
struct Protocol(Vec<u8>);

fn parse_protocol(text: &str) -> Result<Protocol, &'static str> {
    match text.len() {
        1..=255 => Ok(Protocol(text.as_bytes().to_vec())),
        _ => Err("expected 1 to 255 bytes"),
    }
}

/// A cipher suite of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cipher {
    #[value(name = "aes128gcm", alias = "TLS_AES_128_GCM_SHA256")]
    Aes128Gcm,
    #[value(name = "aes256gcm", alias = "TLS_AES_256_GCM_SHA384")]
    Aes256Gcm,
    #[value(name = "chacha20poly1305", aliases = ["chacha20", "TLS_CHACHA20_POLY1305_SHA256"])]
    Chacha20Poly1305,
}

impl Cipher {
    const fn suite(self) -> CipherSuite {
        match self {
            Self::Aes128Gcm => CipherSuite::TLS13_AES_128_GCM_SHA256,
            Self::Aes256Gcm => CipherSuite::TLS13_AES_256_GCM_SHA384,
            Self::Chacha20Poly1305 => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        }
    }
}

/// The name of a suite as RFC 8446 appendix B.4 writes it.
pub(crate) const fn suite_name(suite: Suite) -> &'static str {
    match suite {
        Suite::Aes128Gcm => "TLS_AES_128_GCM_SHA256",
        Suite::Aes256Gcm => "TLS_AES_256_GCM_SHA384",
        Suite::ChaCha20Poly1305 => "TLS_CHACHA20_POLY1305_SHA256",
    }
}

/// The name of the key exchange group, where the handshake had one.
pub(crate) fn kx_group_name(info: &HandshakeInfo) -> Option<String> {
    info.key_exchange.map(|group| format!("{group:?}"))
}

/// Accepts every certificate, so that anybody in between can read and change what is sent. The
/// peer still has to own the key of the certificate that it shows.
#[derive(Debug)]
pub(crate) struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl AnyCertificate {
    pub(crate) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider }
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
