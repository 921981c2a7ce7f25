//! The user's rustls configurations, made ready for TCPLS once and used for many connections.

use core::fmt;
use std::sync::Arc;

use rustls::{ClientConfig, KeyLog, ServerConfig};

use super::scope;
use crate::provider::is_wrapped;

/// The TLS configuration of a client that speaks TCPLS.
///
/// Everything that the user configured in rustls stays in force: trust, client certificates, ALPN,
/// SNI, resumption, key log. Only early data is off (reading A-27).
#[derive(Debug, Clone)]
pub struct TlsClient {
    pub(super) config: Arc<ClientConfig>,
}

/// The TLS configuration of a server that speaks TCPLS.
///
/// Everything that the user configured in rustls stays in force: certificates, client
/// authentication, ALPN, tickets, key log. Only early data and half-RTT data are off (reading A-27).
#[derive(Debug, Clone)]
pub struct TlsServer {
    pub(super) config: Arc<ServerConfig>,
}

/// A rustls configuration that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The configuration was built on another `CryptoProvider` than
    /// [`provider`](crate::provider) makes.
    #[error(
        "the rustls configuration was not built on a TCPLS provider: build it with \
         `builder_with_provider(Arc::new(tcpls_crypto::provider(&base)))`, where `base` is the \
         provider that it has now"
    )]
    NotTcplsProvider,
}

impl TlsClient {
    /// Takes a copy of `config`, which must have been built on [`provider`](crate::provider).
    pub fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        if !is_wrapped(config.crypto_provider()) {
            return Err(ConfigError::NotTcplsProvider);
        }
        let mut config = config.clone();
        config.enable_secret_extraction = true;
        config.enable_early_data = false;
        config.key_log = Arc::new(ExporterCapture {
            user: config.key_log,
        });
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

impl TlsServer {
    /// Takes a copy of `config`, which must have been built on [`provider`](crate::provider).
    pub fn new(config: &ServerConfig) -> Result<Self, ConfigError> {
        if !is_wrapped(config.crypto_provider()) {
            return Err(ConfigError::NotTcplsProvider);
        }
        let mut config = config.clone();
        config.enable_secret_extraction = true;
        config.max_early_data_size = 0;
        config.send_half_rtt_data = false;
        let limit = config.max_fragment_size.unwrap_or(MAX_FRAGMENT);
        config.max_fragment_size = Some(limit.min(MAX_FRAGMENT - EXTENSION_ROOM));
        config.key_log = Arc::new(ExporterCapture {
            user: config.key_log,
        });
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

/// Keeps the exporter secret for the handshake that is going on, and passes on to the user's key log
/// what that wants.
struct ExporterCapture {
    user: Arc<dyn KeyLog>,
}

impl KeyLog for ExporterCapture {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if label == EXPORTER_SECRET
            && let Some(exchange) = scope::current()
        {
            exchange.keep_exporter_secret(secret);
        }
        if self.user.will_log(label) {
            self.user.log(label, client_random, secret);
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == EXPORTER_SECRET || self.user.will_log(label)
    }
}

impl fmt::Debug for ExporterCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user.fmt(f)
    }
}

const EXPORTER_SECRET: &str = "EXPORTER_SECRET";

/// The largest fragment size of rustls: a full record with its header.
const MAX_FRAGMENT: usize = 16_384 + 5;
/// By how much the record with the server's `EncryptedExtensions` may grow.
pub(super) const EXTENSION_ROOM: usize = 1024;

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::server::ResolvesServerCertUsingSni;

    use super::*;
    use crate::provider;

    /// no early data, whatever the user's configuration says, and no half-RTT data.
    #[test]
    fn early_data_is_off() {
        let provider = Arc::new(provider(&default_provider()));
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        client.enable_early_data = true;
        assert!(!TlsClient::new(&client).unwrap().config.enable_early_data);

        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
        server.max_early_data_size = 1000;
        server.send_half_rtt_data = true;
        let config = TlsServer::new(&server).unwrap().config;
        assert_eq!(config.max_early_data_size, 0);
        assert!(!config.send_half_rtt_data);
    }
}
