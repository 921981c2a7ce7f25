//! What the driver is told without having been asked: things that turned true since it was told the
//! opposite.

use super::{Reading, Session, keys, tokens, transmit};
use crate::{Event, connection::Pump};

/// Queues events for what turned true.
pub(super) fn note(session: &mut Session) {
    tokens::note_wanted(session);
    keys::note_outdated(session);
    for index in 0..session.connections.live().len() {
        let Some(&c) = session.connections.live().get(index) else {
            break;
        };
        let wants = transmit::wants(session, c);
        if let Some(connection) = session.connections.get_mut(c)
            && wants
            && connection.pump == Pump::Idle
        {
            connection.pump = Pump::Told;
            session.events.push(Event::TransmitReady(c));
        }
    }
    match (session.reading, session.streams.wants_read()) {
        (Reading::Wanted, false) => session.reading = Reading::Paused,
        (Reading::Paused, true) => {
            session.reading = Reading::Wanted;
            session.activity.on_reading_resumed();
            for &c in session.connections.live() {
                session.events.push(Event::ReadResumed(c));
            }
        }
        (Reading::Wanted, true) | (Reading::Paused, false) => {}
    }
}
