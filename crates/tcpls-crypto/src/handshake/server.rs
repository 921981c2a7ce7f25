//! The server's side of the handshake.

use core::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::server::UnbufferedServerConnection;
use tcpls_wire::{Offered, SessionParams, Token};

use super::Options;
use super::config::TlsServer;
use super::driver::{Driver, hand_over};
use super::error::HandshakeError;
use super::established::{Established, HandshakeInfo, Negotiated, Outcome, PlainReason};
use super::exchange::Exchange;
use super::hello::ReceivedHello;
use super::kernel::Kernel;

/// A TLS 1.3 handshake as the server, bytes in and bytes out, from the client's hello on.
///
/// Used like a [`ClientHandshake`](crate::ClientHandshake).
pub struct ServerHandshake {
    driver: Driver<UnbufferedServerConnection>,
    server_name: Option<String>,
    params: Option<SessionParams>,
    outcome: Result<(), PlainReason>,
    options: Options,
}

/// What a server answers to a client's offer. Whatever the answer, a client that offers no TCPLS
/// gets plain TLS.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// TCPLS.
    Tcpls {
        /// The session's first token, sequence 1 (draft 5.1.3).
        token: Option<Token>,
        /// What goes into `tcpls_params`; sent only to a client that sent it too.
        params: Option<SessionParams>,
    },
    /// Plain TLS.
    Plain,
}

impl ServerHandshake {
    /// Answers a hello. The answer is ready to be written, or else the next
    /// [`read`](Self::read) gives the error and there is an alert to write.
    pub fn accept(
        hello: &ReceivedHello,
        server: &TlsServer,
        answer: Answer,
        options: Options,
    ) -> Result<Self, HandshakeError> {
        let offered = hello.offered();
        let answer = match offered {
            Offered::Nothing => Answer::Plain,
            Offered::Tcpls | Offered::TcplsAndParams => answer,
        };
        let outcome = match (&answer, offered) {
            (Answer::Tcpls { .. }, _) => Ok(()),
            (Answer::Plain, Offered::Nothing) => Err(PlainReason::NotOffered),
            (Answer::Plain, _) => Err(PlainReason::NotAccepted),
        };
        let exchange = Arc::new(exchange(hello, answer, &options));
        let connection = UnbufferedServerConnection::new(Arc::clone(&server.config))
            .map_err(HandshakeError::from_rustls)?;
        let mut handshake = Self {
            driver: Driver::new(connection, exchange),
            server_name: hello.server_name().map(str::to_owned),
            params: hello.params(),
            outcome,
            options,
        };
        // An error here is given again by the first read, when its alert can be written.
        let _first = handshake
            .driver
            .feed(hello.record_header(), hello.message());
        Ok(handshake)
    }

    /// Takes what belongs to the handshake off the front of `input` and leaves the rest: a record
    /// that is not whole yet, or the application records that follow.
    ///
    /// Also after an error there may be something to [write](Self::write): the alert.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<(), HandshakeError> {
        self.driver.read(input, |_| Ok(()))
    }

    /// Appends to `out` what has to be sent.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        hand_over(&mut self.driver.take_written(), out);
    }

    /// Whether the client has finished, and is authenticated if that was asked for.
    pub fn is_complete(&self) -> bool {
        self.driver.is_complete()
    }

    /// The keys and everything else that came out of the handshake.
    pub fn finish(self) -> Result<Established, HandshakeError> {
        if !self.driver.is_complete() || self.driver.has_written() {
            return Err(HandshakeError::NotComplete);
        }
        let Driver {
            connection,
            exchange,
            ..
        } = self.driver;
        let info = HandshakeInfo::new(&connection, self.server_name)?;
        let negotiated = match self.outcome {
            Ok(()) => Negotiated::Tcpls {
                token: None,
                params: self.params,
            },
            Err(reason) => Negotiated::Plain(reason),
        };
        let (secrets, kernel) = connection
            .dangerous_into_kernel_connection()
            .map_err(HandshakeError::Local)?;
        Established::new(Outcome {
            secrets,
            kernel: Kernel::Server(kernel),
            client_hello: None,
            exporter: exchange.take_exporter_secret(),
            negotiated,
            info,
            options: self.options,
        })
    }
}

impl fmt::Debug for ServerHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandshake")
            .field("server_name", &self.server_name)
            .field("is_complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}

/// What goes into the `EncryptedExtensions`.
fn exchange(hello: &ReceivedHello, answer: Answer, options: &Options) -> Exchange {
    let codec = &options.codec;
    let offered = hello.offered();
    let mut extensions = Vec::new();
    let Answer::Tcpls { token, params } = answer else {
        return Exchange::server(*codec, offered, Arc::clone(hello.message()), &extensions);
    };
    let params = params
        .filter(|_| offered == Offered::TcplsAndParams)
        .map(|params| params.encode());
    let token = token.map(|token| codec.token_body(token.as_token_ref()));
    extensions.push(codec.tcpls());
    extensions.extend(token.as_ref().map(|token| codec.token(token)));
    extensions.extend(params.as_ref().map(|params| codec.params(params)));
    let first_hello = Arc::clone(hello.message());
    Exchange::server(*codec, offered, first_hello, &extensions)
}
