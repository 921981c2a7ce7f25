//! The other side of each row.

#[cfg(feature = "openssl-peer")]
pub(crate) mod library;
pub(crate) mod middlebox;
#[cfg(feature = "openssl-peer")]
pub(crate) mod minimal;
pub(crate) mod program;
pub(crate) mod serverinfo;
