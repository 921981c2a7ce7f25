//! Configuration of clients and servers.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[cfg(feature = "aws-lc")]
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
#[cfg(feature = "aws-lc")]
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tcpls_core::crypto::{Backend, Options, RandomBlock, TlsClient, TlsServer};
use tcpls_core::wire::hello::join::RandomSource;
use tcpls_core::wire::token::TOKEN_LENGTH;
use tcpls_core::wire::{ExtensionCodec, Token};
use tcpls_core::{Profile, SessionConfig};

use crate::address_filter::{AddressFilter, PublicAddresses};
use crate::error::{ConnectError, InvalidConfig};
use crate::follow::{AdvertisedAddresses, FollowPaths};

/// What clients and servers share: limits and delays of sessions, and how they start.
///
/// The defaults are meant for production.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    pub(crate) session: SessionConfig,
    pub(crate) handshake_timeout: Duration,
    pub(crate) codec: ExtensionCodec,
    pub(crate) backend: Backend,
    pub(crate) congestion_control: Option<String>,
    pub(crate) follow_paths: FollowPaths,
    pub(crate) advertised: AdvertisedAddresses,
    pub(crate) address_filter: Arc<dyn AddressFilter>,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            session: SessionConfig::default(),
            handshake_timeout: Duration::from_secs(10),
            codec: ExtensionCodec::default(),
            backend: Backend::default(),
            congestion_control: None,
            follow_paths: FollowPaths::default(),
            advertised: AdvertisedAddresses::default(),
            address_filter: Arc::new(PublicAddresses),
        }
    }
}

impl TransportConfig {
    /// Limits and delays inside a session; see [`SessionConfig`] for what each costs.
    pub fn session(&mut self, session: SessionConfig) -> &mut Self {
        self.session = session;
        self
    }

    /// Whether sessions offer what the draft does not have; default [`Profile::Extended`].
    pub fn profile(&mut self, profile: Profile) -> &mut Self {
        self.session.profile(profile);
        self
    }

    /// After how long a silence of the peer a session ends, at most a year; default none. As
    /// [`SessionConfig::idle_timeout`], which [`session`](Self::session) replaces along with the rest.
    pub fn max_idle_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.session.idle_timeout(timeout);
        self
    }

    /// After how long without a received record a Ping asks for one, at most a year; default none. As
    /// [`SessionConfig::keep_alive`], which [`session`](Self::session) replaces along with the rest.
    pub fn keep_alive_interval(&mut self, interval: Option<Duration>) -> &mut Self {
        self.session.keep_alive(interval);
        self
    }

    /// How long a session without connections waits for one, at most a year; default 30 s. Hours or days let
    /// it outlive the sleep of its computer. As [`SessionConfig::orphan_timeout`], which
    /// [`session`](Self::session) replaces along with the rest.
    pub fn session_linger(&mut self, time: Option<Duration>) -> &mut Self {
        self.session.orphan_timeout(time);
        self
    }

    /// How long a handshake may take from the first byte to the last; default 10 s. Longer keeps
    /// sockets of silent peers longer. At a server the client's first message has 5 s of it at most,
    /// however it trickles in.
    pub fn handshake_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Code points and token form of the TLS extensions. The draft assigns none, so both ends
    /// must be configured alike; the default is in TLS's private range.
    pub fn extension_codec(&mut self, codec: ExtensionCodec) -> &mut Self {
        self.codec = codec;
        self
    }

    /// Which library protects records; default aws-lc-rs where it is compiled in.
    pub fn backend(&mut self, backend: Backend) -> &mut Self {
        self.backend = backend;
        self
    }

    /// TCP's congestion control on the connections that an [`Endpoint`](crate::Endpoint) opens and
    /// accepts, by the system's name for it, like "cubic"; default: the system's choice. Linux only, and
    /// of algorithms that the system has and allows. [`PathOptions`](crate::PathOptions) may choose
    /// another for one path.
    pub fn congestion_control(&mut self, name: impl Into<String>) -> &mut Self {
        self.congestion_control = Some(name.into());
        self
    }

    /// Whether a client opens paths again that failed; default [`FollowPaths::Keep`]. No matter at
    /// servers, which cannot open any (draft 4.2).
    pub fn follow_paths(&mut self, follow: FollowPaths) -> &mut Self {
        self.follow_paths = follow;
        self
    }

    /// What a client does with the addresses that its server advertises; default
    /// [`AdvertisedAddresses::WhenNeeded`]. Nothing with [`FollowPaths::Off`].
    pub fn advertised_addresses(&mut self, advertised: AdvertisedAddresses) -> &mut Self {
        self.advertised = advertised;
        self
    }

    /// Which of the addresses that its server advertises a client may connect to; default
    /// [`PublicAddresses`]. One that is too generous lets a hostile server make its clients connect to
    /// whom it likes, and show them a join token.
    pub fn address_filter(&mut self, filter: Arc<dyn AddressFilter>) -> &mut Self {
        self.address_filter = filter;
        self
    }

    pub(crate) fn handshake_options(&self) -> Options {
        Options {
            codec: self.codec,
            backend: self.backend,
            limits: None,
        }
    }
}

/// Configuration of the client side.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    pub(crate) tls: TlsClient,
    pub(crate) transport: Arc<TransportConfig>,
    /// Where random fields come from: the TLS configuration's own generator.
    pub(crate) random: Random,
    pub(crate) local_addresses: Vec<IpAddr>,
    pub(crate) spare_connections: usize,
}

impl ClientConfig {
    /// Uses a rustls configuration of the caller's: roots, verifier, client certificate, ALPN,
    /// resumption and key log all work as in rustls.
    ///
    /// # Errors
    /// [`InvalidConfig::Provider`] unless it was built on [`provider`](crate::provider).
    pub fn new(tls: &Arc<rustls::ClientConfig>) -> Result<Self, InvalidConfig> {
        Ok(Self {
            tls: TlsClient::new(tls)?,
            transport: Arc::default(),
            random: Random::new(tls.crypto_provider()),
            local_addresses: Vec::new(),
            spare_connections: 0,
        })
    }

    /// Trusts servers whose certificate leads to one of `roots`; everything else by default.
    ///
    /// # Errors
    /// [`InvalidConfig::Tls`] when rustls refuses the combination.
    #[cfg(feature = "aws-lc")]
    pub fn with_root_certificates(
        roots: impl Into<Arc<RootCertStore>>,
    ) -> Result<Self, InvalidConfig> {
        let tls = rustls::ClientConfig::builder_with_provider(crate::default_provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::new(&Arc::new(tls))
    }

    /// The local addresses to connect from, best first; default: as the system chooses. Each is tried with
    /// all of the server's addresses that are of its family.
    pub fn local_addresses(&mut self, addresses: impl Into<Vec<IpAddr>>) -> &mut Self {
        self.local_addresses = addresses.into();
        self
    }

    /// How many more connections join a session as soon as it begins, each between another pair of
    /// addresses than the first, so that it can lose one from its first second on (draft 4.2.2); default
    /// none. Their TCP connects while the handshake runs, then each costs a join token. Where the server has
    /// one address and the client leaves its own to the system, there are no other pairs.
    pub fn spare_connections(&mut self, connections: usize) -> &mut Self {
        self.spare_connections = connections;
        self
    }

    /// Sets what is not TLS.
    pub fn transport_config(&mut self, transport: Arc<TransportConfig>) -> &mut Self {
        self.transport = transport;
        self
    }
}

/// Configuration of the server side.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub(crate) tls: TlsServer,
    pub(crate) transport: Arc<TransportConfig>,
    /// Where token values come from: the TLS configuration's own generator.
    random: Random,
    pub(crate) orphaned_sessions: usize,
    pub(crate) sessions_per_address: usize,
    pub(crate) pending_joins: usize,
}

impl ServerConfig {
    /// Uses a rustls configuration of the caller's: certificates, client verification, ALPN,
    /// tickets and key log all work as in rustls.
    ///
    /// # Errors
    /// [`InvalidConfig::Provider`] unless it was built on [`provider`](crate::provider).
    pub fn new(tls: &Arc<rustls::ServerConfig>) -> Result<Self, InvalidConfig> {
        let random = Random::new(tls.crypto_provider());
        Ok(Self {
            tls: TlsServer::new(tls)?,
            transport: Arc::default(),
            random,
            orphaned_sessions: 1024,
            sessions_per_address: 16_384,
            pending_joins: 8,
        })
    }

    /// Serves with one certificate chain (end entity first) and its key.
    ///
    /// # Errors
    /// [`InvalidConfig::Tls`] when the key is not usable or not the certificate's.
    #[cfg(feature = "aws-lc")]
    pub fn with_single_cert(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, InvalidConfig> {
        let tls = rustls::ServerConfig::builder_with_provider(crate::default_provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Self::new(&Arc::new(tls))
    }

    /// How many sessions may wait for a connection after they lost their last one; default 1024. One more
    /// aborts the one that has waited longest. Each keeps what it has not delivered, up to its
    /// [`session_send_buffer`](crate::SessionConfig::session_send_buffer), until its
    /// [`orphan_timeout`](crate::SessionConfig::orphan_timeout).
    pub fn orphaned_sessions(&mut self, sessions: usize) -> &mut Self {
        self.orphaned_sessions = sessions;
        self
    }

    /// How many sessions one client address may have at a time, handshakes included; default 16384. IPv6
    /// addresses of one /64 count as one. Clients beyond that are closed before their handshake costs
    /// anything, with [`ConnectError::TooManySessions`], and counted in
    /// [`Endpoint::refused_sessions`](crate::Endpoint::refused_sessions). Connections that join a session
    /// do not count, and neither do plain TLS connections. Behind address translation, many clients have
    /// one address.
    pub fn sessions_per_address(&mut self, sessions: usize) -> &mut Self {
        self.sessions_per_address = sessions;
        self
    }

    /// How many connections that have shown a token of one session may be about to prove themselves, each
    /// for three seconds at most; default 8, at least 1. One more ends the one that took longest. Each
    /// takes a socket and what it has sent so far, at most a record.
    pub fn pending_joins(&mut self, joins: usize) -> &mut Self {
        self.pending_joins = joins.max(1);
        self
    }

    /// Sets what is not TLS.
    pub fn transport_config(&mut self, transport: Arc<TransportConfig>) -> &mut Self {
        self.transport = transport;
        self
    }

    pub(crate) fn random(&self) -> &Random {
        &self.random
    }

    /// A join token: 32 random bytes, which show no relation to any other (R56).
    pub(crate) fn new_token(&self) -> Result<Token, ConnectError> {
        let mut value = [0; TOKEN_LENGTH];
        self.random
            .with(|random| random(&mut value))
            .ok_or(ConnectError::NoRandomness)?;
        Ok(Token::from_bytes(value))
    }
}

/// The random number generator of a TLS configuration. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Random(Arc<Mutex<RandomBlock>>);

impl Random {
    fn new(provider: &CryptoProvider) -> Self {
        Self(Arc::new(Mutex::new(RandomBlock::new(
            provider.secure_random,
        ))))
    }

    /// Runs `make` with random numbers; `None` when these failed.
    pub(crate) fn with<T>(&self, make: impl FnOnce(&mut RandomSource<'_>) -> T) -> Option<T> {
        let mut block = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failed = false;
        let value = make(&mut |buffer: &mut [u8]| failed |= block.fill(buffer).is_err());
        (!failed).then_some(value)
    }
}

#[cfg(all(test, feature = "aws-lc"))]
mod tests {
    use super::*;

    /// R56: no two tokens have anything in common that could be seen.
    #[test]
    fn tokens_show_no_relation() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = made.signing_key.serialize_der().try_into().unwrap();
        let config = ServerConfig::with_single_cert(vec![made.cert.into()], key).unwrap();
        let mut windows = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let token = config.new_token().unwrap();
            for window in token.as_bytes().windows(8) {
                assert!(windows.insert(window.to_vec()), "8 bytes came again");
            }
        }
    }
}
