//! Many writers and readers on several threads with little room anywhere: whoever waits for something is
//! woken for it. A wake-up that is lost shows as a stream that stops.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{Identity, SERVER_NAME, pair_over, pattern};
use tcpls_tokio::{
    Endpoint, FollowPaths, PathError, PathOptions, RecvStream, SendStream, Session, SessionConfig,
    TransportConfig,
};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// Far longer than any of this takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// What comes next, differently each time and the same in every run.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: u16) -> u16 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let [.., high, higher] = self.0.to_le_bytes();
        u16::from_le_bytes([high, higher]) % limit
    }

    fn of<T: Copy>(&mut self, options: &[T]) -> T {
        options[usize::from(self.below(u16::try_from(options.len()).unwrap()))]
    }
}

fn transport(send_buffer: usize) -> TransportConfig {
    let mut session = SessionConfig::default();
    session.stream_send_buffer(send_buffer);
    let mut transport = TransportConfig::default();
    transport.session(session).follow_paths(FollowPaths::Off);
    transport
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = timeout(LONG, work).await;
    done.unwrap_or_else(|_| panic!("{what} waits for ever"))
}

/// Writes `data` in pieces of all sizes and flushes after some; breaks off in the middle or waits until
/// the peer has it.
async fn write(mut send: SendStream, data: Vec<u8>, breaks_off: bool, mut choices: Choices) {
    let mut rest = &data[..];
    while !rest.is_empty() {
        let most = choices.of(&[10, 300, 5000, 20_000]);
        let piece = (1 + usize::from(choices.below(most))).min(rest.len());
        in_time("a write", send.write_all(&rest[..piece]))
            .await
            .unwrap();
        rest = &rest[piece..];
        if choices.below(3) == 0 {
            in_time("a flush", send.flush()).await.unwrap();
        }
        if breaks_off && rest.len() < data.len() / 2 {
            return send.reset(7).unwrap();
        }
    }
    in_time("a shutdown", send.shutdown()).await.unwrap();
    assert_eq!(in_time("the end", send.stopped()).await, Ok(None));
}

/// Says again what it hears.
async fn repeat(mut send: SendStream, mut recv: RecvStream) {
    while let Ok(Some(chunk)) = recv.read_chunk(4000).await {
        if send.write_all(&chunk).await.is_err() || send.flush().await.is_err() {
            return;
        }
    }
    if recv.read_chunk(1).await == Ok(None) {
        let _closed = send.finish();
        let _ended = send.stopped().await;
    }
}

/// Has `streams` streams carry something there and back, and closes the session.
async fn exchange(near: Session, far: Session, streams: u64, choices: &mut Choices) {
    let peer = far.clone();
    tokio::spawn(async move {
        while let Ok((send, recv)) = peer.accept_bi().await {
            tokio::spawn(repeat(send, recv));
        }
    });
    let mut tasks = Vec::new();
    for number in 0..streams {
        let breaks_off = choices.below(8) == 0;
        let data = pattern(number, 20_000 + usize::from(choices.below(60_000)));
        let (send, mut recv) = in_time("a new stream", near.open_bi()).await.unwrap();
        let own = Choices(choices.0 ^ number);
        tasks.push(tokio::spawn(write(send, data.clone(), breaks_off, own)));
        tasks.push(tokio::spawn(async move {
            let got = in_time("an answer", recv.read_to_end(1 << 20)).await;
            assert!(if breaks_off {
                got.is_err()
            } else {
                got.unwrap() == data
            });
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    drop(near);
    in_time("the end of the session", far.closed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_ever_in_memory() {
    let mut choices = Choices(0x5EED);
    for room in [64, 150, 1000, 20_000, 1 << 16] {
        let (near, far) = tokio::io::duplex(room);
        let transport = transport(choices.of(&[1000, 17_000, 1 << 20]));
        let (near, far) = pair_over(near, far, transport).await;
        exchange(near, far, 4, &mut choices).await;
    }
}

/// Paths come and go meanwhile, in order and at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_ever_over_tcp() {
    let mut choices = Choices(0xFEED);
    for others in [0, 1, 2] {
        let identity = Identity::generate();
        let transport = Arc::new(transport(choices.of(&[1000, 17_000, 1 << 20])));
        let (mut client, mut server) = (identity.client_config(), identity.server_config());
        client.transport_config(Arc::clone(&transport));
        server.transport_config(transport);
        let server = Endpoint::server(server, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let client = Endpoint::client(client);
        let address = server.local_addr().unwrap();
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (near, far) = tokio::join!(client.connect(address, SERVER_NAME), accept);
        let near = near.unwrap();
        let mut options = PathOptions::new();
        options.remote(address);
        for _ in 0..others {
            near.open_path(&options).await.unwrap();
        }
        let turns = near.clone();
        let turning = tokio::spawn(async move {
            for turn in 0..others * 2 {
                let path = match in_time("a path", turns.open_path(&options)).await {
                    Ok(path) => path,
                    // The machine has no time for it.
                    Err(PathError::TimedOut(_)) => continue,
                    Err(error) => panic!("{error}"),
                };
                if turn % 2 == 0 {
                    path.abort();
                } else {
                    path.close();
                }
            }
        });
        exchange(near, far, 4, &mut choices).await;
        turning.await.unwrap();
    }
}
