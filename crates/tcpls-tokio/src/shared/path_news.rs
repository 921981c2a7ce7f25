//! What the watchers of paths hear of single connections.

use tcpls_core::Event;

use super::State;
use crate::path::PathEvent;

impl State {
    /// Passes on what the peer's TCP or the peer itself said about a connection. Other events are not for them.
    pub(super) fn tell_about_path(&mut self, event: &Event) {
        if let Event::ConnectionSuspect(connection) = *event {
            self.tell_path(connection, |id| PathEvent::Suspect { id });
            self.inbox.stir();
        } else if let Event::ConnectionRecovered(connection) = *event {
            self.tell_path(connection, |id| PathEvent::Recovered { id });
            self.inbox.stir();
        } else if let Event::Probed {
            connection,
            round_trip,
        } = *event
        {
            self.tell_path(connection, |id| PathEvent::Probed { id, round_trip });
        } else if let Event::PeerPathStatus { connection, status } = *event {
            self.tell_path(connection, |id| PathEvent::PeerStatus { id, status });
        }
    }
}
