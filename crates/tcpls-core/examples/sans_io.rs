//! Two sessions that talk in memory: the driving loop of a runtime, without a runtime.
//!
//! Records cross as plaintext here. A runtime seals each with the connection's `RecordSealer` and
//! opens it with the `RecordOpener` at the other end; `tcpls_core::testing` shows that.

use std::{io::Write, time::Instant};

use tcpls_core::{
    ConnectionHandle, ConnectionStart, Event, OpenedRecord, Session, SessionConfig, Transmit,
    wire::{RecordSequence, Role},
};

/// A session and its only connection.
struct Peer {
    session: Session,
    connection: ConnectionHandle,
    events: Vec<Event>,
}

impl Peer {
    fn new(role: Role, now: Instant) -> Self {
        let mut session = Session::new(role, SessionConfig::new(), now);
        let zero = RecordSequence::ZERO;
        let start = ConnectionStart::first(zero, zero);
        let connection = session.add_connection(start, now);
        Self {
            session,
            connection,
            events: Vec::new(),
        }
    }

    /// Carries what this side has to send to the other; returns whether there was anything.
    fn send_to(&mut self, other: &mut Self, now: Instant) -> bool {
        let mut batch = Transmit::new();
        let _ = self
            .session
            .poll_transmit(self.connection, 64 * 1024, now, &mut batch);
        for record in &batch.records {
            let payload = [&record.lead, record.tail(&batch.tails)].concat().into();
            let (sequence, content_type) = (record.sequence, record.content_type);
            let opened = OpenedRecord {
                sequence,
                content_type,
                payload,
            };
            other.session.handle_record(other.connection, opened, now);
        }
        self.events
            .extend(std::iter::from_fn(|| self.session.poll_event()));
        !batch.is_empty()
    }
}

#[test]
fn runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "somebody has to look at the clock"
    )]
    let now = Instant::now();
    let mut client = Peer::new(Role::Client, now);
    let mut server = Peer::new(Role::Server, now);

    let stream = client.session.open_bi()?;
    client
        .session
        .send(stream)
        .write(b"How many streams does it take?")?;
    client.session.send(stream).finish()?;
    while client.send_to(&mut server, now) || server.send_to(&mut client, now) {}

    assert_eq!(server.session.accept_bi(), Some(stream));
    let question = server
        .session
        .recv(stream)
        .read_chunk(1024)?
        .unwrap_or_default();
    server
        .session
        .send(stream)
        .write(&[&question, &b" One."[..]].concat())?;
    server.session.send(stream).finish()?;
    while client.send_to(&mut server, now) || server.send_to(&mut client, now) {}

    let answer = client
        .session
        .recv(stream)
        .read_chunk(1024)?
        .unwrap_or_default();
    assert_eq!(answer, "How many streams does it take? One.");
    client.session.close(now);
    while client.send_to(&mut server, now) || server.send_to(&mut client, now) {}
    for (name, peer) in [("client", &client), ("server", &server)] {
        let reason = peer
            .session
            .close_reason()
            .ok_or("the session should be over")?;
        assert!(reason.is_orderly() && peer.events.contains(&Event::SendAcked(stream)));
        writeln!(std::io::stdout(), "{name}: {reason}")?;
    }
    Ok(())
}
