//! What the handshake relies on in rustls, one test for each: when an upgrade of rustls breaks one,
//! its name says what to look at. Each runs rustls by itself, on suites that only watch.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::unbuffered::ConnectionState;
use rustls::{ConnectionTrafficSecrets, ContentType};

use crate::peers::name;
use crate::watch::{
    Pair, Seen, Where, configs, drive, inside, kinds, look_again, seen_by, updates,
    watched_handshake,
};

/// The scope of a handshake can be found in `start`, `encrypter` and `decrypter`.
#[test]
fn rustls_makes_contexts_and_keys_inside_its_entry_points() {
    watched_handshake();
    assert_eq!(seen_by(Where::Outside), []);
    for place in [Where::Client, Where::Server] {
        let seen = seen_by(place);
        assert!(seen.contains(&Seen::Start(place)));
        assert!(seen.contains(&Seen::Encrypter(place, 16)));
        assert!(seen.contains(&Seen::Decrypter(place, 16)));
    }
}

/// Each `update` starts at a message: contexts can tell what they are given.
#[test]
fn rustls_hashes_whole_messages() {
    watched_handshake();
    for place in [Where::Client, Where::Server] {
        let kinds: Vec<u8> = updates(&seen_by(place))
            .iter()
            .flat_map(|data| kinds(data))
            .collect();
        // ClientHello, ServerHello, EncryptedExtensions, Certificate, CertificateVerify, and both
        // Finished; the server adds its tickets.
        assert!(
            [1, 2, 8, 11, 15, 20, 20, 4, 4].starts_with(&kinds),
            "{kinds:?}"
        );
        assert!(kinds.len() >= 7, "{kinds:?}");
    }
}

/// After a retry one `update` holds `message_hash`, the `HelloRetryRequest` and the second hello.
#[test]
fn rustls_hashes_several_messages_at_once_after_a_retry() {
    let (client, server) = configs(
        &[kx_group::X25519, kx_group::SECP256R1],
        &[kx_group::SECP256R1],
    );
    Pair::new(client, server).shake_hands();
    let client: Vec<_> = updates(&seen_by(Where::Client))
        .iter()
        .map(|data| kinds(data))
        .collect();
    assert!(client.contains(&vec![254, 2, 1]), "{client:?}");
}

/// PSK binders are computed over a hello that is cut before them, and that is still whole in front.
#[test]
fn rustls_hashes_a_cut_hello_for_binders() {
    let (client, server) = configs(&[kx_group::X25519], &[kx_group::X25519]);
    let pair = Pair::new(client.clone(), server.clone()).shake_hands();
    take_tickets(pair);
    look_again();
    Pair::new(client, server).shake_hands();
    for place in [Where::Client, Where::Server] {
        let hellos: Vec<_> = updates(&seen_by(place))
            .into_iter()
            .filter(|data| data.first() == Some(&1))
            .collect();
        let (cut, whole) = (&hellos[0], &hellos[1]);
        assert_eq!(
            whole.len() - cut.len(),
            2 + 1 + 32,
            "one binder and its lengths"
        );
        assert!(whole.starts_with(cut));
        assert_eq!(
            usize::from(u16::from_be_bytes([whole[2], whole[3]])),
            whole.len() - 4
        );
    }
}

/// Lets the client store the tickets that wait for it.
fn take_tickets(mut pair: Pair) {
    inside(Where::Client, || {
        loop {
            let (discard, again) = drive(
                pair.client.process_tls_records(&mut pair.to_client),
                &mut pair.to_server,
            );
            pair.to_client.drain(..discard);
            if !again {
                break;
            }
        }
    });
    assert_eq!(pair.client.tls13_tickets_received(), 2);
}

/// `EncryptedExtensions` are the first message of the first protected record, on both sides.
#[test]
fn encrypted_extensions_come_first() {
    watched_handshake();
    let sealed = seen_by(Where::Server)
        .into_iter()
        .find_map(|seen| match seen {
            Seen::Sealed(kind, data, sequence) => Some((kind, kinds(&data)[0], sequence)),
            _ => None,
        });
    let opened = seen_by(Where::Client)
        .into_iter()
        .find_map(|seen| match seen {
            Seen::Opened(kind, data, sequence) => Some((kind, kinds(&data)[0], sequence)),
            _ => None,
        });
    assert_eq!(sealed, Some((ContentType::Handshake, 8, 0)));
    assert_eq!(opened, Some((ContentType::Handshake, 8, 0)));
}

/// The client has its handshake keys for both directions before it opens the first record: an alert
/// of ours can be protected.
#[test]
fn the_client_can_seal_before_it_opens() {
    watched_handshake();
    let seen = seen_by(Where::Client);
    let position = |wanted: fn(&Seen) -> bool| seen.iter().position(wanted).unwrap();
    let sealing = position(|seen| matches!(seen, Seen::Encrypter(..)));
    let opened = position(|seen| matches!(seen, Seen::Opened(..)));
    assert!(sealing < opened);
}

/// the client takes over with read sequence 0, the server with write sequence 1, because rustls
/// packs its two tickets into one record.
#[test]
fn hand_over_sequences() {
    let pair = watched_handshake();
    let tickets = seen_by(Where::Server)
        .into_iter()
        .rev()
        .find_map(|seen| match seen {
            Seen::Sealed(kind, data, sequence) => Some((kind, kinds(&data), sequence)),
            _ => None,
        });
    assert_eq!(tickets, Some((ContentType::Handshake, vec![4, 4], 0)));
    let (client, _) = pair.client.dangerous_into_kernel_connection().unwrap();
    let (server, _) = pair.server.dangerous_into_kernel_connection().unwrap();
    assert_eq!((client.tx.0, client.rx.0), (0, 0));
    assert_eq!((server.tx.0, server.rx.0), (1, 0));
}

fn key_and_iv(secrets: &ConnectionTrafficSecrets) -> (Vec<u8>, Vec<u8>) {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
            (key.as_ref().to_vec(), iv.as_ref().to_vec())
        }
        _ => panic!("an unknown suite"),
    }
}

/// both ends have the same keys, and each update of one direction gives the same on both.
#[test]
fn key_updates_of_both_ends_are_equal() {
    let pair = watched_handshake();
    let (client, mut client_kernel) = pair.client.dangerous_into_kernel_connection().unwrap();
    let (server, mut server_kernel) = pair.server.dangerous_into_kernel_connection().unwrap();
    assert_eq!(key_and_iv(&client.tx.1), key_and_iv(&server.rx.1));
    assert_eq!(key_and_iv(&client.rx.1), key_and_iv(&server.tx.1));
    for _ in 0..3 {
        let (sequence, sent) = client_kernel.update_tx_secret().unwrap();
        let (_, received) = server_kernel.update_rx_secret().unwrap();
        assert_eq!((sequence, key_and_iv(&sent)), (0, key_and_iv(&received)));
        let (_, sent) = server_kernel.update_tx_secret().unwrap();
        let (_, received) = client_kernel.update_rx_secret().unwrap();
        assert_eq!(key_and_iv(&sent), key_and_iv(&received));
    }
}

/// a ticket can be stored after the hand-over, from its bytes without their header.
#[test]
fn tickets_can_be_stored_after_the_hand_over() {
    let (client, server) = configs(&[kx_group::X25519], &[kx_group::X25519]);
    let pair = Pair::new(client.clone(), server.clone()).shake_hands();
    let sealed = seen_by(Where::Server)
        .into_iter()
        .rev()
        .find_map(|seen| match seen {
            Seen::Sealed(_, data, _) => Some(data),
            _ => None,
        });
    let ticket = sealed.unwrap();
    let len = usize::from(u16::from_be_bytes([ticket[2], ticket[3]]));
    let (_, mut kernel) = pair.client.dangerous_into_kernel_connection().unwrap();
    kernel
        .handle_new_session_ticket(&ticket[4..4 + len])
        .unwrap();
    assert!(
        kernel
            .handle_new_session_ticket(&ticket[..4 + len])
            .is_err()
    );
    let pair = Pair::new(client, server).shake_hands();
    assert_eq!(
        pair.client.handshake_kind(),
        Some(rustls::HandshakeKind::Resumed)
    );
}

/// After an error the alert that rustls has queued can still be taken.
#[test]
fn alerts_are_queued_behind_errors() {
    let (client, _) = configs(&[kx_group::X25519], &[kx_group::X25519]);
    let mut client = UnbufferedClientConnection::new(Arc::new(client), name()).unwrap();
    let mut out = Vec::new();
    while let (_, true) = drive(client.process_tls_records(&mut []), &mut out) {}
    out.clear();
    let mut garbage = [22, 3, 3, 0, 5, 2, 0, 0, 1, 0];
    assert!(client.process_tls_records(&mut garbage).state.is_err());
    while let Ok(ConnectionState::EncodeTlsData(mut data)) =
        client.process_tls_records(&mut []).state
    {
        let mut space = [0; 50];
        let len = data.encode(&mut space).unwrap();
        out.extend_from_slice(&space[..len]);
    }
    assert_eq!(out[..5], [21, 3, 3, 0, 2]);
}
