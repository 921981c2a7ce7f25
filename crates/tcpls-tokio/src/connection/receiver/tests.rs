#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on shall say where"
)]

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use bytes::{Bytes, BytesMut};
use tcpls_core::crypto::{
    Backend, ContentType, DirectionKeys, Plaintext, RecordSealer, Suite, WriteBuffer,
};
use tcpls_core::wire::frame::StreamFrame;
use tcpls_core::wire::{ConnectionId, Fin, Frame, RecordSequence, Role, StreamId};
use tcpls_core::{ConnectionFailure, ConnectionStart, ReadError, Session as Core, SessionConfig};
use tokio::io::{AsyncRead, ReadBuf};

use super::super::reader::Reader;
use super::super::task_mutex::Visit;
use super::*;
use crate::connection::Target;
use crate::io::Receive;

/// What arrives, a piece at a time.
#[derive(Clone, Default)]
struct Pieces(Arc<Mutex<VecDeque<Vec<u8>>>>);

impl AsyncRead for Pieces {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl Receive for Pieces {
    fn read_now(&mut self, _space: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let piece = self.0.lock().unwrap().pop_front();
        let piece = piece.ok_or(io::ErrorKind::WouldBlock)?;
        buffer.extend_from_slice(&piece);
        Ok(piece.len())
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server's connection, and the peer that seals what arrives on it.
struct Scene {
    shared: Shared,
    connection: ConnectionHandle,
    receiver: Arc<Receiver>,
    pieces: Pieces,
    sealer: RecordSealer,
    sent: u64,
}

impl Scene {
    /// One on which "a" arrived on a stream and was read.
    fn new() -> Self {
        let keys =
            DirectionKeys::from_traffic_secret(Suite::Aes128Gcm, Backend::default(), &[7; 32]);
        let keys = Arc::new(keys.unwrap());
        let first = RecordSequence::ZERO;
        let id = ConnectionId::FIRST;
        let sealer = RecordSealer::new(Arc::clone(&keys), id, first).unwrap();
        let opener = RecordOpener::new(keys, id, first).unwrap();
        let core = Core::new(Role::Server, SessionConfig::new(), crate::clock::now());
        let shared = Shared::new(core);
        let connection =
            shared.update(|state, now| state.core.add_connection(ConnectionStart::joined(id), now));
        let pieces = Pieces::default();
        let fate = Arc::new(Fate::default());
        let io = Box::new(pieces.clone());
        let mut scene = Self {
            shared,
            connection,
            receiver: Arc::new(Receiver::new(connection, io, opener, &[], fate)),
            pieces,
            sealer,
            sent: 0,
        };
        scene.lock().buffer.make_room();
        scene.arrives(b"a");
        assert_eq!(
            scene.read(&mut []).unwrap().1,
            Ok(Some(Bytes::from_static(b"a")))
        );
        scene
    }

    /// A task that the receiver belongs to.
    fn owner(&self) -> (Arc<Woken>, Waker) {
        let task = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&task));
        let owner = Context::from_waker(&waker);
        self.receiver.half.set_owner(&owner);
        (task, waker)
    }

    fn lock(&self) -> Visit<'_, ReadHalf> {
        self.receiver.half.visit().unwrap()
    }

    /// The next bytes of the stream arrive in a record of their own.
    fn arrives(&mut self, data: &[u8]) {
        let mut record = Vec::new();
        let frame = Frame::Stream(StreamFrame {
            stream: stream(),
            offset: self.sent,
            fin: Fin::More,
            data,
        });
        frame.encode(&mut record).unwrap();
        self.sent += u64::try_from(data.len()).unwrap();
        let mut sealed = WriteBuffer::default();
        let plaintext = Plaintext::new(ContentType::ApplicationData, &record);
        self.sealer.seal(&plaintext, &mut sealed).unwrap();
        let mut pieces = self.pieces.0.lock().unwrap();
        pieces.push_back(sealed.pending().to_vec());
    }

    /// The call of somebody who waits for the stream: how much landed in `space`, and the next chunk.
    fn read(&self, space: &mut [u8]) -> Option<(usize, Result<Option<Bytes>, ReadError>)> {
        self.read_as(&Arc::new(Woken::default()), space)
    }

    fn read_as(
        &self,
        who: &Arc<Woken>,
        space: &mut [u8],
    ) -> Option<(usize, Result<Option<Bytes>, ReadError>)> {
        let waker = Waker::from(Arc::clone(who));
        let landing = self.shared.inspect(|state| state.core.landing(stream()));
        let target = landing.map(|landing| Target::new(landing, space));
        let cx = Context::from_waker(&waker);
        self.receiver
            .read_now(&self.shared, &cx, target, |state, landed| {
                (landed, state.core.recv(stream()).read_chunk(usize::MAX))
            })
    }
}

fn stream() -> StreamId {
    StreamId::nth(Role::Client, 0).unwrap()
}

/// the data of the stream that goes on is decrypted where it is wanted as far as there is room, and the
/// rest is read afterwards.
#[test]
fn data_lands_where_there_is_room_for_its_record() {
    let mut scene = Scene::new();
    let mut space = [0; 100];
    scene.arrives(&[1; 30]);
    assert_eq!(scene.read(&mut space), Some((30, Err(ReadError::Blocked))));
    assert_eq!(space[..30], [1; 30]);
    scene.arrives(&[2; 95]);
    let chunk = Bytes::copy_from_slice(&[2; 95]);
    assert_eq!(scene.read(&mut space), Some((0, Ok(Some(chunk)))));
    scene.arrives(&[3; 30]);
    assert_eq!(scene.read(&mut space), Some((30, Err(ReadError::Blocked))));
    assert_eq!(space[..30], [3; 30]);
}

/// Nothing that is not authentic counts as read, and the connection's task hears of it.
#[test]
fn a_forged_record_does_not_land() {
    let mut scene = Scene::new();
    let (task, _waker) = scene.owner();
    scene.arrives(&[1; 30]);
    scene.pieces.0.lock().unwrap()[0][10] ^= 1;
    assert_eq!(scene.read(&mut [0; 100]), None);
    assert_eq!(task.0.load(Ordering::SeqCst), 1);
    let end = scene.lock().end.take();
    assert!(matches!(end, Some(ReadEnd::NotOpened(_))), "{end:?}");
    let read = scene
        .shared
        .update(|state, _| state.core.recv(stream()).read_chunk(9));
    assert_eq!(read, Err(ReadError::Blocked));
}

/// Who finds nothing is told by the connection's task when there is more; so is who read for long while others
/// may be waiting for their turn.
#[test]
fn who_finds_nothing_or_read_for_long_is_told_when_there_is_more() {
    let mut scene = Scene::new();
    let who = Arc::new(Woken::default());
    let is_told = |scene: &Scene| {
        let mut half = scene.lock();
        half.in_a_row = 0;
        half.next.take().is_some_and(|next| {
            next.wake();
            true
        })
    };
    assert_eq!(scene.read_as(&who, &mut []), None);
    assert!(is_told(&scene));
    assert_eq!(who.0.load(Ordering::SeqCst), 1);
    let mut reads = 0;
    loop {
        scene.arrives(&[0; 50]);
        match scene.read_as(&who, &mut [0; 100]) {
            Some((landed, _)) => assert_eq!(landed, 50),
            None => break,
        }
        reads += 1;
    }
    assert_eq!(reads, AT_A_STRETCH);
    assert!(is_told(&scene));
    assert_eq!(scene.read_as(&who, &mut [0; 100]).unwrap().0, 50);
    assert!(!is_told(&scene));
}

/// What somebody else than its task found wrong is how receiving ended, also when nothing can be written any
/// more and only what has arrived is read.
#[test]
fn who_reads_the_rest_is_told_of_the_end_that_another_saw() {
    let mut scene = Scene::new();
    scene.arrives(&[1; 30]);
    scene.pieces.0.lock().unwrap()[0][10] ^= 1;
    assert_eq!(scene.read(&mut []), None);
    scene.receiver.fate.write_failed();
    let rest = scene.lock().fill_rest();
    assert!(matches!(rest, Err(ReadEnd::NotOpened(_))));
}

/// The task of a connection that comes while somebody reads it is woken after that, also when that one has
/// done as much as a task may in one turn and reads nothing.
#[tokio::test]
async fn a_task_that_came_amid_the_last_of_a_turn_is_woken() {
    let mut scene = Scene::new();
    let (task, waker) = scene.owner();
    let owner = Context::from_waker(&waker);
    scene.arrives(&[1; 30]);
    let mut turn = std::pin::pin!(async {
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
    });
    std::future::poll_fn(|cx| {
        let _exhausted = turn.as_mut().poll(cx);
        // As if it came just now, while the half is held.
        scene.receiver.half.miss(&owner);
        assert_eq!(scene.read(&mut []), None);
        Poll::Ready(())
    })
    .await;
    assert_eq!(task.0.load(Ordering::SeqCst), 1);
    tokio::task::yield_now().await;
    assert!(scene.read(&mut []).is_some(), "it is still there");
}

/// Records may be lost that somebody had read who panicked: the connection counts as failed, and its peer sends
/// them again on another one.
#[tokio::test]
async fn a_connection_ends_whose_reader_panicked() {
    let mut scene = Scene::new();
    let (task, waker) = scene.owner();
    let owner = Context::from_waker(&waker);
    scene.arrives(&[1; 30]);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let look = |_: &mut State, _| panic!("half way");
        scene.receiver.read_now(&scene.shared, &owner, None, look)
    }));
    assert!(panicked.is_err());
    assert_eq!(task.0.load(Ordering::SeqCst), 1);
    assert_eq!(scene.read(&mut []), None);
    let mut reader = Reader::new(scene.connection, Arc::clone(&scene.receiver));
    let end = reader.read_all(&scene.shared).await;
    let abandoned = ConnectionFailure::Abandoned;
    assert!(
        matches!(end, Some(ReadEnd::Failed(failure)) if failure == abandoned),
        "{end:?}"
    );
}

/// A connection at rest has no buffer, and gets none from who comes to see whether there is something.
#[test]
fn who_waits_at_a_connection_at_rest_leaves_no_buffer_behind() {
    let mut scene = Scene::new();
    assert!(scene.lock().buffer.give_up());
    assert_eq!(scene.read(&mut [0; 100]), None);
    assert!(!scene.lock().buffer.is_there());
    // Nor does it stand in the way of the task, which reads what comes next.
    assert!(scene.lock().next.is_none());
    scene.arrives(&[1; 30]);
    assert_eq!(scene.read(&mut [0; 100]), None);
    scene.lock().buffer.make_room();
    assert_eq!(scene.read(&mut [0; 100]).unwrap().0, 30);
}

/// A peer that sends many small records at a time has a connection at rest keep nothing for them.
#[test]
fn what_many_small_records_took_is_given_back_at_rest() {
    let mut scene = Scene::new();
    for space in [&mut [0; 2000][..], &mut []] {
        for _ in 0..1000 {
            scene.arrives(&[1]);
        }
        let all: Vec<u8> = scene.pieces.0.lock().unwrap().drain(..).flatten().collect();
        scene.pieces.0.lock().unwrap().push_back(all);
        let (landed, next) = scene.read(space).unwrap();
        let read = next.map_or(0, |next| next.unwrap_or_default().len());
        assert_eq!(landed + read, 1000);
        let lists = |half: &ReadHalf| half.opened.capacity() + half.landed.capacity();
        assert!(lists(&scene.lock()) >= 1000);
        scene.lock().give_up();
        assert_eq!(lists(&scene.lock()), 0);
        scene.lock().buffer.make_room();
    }
}
