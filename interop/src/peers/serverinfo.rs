//! Extensions that a stock `openssl s_server` answers, as the PEM file that `-serverinfo` reads.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::lab::Lab;

/// The answer to `tcpls`, as the bytes `000004a0 ff64 0000`: OpenSSL's flags for an extension of
/// TLS 1.3 alone (0x20) that is asked for in `ClientHello` (0x80) and answered in
/// `EncryptedExtensions` (0x400), then the code point and the length of an empty body.
const TCPLS: &str = "-----BEGIN SERVERINFOV2 FOR TCPLS-----\n\
                     AAAEoP9kAAA=\n\
                     -----END SERVERINFOV2 FOR TCPLS-----\n";

/// Writes the file by which `s_server` answers an empty `tcpls`.
pub(crate) fn tcpls_file(lab: &Lab) -> Result<PathBuf> {
    let path = lab.file("serverinfo.pem");
    fs::write(&path, TCPLS)?;
    Ok(path)
}
