//! The `EncryptedExtensions` (RFC 8446 section 4.3.1) and what they answer about TCPLS.

use super::{ExtensionList, HandshakeType, Tcpls, body_of, client_hello::tcpls_of};
use crate::{ExtensionCodec, HelloError, Token};

/// A view of `EncryptedExtensions`: `Extensions<0..2^16-1>`.
#[derive(Debug, Clone, Copy)]
pub struct EncryptedExtensions<'a> {
    extensions: ExtensionList<'a>,
}

impl<'a> EncryptedExtensions<'a> {
    /// Reads one whole handshake message with its header.
    pub fn parse(message: &'a [u8]) -> Result<Self, HelloError> {
        let reader = body_of(message, HandshakeType::ENCRYPTED_EXTENSIONS)?;
        Ok(Self {
            extensions: ExtensionList::parse_last(reader)?,
        })
    }

    /// What the server answers to the client that offered `offered` (draft 5.1).
    ///
    /// `tcpls_join` is an error here in any case; so is an answer to what was not offered (reading
    /// A-23), and a token or parameters without `tcpls` (reading A-24).
    pub fn tcpls_answer(
        &self,
        codec: &ExtensionCodec,
        offered: Offered,
    ) -> Result<ServerAnswer<'a>, HelloError> {
        let points = codec.code_points;
        self.extensions.refuse(points.join)?;
        let unsolicited = match offered {
            Offered::Nothing => &[points.tcpls, points.token, points.params][..],
            Offered::Tcpls => &[points.params],
            Offered::TcplsAndParams => &[],
        };
        for kind in unsolicited {
            if self.extensions.get(*kind).is_some() {
                return Err(HelloError::UnsolicitedExtension(*kind));
            }
        }
        let tcpls = tcpls_of(self.extensions, codec)?;
        for kind in [points.token, points.params] {
            if !tcpls.is_present() && self.extensions.get(kind).is_some() {
                return Err(HelloError::AnswerWithoutTcpls(kind));
            }
        }
        let token = self
            .extensions
            .get(points.token)
            .map(ExtensionCodec::parse_token)
            .transpose()?;
        Ok(ServerAnswer {
            tcpls,
            token,
            params: self.extensions.get(points.params),
        })
    }

    /// The extensions.
    pub fn extensions(&self) -> ExtensionList<'a> {
        self.extensions
    }
}

/// What a client put into its `ClientHello`, and so what a server may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offered {
    /// Plain TLS.
    Nothing,
    /// `tcpls`
    Tcpls,
    /// `tcpls` and `tcpls_params`
    TcplsAndParams,
}

/// What a server answers about TCPLS.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerAnswer<'a> {
    /// Whether both sides now use TCPLS (draft 5.1.1).
    pub tcpls: Tcpls,
    /// The session's first token, of sequence 1 (draft 5.1.3).
    pub token: Option<Token>,
    /// The list of session parameters, not read yet.
    pub params: Option<&'a [u8]>,
}
