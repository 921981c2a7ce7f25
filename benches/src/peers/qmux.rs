//! The protocol of draft-ietf-quic-qmux over TLS, with the crate qmux.

use std::sync::Arc;

use bytes::Bytes;
use qmux::{Config, Version, tls};
use tokio::net::TcpListener;
use web_transport_trait::{RecvStream as _, SendStream as _, Session as _};

use super::tls::configurations;
use crate::transport::{self, Link, Peer, SESSION_WINDOW, STREAM_WINDOW};
use crate::{Error, Identity, SERVER_NAME};

const PROTOCOL: &str = "bench";

pub(super) struct Qmux;

impl Peer for Qmux {
    type Link = QmuxLink;

    fn name(&self) -> &'static str {
        "QMux over TLS"
    }

    async fn link(&self, identity: &Identity, streams: u32) -> Result<QmuxLink, Error> {
        let version = Version::QMux02;
        let name = format!("{}{PROTOCOL}", version.prefix());
        let (client, server) = configurations(identity, name.as_bytes(), Clone::clone)?;
        let mut config = Config::new(version);
        config.max_streams_bidi = u64::from(streams);
        config.max_data = u64::from(SESSION_WINDOW);
        config.max_stream_data_bidi_local = u64::from(STREAM_WINDOW);
        config.max_stream_data_bidi_remote = u64::from(STREAM_WINDOW);
        Ok(QmuxLink {
            listener: TcpListener::bind(("127.0.0.1", 0)).await?,
            client: tls::Client::new(Arc::new(client))
                .with_protocol(PROTOCOL, &[version])
                .require_protocol()
                .with_session_config(config.clone()),
            server: tls::Server::new(Arc::new(server)).with_session_config(config),
        })
    }
}

pub(super) struct QmuxLink {
    listener: TcpListener,
    client: tls::Client,
    server: tls::Server,
}

impl Link for QmuxLink {
    type Session = QmuxSession;

    async fn establish(&self) -> Result<(QmuxSession, QmuxSession), Error> {
        let address = self.listener.local_addr()?;
        let accept = async {
            let (tcp, _) = self.listener.accept().await?;
            tcp.set_nodelay(true)?;
            Ok::<_, Error>(self.server.accept(tcp).await?)
        };
        let (near, far) = tokio::join!(self.client.connect(address, SERVER_NAME), accept);
        Ok((QmuxSession(near?), QmuxSession(far?)))
    }
}

pub(super) struct QmuxSession(qmux::Session);

impl Drop for QmuxSession {
    fn drop(&mut self) {
        self.0.close(0, "");
    }
}

impl transport::Session for QmuxSession {
    type Sender = QmuxSender;
    type Receiver = QmuxReceiver;

    async fn open(&self) -> Result<(QmuxSender, QmuxReceiver), Error> {
        let (send, receive) = self.0.open_bi().await?;
        Ok((QmuxSender(send), QmuxReceiver(receive)))
    }

    async fn accept(&self) -> Result<(QmuxSender, QmuxReceiver), Error> {
        let (send, receive) = self.0.accept_bi().await?;
        Ok((QmuxSender(send), QmuxReceiver(receive)))
    }
}

pub(super) struct QmuxSender(qmux::SendStream);

impl transport::Sender for QmuxSender {
    async fn send(&mut self, data: Bytes) -> Result<(), Error> {
        Ok(self.0.write_chunk(data).await?)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(self.0.finish()?)
    }
}

pub(super) struct QmuxReceiver(qmux::RecvStream);

impl transport::Receiver for QmuxReceiver {
    async fn receive(&mut self) -> Result<usize, Error> {
        Ok(self
            .0
            .read_chunk(usize::MAX)
            .await?
            .map_or(0, |chunk| chunk.len()))
    }
}
