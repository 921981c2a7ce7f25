//! quinn.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, Endpoint, MtuDiscoveryConfig, RecvStream, SendStream, TransportConfig};

use super::chunks::{length, no_chunks};
use super::tls::configurations;
use super::udp;
use crate::transport::{self, Link, Peer, SESSION_WINDOW, STREAM_WINDOW};
use crate::{Error, Identity, SERVER_NAME};

/// quinn with packets of some size.
#[derive(Clone, Copy)]
pub(super) struct Quinn {
    name: &'static str,
    /// Bytes of UDP payload to begin with, unless quinn chooses.
    packet: Option<u16>,
}

impl Quinn {
    /// As it is: up to 1452 bytes, what an Ethernet carries.
    pub(super) fn ethernet() -> Self {
        Self {
            name: "quinn",
            packet: None,
        }
    }

    /// With packets that loopback carries and most networks do not; ten of them, as many as quinn hands to
    /// the system at a time, have to fit into 64 KiB.
    pub(super) fn large() -> Self {
        Self {
            name: "quinn with 6000-byte packets",
            packet: Some(6000),
        }
    }

    fn transport(self, streams: u32) -> TransportConfig {
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(streams.into())
            .stream_receive_window(STREAM_WINDOW.into())
            .receive_window(SESSION_WINDOW.into())
            .send_window(u64::from(SESSION_WINDOW));
        if let Some(packet) = self.packet {
            let mut discovery = MtuDiscoveryConfig::default();
            discovery.upper_bound(packet);
            transport
                .initial_mtu(packet)
                .mtu_discovery_config(Some(discovery));
        }
        transport
    }
}

impl Peer for Quinn {
    type Link = QuinnLink;

    fn name(&self) -> &'static str {
        self.name
    }

    async fn link(&self, identity: &Identity, streams: u32) -> Result<QuinnLink, Error> {
        let transport = Arc::new(self.transport(streams));
        let (client, server) = configurations(identity, b"bench", Clone::clone)?;
        let mut client = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(client)?));
        client.transport_config(Arc::clone(&transport));
        let mut server =
            quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));
        server.transport_config(transport);
        let endpoint = |server| {
            let runtime = quinn::default_runtime().ok_or("no runtime")?;
            let mut config = quinn::EndpointConfig::default();
            if let Some(packet) = self.packet {
                config.max_udp_payload_size(packet)?;
            }
            Ok::<_, Error>(Endpoint::new(config, server, udp::socket()?, runtime)?)
        };
        let (mut near, far) = (endpoint(None)?, endpoint(Some(server))?);
        near.set_default_client_config(client);
        let address = far.local_addr()?;
        Ok(QuinnLink { near, far, address })
    }
}

pub(super) struct QuinnLink {
    near: Endpoint,
    far: Endpoint,
    address: SocketAddr,
}

impl Link for QuinnLink {
    type Session = QuinnSession;

    async fn establish(&self) -> Result<(QuinnSession, QuinnSession), Error> {
        let connecting = self.near.connect(self.address, SERVER_NAME)?;
        let accepting = async {
            let incoming = self.far.accept().await.ok_or("the endpoint is closed")?;
            Ok::<_, Error>(incoming.await?)
        };
        let (near, far) = tokio::join!(connecting, accepting);
        Ok((QuinnSession(near?), QuinnSession(far?)))
    }
}

pub(super) struct QuinnSession(Connection);

impl transport::Session for QuinnSession {
    type Sender = QuinnSender;
    type Receiver = QuinnReceiver;

    async fn open(&self) -> Result<(QuinnSender, QuinnReceiver), Error> {
        let (send, receive) = self.0.open_bi().await?;
        Ok((QuinnSender(send), QuinnReceiver(receive)))
    }

    async fn accept(&self) -> Result<(QuinnSender, QuinnReceiver), Error> {
        let (send, receive) = self.0.accept_bi().await?;
        Ok((QuinnSender(send), QuinnReceiver(receive)))
    }
}

pub(super) struct QuinnSender(SendStream);

impl transport::Sender for QuinnSender {
    async fn send(&mut self, data: Bytes) -> Result<(), Error> {
        Ok(self.0.write_chunk(data).await?)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(self.0.finish()?)
    }
}

pub(super) struct QuinnReceiver(RecvStream);

impl transport::Receiver for QuinnReceiver {
    async fn receive(&mut self) -> Result<usize, Error> {
        let mut chunks = no_chunks();
        let count = self.0.read_chunks(&mut chunks).await?;
        Ok(length(&chunks, count))
    }
}
