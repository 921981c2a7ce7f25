//! yamux over TLS.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_rustls::TlsStream;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};
use yamux::{Config, Connection, Mode, Stream};

use super::byte_stream::{Reading, Writing};
use super::tls::TlsLink;
use crate::transport::{self, Link, Peer};
use crate::{Error, Identity};

pub(super) struct Yamux;

impl Peer for Yamux {
    type Link = YamuxLink;

    fn name(&self) -> &'static str {
        "yamux over TLS"
    }

    async fn link(&self, identity: &Identity, streams: u32) -> Result<YamuxLink, Error> {
        Ok(YamuxLink {
            tls: TlsLink::new(identity, b"").await?,
            streams: usize::try_from(streams)?,
        })
    }
}

pub(super) struct YamuxLink {
    tls: TlsLink,
    streams: usize,
}

impl Link for YamuxLink {
    type Session = YamuxSession;

    async fn establish(&self) -> Result<(YamuxSession, YamuxSession), Error> {
        let (near, far) = self.tls.pair().await?;
        Ok((
            YamuxSession::spawn(near, Mode::Client, self.streams),
            YamuxSession::spawn(far, Mode::Server, self.streams),
        ))
    }
}

type Socket = Compat<TlsStream<TcpStream>>;

/// The handle of a connection that a task of its own drives.
pub(super) struct YamuxSession {
    opening: mpsc::UnboundedSender<oneshot::Sender<Stream>>,
    accepted: Mutex<mpsc::UnboundedReceiver<Stream>>,
}

impl YamuxSession {
    fn spawn(tls: TlsStream<TcpStream>, mode: Mode, streams: usize) -> Self {
        let mut config = Config::default();
        // Windows grow by themselves; the limit has to leave each stream its first window.
        config
            .set_max_connection_receive_window(None)
            .set_max_num_streams(streams)
            .set_split_send_size(transport::WRITE);
        let connection = Connection::new(tls.compat(), config, mode);
        let (opening, openings) = mpsc::unbounded_channel();
        let (accepting, accepted) = mpsc::unbounded_channel();
        let mut driver = Driver {
            connection,
            openings,
            wanted: None,
            accepting,
        };
        tokio::spawn(async move { poll_fn(|cx| driver.poll(cx)).await });
        Self {
            opening,
            accepted: Mutex::new(accepted),
        }
    }
}

struct Driver {
    connection: Connection<Socket>,
    openings: mpsc::UnboundedReceiver<oneshot::Sender<Stream>>,
    wanted: Option<oneshot::Sender<Stream>>,
    accepting: mpsc::UnboundedSender<Stream>,
}

impl Driver {
    /// Drives the connection until its end, or until nobody has its handle any more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.wanted.is_none() {
                match self.openings.poll_recv(cx) {
                    Poll::Ready(Some(wanted)) => self.wanted = Some(wanted),
                    Poll::Ready(None) => return self.connection.poll_close(cx).map(|_| ()),
                    Poll::Pending => {}
                }
            }
            if let Some(wanted) = self.wanted.take() {
                match self.connection.poll_new_outbound(cx) {
                    Poll::Ready(Ok(stream)) => {
                        // Whoever asked may have gone.
                        let _sent = wanted.send(stream);
                        continue;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => self.wanted = Some(wanted),
                }
            }
            match self.connection.poll_next_inbound(cx) {
                Poll::Ready(Some(Ok(stream))) => {
                    let _sent = self.accepting.send(stream);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

type Halves = (
    Writing<WriteHalf<Compat<Stream>>>,
    Reading<ReadHalf<Compat<Stream>>>,
);

fn halves(stream: Stream) -> Halves {
    let (receive, send) = tokio::io::split(stream.compat());
    (Writing(send), Reading(receive))
}

impl transport::Session for YamuxSession {
    type Sender = Writing<WriteHalf<Compat<Stream>>>;
    type Receiver = Reading<ReadHalf<Compat<Stream>>>;

    async fn open(&self) -> Result<Halves, Error> {
        let (asking, answer) = oneshot::channel();
        self.opening.send(asking)?;
        Ok(halves(answer.await?))
    }

    async fn accept(&self) -> Result<Halves, Error> {
        let stream = self.accepted.lock().await.recv().await;
        Ok(halves(stream.ok_or("the connection is over")?))
    }
}
