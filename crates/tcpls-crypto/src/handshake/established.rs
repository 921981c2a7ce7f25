//! What a handshake comes to.

use rustls::crypto::SupportedKxGroup;
use rustls::{CommonState, ExtractedSecrets, HandshakeKind, NamedGroup};
use rustls_pki_types::CertificateDer;
use tcpls_wire::hello::CipherSuite;
use tcpls_wire::hello::join::{ExtensionOrder, SessionFacts};
use tcpls_wire::{RecordSequence, SessionParams, Token};
use zeroize::Zeroizing;

use super::Options;
use super::error::HandshakeError;
use super::kernel::{Kernel, KeyOptions, TicketStore, session_keys};
use crate::{Exporter, KeyError, SessionKeys, Suite};

/// A finished handshake.
#[derive(Debug)]
pub struct Established {
    /// The keys of both directions.
    pub keys: SessionKeys,
    /// Number of the first record that this end seals on this connection. Not 0 at a server that has
    /// sent its session tickets: records with application keys count from the first (reading A-8).
    pub first_sent: RecordSequence,
    /// Number of the first record that this end opens on this connection.
    pub first_received: RecordSequence,
    /// Whether both sides use TCPLS from here on.
    pub negotiated: Negotiated,
    /// What TLS agreed on.
    pub info: HandshakeInfo,
    /// Keying material for other protocols.
    pub exporter: Exporter,
    /// Where the client stores session tickets.
    pub tickets: TicketStore,
    /// At the client, its `ClientHello` with the header as it went on the wire, which the hellos of
    /// joins are made in the image of ([`JoinTemplate`](tcpls_wire::hello::join::JoinTemplate)); after
    /// a `HelloRetryRequest`, the second one.
    pub client_hello: Option<Vec<u8>>,
}

/// What the extensions came to (draft 5.1.1).
#[derive(Debug, PartialEq, Eq)]
pub enum Negotiated {
    /// Both hellos carry `tcpls`: the connection is the first of a session.
    Tcpls {
        /// At the client, the session's first token (sequence 1), unless it was taken early.
        token: Option<Token>,
        /// What the peer said in `tcpls_params`; without it the session follows the draft alone.
        params: Option<SessionParams>,
    },
    /// Plain TLS 1.3.
    Plain(PlainReason),
}

/// Why a connection is plain TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PlainReason {
    /// The client offered no TCPLS.
    #[error("the client did not offer TCPLS")]
    NotOffered,
    /// The server did not accept it; as a rule it does not know it.
    #[error("the server did not accept TCPLS")]
    NotAccepted,
    /// The connection broke or stayed silent when TCPLS was offered; a new one without the offer did
    /// not (reading A-40).
    #[error("the connection was lost when TCPLS was offered, and held without the offer")]
    OfferLost,
}

/// What the TLS handshake agreed on.
#[derive(Debug, Clone)]
pub struct HandshakeInfo {
    /// The cipher suite.
    pub suite: Suite,
    /// The group of the key exchange.
    pub key_exchange: Option<NamedGroup>,
    /// The application protocol.
    pub alpn: Option<Vec<u8>>,
    /// The server's name as the client gave it; `None` for an address.
    pub server_name: Option<String>,
    /// The peer's certificate chain, its own first; empty if it presented none.
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// Whether the peers knew each other from an earlier session, or had to meet twice.
    pub kind: HandshakeKind,
}

impl HandshakeInfo {
    pub(super) fn new(
        connection: &CommonState,
        server_name: Option<String>,
    ) -> Result<Self, HandshakeError> {
        let suite = connection
            .negotiated_cipher_suite()
            .map(|suite| suite.suite());
        Ok(Self {
            suite: suite
                .and_then(Suite::from_rustls)
                .ok_or(HandshakeError::NotComplete)?,
            key_exchange: connection
                .negotiated_key_exchange_group()
                .map(SupportedKxGroup::name),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            server_name,
            peer_certificates: connection.peer_certificates().unwrap_or_default().to_vec(),
            kind: connection
                .handshake_kind()
                .ok_or(HandshakeError::NotComplete)?,
        })
    }

    /// What the hellos of joins need to know of the handshake (reading A-20).
    pub fn session_facts(&self) -> SessionFacts {
        let group = self.key_exchange.map_or(0, u16::from);
        SessionFacts {
            suite: CipherSuite::from_wire(self.suite.code_point()),
            group: tcpls_wire::hello::NamedGroup::from_wire(group),
            order: ExtensionOrder::Shuffled,
        }
    }

    /// Whether an earlier session was resumed.
    pub fn is_resumed(&self) -> bool {
        self.kind == HandshakeKind::Resumed
    }
}

/// The parts that a finished handshake is made of.
pub(super) struct Outcome {
    pub(super) secrets: ExtractedSecrets,
    pub(super) kernel: Kernel,
    pub(super) client_hello: Option<Vec<u8>>,
    pub(super) exporter: Option<Zeroizing<Vec<u8>>>,
    pub(super) negotiated: Negotiated,
    pub(super) info: HandshakeInfo,
    pub(super) options: Options,
}

impl Established {
    pub(super) fn new(outcome: Outcome) -> Result<Self, HandshakeError> {
        let Outcome {
            secrets,
            kernel,
            client_hello,
            exporter,
            negotiated,
            info,
            options,
        } = outcome;
        let suite = info.suite;
        let exporter = exporter
            .and_then(|secret| Exporter::new(suite, &secret))
            .ok_or(HandshakeError::Keys(KeyError::Source))?;
        let (first_sent, first_received) = (secrets.tx.0, secrets.rx.0);
        let limits = options.limits.unwrap_or_else(|| suite.limits());
        let backend = options.backend;
        let (keys, tickets) = session_keys(
            secrets,
            kernel,
            KeyOptions {
                suite,
                backend,
                limits,
            },
        )?;
        Ok(Self {
            keys,
            first_sent: RecordSequence::from_wire(first_sent),
            first_received: RecordSequence::from_wire(first_received),
            negotiated,
            info,
            exporter,
            tickets,
            client_hello,
        })
    }
}
