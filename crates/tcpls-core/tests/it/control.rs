//! Tokens and addresses over the wire.

use std::net::SocketAddr;

use tcpls_core::{
    AddressError, AddressStanding, Event, TokenError,
    testing::{Pair, Solo},
    wire::{AddressId, ConnectionId, Frame, NewAddressFrame, RemoveAddressFrame, Role, Token},
};

use crate::talk::{ack, all_frames};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn new_address(id: u8, text: &str) -> Frame<'static> {
    let (id, address) = (AddressId::from_wire(id), address(text));
    Frame::NewAddress(NewAddressFrame {
        id,
        address: address.ip(),
        port: address.port(),
    })
}

fn remove_address(id: u8) -> Frame<'static> {
    Frame::RemoveAddress(RemoveAddressFrame {
        id: AddressId::from_wire(id),
    })
}

/// R14, R15, A-6: tokens arrive with their sequence, after the one that the handshake gave.
#[test]
fn tokens_reach_the_client() {
    let mut pair = Pair::seeded(10);
    for role in [Role::Client, Role::Server] {
        pair.host(role)
            .session
            .handle_early_token(Token::from_bytes([1; 32]));
    }
    for value in [2, 3] {
        let sequence = pair
            .server
            .session
            .issue_token(Token::from_bytes([value; 32]));
        assert_eq!(sequence.map(ConnectionId::as_u32), Ok(value.into()));
    }
    pair.drive();
    let received = [2, 3].map(|value| Event::TokenReceived(ConnectionId::from_wire(value)));
    // Frames of a record are applied from the last to the first.
    assert_eq!(
        pair.client
            .take_events()
            .into_iter()
            .rev()
            .collect::<Vec<_>>(),
        received
    );
    for value in 1..=3 {
        let (start, token) = pair.client.session.take_token().unwrap();
        assert_eq!(start.id.as_u32(), u32::from(value));
        assert_eq!(token, Token::from_bytes([value; 32]));
    }
    assert_eq!(pair.client.session.take_token(), None);
    assert_eq!(
        pair.client.session.issue_token(Token::from_bytes([0; 32])),
        Err(TokenError::NotServer),
    );
    assert_eq!(pair.server.session.take_token(), None);
}

/// R16, R51: both sides advertise and withdraw addresses.
#[test]
fn addresses_reach_the_peer() {
    let mut pair = Pair::seeded(11);
    let [four, six] = ["192.0.2.1:443", "[2001:db8::1]:0"].map(address);
    for role in [Role::Client, Role::Server] {
        let ids =
            [four, six].map(|address| pair.host(role).session.advertise_address(address).unwrap());
        assert_eq!(ids.map(AddressId::as_u8), [0, 1]);
        pair.drive();
        let peer = pair.host(role.peer());
        assert_eq!(
            peer.session.peer_addresses().collect::<Vec<_>>(),
            [(ids[0], four), (ids[1], six)]
        );
        let added = [(ids[0], four), (ids[1], six)]
            .map(|(id, address)| Event::AddressAdded { id, address });
        // Frames of a record are applied from the last to the first.
        assert_eq!(
            peer.take_events().into_iter().rev().collect::<Vec<_>>(),
            added
        );

        assert_eq!(pair.host(role).session.withdraw_address(ids[0]), Ok(()));
        assert_eq!(
            pair.host(role).session.withdraw_address(ids[0]),
            Err(AddressError::Unknown)
        );
        pair.drive();
        let peer = pair.host(role.peer());
        assert_eq!(
            peer.session.peer_addresses().collect::<Vec<_>>(),
            [(ids[1], six)]
        );
        assert_eq!(
            peer.take_events(),
            [Event::AddressRemoved {
                id: ids[0],
                address: four
            }]
        );
    }
}

/// An address is withdrawn only after the peer acknowledged it, so that no faster connection can bring
/// the withdrawal first.
#[test]
fn a_withdrawal_follows_the_acknowledgment() {
    let mut server = Solo::server();
    let id = server
        .session
        .advertise_address(address("192.0.2.1:443"))
        .unwrap();
    assert_eq!(
        all_frames(&server.transmit()),
        [new_address(0, "192.0.2.1:443")]
    );
    server.session.withdraw_address(id).unwrap();
    assert_eq!(server.transmit(), []);
    server.receive(&[ack(0, 0)]);
    assert_eq!(all_frames(&server.transmit()), [remove_address(0)]);
}

/// R49: New Address with other content is ignored. R50: so is one for an identifier that was removed.
/// R54: so is Remove Address for an identifier that is unknown or removed. None of them is an error.
#[test]
fn contradicting_addresses_are_ignored() {
    let mut client = Solo::client();
    client.receive(&[remove_address(3)]);
    client.receive(&[new_address(3, "192.0.2.1:443")]);
    let added = |client: &mut Solo| {
        let is_address = |event: &Event| {
            matches!(
                event,
                Event::AddressAdded { .. } | Event::AddressRemoved { .. }
            )
        };
        client.events().into_iter().filter(is_address).count()
    };
    assert_eq!(added(&mut client), 1);
    for frame in [
        new_address(3, "192.0.2.1:443"),
        new_address(3, "192.0.2.2:443"),
    ] {
        client.receive(&[frame]);
        assert_eq!(added(&mut client), 0);
    }
    let known: Vec<_> = client
        .session
        .peer_addresses()
        .map(|(_, address)| address)
        .collect();
    assert_eq!(known, [address("192.0.2.1:443")]);
    client.receive(&[remove_address(3)]);
    assert_eq!(added(&mut client), 1);
    for frame in [remove_address(3), new_address(3, "192.0.2.1:443")] {
        client.receive(&[frame]);
        assert_eq!(added(&mut client), 0);
    }
    assert_eq!(client.session.peer_addresses().count(), 0);
    assert_eq!(client.session.close_reason(), None);
}

/// A session that closes issues and advertises nothing new.
#[test]
fn a_closing_session_announces_nothing() {
    let mut server = Solo::server();
    let id = server
        .session
        .advertise_address(address("192.0.2.1:443"))
        .unwrap();
    server.session.close(server.clock.now());
    let token = Token::from_bytes([1; 32]);
    assert_eq!(server.session.issue_token(token), Err(TokenError::Closing));
    let address = address("192.0.2.1:443");
    assert_eq!(
        server.session.advertise_address(address),
        Err(AddressError::Closing)
    );
    assert_eq!(
        server.session.withdraw_address(id),
        Err(AddressError::Closing)
    );
}

/// R52, R53, A-32: both sides know which of their connections used an address that was withdrawn.
#[test]
fn a_withdrawn_address_is_known_to_both_sides() {
    let mut pair = Pair::seeded(3);
    let [server, client, elsewhere]: [SocketAddr; 3] = [
        "192.0.2.1:443".parse().unwrap(),
        "198.51.100.7:50123".parse().unwrap(),
        "192.0.2.1:8443".parse().unwrap(),
    ];
    let of_server = pair.server.session.advertise_address(server).unwrap();
    let of_client = SocketAddr::new(client.ip(), 0);
    let of_client = pair.client.session.advertise_address(of_client).unwrap();
    pair.drive();
    let advertised = AddressStanding::Advertised(of_server);
    assert_eq!(pair.client.session.peer_address(server), advertised);
    assert_eq!(pair.server.session.own_address(server), advertised);
    let advertised = AddressStanding::Advertised(of_client);
    assert_eq!(pair.server.session.peer_address(client), advertised);
    assert_eq!(pair.client.session.own_address(client), advertised);
    pair.server.session.withdraw_address(of_server).unwrap();
    pair.client.session.withdraw_address(of_client).unwrap();
    pair.drive();
    let withdrawn = AddressStanding::Withdrawn(of_server);
    assert_eq!(pair.client.session.peer_address(server), withdrawn);
    assert_eq!(pair.server.session.own_address(server), withdrawn);
    let withdrawn = AddressStanding::Withdrawn(of_client);
    assert_eq!(pair.server.session.peer_address(client), withdrawn);
    assert_eq!(pair.client.session.own_address(client), withdrawn);
    let unknown = AddressStanding::Unknown;
    assert_eq!(pair.client.session.peer_address(elsewhere), unknown);
    assert_eq!(pair.server.session.own_address(elsewhere), unknown);
}
