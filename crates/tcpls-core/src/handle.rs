//! The local name of a connection.

use std::fmt;

/// Local name of a TCP connection in its [`Session`](crate::Session).
///
/// Not the Connection ID of the wire, which a joining connection has only once its token is chosen.
/// Handles count up and are never reused within a session, so a stale one finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionHandle(u32);

impl ConnectionHandle {
    /// The handle of the connection that is added as the `index`-th, counting from 0.
    pub(crate) const fn nth(index: u32) -> Self {
        Self(index)
    }

    /// How many connections were added to the session before this one.
    pub const fn index(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
