//! The first message of a client, read before any cryptography.

use core::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use tcpls_wire::{
    Alert, AlertDescription, ClientHello, ExtensionCodec, HelloError, Offered, SessionParams, Token,
};

use tcpls_wire::hello::{HandshakeMessage, HandshakeType};

use super::alert::plaintext_alert;
use super::driver::record_len;
use super::error::{HandshakeError, NotTls};
use crate::header::HEADER_LEN;

/// Reads a `ClientHello` off a new connection, so that the server can decide what to do with it: a
/// session of its own, or one more connection for a session that exists.
#[derive(Debug, Default)]
pub struct HelloReader {
    codec: ExtensionCodec,
    /// The version of the first record.
    version: [u8; 2],
    /// The message, as far as it came.
    message: Vec<u8>,
    written: Vec<u8>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Reading,
    Done,
    Failed(HandshakeError),
}

/// What the first bytes of a connection are.
#[derive(Debug)]
pub enum FirstFlight {
    /// Not enough of them yet.
    Incomplete,
    /// A client that wants a session, or plain TLS.
    Hello(ReceivedHello),
    /// A client that wants this connection in a session that exists (draft 5.1.2).
    Join(JoinHello),
}

/// A `ClientHello` that joins nothing: [`ServerHandshake::accept`](crate::ServerHandshake::accept)
/// answers it.
pub struct ReceivedHello {
    message: Arc<Vec<u8>>,
    version: [u8; 2],
    offered: Offered,
    params: Option<SessionParams>,
}

/// A `ClientHello` with `tcpls_join`. It never reaches the TLS library.
pub struct JoinHello {
    message: Vec<u8>,
    token: Token,
}

impl HelloReader {
    /// The longest handshake message that is read, header included: it always fits one record.
    pub const MAX_HELLO_LEN: usize = 16_384;

    /// A reader for a new connection; `codec` tells which extensions are those of TCPLS.
    pub fn new(codec: ExtensionCodec) -> Self {
        Self {
            codec,
            ..Self::default()
        }
    }

    /// Takes the records of the `ClientHello` off the front of `input`.
    ///
    /// What follows them stays there. After an error the alert is among the bytes to be
    /// [written](Self::write), and every later call gives the same error.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<FirstFlight, HandshakeError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        self.read_records(input).inspect_err(|error| {
            if let Some(alert) = error.own_alert() {
                self.written.extend_from_slice(&plaintext_alert(alert));
            }
            self.state = State::Failed(error.clone());
        })
    }

    /// Appends to `out` what has to be sent.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.written);
    }

    fn read_records(&mut self, input: &mut BytesMut) -> Result<FirstFlight, HandshakeError> {
        if matches!(self.state, State::Done) {
            return Err(HandshakeError::NotComplete);
        }
        while let Some(len) = record_len(input)?.filter(|len| *len <= input.len()) {
            let record = input.split_to(len);
            self.take_record(&record)?;
            if HandshakeMessage::announced_length(&self.message) == Some(self.message.len()) {
                self.state = State::Done;
                return self.judge();
            }
        }
        Ok(FirstFlight::Incomplete)
    }

    fn take_record(&mut self, record: &[u8]) -> Result<(), HandshakeError> {
        let (header, body) = record
            .split_first_chunk::<HEADER_LEN>()
            .ok_or_else(|| HandshakeError::NotTls(NotTls::new(record)))?;
        let [kind, major, minor, _, _] = *header;
        match (kind, body) {
            (HANDSHAKE, [_, ..]) => {}
            (ALERT, &[level, description]) => {
                let alert = Alert::parse(&[level, description]).map_err(HelloError::from)?;
                return Err(HandshakeError::AlertReceived(alert.description));
            }
            (kind, _) => return Err(HelloError::UnexpectedMessage(kind).into()),
        }
        if self.message.is_empty() {
            self.version = [major, minor];
        }
        self.message.extend_from_slice(body);
        self.check_size()
    }

    /// Judges the message by its header, before the rest of it comes.
    fn check_size(&self) -> Result<(), HandshakeError> {
        if let Some(&kind) = self.message.first()
            && kind != HandshakeType::CLIENT_HELLO.as_u8()
        {
            return Err(HelloError::UnexpectedMessage(kind).into());
        }
        match HandshakeMessage::announced_length(&self.message) {
            Some(len) if len > Self::MAX_HELLO_LEN => Err(HandshakeError::HelloTooLong(len)),
            Some(len) if len < self.message.len() => {
                let next = self.message.get(len).copied().unwrap_or_default();
                Err(HelloError::UnexpectedMessage(next).into())
            }
            _ => Ok(()),
        }
    }

    fn judge(&mut self) -> Result<FirstFlight, HandshakeError> {
        let message = std::mem::take(&mut self.message);
        let hello = ClientHello::parse(&message)?;
        let offer = hello.tcpls_offer(&self.codec)?;
        if !hello.supports_tls13()? {
            return Err(HandshakeError::Tls13Unsupported);
        }
        if let Some(token) = offer.join {
            return Ok(FirstFlight::Join(JoinHello { message, token }));
        }
        let (offered, params) = match (offer.tcpls.is_present(), offer.params) {
            (false, _) => (Offered::Nothing, None),
            (true, None) => (Offered::Tcpls, None),
            (true, Some(params)) => {
                let params = SessionParams::decode(params)?;
                (Offered::TcplsAndParams, Some(params))
            }
        };
        let version = self.version;
        Ok(FirstFlight::Hello(ReceivedHello {
            message: Arc::new(message),
            version,
            offered,
            params,
        }))
    }
}

impl ReceivedHello {
    /// The whole message: server name, application protocols, suites and so on.
    pub fn client_hello(&self) -> Result<ClientHello<'_>, HelloError> {
        ClientHello::parse(&self.message)
    }

    /// What the client offers of TCPLS.
    pub fn offered(&self) -> Offered {
        self.offered
    }

    /// What the client says about itself in `tcpls_params`.
    pub fn params(&self) -> Option<SessionParams> {
        self.params
    }

    /// The host name that the client wants, if it names one.
    pub fn server_name(&self) -> Option<&str> {
        self.client_hello().ok()?.server_name().ok()?
    }

    /// The whole message with its header.
    pub(super) fn message(&self) -> &Arc<Vec<u8>> {
        &self.message
    }

    /// The header of a record with the whole message.
    pub(super) fn record_header(&self) -> [u8; HEADER_LEN] {
        let [major, minor] = self.version;
        let [high, low] = u16::try_from(self.message.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes();
        [HANDSHAKE, major, minor, high, low]
    }
}

impl JoinHello {
    /// The whole message, to answer it in kind (reading A-20).
    pub fn client_hello(&self) -> Result<ClientHello<'_>, HelloError> {
        ClientHello::parse(&self.message)
    }

    /// The token that the client presents. It counts as used from now on (reading A-21).
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The record of the alert that refuses the join, whatever is wrong with it (R37, reading A-23).
    pub fn refusal() -> [u8; HEADER_LEN + 2] {
        plaintext_alert(AlertDescription::ILLEGAL_PARAMETER)
    }
}

impl fmt::Debug for ReceivedHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedHello")
            .field("server_name", &self.server_name())
            .field("offered", &self.offered)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for JoinHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinHello(..)")
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
