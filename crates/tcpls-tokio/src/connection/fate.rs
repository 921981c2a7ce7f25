//! What became of a connection, as far as its tasks must know.

use std::sync::atomic::{AtomicU8, Ordering};

/// Whether a connection is still read. It only ever advances.
///
/// The session's side sets it and then wakes the reader, which looks at it whenever it is woken.
#[derive(Debug, Default)]
pub(crate) struct Fate(AtomicU8);

/// How far the end of a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is in use.
    Live,
    /// Nothing can be written: what has arrived is read, and nothing is waited for.
    WriteFailed,
    /// The session needs nothing more from it.
    Over,
    /// It is to vanish: nothing is sent or read any more.
    Aborted,
}

impl Fate {
    /// Nothing can be written any more.
    pub(crate) fn write_failed(&self) {
        self.0.fetch_max(WRITE_FAILED, Ordering::AcqRel);
    }

    /// The session needs nothing more.
    pub(crate) fn end(&self) {
        self.0.fetch_max(OVER, Ordering::AcqRel);
    }

    /// The connection is to vanish.
    pub(crate) fn abort(&self) {
        self.0.fetch_max(ABORTED, Ordering::AcqRel);
    }

    pub(super) fn stage(&self) -> Stage {
        match self.0.load(Ordering::Acquire) {
            LIVE => Stage::Live,
            WRITE_FAILED => Stage::WriteFailed,
            OVER => Stage::Over,
            _ => Stage::Aborted,
        }
    }
}

const LIVE: u8 = 0;
const WRITE_FAILED: u8 = 1;
const OVER: u8 = 2;
const ABORTED: u8 = 3;
