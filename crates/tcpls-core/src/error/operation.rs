//! Why a call of the application did not do what it was asked.

use thiserror::Error;

use super::CloseReason;

/// Why [`Session::open_bi`](crate::Session::open_bi) opened nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// As many streams of this side as allowed are open;
    /// [`Event::StreamsAvailable`](crate::Event::StreamsAvailable) says when to try again.
    #[error("as many streams are open as allowed")]
    Blocked,
    /// Streams whose send half was dropped unfinished fill the limit alone: waiting does not help,
    /// because with a peer that speaks the draft alone they cannot be ended (reading A-34 d).
    #[error("streams that were dropped unfinished fill the limit")]
    StreamLimit,
    /// The peer does not know of unidirectional streams, and a bidirectional one is not the same.
    #[error("the peer does not know of unidirectional streams")]
    UnsupportedByPeer,
    /// All 2^31 identifiers of this side are used.
    #[error("the stream identifiers of this side are used up")]
    IdsUsedUp,
    /// The session is closing.
    #[error("the session is closing")]
    Closing,
    /// The session is over.
    #[error("the session is over: {0}")]
    Lost(CloseReason),
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The send buffer of the stream or the session is full;
    /// [`Event::Writable`](crate::Event::Writable) says when to try again.
    #[error("the send buffer is full")]
    Blocked,
    /// The stream was finished before, or it is the peer's and has one direction.
    #[error("the stream is finished")]
    Finished,
    /// The stream was reset here before.
    #[error("the stream was reset")]
    Reset,
    /// The peer wants no more of this stream, and said so with this code. What it has not got by now
    /// it never gets.
    #[error("the peer stopped the stream with code {0}")]
    Stopped(u32),
    /// The session is closing and takes no more data.
    #[error("the session is closing")]
    Closing,
    /// The session ended before this stream did.
    #[error("the session is over: {0}")]
    Lost(CloseReason),
    /// There is no such stream.
    #[error("no such stream")]
    UnknownStream,
}

/// Why a stream was not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FinishError {
    /// It already was, or it is the peer's and has one direction.
    #[error("the stream is finished")]
    Finished,
    /// The stream was reset here before.
    #[error("the stream was reset")]
    Reset,
    /// The peer wants no more of this stream, and said so with this code.
    #[error("the peer stopped the stream with code {0}")]
    Stopped(u32),
    /// The session is closing and takes no more data.
    #[error("the session is closing")]
    Closing,
    /// The session ended before this stream did.
    #[error("the session is over: {0}")]
    Lost(CloseReason),
    /// There is no such stream.
    #[error("no such stream")]
    UnknownStream,
}

impl From<FinishError> for WriteError {
    fn from(error: FinishError) -> Self {
        match error {
            FinishError::Finished => Self::Finished,
            FinishError::Reset => Self::Reset,
            FinishError::Stopped(code) => Self::Stopped(code),
            FinishError::Closing => Self::Closing,
            FinishError::Lost(reason) => Self::Lost(reason),
            FinishError::UnknownStream => Self::UnknownStream,
        }
    }
}

/// Why nothing was read. The end of a stream is not an error but `Ok(None)` or `Ok(0)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Nothing is there yet; [`Event::Readable`](crate::Event::Readable) says when to try again.
    #[error("nothing to read yet")]
    Blocked,
    /// The peer broke the stream off with this code: what was not read is lost, and nothing more
    /// comes.
    #[error("the peer reset the stream with code {0}")]
    Reset(u32),
    /// The application stopped reading this stream before.
    #[error("reading was stopped")]
    Stopped,
    /// The session ended before the end of this stream arrived. All bytes that came in order have
    /// been read.
    #[error("the session is over: {0}")]
    Lost(CloseReason),
    /// There is no such stream, or it is of this side and has one direction.
    #[error("no such stream")]
    UnknownStream,
}

/// Why a stream was not reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResetError {
    /// The draft has no frame for it, and finishing the stream instead would pass a part off as the
    /// whole (reading A-34 d).
    #[error("the peer has no way to learn of a reset")]
    UnsupportedByPeer,
    /// There is nothing left to break off: the peer has all of it, it was reset before, or the session
    /// is over.
    #[error("the stream is over")]
    Over,
    /// There is no such stream, or it is the peer's and has one direction.
    #[error("no such stream")]
    UnknownStream,
}

/// Why a token was not issued, or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Only servers issue tokens (draft 5.2.5).
    #[error("only a server issues tokens")]
    NotServer,
    /// All Connection IDs were issued, 255 with a peer that speaks the draft alone; none is used twice
    /// (reading A-5).
    #[error("the session has issued all its tokens")]
    UsedUp,
    /// The token was presented before, was burnt or taken back, expired, or was never issued (readings
    ///
    #[error("the token is spent")]
    Spent,
    /// Only clients ask for tokens.
    #[error("only a client asks for tokens")]
    NotClient,
    /// The draft has no frame for it.
    #[error("the peer does not know this")]
    UnsupportedByPeer,
    /// The session is closing or over.
    #[error("the session is closing")]
    Closing,
}

/// Why [`Session::retire`](crate::Session::retire) did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RetireError {
    /// No other connection is established and takes what the session sends.
    #[error("no other connection could carry the session")]
    LastConnection,
    /// There is no such connection, or it is over.
    #[error("the connection is over")]
    Over,
    /// The session is closing or over, which ends the connection anyway.
    #[error("the session is closing")]
    Closing,
}

/// Why an address was not advertised or withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// All 256 identifiers of this side were used; none is used twice (reading A-32).
    #[error("the address identifiers of this side are used up")]
    UsedUp,
    /// No such address is advertised.
    #[error("no such address is advertised")]
    Unknown,
    /// The session is closing or over.
    #[error("the session is closing")]
    Closing,
}
