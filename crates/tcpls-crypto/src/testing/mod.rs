//! Bodies of the fuzz targets: for any bytes they return, or panic because a promise is broken.
//!
//! Each takes what a peer or anybody on the path might send. `fuzz/` calls them with a fuzzer's
//! inputs; the tests of this crate call them with the inputs in `corpus/` and variations of those.

#[cfg(test)]
mod corpus;
mod handshake;
mod record;
#[cfg(test)]
mod seeds;

#[cfg(feature = "aws-lc")]
pub use handshake::client_handshake;
pub use handshake::{hello_reader, post_handshake};
pub use record::{opener, sealed, tampered};

/// A fuzz body.
pub type Body = fn(&[u8]);

/// Every body with its name, which is also the name of its target and of its corpus folder.
pub const BODIES: &[(&str, Body)] = &[
    #[cfg(feature = "aws-lc")]
    ("client_handshake", client_handshake),
    ("hello_reader", hello_reader),
    ("opener", opener),
    ("post_handshake", post_handshake),
    ("sealed", sealed),
    ("tampered", tampered),
];

/// Splits an input into the length of the pieces in which a stream comes, from its first byte, and
/// the stream.
fn pieces(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, stream) = data.split_first()?;
    Some((usize::from(*first).max(1), stream))
}
