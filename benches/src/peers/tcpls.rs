//! TCPLS: with one connection or several, with and without failover, by chunks and by copies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tcpls_tokio::{
    ClientConfig, Endpoint, Failover, PathOptions, RecvStream, SendStream, ServerConfig, Session,
    SessionConfig, TransportConfig, core::StreamAnnouncement, provider,
};

use super::byte_stream::{Reading, Writing};
use super::chunks::{length, no_chunks};
#[cfg(target_os = "linux")]
use super::tcp::CONGESTION_CONTROL;
use super::tls::configurations;
use crate::transport::{self, Joined, Link, Peer, SESSION_WINDOW, STREAM_WINDOW};
use crate::{Error, Identity, SERVER_NAME};

/// How streams are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interface {
    /// Through refcounted chunks, which are neither copied in nor out.
    Chunks,
    /// Through `AsyncRead` and `AsyncWrite`.
    Copies,
}

/// A session's settings.
#[derive(Clone, Copy)]
pub(super) struct Tcpls {
    name: &'static str,
    failover: Failover,
    connections: usize,
    interface: Interface,
}

impl Tcpls {
    /// All that are compared.
    pub(super) fn all() -> [Self; 5] {
        let plain = Self {
            name: "TCPLS",
            failover: Failover::Resend,
            connections: 1,
            interface: Interface::Chunks,
        };
        [
            plain,
            Self {
                name: "TCPLS without failover",
                failover: Failover::Off,
                ..plain
            },
            Self {
                name: "TCPLS with AsyncRead/Write",
                interface: Interface::Copies,
                ..plain
            },
            Self {
                name: "TCPLS on 2 connections",
                connections: 2,
                ..plain
            },
            Self {
                name: "TCPLS on 4 connections",
                connections: 4,
                ..plain
            },
        ]
    }

    fn transport(self, streams: u32) -> Result<Arc<TransportConfig>, Error> {
        let mut session = SessionConfig::new();
        session
            .failover(self.failover)
            // As with the others, which do not tell the peer before there is data.
            .announcement(StreamAnnouncement::WithData)
            .stream_send_buffer(usize::try_from(STREAM_WINDOW)?)
            .session_send_buffer(usize::try_from(SESSION_WINDOW)?)
            .own_streams(streams)
            // Over several connections the end of a stream may be heard of after the next ones.
            .peer_streams(streams.saturating_mul(16));
        if self.failover == Failover::Off {
            // The peer keeps nothing either, so nothing waits for acknowledgments.
            session
                .ack_after_records(u32::MAX)
                .ack_after_bytes(usize::MAX)
                .ack_delay(Duration::from_secs(1));
        }
        let mut transport = TransportConfig::default();
        transport.session(session);
        #[cfg(target_os = "linux")]
        transport.congestion_control(CONGESTION_CONTROL);
        Ok(Arc::new(transport))
    }
}

impl Peer for Tcpls {
    type Link = TcplsLink;

    fn name(&self) -> &'static str {
        self.name
    }

    async fn link(&self, identity: &Identity, streams: u32) -> Result<TcplsLink, Error> {
        let transport = self.transport(streams)?;
        let (client, server) = configurations(identity, b"", provider)?;
        let mut client = ClientConfig::new(&Arc::new(client))?;
        client.transport_config(Arc::clone(&transport));
        let mut server = ServerConfig::new(&Arc::new(server))?;
        server.transport_config(transport);
        let far = Endpoint::server(server, ([127, 0, 0, 1], 0).into())?;
        Ok(TcplsLink {
            near: Endpoint::client(client),
            address: far.local_addr()?,
            far,
            setup: *self,
        })
    }
}

pub(super) struct TcplsLink {
    near: Endpoint,
    far: Endpoint,
    address: SocketAddr,
    setup: Tcpls,
}

impl Link for TcplsLink {
    type Session = TcplsSession;

    async fn establish(&self) -> Result<(TcplsSession, TcplsSession), Error> {
        let accept = async {
            let incoming = self.far.accept().await.ok_or("the endpoint is closed")?;
            Ok::<_, Error>(incoming.await?)
        };
        let (near, far) = tokio::join!(self.near.connect(self.address, SERVER_NAME), accept);
        let session = |session| TcplsSession {
            session,
            interface: self.setup.interface,
        };
        let (near, far) = (session(near?), session(far?));
        for _ in 1..self.setup.connections {
            self.join(&near).await?;
        }
        Ok((near, far))
    }

    async fn join(&self, near: &TcplsSession) -> Result<Joined, Error> {
        near.session.open_path(&PathOptions::new()).await?;
        Ok(Joined::Yes)
    }
}

pub(super) struct TcplsSession {
    session: Session,
    interface: Interface,
}

impl TcplsSession {
    fn halves(&self, (send, receive): (SendStream, RecvStream)) -> (TcplsSender, TcplsReceiver) {
        match self.interface {
            Interface::Chunks => (TcplsSender::Chunks(send), TcplsReceiver::Chunks(receive)),
            Interface::Copies => (
                TcplsSender::Copies(Writing(send)),
                TcplsReceiver::Copies(Reading(receive)),
            ),
        }
    }
}

impl Drop for TcplsSession {
    fn drop(&mut self) {
        self.session.close(0, b"");
    }
}

impl transport::Session for TcplsSession {
    type Sender = TcplsSender;
    type Receiver = TcplsReceiver;

    async fn open(&self) -> Result<(TcplsSender, TcplsReceiver), Error> {
        Ok(self.halves(self.session.open_bi().await?))
    }

    async fn accept(&self) -> Result<(TcplsSender, TcplsReceiver), Error> {
        Ok(self.halves(self.session.accept_bi().await?))
    }
}

pub(super) enum TcplsSender {
    Chunks(SendStream),
    Copies(Writing<SendStream>),
}

impl transport::Sender for TcplsSender {
    async fn send(&mut self, data: Bytes) -> Result<(), Error> {
        match self {
            Self::Chunks(stream) => Ok(stream.write_chunk(data).await?),
            Self::Copies(stream) => stream.send(data).await,
        }
    }

    async fn finish(&mut self) -> Result<(), Error> {
        match self {
            Self::Chunks(stream) => Ok(stream.finish()?),
            // `shutdown` would wait until everything is on its way.
            Self::Copies(stream) => Ok(stream.0.finish()?),
        }
    }
}

pub(super) enum TcplsReceiver {
    Chunks(RecvStream),
    Copies(Reading<RecvStream>),
}

impl transport::Receiver for TcplsReceiver {
    async fn receive(&mut self) -> Result<usize, Error> {
        match self {
            Self::Chunks(stream) => {
                let mut chunks = no_chunks();
                let count = stream.read_chunks(&mut chunks).await?;
                Ok(length(&chunks, count))
            }
            Self::Copies(stream) => stream.receive().await,
        }
    }
}
