//! Which connection carries what is next: policies behind one small trait.

mod earliest_completion;
mod lowest_rtt;
mod path_view;
mod redundant;
mod round_robin;

use std::fmt::Debug;

pub use earliest_completion::EarliestCompletion;
pub use lowest_rtt::LowestRtt;
pub use path_view::PathView;
pub use redundant::Redundant;
pub use round_robin::RoundRobin;

/// Decides whether a connection that has room takes the next data, or leaves it to another one.
///
/// It is asked while several connections are usable and of the same [`PathStatus`](crate::PathStatus):
/// a lone one takes everything. It is asked for each record, or where the connection is fast, for what that
/// sends in half a millisecond. What it leaves is offered again when another connection has room, and
/// when anything changes. Decisions must depend on the arguments only.
pub trait Scheduler: Debug + Send + Sync {
    /// Whether `offer.candidate` takes the next data.
    fn decide(&self, offer: &Offer<'_>) -> Decision;

    /// What a connection without other data sends a second time.
    fn duplicates(&self) -> Duplicates {
        Duplicates::Overdue
    }
}

/// A connection with room, and what there is to send.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The connection that is asked.
    pub candidate: PathView,
    /// All other usable connections.
    pub others: &'a [PathView],
    /// Stream bytes of the session that wait to be sent.
    pub backlog: u64,
    /// Bytes of one stream that may be unsent or unacknowledged: what arrives late holds up the stream
    /// once others have sent as many.
    pub send_buffer: u64,
}

/// What becomes of the next data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The candidate takes it.
    Send,
    /// It waits for another connection.
    Leave,
}

/// Which data that another connection carries already is worth sending again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duplicates {
    /// What would come sooner this way, while there is nothing new to send.
    Overdue,
    /// Everything.
    All,
}
