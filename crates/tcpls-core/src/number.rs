//! Conversions between lengths and offsets; both are 64 bits wherever this crate is meant to run.

/// A length as an offset.
pub(crate) fn offset(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// An offset difference as a length.
pub(crate) fn length(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
