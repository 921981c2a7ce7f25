//! `EncryptedExtensions` as they came over the wire, opened with OpenSSL's key log and primitives.
//!
//! OpenSSL hands a custom extension to its owner only when the `ClientHello` had asked for it. The
//! draft sends `tcpls_token` unasked, and OpenSSL then ignores it, as it should: so it is read
//! here, from the record itself. That the handshake succeeds shows that it is in the transcript.

use std::sync::mpsc::Receiver;

use anyhow::{Context, Result, anyhow, ensure};
use openssl::md::Md;
use openssl::pkey::Id;
use openssl::pkey_ctx::{HkdfMode, PkeyCtx};
use openssl::symm::{Cipher, decrypt_aead};

/// The suite that the key schedule below is for.
pub(super) const SUITE: &str = "TLS_AES_128_GCM_SHA256";

/// The label of the secret in a key log.
const SECRET: &str = "SERVER_HANDSHAKE_TRAFFIC_SECRET";

/// Length of the header of a record and of the tag at its end.
const HEADER: usize = 5;
const TAG: usize = 16;

/// One extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) code_point: u16,
    pub(crate) body: Vec<u8>,
}

/// Opens the first protected record of `received`, what a server sent from its first byte on.
pub(super) fn open(received: &[u8], key_log: &Receiver<String>) -> Result<Vec<Extension>> {
    let secret = secret(key_log).context("no handshake secret in the key log")?;
    let record = first_protected(received).context("no protected record")?;
    let (header, sealed) = record.split_at_checked(HEADER).context("a short record")?;
    let end = sealed
        .len()
        .checked_sub(TAG)
        .context("a record without a tag")?;
    let (ciphertext, tag) = sealed.split_at(end);
    let key = expand(&secret, "key", 16)?;
    let iv = expand(&secret, "iv", 12)?;
    // It is record 0 of its key, so the nonce is the IV itself.
    let content = decrypt_aead(
        Cipher::aes_128_gcm(),
        &key,
        Some(&iv),
        header,
        ciphertext,
        tag,
    )
    .context("the first protected record does not open")?;
    parse(&content).context("the first handshake message is not EncryptedExtensions")
}

fn secret(key_log: &Receiver<String>) -> Result<Vec<u8>> {
    let line = key_log.try_iter().find(|line| line.starts_with(SECRET));
    let line = line.ok_or_else(|| anyhow!("it lacks {SECRET}"))?;
    let digits = line.split(' ').next_back().unwrap_or_default().as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)?;
        Ok(u8::from_str_radix(pair, 16)?)
    });
    pairs.collect()
}

/// The first record whose outer type is application data.
fn first_protected(mut received: &[u8]) -> Option<&[u8]> {
    loop {
        let (kind, length) = match received {
            [kind, _, _, high, low, ..] => (*kind, u16::from_be_bytes([*high, *low])),
            _ => return None,
        };
        let (record, rest) = received.split_at_checked(HEADER + usize::from(length))?;
        if kind == 23 {
            return Some(record);
        }
        received = rest;
    }
}

/// HKDF-Expand-Label of RFC 8446 7.1 without context.
fn expand(secret: &[u8], label: &str, length: u8) -> Result<Vec<u8>> {
    let label = format!("tls13 {label}");
    let mut info = vec![0, length, u8::try_from(label.len())?];
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut context = PkeyCtx::new_id(Id::HKDF)?;
    context.derive_init()?;
    context.set_hkdf_mode(HkdfMode::EXPAND_ONLY)?;
    context.set_hkdf_md(Md::sha256())?;
    context.set_hkdf_key(secret)?;
    context.add_hkdf_info(&info)?;
    let mut output = vec![0; length.into()];
    context.derive(Some(&mut output))?;
    Ok(output)
}

/// Reads `type 8, length:3, extensions length:2, (code point:2, length:2, body)*`.
fn parse(content: &[u8]) -> Result<Vec<Extension>> {
    let mut rest = content;
    let [kind, _, _, _] = *take::<4>(&mut rest)?;
    ensure!(kind == 8, "message type {kind}");
    let length = usize::from(u16::from_be_bytes(*take(&mut rest)?));
    let mut list = rest.get(..length).context("the list is cut off")?;
    let mut extensions = Vec::new();
    while !list.is_empty() {
        let code_point = u16::from_be_bytes(*take(&mut list)?);
        let length = usize::from(u16::from_be_bytes(*take(&mut list)?));
        let (body, after) = list.split_at_checked(length).context("a body is cut off")?;
        list = after;
        extensions.push(Extension {
            code_point,
            body: body.to_vec(),
        });
    }
    Ok(extensions)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N]> {
    let (field, after) = rest.split_first_chunk().context("a field is cut off")?;
    *rest = after;
    Ok(field)
}
