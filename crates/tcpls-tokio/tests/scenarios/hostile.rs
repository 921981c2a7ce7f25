//! A client that has the keys and sends what it likes: its session ends, and nobody else's notices.

use std::sync::Arc;

use bytes::BytesMut;
use tcpls_core::crypto::{
    ClientHandshake, Offer, Options, Plaintext, RecordSealer, TlsClient, WriteBuffer,
};
use tcpls_core::wire::{ConnectionId, Fin, Frame, PaddingRun, Role, StreamFrame, StreamId};
use tcpls_core::{CloseReason, ContentType, Limit, PeerMisbehaved};
use tcpls_tokio::{Acceptor, Connector, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::common::{Identity, pattern, server_name};

/// The content of each record of a flood.
type Flood = Box<dyn FnMut(u64) -> (ContentType, Vec<u8>)>;

/// The client's end of a session without a session.
struct Hostile {
    io: DuplexStream,
    sealer: RecordSealer,
}

impl Hostile {
    /// The hostile client and the server's session with it.
    async fn connect(identity: &Identity, acceptor: &Acceptor) -> (Self, Session) {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (hostile, session) =
            tokio::join!(Self::handshake(identity, near), acceptor.accept(far));
        (hostile, session.unwrap())
    }

    async fn handshake(identity: &Identity, mut io: DuplexStream) -> Self {
        let tls = TlsClient::new(&identity.rustls_client()).unwrap();
        let offer = Offer::Tcpls { params: None };
        let mut handshake =
            ClientHandshake::new(&tls, server_name(), offer, Options::default()).unwrap();
        let mut input = BytesMut::new();
        loop {
            handshake.read(&mut input).unwrap();
            let mut output = Vec::new();
            handshake.write(&mut output);
            io.write_all(&output).await.unwrap();
            if handshake.is_complete() {
                break;
            }
            assert!(io.read_buf(&mut input).await.unwrap() > 0);
        }
        let done = handshake.finish().unwrap();
        let keys = Arc::clone(&done.keys.send);
        let sealer = RecordSealer::new(keys, ConnectionId::FIRST, done.first_sent).unwrap();
        Self { io, sealer }
    }

    /// Sends record after record until the server hangs up.
    async fn flood(self, mut content: impl FnMut(u64) -> (ContentType, Vec<u8>)) {
        let (mut read, mut write) = tokio::io::split(self.io);
        let mut sealer = self.sealer;
        let send = async move {
            let mut batch = WriteBuffer::default();
            for count in 0.. {
                let (content_type, content) = content(count);
                let sealed = sealer.seal(&Plaintext::new(content_type, &content), &mut batch);
                // So many key updates that there are no more keys.
                if sealed.is_err() {
                    return;
                }
                if write.write_all(batch.pending()).await.is_err() {
                    return;
                }
                batch.clear();
            }
        };
        let mut answers = Vec::new();
        let (_end, ()) = tokio::join!(read.read_to_end(&mut answers), send);
    }
}

fn encoded(frames: &[Frame<'_>]) -> (ContentType, Vec<u8>) {
    let mut record = Vec::new();
    for frame in frames {
        frame.encode(&mut record).unwrap();
    }
    (ContentType::ApplicationData, record)
}

fn data(stream: u32, offset: u64, data: &[u8]) -> Frame<'_> {
    Frame::Stream(StreamFrame {
        stream: StreamId::nth(Role::Client, stream).unwrap(),
        offset,
        fin: Fin::More,
        data,
    })
}

/// floods of every kind end the session that they come on with the name of the limit, and
/// another session of the same server goes on all the while.
#[tokio::test]
async fn a_flood_ends_its_own_session_only() {
    let identity = Identity::generate();
    let acceptor = Acceptor::new(identity.server_config());
    let connector = Connector::new(identity.client_config());
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connect = connector.connect(server_name(), near);
    let (client, server) = tokio::join!(connect, acceptor.accept(far));
    let (client, server) = (client.unwrap(), server.unwrap());

    let misbehaved = CloseReason::PeerMisbehaved;
    let ahead = vec![7; 16_000];
    let floods: [(CloseReason, Flood); 7] = [
        (
            misbehaved(PeerMisbehaved::PingFlood),
            Box::new(|_| encoded(&[Frame::Ping])),
        ),
        (
            misbehaved(PeerMisbehaved::IdleFrames),
            Box::new(|_| encoded(&vec![Frame::Ping; 16_384])),
        ),
        (
            misbehaved(PeerMisbehaved::IdleRecords),
            Box::new(|_| encoded(&[Frame::Padding(PaddingRun { length: 100 })])),
        ),
        (
            misbehaved(PeerMisbehaved::EmptyRecords),
            Box::new(|_| encoded(&[])),
        ),
        (
            misbehaved(PeerMisbehaved::KeyUpdateFlood),
            Box::new(|_| (ContentType::Handshake, vec![24, 0, 0, 1, 1])),
        ),
        (
            Limit::PeerStreams.into(),
            Box::new(|count| encoded(&[data(u32::try_from(count).unwrap(), 0, b"")])),
        ),
        (
            Limit::OutOfOrderBytes.into(),
            Box::new(move |count| encoded(&[data(0, 1 + count * 16_000, &ahead)])),
        ),
    ];
    for (reason, flood) in floods {
        let (hostile, session) = Hostile::connect(&identity, &acceptor).await;
        let ((), closed) = tokio::join!(hostile.flood(flood), session.closed());
        assert_eq!(closed, reason);

        let (mut send, _recv) = client.open_bi().await.unwrap();
        let bytes = pattern(7, 100_000);
        send.write_all(&bytes).await.unwrap();
        send.finish().unwrap();
        let (_send, mut recv) = server.accept_bi().await.unwrap();
        assert!(recv.read_to_end(1 << 20).await.unwrap() == bytes);
    }
    assert_eq!(client.close_reason(), None);
    assert_eq!(server.stats().budgets.pings, 0);
}
