//! Streams: their bytes, their states, and the table of all streams of a session.

mod assembler;
mod grant;
mod kind;
mod lanes;
mod opening;
mod piece;
mod ready;
mod receiving;
mod recv;
mod send;
mod send_buffer;
mod sending;
mod signal;
mod starved;
mod state;
mod table;
mod view;

pub(crate) use kind::STREAM_UNI_LEN;
use kind::{Introduction, Kind};
pub(crate) use opening::News;
pub(crate) use piece::Stretch;
pub use ready::Sharing;
use recv::RecvHalf;
use send::SendHalf;
pub(crate) use send::{Company, Outgoing};
pub(crate) use signal::Signal;
pub(crate) use table::Streams;
pub use view::{RecvStream, SendStream};

/// One stream with its two halves.
#[derive(Debug, Default)]
struct Stream {
    send: SendHalf,
    recv: RecvHalf,
    activity: Activity,
    kind: Kind,
    introduction: Introduction,
}

/// Whether the stream counts against a limit: those of reading A-34 c, and that on unidirectional streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Activity {
    /// Not finished in both directions and acknowledged.
    #[default]
    Counted,
    /// Finished for the peer; the application may still have to read.
    Finished,
}

impl Stream {
    /// Whether nothing more goes over the wire for this stream.
    fn is_finished(&self) -> bool {
        self.send.state.is_over() && self.recv.state.is_complete()
    }

    /// Whether nothing at all can happen to it any more.
    fn is_over(&self) -> bool {
        self.send.is_over() && self.recv.state.is_ended()
    }
}
