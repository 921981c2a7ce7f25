//! Which deadline a session waits for.

/// Why [`Session::poll_timeout`](crate::Session::poll_timeout) wants a wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeoutReason {
    /// An acknowledgment has waited for company long enough (reading A-11).
    AckDelay,
    /// A connection that either side is leaving has waited long enough for acknowledgments or for the
    /// peer (reading A-16).
    Leaving,
    /// TCP is to be asked whether the path still works (reading A-45).
    PathCheck,
    /// A peer that was sending fell silent (reading A-45).
    Silence,
    /// Closing no longer waits for acknowledgments or for the peer (reading A-17).
    Drain,
    /// No connection has joined a session without connections (reading A-19).
    Orphan,
    /// Silence of the peer has lasted for the idle timeout (reading A-46).
    Idle,
    /// A Ping is to keep the session alive (reading A-46).
    KeepAlive,
    /// Writers that were told of room have had time to come for it: others are told.
    Writers,
    /// A token is to be replaced or dropped, because it is not good for ever.
    Tokens,
}
