//! s2n-quic, with rustls for its handshake.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use s2n_quic::client::Connect;
use s2n_quic::connection::{Handle, StreamAcceptor};
use s2n_quic::provider::{io, limits::Limits, tls};
use s2n_quic::stream::{BidirectionalStream, ReceiveStream, SendStream};
use s2n_quic::{Client, Connection, Server};
use tokio::sync::Mutex;

use super::tls::configurations;
use super::udp;
use crate::transport::{self, Link, Peer, SESSION_WINDOW, STREAM_WINDOW};
use crate::{Error, Identity, SERVER_NAME};

pub(super) struct S2nQuic;

impl Peer for S2nQuic {
    type Link = S2nLink;

    fn name(&self) -> &'static str {
        "s2n-quic"
    }

    async fn link(&self, identity: &Identity, streams: u32) -> Result<S2nLink, Error> {
        let (client, server) = configurations(identity, b"bench", Clone::clone)?;
        let sockets = || {
            io::tokio::Builder::default()
                .with_receive_address(SocketAddr::from(([127, 0, 0, 1], 0)))?
                .with_recv_buffer_size(udp::BUFFER)?
                .with_send_buffer_size(udp::BUFFER)?
                .build()
        };
        let far = Server::builder()
            .with_tls(tls::rustls::Server::from(Arc::new(server)))?
            .with_io(sockets()?)?
            .with_limits(limits(streams)?)?
            .start()?;
        let near = Client::builder()
            .with_tls(tls::rustls::Client::from(Arc::new(client)))?
            .with_io(sockets()?)?
            .with_limits(limits(streams)?)?
            .start()?;
        let address = far.local_addr()?;
        Ok(S2nLink {
            near,
            far: Mutex::new(far),
            address,
        })
    }
}

fn limits(streams: u32) -> Result<Limits, Error> {
    Ok(Limits::new()
        .with_data_window(u64::from(SESSION_WINDOW))?
        .with_bidirectional_local_data_window(u64::from(STREAM_WINDOW))?
        .with_bidirectional_remote_data_window(u64::from(STREAM_WINDOW))?
        .with_max_send_buffer_size(STREAM_WINDOW)?
        .with_max_open_local_bidirectional_streams(u64::from(streams))?
        .with_max_open_remote_bidirectional_streams(u64::from(streams))?)
}

pub(super) struct S2nLink {
    near: Client,
    far: Mutex<Server>,
    address: SocketAddr,
}

impl Link for S2nLink {
    type Session = S2nSession;

    async fn establish(&self) -> Result<(S2nSession, S2nSession), Error> {
        let connect = Connect::new(self.address).with_server_name(SERVER_NAME);
        let accept = async { self.far.lock().await.accept().await };
        let (near, far) = tokio::join!(self.near.connect(connect), accept);
        Ok((
            S2nSession::new(near?),
            S2nSession::new(far.ok_or("the endpoint is closed")?),
        ))
    }
}

pub(super) struct S2nSession {
    handle: Handle,
    acceptor: Mutex<StreamAcceptor>,
}

impl S2nSession {
    fn new(connection: Connection) -> Self {
        let (handle, acceptor) = connection.split();
        Self {
            handle,
            acceptor: Mutex::new(acceptor),
        }
    }
}

impl Drop for S2nSession {
    fn drop(&mut self) {
        self.handle.close(0_u8.into());
    }
}

fn halves(stream: BidirectionalStream) -> (S2nSender, S2nReceiver) {
    let (receive, send) = stream.split();
    (S2nSender(send), S2nReceiver(receive))
}

impl transport::Session for S2nSession {
    type Sender = S2nSender;
    type Receiver = S2nReceiver;

    async fn open(&self) -> Result<(S2nSender, S2nReceiver), Error> {
        let mut handle = self.handle.clone();
        Ok(halves(handle.open_bidirectional_stream().await?))
    }

    async fn accept(&self) -> Result<(S2nSender, S2nReceiver), Error> {
        let mut acceptor = self.acceptor.lock().await;
        let stream = acceptor.accept_bidirectional_stream().await?;
        Ok(halves(stream.ok_or("the connection is over")?))
    }
}

pub(super) struct S2nSender(SendStream);

impl transport::Sender for S2nSender {
    async fn send(&mut self, data: Bytes) -> Result<(), Error> {
        Ok(self.0.send(data).await?)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(self.0.finish()?)
    }
}

pub(super) struct S2nReceiver(ReceiveStream);

impl transport::Receiver for S2nReceiver {
    async fn receive(&mut self) -> Result<usize, Error> {
        Ok(self.0.receive().await?.map_or(0, |chunk| chunk.len()))
    }
}
