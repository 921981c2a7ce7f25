//! The transcript hash, over the messages as they are on the wire.

use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use std::sync::Arc;
use tcpls_wire::hello::{HandshakeMessage, HandshakeType};
use zeroize::Zeroizing;

use super::exchange::Exchange;
use super::scope;

/// A hash whose contexts, when made during a handshake of this crate, see each hello message as the
/// peer does.
pub(crate) struct ExtendedHash(&'static dyn Hash);

impl ExtendedHash {
    pub(crate) fn new(base: &'static dyn Hash) -> Self {
        Self(base)
    }
}

impl Hash for ExtendedHash {
    fn start(&self) -> Box<dyn Context> {
        let context = self.0.start();
        match scope::current() {
            Some(exchange) => Box::new(Transcript { context, exchange }),
            None => context,
        }
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.0.hash(data)
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

struct Transcript {
    context: Box<dyn Context>,
    exchange: Arc<Exchange>,
}

impl Context for Transcript {
    fn fork_finish(&self) -> Output {
        self.context.fork_finish()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self {
            context: self.context.fork(),
            exchange: Arc::clone(&self.exchange),
        })
    }

    fn finish(self: Box<Self>) -> Output {
        self.context.finish()
    }

    /// rustls adds whole messages, several at once after a `HelloRetryRequest`, and for PSK binders a
    /// `ClientHello` that is cut before them.
    fn update(&mut self, data: &[u8]) {
        for (kind, message) in messages(data) {
            match self.exchange.rewritten(kind, message) {
                Some(rewritten) => self.context.update(&rewritten),
                None => self.context.update(message),
            }
        }
    }
}

/// The messages in `data`, each as it is on the wire; the last one may be cut. They may hold a token.
pub(super) fn rewrite_messages(exchange: &Exchange, data: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(data.len() + exchange.growth()));
    for (kind, message) in messages(data) {
        let rewritten = exchange.rewritten(kind, message);
        out.extend_from_slice(rewritten.as_deref().unwrap_or(message));
    }
    out
}

/// The handshake messages in `data`, with their types.
fn messages(data: &[u8]) -> impl Iterator<Item = (HandshakeType, &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let &kind = rest.first()?;
        let len = HandshakeMessage::announced_length(rest)
            .unwrap_or(rest.len())
            .min(rest.len());
        let (message, next) = rest.split_at_checked(len)?;
        rest = next;
        Some((HandshakeType::from_wire(kind), message))
    })
}
