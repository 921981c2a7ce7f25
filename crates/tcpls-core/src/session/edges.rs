//! What the driver is told without having been asked: things that turned true since it was told the
//! opposite.

use super::{Reading, Session, state::Lifecycle, transmit};
use crate::{Event, connection::Pump};

/// Queues events for what turned true.
pub(super) fn note(session: &mut Session) {
    note_tokens(session);
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

/// R13, R47: keeps the client in tokens, for as many connections as it may have.
fn note_tokens(session: &mut Session) {
    let live = u32::try_from(session.connections.live().len()).unwrap_or(u32::MAX);
    if session.lifecycle == Lifecycle::Open && live > 0 {
        let room = session.config.connections.saturating_sub(live);
        let spare = u8::try_from(room).unwrap_or(u8::MAX);
        let spare = spare.min(session.config.spare_tokens);
        session.control.want_tokens(spare, &mut session.events);
    }
}
