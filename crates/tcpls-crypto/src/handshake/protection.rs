//! Record protection during the handshake: the server's `EncryptedExtensions` pass through here.

use std::sync::Arc;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    OutboundChunks, OutboundOpaqueMessage, OutboundPlainMessage, Tls13AeadAlgorithm,
    UnsupportedOperationError,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error};
use tcpls_wire::Role;
use tcpls_wire::hello::HandshakeType;

use zeroize::Zeroizing;

use super::alert::AlertKey;
use super::exchange::Exchange;
use super::scope;
use super::transcript::rewrite_messages;
use crate::Suite;
use crate::secrets::RecordSecret;

/// An AEAD whose encrypters and decrypters, when made during a handshake of this crate, let the
/// TCPLS extensions through.
pub(crate) struct ExtendedAead {
    suite: Suite,
    base: &'static dyn Tls13AeadAlgorithm,
}

impl ExtendedAead {
    pub(crate) fn new(suite: Suite, base: &'static dyn Tls13AeadAlgorithm) -> Self {
        Self { suite, base }
    }

    /// A second key for the alerts of this crate; without one they are sent in cleartext.
    fn alert_key(&self, key: &AeadKey, iv: &Iv) -> Option<AlertKey> {
        Some(AlertKey {
            suite: self.suite,
            secret: RecordSecret::new(key.as_ref(), iv.as_ref())?,
            next: 0,
        })
    }
}

impl Tls13AeadAlgorithm for ExtendedAead {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        let Some(exchange) = scope::current() else {
            return self.base.encrypter(key, iv);
        };
        if exchange.role() == Role::Client {
            exchange.keep_alert_key(self.alert_key(&key, &iv));
        }
        let pending = match exchange.role() {
            Role::Server => exchange.growth(),
            Role::Client => 0,
        };
        Box::new(Encrypter {
            base: self.base.encrypter(key, iv),
            exchange,
            pending,
        })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        let base = self.base.decrypter(key, iv);
        match scope::current() {
            Some(exchange) if exchange.awaits_answer() => Box::new(Decrypter {
                base,
                exchange: Some(exchange),
            }),
            _ => base,
        }
    }

    fn key_len(&self) -> usize {
        self.base.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.base.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        self.base.fips()
    }
}

struct Encrypter {
    base: Box<dyn MessageEncrypter>,
    exchange: Arc<Exchange>,
    /// Bytes by which the record with the server's `EncryptedExtensions` will grow; 0 once it is out.
    pending: usize,
}

impl MessageEncrypter for Encrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        self.exchange.note_sealed(sequence);
        if self.pending == 0 || message.typ != ContentType::Handshake {
            return self.base.encrypt(message, sequence);
        }
        let flight = message.payload.to_vec();
        if flight.first() != Some(&HandshakeType::ENCRYPTED_EXTENSIONS.as_u8()) {
            return self.base.encrypt(message, sequence);
        }
        self.pending = 0;
        let flight = rewrite_messages(&self.exchange, &flight);
        let payload = OutboundChunks::Single(&flight);
        self.base
            .encrypt(OutboundPlainMessage { payload, ..message }, sequence)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.base.encrypted_payload_len(payload_len + self.pending)
    }
}

struct Decrypter {
    base: Box<dyn MessageDecrypter>,
    /// Until the first record was seen.
    exchange: Option<Arc<Exchange>>,
}

impl MessageDecrypter for Decrypter {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        match self.exchange.take() {
            None => self.base.decrypt(message, sequence),
            Some(exchange) => self.decrypt_first(&exchange, message, sequence),
        }
    }
}

impl Decrypter {
    /// Decrypts a copy, and leaves in the caller's buffer what rustls may see of it.
    fn decrypt_first<'a>(
        &mut self,
        exchange: &Exchange,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        // It may hold a token.
        let mut copy = Zeroizing::new(message.payload.to_vec());
        let copied = InboundOpaqueMessage::new(message.typ, message.version, &mut copy);
        let plain = self.base.decrypt(copied, sequence)?;
        let first = plain.payload.first().copied();
        if plain.typ != ContentType::Handshake
            || first != Some(HandshakeType::ENCRYPTED_EXTENSIONS.as_u8())
        {
            return self.base.decrypt(message, sequence);
        }
        let stripped = exchange.take_answer(plain.payload).map_err(|error| {
            exchange.fail(error);
            Error::General("the TCPLS extensions are wrong".into())
        })?;
        // What is left is never longer than it was, and it has no padding.
        let end = stripped.len();
        match message.payload.get_mut(..=end) {
            Some([content @ .., content_type]) if content.len() == end => {
                content.copy_from_slice(&stripped);
                *content_type = u8::from(ContentType::Handshake);
            }
            _ => return Err(Error::DecryptError),
        }
        message.payload.truncate(end + 1);
        message.into_tls13_unpadded_message()
    }
}
