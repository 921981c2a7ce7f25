//! TCPLS for tokio: independent streams, as QUIC has them, over TCP and TLS 1.3.
//!
//! A [`Session`] carries any number of bidirectional streams. An [`Endpoint`] starts sessions as a
//! client and accepts them as a server over TCP; [`Connector`] and [`Acceptor`] do the same over
//! any byte stream. A peer that does not speak TCPLS still speaks TLS 1.3: the methods ending in
//! `_or_plain` then give a [`PlainStream`] that says why.
//!
//! TLS is the caller's own rustls configuration, built on [`provider`] (or [`default_provider`]).
//!
//! ```no_run
//! # async fn example(roots: rustls::RootCertStore) -> Result<(), Box<dyn std::error::Error>> {
//! use tcpls_tokio::{ClientConfig, Endpoint};
//!
//! let endpoint = Endpoint::client(ClientConfig::with_root_certificates(roots)?);
//! let session = endpoint.connect("example.org:443", "example.org").await?;
//! let (mut send, mut recv) = session.open_bi().await?;
//! send.write_all(b"hello").await?;
//! send.finish()?;
//! let answer = recv.read_to_end(1 << 20).await?;
//! session.close(0, b"");
//! endpoint.wait_idle().await;
//! # drop(answer);
//! # Ok(())
//! # }
//! ```

mod acceptor;
mod address_filter;
mod block;
mod clients;
mod clock;
mod config;
mod connection;
mod connector;
mod endpoint;
mod error;
mod establish;
mod follow;
mod handshake;
mod incoming;
mod interfaces;
mod io;
mod join;
mod key_update;
mod migrate;
mod opening;
mod orphans;
mod path;
mod path_options;
mod path_stats;
mod pending;
mod plain;
mod profile;
mod race;
mod recv_stream;
mod registry;
mod send_stream;
mod session;
mod shared;
mod tcp;
mod token_table;
mod tokens;
mod upkeep;

#[cfg(feature = "aws-lc")]
use std::sync::Arc;

pub use acceptor::{Acceptor, Hello};
pub use address_filter::{AddressFilter, PublicAddresses};
pub use config::{ClientConfig, ServerConfig, TransportConfig};
pub use connector::{Connected, Connector};
pub use endpoint::Endpoint;
pub use error::{
    ClosedStream, ConnectError, ExportError, InvalidConfig, IoError, OpenError, PathError,
    ReadError, ReadToEndError, ResetError, SessionError, StoppedError, WriteError,
};
pub use follow::{AdvertisedAddresses, FollowPaths};
pub use incoming::Incoming;
pub use path::{Path, PathEvent, PathEvents};
pub use path_options::PathOptions;
pub use path_stats::{PathState, PathStats};
pub use plain::PlainStream;
pub use recv_stream::RecvStream;
pub use rustls;
pub use send_stream::SendStream;
pub use session::Session;
pub use tcpls_core as core;
pub use tcpls_core::crypto::{HandshakeInfo, PlainReason, provider};
pub use tcpls_core::wire::hello::join::JoinFailure;
pub use tcpls_core::wire::{AddressId, ConnectionId, Features, SessionParams, StreamId};
pub use tcpls_core::{
    AddressError, CloseCode, ConnectionFailure, ConnectionStats, Failover, PathInfo, PathStatus,
    Profile, SessionClose, SessionConfig, SessionStats, Sharing, StreamStats, TokenError,
    TransportCode, scheduler,
};

/// The provider to build rustls configurations on: aws-lc-rs, carrying the TCPLS extensions.
#[cfg(feature = "aws-lc")]
pub fn default_provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(provider(&rustls::crypto::aws_lc_rs::default_provider()))
}

/// Compiles and runs the example of the project's README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
