//! How far a peer may be ahead of the application, where both sides agree on limits
//! (`spec/extensions.md` 6.1).

use super::SessionConfig;
use crate::wire::SessionParams;

impl SessionConfig {
    /// Bytes of one stream that the peer may be ahead of the application at first; default 4 MiB, at
    /// least 1. It bounds the throughput of a stream to this over the round trip time, and how much of
    /// it the session holds. A peer that speaks the draft alone is not told; there,
    /// [`unread_soft_cap`](Self::unread_soft_cap) counts.
    pub fn stream_window(&mut self, bytes: u64) -> &mut Self {
        self.stream_window = bytes.max(1);
        self
    }

    /// What the window of a stream grows to at most, while the application reads all of it within two
    /// round trips; default 16 MiB. Not below [`stream_window`](Self::stream_window).
    pub fn max_stream_window(&mut self, bytes: u64) -> &mut Self {
        self.max_stream_window = bytes;
        self
    }

    /// Bytes that the peer may be ahead of the application at first, over all streams; default 16 MiB,
    /// at least 1. Streams that nobody reads keep their share of it from the others.
    pub fn session_window(&mut self, bytes: u64) -> &mut Self {
        self.session_window = bytes.max(1);
        self
    }

    /// What the window of the session grows to at most; default 64 MiB. It bounds what a session holds
    /// of unread data: whatever the peer sends, received bytes take at most 5/4 of the sum of twice this,
    /// [`out_of_order_cap`](Self::out_of_order_cap) and twice [`unread_soft_cap`](Self::unread_soft_cap).
    pub fn max_session_window(&mut self, bytes: u64) -> &mut Self {
        self.max_session_window = bytes;
        self
    }

    /// What the peer is told of it at the start.
    pub(crate) fn say_windows(&self, params: &mut SessionParams) {
        params.max_data = Some(self.session_window);
        params.max_stream_data = Some(self.stream_window);
        params.max_streams = Some(self.peer_streams);
    }
}
