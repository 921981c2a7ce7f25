//! Why a handshake fails, by blame.

use core::fmt;

use rustls::{CertificateError, Error, PeerIncompatible};
use tcpls_wire::{AlertDescription, HelloError, RewriteError};

use crate::KeyError;

/// Why there is no session. The alert that tells the peer, where there is one, is already among the
/// bytes to be written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HandshakeError {
    /// The peer does not speak TLS: wrong port, or something that rewrites the traffic.
    #[error("the peer does not speak TLS: {0}")]
    NotTls(NotTls),
    /// The peer speaks TLS, but no version from 1.3 on.
    #[error("the peer does not support TLS 1.3")]
    Tls13Unsupported,
    /// The peer ended the handshake with this alert.
    #[error("the peer ended the handshake: {0}")]
    AlertReceived(AlertDescription),
    /// The peer's certificate is not trusted: it does not prove who the peer is.
    #[error("the peer's certificate is not acceptable: {0}")]
    Certificate(CertificateError),
    /// The peer and this end have no cipher suite, group, protocol or the like in common.
    #[error("no common ground with the peer: {0}")]
    Incompatible(Error),
    /// The peer broke a rule of TLS.
    #[error("the peer broke a rule of TLS: {0}")]
    PeerMisbehaved(Error),
    /// The peer broke a rule of the TCPLS extensions, or sent a malformed hello.
    #[error("the peer's hello is wrong: {0}")]
    Hello(#[from] HelloError),
    /// The `ClientHello` is longer than this server reads, 16 KiB.
    #[error("a ClientHello of {0} bytes")]
    HelloTooLong(usize),
    /// The second `ClientHello` offers something else of TCPLS than the first.
    #[error("the second ClientHello changes the TCPLS offer")]
    OfferChanged,
    /// The server splits its `EncryptedExtensions` over records, which rustls cannot be shown with
    /// an extension removed. Servers do not, unless they limit records to less than that message.
    #[error("the server splits its EncryptedExtensions over several records")]
    SplitExtensions,
    /// The peer closed the connection in the middle of the handshake.
    #[error("the connection was closed during the handshake")]
    Closed,
    /// This end cannot do what it is configured to.
    #[error("the handshake failed at this end: {0}")]
    Local(Error),
    /// This end's extensions do not fit the hello.
    #[error("the TCPLS extensions do not fit the message: {0}")]
    Rewrite(#[from] RewriteError),
    /// The keys of the session cannot be had.
    #[error("no keys from the handshake: {0}")]
    Keys(#[from] KeyError),
    /// The handshake is not complete, and its result was asked for.
    #[error("the handshake is not complete")]
    NotComplete,
}

/// The first bytes of a peer that does not speak TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct NotTls {
    start: Vec<u8>,
}

impl NotTls {
    /// Keeps at most the first 16 bytes.
    pub(super) fn new(received: &[u8]) -> Self {
        Self {
            start: received.iter().copied().take(16).collect(),
        }
    }

    /// The first bytes that the peer sent, at most 16.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// What the peer probably speaks.
    pub fn guess(&self) -> Option<&'static str> {
        let known: [(&[u8], &str); 7] = [
            (b"HTTP/", "HTTP"),
            (b"GET ", "HTTP"),
            (b"POST ", "HTTP"),
            (b"HEAD ", "HTTP"),
            (b"PRI * ", "HTTP/2 without TLS"),
            (b"SSH-", "SSH"),
            (b"220 ", "SMTP or FTP"),
        ];
        known
            .iter()
            .find(|(start, _)| self.start.starts_with(start))
            .map(|(_, name)| *name)
    }
}

impl fmt::Display for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(guess) = self.guess() {
            write!(f, "this looks like {guess}; ")?;
        }
        write!(f, "it starts with \"{}\"", self.start.escape_ascii())
    }
}

impl fmt::Debug for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotTls(\"{}\")", self.start.escape_ascii())
    }
}

impl HandshakeError {
    /// The alert that this crate sends for an error that it found itself; `None` where rustls has
    /// sent one, or nobody is there to be told.
    pub(super) fn own_alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Hello(error) => Some(error.alert()),
            Self::Tls13Unsupported => Some(AlertDescription::PROTOCOL_VERSION),
            Self::HelloTooLong(_) => Some(AlertDescription::DECODE_ERROR),
            Self::OfferChanged => Some(AlertDescription::ILLEGAL_PARAMETER),
            Self::SplitExtensions => Some(AlertDescription::HANDSHAKE_FAILURE),
            Self::Rewrite(_) | Self::Keys(_) => Some(AlertDescription::INTERNAL_ERROR),
            Self::NotTls(_)
            | Self::AlertReceived(_)
            | Self::Certificate(_)
            | Self::Incompatible(_)
            | Self::PeerMisbehaved(_)
            | Self::Closed
            | Self::Local(_)
            | Self::NotComplete => None,
        }
    }

    /// What an error of rustls means.
    pub(super) fn from_rustls(error: Error) -> Self {
        match error {
            Error::AlertReceived(alert) => {
                let alert = AlertDescription::from_wire(u8::from(alert));
                if alert == AlertDescription::PROTOCOL_VERSION {
                    return Self::Tls13Unsupported;
                }
                Self::AlertReceived(alert)
            }
            Error::InvalidCertificate(error) => Self::Certificate(error),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => Self::Tls13Unsupported,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::Incompatible(error),
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidEncryptedClientHello(_)
            | Error::InvalidMessage(_)
            | Error::NoCertificatesPresented
            | Error::DecryptError
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord => Self::PeerMisbehaved(error),
            Error::UnsupportedNameType
            | Error::EncryptError
            | Error::InvalidCertRevocationList(_)
            | Error::General(_)
            | Error::FailedToGetCurrentTime
            | Error::FailedToGetRandomBytes
            | Error::HandshakeNotComplete
            | Error::BadMaxFragmentSize
            | Error::InconsistentKeys(_)
            | Error::Other(_)
            | _ => Self::Local(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_that_do_not_speak_tls_are_named() {
        let error = |bytes: &[u8]| HandshakeError::NotTls(NotTls::new(bytes)).to_string();
        assert_eq!(
            error(b"SSH-2.0-OpenSSH_9.9\r\n"),
            "the peer does not speak TLS: this looks like SSH; it starts with \"SSH-2.0-OpenSSH_\""
        );
        assert_eq!(
            error(b"\0\x01\""),
            "the peer does not speak TLS: it starts with \"\\x00\\x01\\\"\""
        );
    }
}
