//! Putting extensions into a hello message, and taking them out of one.

use alloc::vec::Vec;

use super::{HandshakeType, client_hello, extension_list::take_extension};
use crate::{DecodeError, Extension, ExtensionType, HelloError, RewriteError, cursor::Reader};

const MAX_BODY: usize = 0xFF_FFFF;

/// Appends to `out` the message with `extensions` at the front of its list, all lengths adjusted.
///
/// `message` is a `ClientHello` or `EncryptedExtensions` with its header. It may be cut anywhere
/// after the length of the extension list, as a `ClientHello` is before its PSK binders when these
/// are computed (RFC 8446 section 4.2.11.2): inserting at the front gives the same bytes for the
/// cut message as for the whole one. The lengths in the message are always those of the whole.
///
/// On an error `out` is as it was.
pub fn insert_extensions(
    message: &[u8],
    extensions: &[Extension<'_>],
    out: &mut Vec<u8>,
) -> Result<(), RewriteError> {
    let parts = Parts::split(message)?;
    let mut kinds = parts.visible_kinds();
    let mut inserted = 0;
    for extension in extensions {
        if kinds.contains(&extension.kind) {
            return Err(RewriteError::AlreadyPresent(extension.kind));
        }
        kinds.push(extension.kind);
        inserted += 4 + extension.body.len();
    }
    let start = out.len();
    let result = parts.write(parts.list_length + inserted, out, |out| {
        extensions
            .iter()
            .try_for_each(|extension| append_extension(extension, out))?;
        out.extend_from_slice(parts.list);
        Ok(())
    });
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends to `out` the message without the extensions of the types `kinds`, all lengths adjusted.
///
/// `message` is a whole `ClientHello` or `EncryptedExtensions` with its header. On an error `out`
/// is as it was.
pub fn strip_extensions(
    message: &[u8],
    kinds: &[ExtensionType],
    out: &mut Vec<u8>,
) -> Result<(), RewriteError> {
    let parts = Parts::split(message)?;
    if parts.list.len() != parts.list_length {
        return Err(DecodeError::Truncated.into());
    }
    let mut kept = Vec::new();
    let mut reader = Reader::new(parts.list);
    while !reader.is_empty() {
        let extension = take_extension(&mut reader)?;
        if !kinds.contains(&extension.kind) {
            append_extension(&extension, &mut kept)?;
        }
    }
    parts.write(kept.len(), out, |out| {
        out.extend_from_slice(&kept);
        Ok(())
    })
}

/// A message around its extension list.
struct Parts<'a> {
    kind: HandshakeType,
    /// The body before the length of the list.
    fields: &'a [u8],
    /// The length that the whole list has.
    list_length: usize,
    /// The list, or as much of it as there is.
    list: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(message: &'a [u8]) -> Result<Self, RewriteError> {
        let mut reader = Reader::new(message);
        let kind = HandshakeType::from_wire(reader.u8()?);
        let length = usize::try_from(reader.u24()?).map_err(|_| RewriteError::TooLong)?;
        let body = reader.rest();
        match kind {
            HandshakeType::CLIENT_HELLO => {
                client_hello::take_fields(&mut reader)?;
            }
            HandshakeType::ENCRYPTED_EXTENSIONS => {}
            other => return Err(HelloError::UnexpectedMessage(other.as_u8()).into()),
        }
        let fields_length = body.len() - reader.rest().len();
        if length == fields_length {
            return Err(RewriteError::NoExtensionList);
        }
        let list_length = usize::from(reader.u16()?);
        let list = reader.rest();
        if length != fields_length + 2 + list_length || list.len() > list_length {
            return Err(DecodeError::TrailingBytes.into());
        }
        let fields = Reader::new(body).take(fields_length)?;
        Ok(Self {
            kind,
            fields,
            list_length,
            list,
        })
    }

    /// The types in the list as far as it goes.
    fn visible_kinds(&self) -> Vec<ExtensionType> {
        let mut reader = Reader::new(self.list);
        core::iter::from_fn(|| take_extension(&mut reader).ok())
            .map(|extension| extension.kind)
            .collect()
    }

    /// Appends the message with a list of `list_length` bytes, which `write_list` appends.
    fn write(
        &self,
        list_length: usize,
        out: &mut Vec<u8>,
        write_list: impl FnOnce(&mut Vec<u8>) -> Result<(), RewriteError>,
    ) -> Result<(), RewriteError> {
        let short = u16::try_from(list_length).map_err(|_| RewriteError::TooLong)?;
        let length = self.fields.len() + 2 + list_length;
        if length > MAX_BODY {
            return Err(RewriteError::TooLong);
        }
        let [_, high, middle, low] = u32::try_from(length)
            .map_err(|_| RewriteError::TooLong)?
            .to_be_bytes();
        out.extend_from_slice(&[self.kind.as_u8(), high, middle, low]);
        out.extend_from_slice(self.fields);
        out.extend_from_slice(&short.to_be_bytes());
        write_list(out)
    }
}

fn append_extension(extension: &Extension<'_>, out: &mut Vec<u8>) -> Result<(), RewriteError> {
    let length = u16::try_from(extension.body.len()).map_err(|_| RewriteError::TooLong)?;
    out.extend_from_slice(&extension.kind.as_u16().to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(extension.body);
    Ok(())
}
