//! What the driver is told without having been asked: things that turned true since it was told the
//! opposite.

use super::{Reading, Session, keys, tokens, transmit};
use crate::{
    Event,
    connection::{Connection, Pump},
};

/// Queues events for what turned true.
pub(super) fn note(session: &mut Session) {
    tokens::note_wanted(session);
    keys::note_outdated(session);
    for index in 0..session.connections.live().len() {
        let Some(&c) = session.connections.live().get(index) else {
            break;
        };
        // Who was told is not told again: there is no need to look.
        let idle = |connection: &Connection| connection.pump == Pump::Idle;
        if session.connections.get(c).is_some_and(idle)
            && transmit::wants(session, c)
            && let Some(connection) = session.connections.get_mut(c)
        {
            connection.pump = Pump::Told;
            session.events.push(Event::TransmitReady(c));
        }
    }
    match (session.reading, session.streams.wants_read()) {
        (Reading::Wanted, false) => {
            session.reading = Reading::Paused;
            session.next_deadline.forget();
        }
        (Reading::Paused, true) => {
            session.next_deadline.forget();
            session.reading = Reading::Wanted;
            session.activity.on_reading_resumed();
            for &c in session.connections.live() {
                session.events.push(Event::ReadResumed(c));
            }
        }
        (Reading::Wanted, true) | (Reading::Paused, false) => {}
    }
}
