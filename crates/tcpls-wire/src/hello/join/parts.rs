//! The extensions of the first hello, each with what becomes of it in a join.

use alloc::{vec, vec::Vec};

use super::{
    JoinGroup, RandomSource, TemplateError,
    key_share::{X25519_LENGTH, push_x25519},
    write,
};
use crate::{
    ClientHello, Extension, ExtensionCodec, ExtensionType, HelloError, cursor::Reader,
    hello::NamedGroup,
};

/// One extension of a join.
#[derive(Debug, Clone)]
pub(super) struct Part {
    kind: ExtensionType,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    /// The same in each hello.
    Fixed(Vec<u8>),
    /// As many bytes, random in each hello.
    Random(usize),
    /// [`KeyShares`]
    KeyShares,
    /// An encrypted hello of the outer kind, which is random to all but its server: `fixed`, then
    /// `Enc<0..2^16-1>` with an X25519 share and `Payload<1..2^16-1>` (RFC 9849 section 5).
    EncryptedHello {
        fixed: [u8; ENCRYPTED_HELLO_FIXED],
        payload: usize,
    },
}

impl Part {
    /// The extensions of `hello` that a join has too, in their order.
    pub(super) fn all_of(
        hello: &ClientHello<'_>,
        codec: &ExtensionCodec,
        group: JoinGroup,
    ) -> Result<Vec<Self>, TemplateError> {
        for needed in [ExtensionType::SUPPORTED_GROUPS, ExtensionType::KEY_SHARE] {
            if hello.extensions().get(needed).is_none() {
                return Err(TemplateError::Incomplete(needed));
            }
        }
        let mut parts = Vec::new();
        for extension in hello.extensions().iter() {
            if let Some(body) = Body::of(extension, codec, group)? {
                let kind = extension.kind;
                parts.push(Self { kind, body });
            }
        }
        Ok(parts)
    }

    /// What a resumption with early data adds to `hello`, apart from `pre_shared_key`.
    pub(super) fn of_resumption(hello: &ClientHello<'_>) -> Vec<Self> {
        let fixed = |kind, body: &[u8]| Self {
            kind,
            body: Body::Fixed(body.to_vec()),
        };
        let modes = ExtensionType::PSK_KEY_EXCHANGE_MODES;
        let mut parts = Vec::new();
        if hello.extensions().get(modes).is_none() {
            parts.push(fixed(modes, &PSK_WITH_KEY_EXCHANGE));
        }
        parts.push(fixed(ExtensionType::EARLY_DATA, &[]));
        parts
    }

    /// Whether it comes last but for `pre_shared_key`.
    pub(super) fn is_encrypted_hello(&self) -> bool {
        self.kind == ENCRYPTED_HELLO
    }

    /// Length of the extension, which is the same in each hello.
    pub(super) fn length(&self, shares: &KeyShares) -> usize {
        write::EXTENSION
            + match &self.body {
                Body::Fixed(body) => body.len(),
                Body::Random(length) => *length,
                Body::KeyShares => shares.length(),
                Body::EncryptedHello { fixed, payload } => {
                    fixed.len() + 2 + X25519_LENGTH + 2 + payload
                }
            }
    }

    /// Appends the extension for one hello.
    pub(super) fn write(
        &self,
        shares: &KeyShares,
        random: &mut RandomSource<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut drawn = Vec::new();
        let body = match &self.body {
            Body::Fixed(body) => body,
            Body::Random(length) => {
                drawn = random_bytes(*length, random);
                &drawn
            }
            Body::KeyShares => {
                drawn = shares.draw(random);
                &drawn
            }
            Body::EncryptedHello { fixed, payload } => {
                drawn.extend_from_slice(fixed);
                let mut encapsulated = Vec::new();
                push_x25519(random, &mut encapsulated);
                write::prefixed_u16(&encapsulated, &mut drawn);
                write::prefixed_u16(&random_bytes(*payload, random), &mut drawn);
                &drawn
            }
        };
        write::extension(self.kind, body, out);
    }
}

impl Body {
    /// What becomes of an extension; `None` if a join has none like it.
    fn of(
        extension: Extension<'_>,
        codec: &ExtensionCodec,
        group: JoinGroup,
    ) -> Result<Option<Self>, HelloError> {
        let points = codec.code_points;
        let body = extension.body;
        Ok(match extension.kind {
            ExtensionType::COOKIE | ExtensionType::EARLY_DATA | ExtensionType::PRE_SHARED_KEY => {
                None
            }
            kind if [points.tcpls, points.join, points.token, points.params].contains(&kind) => {
                None
            }
            ExtensionType::KEY_SHARE => Some(Self::KeyShares),
            ExtensionType::SUPPORTED_GROUPS => Some(Self::Fixed(groups_with(group, body)?)),
            SESSION_TICKET => Some(Self::Random(body.len())),
            ENCRYPTED_HELLO => Self::encrypted_hello(body),
            _ => Some(Self::Fixed(body.to_vec())),
        })
    }

    /// `None` if the share in it is of a group whose shares cannot be made up.
    fn encrypted_hello(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let fixed = *reader.array().ok()?;
        let encapsulated = reader.bytes_u16().ok()?;
        let payload = reader.bytes_u16().ok()?.len();
        let is_outer = fixed.first() == Some(&0) && reader.is_empty();
        (is_outer && encapsulated.len() == X25519_LENGTH)
            .then_some(Self::EncryptedHello { fixed, payload })
    }
}

/// The key shares that joins show.
#[derive(Debug, Clone)]
pub(super) struct KeyShares {
    group: JoinGroup,
    /// In the order of the first hello.
    entries: Vec<ShareEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ShareEntry {
    /// The share of the session's group.
    Main,
    /// Next to a hybrid share, its X25519 part once more, as rustls sends it.
    MainsX25519,
    /// Next to a hybrid share, another one of X25519.
    OtherX25519,
    /// What [`NamedGroup::is_grease`] says, as it was.
    Grease(NamedGroup, Vec<u8>),
}

impl KeyShares {
    /// Takes over the shares of `hello` that a client would show who knows that the server wants
    /// `group`.
    pub(super) fn new(hello: &ClientHello<'_>, group: JoinGroup) -> Result<Self, HelloError> {
        let shares: Vec<_> = hello
            .key_shares()?
            .map(|(number, share)| (NamedGroup::from_wire(number), share))
            .collect();
        let hybrid = shares
            .iter()
            .find(|(number, _)| *number == NamedGroup::X25519_MLKEM768);
        let mut entries = Vec::new();
        for (number, share) in &shares {
            let entry = match (group, *number) {
                (_, number) if number == group.group() => ShareEntry::Main,
                (JoinGroup::X25519MlKem768, NamedGroup::X25519) => match hybrid {
                    Some((_, hybrid)) if !hybrid.ends_with(share) => ShareEntry::OtherX25519,
                    _ => ShareEntry::MainsX25519,
                },
                (_, number) if number.is_grease() => ShareEntry::Grease(number, share.to_vec()),
                _ => continue,
            };
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        if !entries.contains(&ShareEntry::Main) {
            entries.push(ShareEntry::Main);
        }
        Ok(Self { group, entries })
    }

    /// The group that the server is to answer.
    pub(super) fn group(&self) -> JoinGroup {
        self.group
    }

    /// All groups that a server may answer.
    pub(super) fn groups(&self) -> Vec<JoinGroup> {
        let mut groups = vec![self.group];
        let x25519 = [ShareEntry::MainsX25519, ShareEntry::OtherX25519];
        if self.entries.iter().any(|entry| x25519.contains(entry)) {
            groups.push(JoinGroup::X25519);
        }
        groups
    }

    /// Length of the body of `key_share`.
    fn length(&self) -> usize {
        let share = |entry: &ShareEntry| match entry {
            ShareEntry::Main => self.group.client_share_length(),
            ShareEntry::MainsX25519 | ShareEntry::OtherX25519 => X25519_LENGTH,
            ShareEntry::Grease(_, share) => share.len(),
        };
        let shares = self.entries.iter().map(|entry| 4 + share(entry));
        2 + shares.sum::<usize>()
    }

    /// The body of `key_share` for one hello: `Shares<0..2^16-1>` (RFC 8446 section 4.2.8).
    fn draw(&self, random: &mut RandomSource<'_>) -> Vec<u8> {
        let main = self.group.client_share(random);
        let mut list = Vec::with_capacity(self.length());
        for entry in &self.entries {
            let (group, share) = match entry {
                ShareEntry::Main => (self.group.group(), main.as_slice()),
                ShareEntry::MainsX25519 => {
                    let part = main.last_chunk::<X25519_LENGTH>();
                    (NamedGroup::X25519, part.map_or(&[][..], |part| part))
                }
                ShareEntry::OtherX25519 => {
                    list.extend_from_slice(&NamedGroup::X25519.as_u16().to_be_bytes());
                    write::prefixed_u16(&JoinGroup::X25519.client_share(random), &mut list);
                    continue;
                }
                ShareEntry::Grease(group, share) => (*group, share.as_slice()),
            };
            list.extend_from_slice(&group.as_u16().to_be_bytes());
            write::prefixed_u16(share, &mut list);
        }
        let mut body = Vec::with_capacity(2 + list.len());
        write::prefixed_u16(&list, &mut body);
        body
    }
}

/// Length of the first ticket that `hello` offers, if it offers one.
pub(super) fn ticket_length(hello: &ClientHello<'_>) -> Option<usize> {
    let body = hello.extensions().get(ExtensionType::PRE_SHARED_KEY)?;
    let identities = Reader::new(body).bytes_u16().ok()?;
    Some(Reader::new(identities).bytes_u16().ok()?.len())
}

/// The body of `supported_groups`, with `group` in front if it was not there: a share is of one of
/// the supported groups (RFC 8446 section 4.2.8).
fn groups_with(group: JoinGroup, body: &[u8]) -> Result<Vec<u8>, HelloError> {
    let mut reader = Reader::new(body);
    let list = reader.bytes_u16()?;
    reader.finish()?;
    let number = group.group().as_u16().to_be_bytes();
    if list.as_chunks().0.contains(&number) {
        return Ok(body.to_vec());
    }
    let mut with = Vec::new();
    write::prefixed_u16(&[&number, list].concat(), &mut with);
    Ok(with)
}

pub(super) fn random_bytes(length: usize, random: &mut RandomSource<'_>) -> Vec<u8> {
    let mut bytes = vec![0; length];
    random(&mut bytes);
    bytes
}

/// `session_ticket` (RFC 5077), empty unless there is a ticket of TLS 1.2
const SESSION_TICKET: ExtensionType = ExtensionType::from_wire(35);
/// `encrypted_client_hello` (RFC 9849)
const ENCRYPTED_HELLO: ExtensionType = ExtensionType::from_wire(0xfe0d);
/// `Kind:1 Kdf:2 Aead:2 ConfigId:1`
const ENCRYPTED_HELLO_FIXED: usize = 6;
/// The list with `psk_dhe_ke` alone (RFC 8446 section 4.2.9).
const PSK_WITH_KEY_EXCHANGE: [u8; 2] = [1, 1];
