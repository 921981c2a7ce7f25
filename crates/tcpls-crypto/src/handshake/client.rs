//! The client's side of the handshake.

use core::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::client::UnbufferedClientConnection;
use rustls_pki_types::ServerName;
use tcpls_wire::hello::{HandshakeMessage, HandshakeType};
use tcpls_wire::{ExtensionCodec, Offered, ServerHello, SessionParams, Token};

use super::Options;
use super::client_hello::HelloWriter;
use super::config::TlsClient;
use super::driver::{Driver, hand_over};
use super::error::HandshakeError;
use super::established::{Established, HandshakeInfo, Negotiated, Outcome, PlainReason};
use super::exchange::Exchange;
use super::kernel::Kernel;
use super::scope::Scope;
use crate::header::HEADER_LEN;

/// A TLS 1.3 handshake as the client, bytes in and bytes out.
///
/// [`write`](Self::write) what is there to send, [`read`](Self::read) what comes, until the handshake
/// [is complete](Self::is_complete) and nothing is left to write; then [`finish`](Self::finish).
pub struct ClientHandshake {
    driver: Driver<UnbufferedClientConnection>,
    hello: HelloWriter,
    server_name: ServerName<'static>,
    offer: Offer,
    options: Options,
    /// Bytes for the wire.
    written: Vec<u8>,
}

/// What the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// TCPLS. A server that does not know it answers with plain TLS.
    Tcpls {
        /// What goes into `tcpls_params`; without it the session follows the draft alone.
        params: Option<SessionParams>,
    },
    /// Plain TLS 1.3: the hello has no TCPLS extension (reading A-40).
    Plain,
}

impl ClientHandshake {
    /// Starts a handshake with the server of this name; its first bytes are ready to be written.
    pub fn new(
        client: &TlsClient,
        server_name: ServerName<'static>,
        offer: Offer,
        options: Options,
    ) -> Result<Self, HandshakeError> {
        let (offered, params) = match offer {
            Offer::Plain => (Offered::Nothing, Vec::new()),
            Offer::Tcpls { params: None } => (Offered::Tcpls, Vec::new()),
            Offer::Tcpls {
                params: Some(params),
            } => (Offered::TcplsAndParams, params.encode()),
        };
        let exchange = Arc::new(Exchange::client(options.codec, offered, &params));
        let connection = {
            let _scope = Scope::enter(&exchange);
            let config = Arc::clone(&client.config);
            UnbufferedClientConnection::new(config, server_name.clone())
                .map_err(HandshakeError::from_rustls)?
        };
        let mut handshake = Self {
            driver: Driver::new(connection, exchange),
            hello: HelloWriter::default(),
            server_name,
            offer,
            options,
            written: Vec::new(),
        };
        handshake.driver.run()?;
        handshake.collect()?;
        Ok(handshake)
    }

    /// Takes what belongs to the handshake off the front of `input` and leaves the rest: a record
    /// that is not whole yet, or the application records that follow.
    ///
    /// Also after an error there may be something to [write](Self::write): the alert.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<(), HandshakeError> {
        let codec = self.options.codec;
        let result = self
            .driver
            .read(input, |record| check_server_hello(record, &codec));
        self.collect()?;
        result
    }

    /// Appends to `out` what has to be sent.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        hand_over(&mut self.written, out);
    }

    /// Whether the server is authenticated and nothing more is to be read.
    pub fn is_complete(&self) -> bool {
        self.driver.is_complete()
    }

    /// The token from the server's `EncryptedExtensions`, once; available as soon as that message was
    /// decrypted, while the server is not authenticated yet (draft 4.2.2).
    pub fn early_token(&mut self) -> Option<Token> {
        self.driver.exchange.answer(|answer| answer.token.take())?
    }

    /// The keys and everything else that came out of the handshake.
    pub fn finish(self) -> Result<Established, HandshakeError> {
        if !self.driver.is_complete() || !self.written.is_empty() {
            return Err(HandshakeError::NotComplete);
        }
        let Driver {
            connection,
            exchange,
            ..
        } = self.driver;
        let server_name = if let ServerName::DnsName(name) = &self.server_name {
            Some(name.as_ref().to_owned())
        } else {
            None
        };
        let info = HandshakeInfo::new(&connection, server_name)?;
        let negotiated = exchange.answer(|answer| Negotiated::Tcpls {
            token: answer.token.take(),
            params: answer.params,
        });
        let negotiated = negotiated.unwrap_or(Negotiated::Plain(match self.offer {
            Offer::Tcpls { .. } => PlainReason::NotAccepted,
            Offer::Plain => PlainReason::NotOffered,
        }));
        let (secrets, kernel) = connection
            .dangerous_into_kernel_connection()
            .map_err(HandshakeError::Local)?;
        let exporter = exchange.take_exporter_secret();
        Established::new(Outcome {
            secrets,
            kernel: Kernel::Client(kernel),
            client_hello: Some(self.hello.into_sent()),
            exporter,
            negotiated,
            info,
            options: self.options,
        })
    }

    /// Moves what rustls wrote to what goes on the wire.
    fn collect(&mut self) -> Result<(), HandshakeError> {
        let before = self.written.len();
        let written = self.driver.take_written();
        self.hello
            .rewrite(&self.driver.exchange, &written, &mut self.written);
        let Some(error) = self.driver.exchange.failure() else {
            return Ok(());
        };
        // A hello that cannot be extended never leaves.
        self.written.truncate(before);
        let failed = self.driver.fail(error);
        self.written.append(&mut self.driver.take_written());
        failed
    }
}

impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("server_name", &self.server_name)
            .field("offer", &self.offer)
            .field("is_complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}

/// R3, reading A-23: no extension of TCPLS in a `ServerHello`.
///
/// One that is split over records goes unchecked: rustls refuses any extension that it did not ask
/// for, with another alert.
fn check_server_hello(record: &[u8], codec: &ExtensionCodec) -> Result<(), HandshakeError> {
    let Some(([HANDSHAKE, ..], mut body)) = record.split_first_chunk::<HEADER_LEN>() else {
        return Ok(());
    };
    match HandshakeMessage::take_first(&mut body) {
        Some(message) if message.kind == HandshakeType::SERVER_HELLO => {
            ServerHello::parse(message.bytes)?.refuse_tcpls(codec)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

const HANDSHAKE: u8 = 22;
