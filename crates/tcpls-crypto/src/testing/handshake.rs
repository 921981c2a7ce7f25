//! Bodies for what comes before and beside the records.

use bytes::BytesMut;
use tcpls_wire::{ExtensionCodec, Role};

use super::pieces;
use crate::{
    FirstFlight, HandshakeError, HelloReader, PostHandshake, PostHandshakeFault,
    PostHandshakeMessage,
};

/// Reads the first bytes of a client that come in pieces: a server thinks of them what it does when
/// they come at once.
///
/// # Panics
///
/// When it does not.
pub fn hello_reader(data: &[u8]) {
    let Some((len, stream)) = pieces(data) else {
        return;
    };
    let whole = first_flight(std::iter::once(stream));
    let cut = first_flight(stream.chunks(len));
    match (&whole, &cut) {
        // How much a peer without TLS has said by the time it is noticed may differ.
        (Err(HandshakeError::NotTls(_)), Err(HandshakeError::NotTls(_))) => {}
        _ => assert_eq!(whole, cut),
    }
}

/// What the flight is, with the number of bytes that are left behind it.
fn first_flight<'a>(
    parts: impl Iterator<Item = &'a [u8]>,
) -> Result<(String, usize), HandshakeError> {
    let mut reader = HelloReader::new(ExtensionCodec::default());
    let (mut buffer, mut flight) = (BytesMut::new(), FirstFlight::Incomplete);
    for part in parts {
        buffer.extend_from_slice(part);
        if matches!(flight, FirstFlight::Incomplete) {
            flight = reader.read(&mut buffer).inspect_err(|_| {
                let mut alert = Vec::new();
                reader.write(&mut alert);
                assert!(alert.is_empty() || alert.len() == 7);
            })?;
        }
    }
    let left = match &flight {
        FirstFlight::Incomplete => 0,
        FirstFlight::Hello(_) | FirstFlight::Join(_) => buffer.len(),
    };
    Ok((format!("{flight:?}"), left))
}

/// Reads post-handshake messages from records of any length: they are the same messages.
///
/// # Panics
///
/// When they are not.
pub fn post_handshake(data: &[u8]) {
    let Some((len, stream)) = pieces(data) else {
        return;
    };
    for role in [Role::Client, Role::Server] {
        let whole = messages(role, std::iter::once(stream));
        let cut = messages(role, stream.chunks(len));
        assert_eq!(whole, cut);
    }
}

type Messages = (Vec<PostHandshakeMessage>, Option<PostHandshakeFault>);

fn messages<'a>(role: Role, records: impl Iterator<Item = &'a [u8]>) -> Messages {
    let mut reader = PostHandshake::new(role);
    let mut messages = Vec::new();
    for record in records {
        reader.handle(record);
        loop {
            match reader.poll() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(fault) => return (messages, Some(fault)),
            }
        }
    }
    (messages, None)
}

/// Answers a client's hello with the input, in pieces: the client never takes it for a server that
/// has proved who it is.
///
/// # Panics
///
/// When it does.
#[cfg(feature = "aws-lc")]
pub fn client_handshake(data: &[u8]) {
    use std::sync::{Arc, LazyLock};

    use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
    use rustls::{ClientConfig, RootCertStore};
    use rustls_pki_types::ServerName;

    use crate::{ClientHandshake, Offer, Options, TlsClient, provider};

    static CLIENT: LazyLock<Option<TlsClient>> = LazyLock::new(|| {
        let mut provider = provider(&default_provider());
        provider.kx_groups = vec![kx_group::X25519];
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        TlsClient::new(&config).ok()
    });
    let (Some((len, stream)), Some(client)) = (pieces(data), &*CLIENT) else {
        return;
    };
    let name = ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
    let offer = Offer::Tcpls { params: None };
    let Ok(mut client) = ClientHandshake::new(client, name, offer, Options::default()) else {
        return;
    };
    let mut buffer = BytesMut::new();
    for part in stream.chunks(len) {
        buffer.extend_from_slice(part);
        if client.read(&mut buffer).is_err() {
            break;
        }
    }
    client.write(&mut Vec::new());
    assert!(!client.is_complete());
}
