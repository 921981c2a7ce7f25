//! noq, a fork of quinn.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use noq::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use noq::{Connection, Endpoint, RecvStream, SendStream, TransportConfig};

use super::chunks::{length, no_chunks};
use super::tls::configurations;
use super::udp;
use crate::transport::{self, Link, Peer, SESSION_WINDOW, STREAM_WINDOW};
use crate::{Error, Identity, SERVER_NAME};

pub(super) struct Noq;

fn transport(streams: u32) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(streams.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(SESSION_WINDOW.into())
        .send_window(u64::from(SESSION_WINDOW));
    transport
}

impl Peer for Noq {
    type Link = NoqLink;

    fn name(&self) -> &'static str {
        "noq"
    }

    async fn link(&self, identity: &Identity, streams: u32) -> Result<NoqLink, Error> {
        let transport = Arc::new(transport(streams));
        let (client, server) = configurations(identity, b"bench", Clone::clone)?;
        let mut client = noq::ClientConfig::new(Arc::new(QuicClientConfig::try_from(client)?));
        client.transport_config(Arc::clone(&transport));
        let mut server =
            noq::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));
        server.transport_config(transport);
        let endpoint = |server| {
            let runtime = noq::default_runtime().ok_or("no runtime")?;
            let config = noq::EndpointConfig::default();
            Ok::<_, Error>(Endpoint::new(config, server, udp::socket()?, runtime)?)
        };
        let (near, far) = (endpoint(None)?, endpoint(Some(server))?);
        near.set_default_client_config(client);
        let address = far.local_addr()?;
        Ok(NoqLink { near, far, address })
    }
}

pub(super) struct NoqLink {
    near: Endpoint,
    far: Endpoint,
    address: SocketAddr,
}

impl Link for NoqLink {
    type Session = NoqSession;

    async fn establish(&self) -> Result<(NoqSession, NoqSession), Error> {
        let connecting = self.near.connect(self.address, SERVER_NAME)?;
        let accepting = async {
            let incoming = self.far.accept().await.ok_or("the endpoint is closed")?;
            Ok::<_, Error>(incoming.await?)
        };
        let (near, far) = tokio::join!(connecting, accepting);
        Ok((NoqSession(near?), NoqSession(far?)))
    }
}

pub(super) struct NoqSession(Connection);

impl transport::Session for NoqSession {
    type Sender = NoqSender;
    type Receiver = NoqReceiver;

    async fn open(&self) -> Result<(NoqSender, NoqReceiver), Error> {
        let (send, receive) = self.0.open_bi().await?;
        Ok((NoqSender(send), NoqReceiver(receive)))
    }

    async fn accept(&self) -> Result<(NoqSender, NoqReceiver), Error> {
        let (send, receive) = self.0.accept_bi().await?;
        Ok((NoqSender(send), NoqReceiver(receive)))
    }
}

pub(super) struct NoqSender(SendStream);

impl transport::Sender for NoqSender {
    async fn send(&mut self, data: Bytes) -> Result<(), Error> {
        Ok(self.0.write_chunk(data).await?)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(self.0.finish()?)
    }
}

pub(super) struct NoqReceiver(RecvStream);

impl transport::Receiver for NoqReceiver {
    async fn receive(&mut self) -> Result<usize, Error> {
        let mut chunks = no_chunks();
        let count = self.0.read_many_chunks(&mut chunks).await?;
        Ok(length(&chunks, count))
    }
}
