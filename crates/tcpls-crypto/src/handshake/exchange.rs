//! What one handshake adds to the messages of rustls, and what it learns from them.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tcpls_wire::hello::{HandshakeMessage, HandshakeType};
use tcpls_wire::{
    AlertDescription, ClientHello, EncryptedExtensions, Extension, ExtensionCodec, ExtensionType,
    Offered, Role, SessionParams, Token, insert_extensions, strip_extensions,
};
use zeroize::Zeroizing;

use super::alert::AlertKey;
use super::error::HandshakeError;

/// The state of one handshake that the wrapped suites of both directions share.
///
/// On the client, the extensions go into each `ClientHello`, and the server's answer comes out of
/// `EncryptedExtensions`. On the server, they go into `EncryptedExtensions`.
pub(crate) struct Exchange {
    role: Role,
    codec: ExtensionCodec,
    /// What the client put into its hello; on the server, what it received.
    offered: Offered,
    /// The extensions to insert: `(type, body)`.
    inserted: Vec<(ExtensionType, Zeroizing<Vec<u8>>)>,
    /// At a server, the client's first hello, whose offer a second one must repeat.
    first_hello: Arc<Vec<u8>>,
    progress: Mutex<Progress>,
}

/// What the server answered about TCPLS.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) token: Option<Token>,
    pub(super) params: Option<SessionParams>,
}

/// A message that rustls has otherwise.
pub(super) enum Rewritten {
    /// A `ClientHello`, which everybody may read.
    Hello(Vec<u8>),
    /// `EncryptedExtensions`, which may hold a token.
    Secret(Zeroizing<Vec<u8>>),
}

impl Deref for Rewritten {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Hello(message) => message,
            Self::Secret(message) => message,
        }
    }
}

#[derive(Default)]
struct Progress {
    /// The first thing that went wrong here, inside a call of rustls that cannot report it.
    failure: Option<HandshakeError>,
    /// The `EncryptedExtensions` of the server as they were on the wire.
    original_extensions: Option<Zeroizing<Vec<u8>>>,
    /// The server agreed to TCPLS.
    answer: Option<Answer>,
    exporter_secret: Option<Zeroizing<Vec<u8>>>,
    alert_key: Option<AlertKey>,
}

impl Exchange {
    /// The exchange of a client that offers these extensions.
    pub(super) fn client(codec: ExtensionCodec, offered: Offered, params: &[u8]) -> Self {
        let mut extensions = Vec::new();
        if offered != Offered::Nothing {
            extensions.push(codec.tcpls());
        }
        if offered == Offered::TcplsAndParams {
            extensions.push(codec.params(params));
        }
        Self::new(Role::Client, codec, offered, &extensions)
    }

    /// The exchange of a server that received `first_hello` and answers with `extensions`.
    pub(super) fn server(
        codec: ExtensionCodec,
        offered: Offered,
        first_hello: Arc<Vec<u8>>,
        extensions: &[Extension<'_>],
    ) -> Self {
        let exchange = Self::new(Role::Server, codec, offered, extensions);
        Self {
            first_hello,
            ..exchange
        }
    }

    fn new(
        role: Role,
        codec: ExtensionCodec,
        offered: Offered,
        extensions: &[Extension<'_>],
    ) -> Self {
        let owned =
            |extension: &Extension<'_>| (extension.kind, Zeroizing::new(extension.body.to_vec()));
        Self {
            role,
            codec,
            offered,
            inserted: extensions.iter().map(owned).collect(),
            first_hello: Arc::default(),
            progress: Mutex::default(),
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Bytes by which the message that is rewritten grows.
    pub(super) fn growth(&self) -> usize {
        self.inserted.iter().map(|(_, body)| 4 + body.len()).sum()
    }

    /// Whether the decrypter must look for `EncryptedExtensions`.
    pub(super) fn awaits_answer(&self) -> bool {
        self.role == Role::Client
            && self.offered != Offered::Nothing
            && self.with(|progress| progress.original_extensions.is_none())
    }

    /// `message`, which may be cut, as it is on the wire and in the transcript; `None` where that is how
    /// rustls has it.
    ///
    /// A message that cannot be rewritten stays as it is: then the handshake fails.
    pub(super) fn rewritten(&self, kind: HandshakeType, message: &[u8]) -> Option<Rewritten> {
        match (self.role, kind) {
            (Role::Client, HandshakeType::CLIENT_HELLO) => {
                self.inserted_into(message).map(Rewritten::Hello)
            }
            (Role::Server, HandshakeType::ENCRYPTED_EXTENSIONS) => {
                let extended = self.inserted_into(message)?;
                Some(Rewritten::Secret(Zeroizing::new(extended)))
            }
            (Role::Client, HandshakeType::ENCRYPTED_EXTENSIONS) => {
                self.with(|progress| progress.original_extensions.clone().map(Rewritten::Secret))
            }
            (Role::Server, HandshakeType::CLIENT_HELLO) => {
                self.check_offer(message);
                None
            }
            _ => None,
        }
    }

    fn inserted_into(&self, message: &[u8]) -> Option<Vec<u8>> {
        if self.inserted.is_empty() {
            return None;
        }
        let extensions: Vec<_> = self
            .inserted
            .iter()
            .map(|(kind, body)| Extension { kind: *kind, body })
            .collect();
        let mut extended = Vec::with_capacity(message.len() + self.growth());
        match insert_extensions(message, &extensions, &mut extended) {
            Ok(()) => Some(extended),
            Err(error) => {
                self.fail(HandshakeError::Rewrite(error));
                None
            }
        }
    }

    /// A `ClientHello` after a `HelloRetryRequest` must repeat what the first one offered.
    fn check_offer(&self, message: &[u8]) {
        // Either hello comes here several times, also cut before its PSK binders.
        let whole = HandshakeMessage::announced_length(message) == Some(message.len());
        if !whole || self.first_hello.starts_with(message) {
            return;
        }
        let offer = |message| ClientHello::parse(message)?.tcpls_offer(&self.codec);
        match (offer(message), offer(&self.first_hello)) {
            (Ok(second), Ok(first)) if second == first => {}
            (Err(error), _) => self.fail(HandshakeError::Hello(error)),
            _ => self.fail(HandshakeError::OfferChanged),
        }
    }

    /// Reads and removes the server's answer from the decrypted flight that starts with
    /// `EncryptedExtensions`; returns what rustls may see of it.
    pub(super) fn take_answer(&self, flight: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let mut rest = flight;
        let message =
            HandshakeMessage::take_first(&mut rest).ok_or(HandshakeError::SplitExtensions)?;
        let extensions = EncryptedExtensions::parse(message.bytes)?;
        let answer = extensions.tcpls_answer(&self.codec, self.offered)?;
        let params = answer.params.map(SessionParams::decode).transpose()?;
        let points = self.codec.code_points;
        let mut stripped = Vec::with_capacity(flight.len());
        strip_extensions(
            message.bytes,
            &[points.tcpls, points.token, points.params],
            &mut stripped,
        )?;
        stripped.extend_from_slice(rest);
        self.with(|progress| {
            progress.original_extensions = Some(Zeroizing::new(message.bytes.to_vec()));
            progress.answer = answer.tcpls.is_present().then(|| Answer {
                token: answer.token,
                params,
            });
        });
        Ok(stripped)
    }

    /// What the server answered; `None` before `EncryptedExtensions`, and without TCPLS.
    pub(super) fn answer<T>(&self, look: impl FnOnce(&mut Answer) -> T) -> Option<T> {
        self.with(|progress| progress.answer.as_mut().map(look))
    }

    /// Takes note of an error where rustls cannot report it. The first one counts.
    pub(super) fn fail(&self, error: HandshakeError) {
        self.with(|progress| {
            progress.failure.get_or_insert(error);
        });
    }

    pub(super) fn failure(&self) -> Option<HandshakeError> {
        self.with(|progress| progress.failure.take())
    }

    pub(super) fn keep_exporter_secret(&self, secret: &[u8]) {
        self.with(|progress| progress.exporter_secret = Some(Zeroizing::new(secret.to_vec())));
    }

    pub(super) fn take_exporter_secret(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.with(|progress| progress.exporter_secret.take())
    }

    /// The key with which a client currently writes, so that it can send an alert of its own. A
    /// server's own alerts all come before its `ServerHello`.
    pub(super) fn keep_alert_key(&self, key: Option<AlertKey>) {
        self.with(|progress| progress.alert_key = key);
    }

    /// rustls has sealed the record with this sequence.
    pub(super) fn note_sealed(&self, sequence: u64) {
        self.with(|progress| {
            if let Some(key) = &mut progress.alert_key {
                key.next = sequence.saturating_add(1);
            }
        });
    }

    /// Appends the record of a fatal alert: protected if this end has a key already.
    pub(super) fn write_alert(&self, description: AlertDescription, out: &mut Vec<u8>) {
        let key = self.with(|progress| progress.alert_key.take());
        super::alert::write_alert(key, description, out);
    }

    /// Nothing panics while the lock is held, and if it did the handshake would fail anyway.
    fn with<T>(&self, f: impl FnOnce(&mut Progress) -> T) -> T {
        f(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(super) fn testing() -> Self {
        Self::client(ExtensionCodec::default(), Offered::Tcpls, &[])
    }
}
