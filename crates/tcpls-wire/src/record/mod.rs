//! Whole record plaintexts: frames out of one that was decrypted, and one built to be sealed.

mod build;
mod parse;

pub use build::{PushError, RecordBuilder};
pub use parse::{Frames, RecordFrames};
