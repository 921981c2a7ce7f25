//! What the joins of a session look like.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tcpls_core::wire::ExtensionCodec;
use tcpls_core::wire::hello::CipherSuite;
use tcpls_core::wire::hello::join::{JoinTemplate, SessionFacts};

/// The image of a session's first hello, taken when the first connection joins: most sessions have none
/// that does.
pub(super) struct Look {
    codec: ExtensionCodec,
    facts: SessionFacts,
    image: Mutex<Image>,
}

enum Image {
    /// It will be taken of this hello.
    Untaken {
        hello: Vec<u8>,
        ticket_length: Option<usize>,
    },
    Taken(Box<JoinTemplate>),
    /// The hello is no template for others.
    Impossible,
}

impl Look {
    /// Joins in the image of `hello`, the session's first one with its header.
    pub(super) fn new(hello: Vec<u8>, codec: ExtensionCodec, facts: SessionFacts) -> Self {
        Self {
            codec,
            facts,
            image: Mutex::new(Image::Untaken {
                hello,
                ticket_length: None,
            }),
        }
    }

    /// The session's cipher suite.
    pub(super) fn suite(&self) -> CipherSuite {
        self.facts.suite
    }

    /// How long a ticket the resumption shape shows from now on, in bytes.
    pub(super) fn set_ticket_length(&self, length: usize) {
        match &mut *self.lock() {
            Image::Untaken { ticket_length, .. } => *ticket_length = Some(length),
            Image::Taken(template) => {
                template.set_ticket_length(length);
            }
            Image::Impossible => {}
        }
    }

    /// Makes something of the template; `None` when the session's hello is none.
    pub(super) fn with<R>(&self, make: impl FnOnce(&JoinTemplate) -> R) -> Option<R> {
        let mut image = self.lock();
        if let Image::Untaken {
            hello,
            ticket_length,
        } = &*image
        {
            *image = self.take(hello, *ticket_length);
        }
        match &*image {
            Image::Taken(template) => Some(make(template)),
            Image::Untaken { .. } | Image::Impossible => None,
        }
    }

    fn take(&self, hello: &[u8], ticket_length: Option<usize>) -> Image {
        match JoinTemplate::new(hello, self.codec, self.facts) {
            Ok(mut template) => {
                if let Some(length) = ticket_length {
                    template.set_ticket_length(length);
                }
                Image::Taken(Box::new(template))
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can join this session");
                Image::Impossible
            }
        }
    }

    /// Nothing panics while the lock is held, and if it did the image would be taken or not.
    fn lock(&self) -> MutexGuard<'_, Image> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tcpls_core::wire::TokenRef;
    use tcpls_core::wire::hello::NamedGroup;
    use tcpls_core::wire::hello::join::{ExtensionOrder, JoinShape};

    use super::*;

    const FACTS: SessionFacts = SessionFacts {
        suite: CipherSuite::AES_128_GCM_SHA256,
        group: NamedGroup::X25519,
        order: ExtensionOrder::Kept,
    };

    /// A `ClientHello` with `supported_groups`, `key_share` and `supported_versions`.
    fn hello() -> Vec<u8> {
        let mut extensions = vec![0, 10, 0, 4, 0, 2, 0, 29, 0, 51, 0, 38, 0, 36, 0, 29, 0, 32];
        extensions.extend_from_slice(&[9; 32]);
        extensions.extend_from_slice(&[0, 43, 0, 3, 2, 3, 4]);
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0, 0]);
        body.push(u8::try_from(extensions.len()).unwrap());
        body.append(&mut extensions);
        let mut hello = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
        hello.append(&mut body);
        hello
    }

    fn join(look: &Look) -> Option<usize> {
        look.with(|template| {
            let mut record = Vec::new();
            let token = TokenRef::from_bytes(&[5; 32]);
            template.hello(JoinShape::Resumption, token, &mut |_| {}, &mut record);
            record.len()
        })
    }

    /// the ticket that joins show is as long as the server's, whether it came before the first join
    /// or after it.
    #[test]
    fn the_length_of_tickets_is_known_to_every_join() {
        let codec = ExtensionCodec::default();
        let usual = join(&Look::new(hello(), codec, FACTS)).unwrap();
        let look = Look::new(hello(), codec, FACTS);
        look.set_ticket_length(300);
        assert_eq!(join(&look), Some(usual - 208 + 300));
        look.set_ticket_length(100);
        assert_eq!(join(&look), Some(usual - 208 + 100));
        assert_eq!(look.suite(), FACTS.suite);
    }

    #[test]
    fn nothing_joins_in_the_image_of_something_else() {
        let look = Look::new(b"something else".to_vec(), ExtensionCodec::default(), FACTS);
        look.set_ticket_length(300);
        assert_eq!((join(&look), join(&look)), (None, None));
    }
}
