//! The list of extensions that ends a hello message (RFC 8446 section 4.2).

use alloc::vec::Vec;
use core::fmt;

use crate::{
    DecodeError, Extension, ExtensionType, HelloError, cursor::Reader, unique::first_duplicate,
};

/// Extensions in wire order, no type twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ExtensionList<'a> {
    list: &'a [u8],
}

impl<'a> ExtensionList<'a> {
    /// A message without a list.
    pub(super) const EMPTY: Self = Self { list: &[] };

    /// Reads `Length:2` and the list, which ends the message.
    pub(super) fn parse_last(mut message: Reader<'a>) -> Result<Self, HelloError> {
        let list = message.bytes_u16()?;
        message.finish()?;
        let mut kinds = Vec::with_capacity((list.len() / 4).min(TYPICAL));
        let mut reader = Reader::new(list);
        while !reader.is_empty() {
            kinds.push(take_extension(&mut reader)?.kind);
        }
        match first_duplicate(&mut kinds) {
            Some(kind) => Err(HelloError::DuplicateExtension(kind)),
            None => Ok(Self { list }),
        }
    }

    /// The extensions in wire order.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let mut reader = Reader::new(self.list);
        core::iter::from_fn(move || take_extension(&mut reader).ok())
    }

    /// The content of an extension, or `None` when it is absent.
    pub fn get(&self, kind: ExtensionType) -> Option<&'a [u8]> {
        self.iter()
            .find(|extension| extension.kind == kind)
            .map(|extension| extension.body)
    }

    /// Refuses the extension `kind` in this message (RFC 8446 section 4.2, reading A-23).
    pub(super) fn refuse(&self, kind: ExtensionType) -> Result<(), HelloError> {
        match self.get(kind) {
            Some(_) => Err(HelloError::MisplacedExtension(kind)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ExtensionList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// As many extensions as hellos seldom have more of.
const TYPICAL: usize = 24;

/// Takes one extension: `Type:2 Length:2 body[Length]`.
pub(super) fn take_extension<'a>(reader: &mut Reader<'a>) -> Result<Extension<'a>, DecodeError> {
    let mut attempt = *reader;
    let kind = ExtensionType::from_wire(attempt.u16()?);
    let body = attempt.bytes_u16()?;
    *reader = attempt;
    Ok(Extension { kind, body })
}
