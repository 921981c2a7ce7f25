//! Exit codes, and the errors that lead to them.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use tcpls_tokio::core::crypto::HandshakeError;
use tcpls_tokio::core::wire::AlertDescription;
use tcpls_tokio::{ConnectError, OpenError, ReadError, SessionError, WriteError};

/// How the program ended. 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    DataDiffers,
    Usage,
    Unreachable,
    Certificate,
    Handshake,
    NotTcpls,
    File,
    SessionLost,
    Listen,
    Internal,
}

impl Exit {
    const ALL: [Self; 10] = [
        Self::DataDiffers,
        Self::Usage,
        Self::Unreachable,
        Self::Certificate,
        Self::Handshake,
        Self::NotTcpls,
        Self::File,
        Self::SessionLost,
        Self::Listen,
        Self::Internal,
    ];

    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::DataDiffers => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Certificate => 4,
            Self::Handshake => 5,
            Self::NotTcpls => 6,
            Self::File => 7,
            Self::SessionLost => 8,
            Self::Listen => 9,
            Self::Internal => 10,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::DataDiffers => "data that arrived differs from data that was sent",
            Self::Usage => "bad usage: unknown flag, missing or malformed value",
            Self::Unreachable => "no TCP connection: name, address, port or network",
            Self::Certificate => "a certificate was refused, by either side",
            Self::Handshake => "the handshake failed, or the peer does not speak TLS 1.3",
            Self::NotTcpls => "the peer does not speak TCPLS, although it had to",
            Self::File => "a file or standard stream could not be read or written",
            Self::SessionLost => {
                "the connection or session was lost, or the peer did not play along"
            }
            Self::Listen => "cannot listen on the address",
            Self::Internal => "internal error",
        }
    }

    /// The table of all exit codes, for `--help`.
    pub(crate) fn table() -> String {
        let line = |exit: Self| format!("\n  {:2}  {}", exit.code(), exit.meaning());
        let lines: Vec<_> = Self::ALL.into_iter().map(line).collect();
        format!("Exit codes:\n   0  success{}", lines.concat())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why the program cannot go on: one line for people and a code for scripts.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    /// Line breaks in `message` become spaces, so that it stays one line.
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        let message = message.to_string();
        let words: Vec<_> = message
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        Self {
            exit,
            message: words.join(" "),
        }
    }

    /// A file that cannot be used.
    pub(crate) fn file(path: &Path, problem: impl Display) -> Self {
        Self::new(Exit::File, format!("{}: {problem}", path.display()))
    }

    /// A handshake with `peer` that failed.
    pub(crate) fn handshake(peer: impl Display, error: &ConnectError) -> Self {
        Self::new(handshake_exit(error), format!("{peer}: {error}"))
    }

    /// A session that ended before its work was done.
    pub(crate) fn session(reason: SessionError) -> Self {
        // With TLS 1.3 a client learns only after its handshake what the server thinks of its
        // certificate.
        if let SessionError::PeerAlert(alert) = reason
            && is_about_certificates(alert)
        {
            let text = format!("the peer refused the client certificate with alert {alert}");
            return Self::new(Exit::Certificate, text);
        }
        Self::new(Exit::SessionLost, format!("session lost: {reason}"))
    }

    /// A stream that could not be opened.
    pub(crate) fn open(error: OpenError) -> Self {
        if let OpenError::SessionLost(reason) = error {
            return Self::session(reason);
        }
        Self::lost(error)
    }

    /// A stream that could not be read.
    pub(crate) fn read(error: ReadError) -> Self {
        if let ReadError::SessionLost(reason) = error {
            return Self::session(reason);
        }
        Self::lost(error)
    }

    /// A stream that could not be written.
    pub(crate) fn write(error: WriteError) -> Self {
        if let WriteError::SessionLost(reason) = error {
            return Self::session(reason);
        }
        Self::lost(error)
    }

    /// A session or connection that does not work as it should, for another reason.
    pub(crate) fn lost(error: impl Display) -> Self {
        Self::new(Exit::SessionLost, error)
    }
}

/// The exit code for a handshake that failed.
fn handshake_exit(error: &ConnectError) -> Exit {
    match error {
        ConnectError::InvalidServerName(_) => Exit::Usage,
        ConnectError::NotTcpls(_) => Exit::NotTcpls,
        ConnectError::Handshake(HandshakeError::Certificate(_)) => Exit::Certificate,
        ConnectError::Handshake(HandshakeError::AlertReceived(alert))
            if is_about_certificates(*alert) =>
        {
            Exit::Certificate
        }
        ConnectError::NoConfig(_) | ConnectError::EndpointClosed => Exit::Internal,
        ConnectError::Io(_)
        | ConnectError::Handshake(_)
        | ConnectError::Closed
        | ConnectError::TimedOut(_)
        | ConnectError::UnknownToken
        | _ => Exit::Handshake,
    }
}

/// Whether an alert is about the certificate of the side that receives it (RFC 8446 section 6.2).
fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BAD_CERTIFICATE
            | AlertDescription::UNSUPPORTED_CERTIFICATE
            | AlertDescription::CERTIFICATE_REVOKED
            | AlertDescription::CERTIFICATE_EXPIRED
            | AlertDescription::CERTIFICATE_UNKNOWN
            | AlertDescription::UNKNOWN_CA
            | AlertDescription::CERTIFICATE_REQUIRED
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_the_table() {
        let table = Exit::table();
        for (index, exit) in Exit::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(exit.code()), index + 1);
            assert!(table.contains(exit.meaning()));
        }
    }

    #[test]
    fn a_message_is_one_line() {
        let failure = Failure::new(Exit::Usage, "two\n\n  lines\n");
        assert_eq!(failure.message, "two lines");
    }
}
