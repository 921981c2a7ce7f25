//! What two ends say to each other after the handshake.

use std::sync::Arc;

use bytes::BytesMut;
use tcpls_crypto::wire::{ConnectionId, Role};
use tcpls_crypto::{
    ContentType, Established, Plaintext, PostHandshake, PostHandshakeMessage, RecordOpener,
    RecordSealer, WriteBuffer,
};

use crate::peers::Ends;

/// The two halves of one end's first connection.
pub fn halves(end: &Established) -> (RecordSealer, RecordOpener) {
    let send = Arc::clone(&end.keys.send);
    let receive = Arc::clone(&end.keys.receive);
    (
        RecordSealer::new(send, ConnectionId::FIRST, end.first_sent).unwrap(),
        RecordOpener::new(receive, ConnectionId::FIRST, end.first_received).unwrap(),
    )
}

/// Sends data both ways, with what the handshake left on the wire before it.
pub fn talk(ends: &mut Ends) {
    let (mut client_sealer, mut client_opener) = halves(&ends.client);
    let (mut server_sealer, mut server_opener) = halves(&ends.server);
    let client_sent = one_way(
        &mut client_sealer,
        &mut server_opener,
        &mut ends.wire.to_server,
    );
    let server_sent = one_way(
        &mut server_sealer,
        &mut client_opener,
        &mut ends.wire.to_client,
    );
    assert_eq!(client_sent, 0);
    assert_eq!(server_sent, ends.server.first_sent.as_u64());
    let export = |end: &Established| {
        let mut material = [0; 64];
        end.exporter
            .export_keying_material(b"label", b"context", &mut material)
            .unwrap();
        material
    };
    assert_eq!(export(&ends.client), export(&ends.server));
}

/// Sends one record behind what is in `wire`; returns how many records came before it.
fn one_way(sealer: &mut RecordSealer, opener: &mut RecordOpener, wire: &mut BytesMut) -> u64 {
    let mut out = WriteBuffer::new();
    sealer
        .seal(&Plaintext::application_data(b"hello, ", b"world"), &mut out)
        .unwrap();
    wire.extend_from_slice(out.pending());
    let mut before = 0;
    loop {
        let record = opener.open_next(wire).unwrap().unwrap();
        assert_eq!(record.sequence.as_u64(), before);
        if record.content_type == ContentType::ApplicationData {
            assert_eq!(&record.payload[..], b"hello, world");
            assert!(wire.is_empty());
            return before;
        }
        assert_eq!(record.content_type, ContentType::Handshake);
        before += 1;
    }
}

/// Gives the client the tickets that the server sent behind its flight.
pub fn resumable_after(ends: &mut Ends) {
    let (_, mut opener) = halves(&ends.client);
    let mut messages = PostHandshake::new(Role::Client);
    let mut tickets = 0;
    while let Some(record) = opener.open_next(&mut ends.wire.to_client).unwrap() {
        assert_eq!(record.content_type, ContentType::Handshake);
        messages.handle(&record.payload);
        while let Some(message) = messages.poll().unwrap() {
            match message {
                PostHandshakeMessage::NewSessionTicket(ticket) => {
                    ends.client.tickets.store(&ticket).unwrap();
                    tickets += 1;
                }
                PostHandshakeMessage::KeyUpdate(_) => panic!("nobody updates keys"),
            }
        }
    }
    assert_eq!(tickets, 2, "rustls sends two tickets");
    assert!(
        ends.server.tickets.store(b"ticket").is_err(),
        "a server takes none"
    );
}
