//! The `ClientHello` (RFC 8446 section 4.1.2) and what it offers of TCPLS.

use core::str;

use super::{ExtensionList, HandshakeType, Tcpls, body_of};
use crate::{DecodeError, ExtensionCodec, ExtensionType, HelloError, Token, cursor::Reader};

const TLS13: u16 = 0x0304;
const HOST_NAME: u8 = 0;
const MAX_SESSION_ID: usize = 32;

/// A view of a `ClientHello`: `Version:2 Random:32 SessionId<0..32> CipherSuites<2..2^16-2>
/// Compression<1..255> Extensions<..2^16-1>`.
///
/// One of TLS 1.2 is read too, also without an extension list; what to do with it is up to TLS.
#[derive(Debug, Clone, Copy)]
pub struct ClientHello<'a> {
    random: &'a [u8; 32],
    session_id: &'a [u8],
    cipher_suites: &'a [u8],
    extensions: ExtensionList<'a>,
}

impl<'a> ClientHello<'a> {
    /// Reads one whole handshake message with its header.
    pub fn parse(message: &'a [u8]) -> Result<Self, HelloError> {
        let mut reader = body_of(message, HandshakeType::CLIENT_HELLO)?;
        let fields = take_fields(&mut reader)?;
        let extensions = if reader.is_empty() {
            ExtensionList::EMPTY
        } else {
            ExtensionList::parse_last(reader)?
        };
        let psk = ExtensionType::PRE_SHARED_KEY;
        if extensions
            .iter()
            .skip_while(|extension| extension.kind != psk)
            .nth(1)
            .is_some()
        {
            return Err(HelloError::PreSharedKeyNotLast);
        }
        Ok(Self {
            random: fields.random,
            session_id: fields.session_id,
            cipher_suites: fields.cipher_suites,
            extensions,
        })
    }

    /// What the client offers of TCPLS (draft 5.1).
    ///
    /// A join may come without `tcpls`; `tcpls_token` is a server's and an error here (reading
    /// The parameters are returned as they came: see [`crate::params`].
    pub fn tcpls_offer(&self, codec: &ExtensionCodec) -> Result<ClientOffer<'a>, HelloError> {
        let points = codec.code_points;
        self.extensions.refuse(points.token)?;
        let tcpls = tcpls_of(self.extensions, codec)?;
        let join = self
            .extensions
            .get(points.join)
            .map(ExtensionCodec::parse_token)
            .transpose()?;
        Ok(ClientOffer {
            tcpls,
            join,
            params: self.extensions.get(points.params),
        })
    }

    /// The client's random value.
    pub fn random(&self) -> &'a [u8; 32] {
        self.random
    }

    /// The legacy session identifier, 0 to 32 bytes, which a server echoes.
    pub fn session_id(&self) -> &'a [u8] {
        self.session_id
    }

    /// The cipher suites in the client's order, as numbered by the TLS registry.
    pub fn cipher_suites(&self) -> impl Iterator<Item = u16> + use<'a> {
        numbers(self.cipher_suites)
    }

    /// The extensions.
    pub fn extensions(&self) -> ExtensionList<'a> {
        self.extensions
    }

    /// Whether TLS 1.3 is among the supported versions (RFC 8446 section 4.2.1).
    pub fn supports_tls13(&self) -> Result<bool, HelloError> {
        let Some(body) = self.extensions.get(ExtensionType::SUPPORTED_VERSIONS) else {
            return Ok(false);
        };
        let mut reader = Reader::new(body);
        let versions = reader.bytes_u8()?;
        reader.finish()?;
        Ok(numbers(versions).any(|version| version == TLS13))
    }

    /// The host name that the client wants to reach (RFC 6066 section 3), as sent.
    pub fn server_name(&self) -> Result<Option<&'a str>, HelloError> {
        let Some(body) = self.extensions.get(ExtensionType::SERVER_NAME) else {
            return Ok(None);
        };
        let mut reader = Reader::new(body);
        let mut names = Reader::new(reader.bytes_u16()?);
        reader.finish()?;
        let mut host = None;
        while !names.is_empty() {
            let kind = names.u8()?;
            let name = names.bytes_u16()?;
            if kind == HOST_NAME && host.is_none() {
                host = Some(str::from_utf8(name).map_err(|_| HelloError::ServerName)?);
            }
        }
        Ok(host)
    }

    /// The application protocols in the client's order (RFC 7301 section 3.1); none without the
    /// extension.
    pub fn alpn_protocols(&self) -> Result<impl Iterator<Item = &'a [u8]> + use<'a>, HelloError> {
        let list = match self.extensions.get(ExtensionType::ALPN) {
            Some(body) => {
                let mut reader = Reader::new(body);
                let list = reader.bytes_u16()?;
                reader.finish()?;
                list
            }
            None => &[],
        };
        whole_items(list, Reader::bytes_u8)
    }

    /// The key shares in the client's order, each with the number of its group (RFC 8446 section
    /// 4.2.8); none without the extension.
    pub fn key_shares(
        &self,
    ) -> Result<impl Iterator<Item = (u16, &'a [u8])> + use<'a>, HelloError> {
        let list = match self.extensions.get(ExtensionType::KEY_SHARE) {
            Some(body) => {
                let mut reader = Reader::new(body);
                let list = reader.bytes_u16()?;
                reader.finish()?;
                list
            }
            None => &[],
        };
        whole_items(list, |reader| Ok((reader.u16()?, reader.bytes_u16()?)))
    }
}

/// What a `ClientHello` offers of TCPLS.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientOffer<'a> {
    /// Whether it offers TCPLS (draft 5.1.1).
    pub tcpls: Tcpls,
    /// The token with which it joins a session (draft 5.1.2).
    pub join: Option<Token>,
    /// The list of session parameters, not read yet.
    pub params: Option<&'a [u8]>,
}

/// The fields before the extension list.
pub(super) struct Fields<'a> {
    random: &'a [u8; 32],
    session_id: &'a [u8],
    cipher_suites: &'a [u8],
}

/// Takes the fields before the extension list off the body of a `ClientHello`.
pub(super) fn take_fields<'a>(reader: &mut Reader<'a>) -> Result<Fields<'a>, HelloError> {
    reader.u16()?;
    let random = reader.array()?;
    let session_id = reader.bytes_u8()?;
    let cipher_suites = reader.bytes_u16()?;
    let compression = reader.bytes_u8()?;
    if session_id.len() > MAX_SESSION_ID
        || cipher_suites.is_empty()
        || !cipher_suites.len().is_multiple_of(2)
        || compression.is_empty()
    {
        return Err(HelloError::FieldSize);
    }
    Ok(Fields {
        random,
        session_id,
        cipher_suites,
    })
}

/// Whether `tcpls` is in the list, and empty as it must be.
pub(super) fn tcpls_of(
    extensions: ExtensionList<'_>,
    codec: &ExtensionCodec,
) -> Result<Tcpls, HelloError> {
    match extensions.get(codec.code_points.tcpls) {
        Some(body) => ExtensionCodec::parse_tcpls(body).map(|()| Tcpls::Present),
        None => Ok(Tcpls::Absent),
    }
}

fn numbers(list: &[u8]) -> impl Iterator<Item = u16> + use<'_> {
    let (pairs, _) = list.as_chunks();
    pairs.iter().copied().map(u16::from_be_bytes)
}

/// The items of a list, all of which can be read.
fn whole_items<'a, T>(
    list: &'a [u8],
    take: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<impl Iterator<Item = T>, HelloError> {
    let mut check = Reader::new(list);
    while !check.is_empty() {
        take(&mut check)?;
    }
    let mut reader = Reader::new(list);
    Ok(core::iter::from_fn(move || {
        if reader.is_empty() {
            None
        } else {
            take(&mut reader).ok()
        }
    }))
}
