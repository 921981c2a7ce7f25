//! Keying material for other protocols, bound to this session (RFC 8446 section 7.5).

use core::fmt;

use crate::Suite;
use crate::key_schedule::Secret;

/// The exporter secret of a handshake, zeroed on drop.
pub struct Exporter(Secret);

/// More was asked for than HKDF can give: 255 times the output of the suite's hash, or a label longer
/// than 249 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("label or output is too long for exported keying material")]
pub struct ExportError;

impl Exporter {
    /// An exporter from the exporter master secret; `None` if it has another length than the suite's.
    pub fn new(suite: Suite, secret: &[u8]) -> Option<Self> {
        Secret::new(suite.hash(), secret).ok().map(Self)
    }

    /// Fills `out` with keying material under `label` and `context`. Both ends of the session get the
    /// same; an absent context is the empty one.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        self.0.export(label, context, out).map_err(|_| ExportError)
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn material_depends_on_label_and_context() {
        let exporter = Exporter::new(Suite::Aes128Gcm, &[7; 32]).unwrap();
        let export = |label: &[u8], context: &[u8]| {
            let mut out = [0; 40];
            exporter
                .export_keying_material(label, context, &mut out)
                .unwrap();
            out
        };
        assert_eq!(export(b"a", b"x"), export(b"a", b"x"));
        assert_ne!(export(b"a", b"x"), export(b"b", b"x"));
        assert_ne!(export(b"a", b"x"), export(b"a", b"y"));
    }

    #[test]
    fn too_much_is_an_error() {
        let exporter = Exporter::new(Suite::Aes256Gcm, &[7; 48]).unwrap();
        let mut out = vec![0; 255 * 48 + 1];
        assert_eq!(
            exporter.export_keying_material(b"a", b"", &mut out),
            Err(ExportError)
        );
        assert_eq!(
            exporter.export_keying_material(&[0; 250], b"", &mut [0]),
            Err(ExportError)
        );
        assert!(Exporter::new(Suite::Aes256Gcm, &[7; 32]).is_none());
    }
}
