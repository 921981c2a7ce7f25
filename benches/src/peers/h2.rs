//! HTTP/2 over TLS with the crate h2: a stream is a request and its answer.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::sync::{Mutex, mpsc};

use super::tls::TlsLink;
use crate::transport::{self, Link, Peer, SESSION_WINDOW, STREAM_WINDOW};
use crate::{Error, Identity};

/// The largest frame: as long as a write, so that none is cut.
const FRAME: u32 = 64 * 1024;

pub(super) struct H2;

impl Peer for H2 {
    type Link = H2Link;

    fn name(&self) -> &'static str {
        "h2 over TLS"
    }

    async fn link(&self, identity: &Identity, streams: u32) -> Result<H2Link, Error> {
        Ok(H2Link {
            tls: TlsLink::new(identity, b"h2").await?,
            streams,
        })
    }
}

pub(super) struct H2Link {
    tls: TlsLink,
    streams: u32,
}

impl Link for H2Link {
    type Session = H2Session;

    async fn establish(&self) -> Result<(H2Session, H2Session), Error> {
        let (near, far) = self.tls.pair().await?;
        let mut client = h2::client::Builder::new();
        client
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(SESSION_WINDOW)
            .max_frame_size(FRAME)
            .max_concurrent_streams(self.streams)
            .initial_max_send_streams(usize::try_from(self.streams)?);
        let mut server = h2::server::Builder::new();
        server
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(SESSION_WINDOW)
            .max_frame_size(FRAME)
            .max_concurrent_streams(self.streams);
        let (near, far) = tokio::join!(client.handshake(near), server.handshake(far));
        let ((requests, connection), mut serving) = (near?, far?);
        tokio::spawn(connection);
        let (accepting, accepted) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok((request, mut answer))) = serving.accept().await {
                // Headers go out at once, as with a server that begins to answer.
                let Ok(send) = answer.send_response(Response::new(()), false) else {
                    break;
                };
                let receive = H2Receiver::Body(request.into_body());
                let _sent = accepting.send((H2Sender(send), receive));
            }
        });
        Ok((
            H2Session::Client(requests),
            H2Session::Server(Mutex::new(accepted)),
        ))
    }
}

type Halves = (H2Sender, H2Receiver);

/// Only clients open streams in HTTP.
pub(super) enum H2Session {
    Client(SendRequest<Bytes>),
    Server(Mutex<mpsc::UnboundedReceiver<Halves>>),
}

impl transport::Session for H2Session {
    type Sender = H2Sender;
    type Receiver = H2Receiver;

    async fn open(&self) -> Result<Halves, Error> {
        let Self::Client(requests) = self else {
            return Err("a server opens no streams".into());
        };
        let mut requests = requests.clone().ready().await?;
        let request = Request::builder()
            .method("POST")
            .uri("https://localhost/")
            .body(())?;
        let (answer, send) = requests.send_request(request, false)?;
        Ok((H2Sender(send), H2Receiver::Waiting(answer)))
    }

    async fn accept(&self) -> Result<Halves, Error> {
        let Self::Server(accepted) = self else {
            return Err("a client accepts no streams".into());
        };
        let halves = accepted.lock().await.recv().await;
        halves.ok_or_else(|| "the connection is over".into())
    }
}

pub(super) struct H2Sender(SendStream<Bytes>);

impl transport::Sender for H2Sender {
    async fn send(&mut self, mut data: Bytes) -> Result<(), Error> {
        while !data.is_empty() {
            self.0.reserve_capacity(data.len());
            let room = poll_fn(|cx| self.0.poll_capacity(cx)).await;
            let room = room.ok_or("the stream is over")??;
            let piece = data.split_to(room.min(data.len()));
            self.0.send_data(piece, false)?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        Ok(self.0.send_data(Bytes::new(), true)?)
    }
}

pub(super) enum H2Receiver {
    Waiting(ResponseFuture),
    Body(RecvStream),
}

impl transport::Receiver for H2Receiver {
    async fn receive(&mut self) -> Result<usize, Error> {
        if let Self::Waiting(answer) = self {
            let body = answer.await?.into_body();
            *self = Self::Body(body);
        }
        let Self::Body(body) = self else {
            return Ok(0);
        };
        loop {
            let Some(data) = body.data().await else {
                return Ok(0);
            };
            let length = data?.len();
            body.flow_control().release_capacity(length)?;
            // The frame that ends a stream may be empty.
            if length > 0 {
                return Ok(length);
            }
        }
    }
}
