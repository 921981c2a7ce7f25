//! What a peer can do wrong inside records that authenticate.

use thiserror::Error;

use crate::{
    crypto::{PostHandshakeFault, RecordFault},
    wire::{AlertDescription, DecodeError},
};

/// A violation of the protocol by the authenticated peer; each ends the session (reading A-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PeerMisbehaved {
    /// A record's frames do not parse (reading A-30).
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Records without any frame came in a row (reading A-29).
    #[error("records without content in a row")]
    EmptyRecords,
    /// Too many frames that change nothing (reading A-31).
    #[error("too many frames that change nothing")]
    IdleFrames,
    /// Too many records with nothing but padding, warnings or an unfinished handshake message.
    #[error("too many records with nothing but padding or warnings")]
    IdleRecords,
    /// Too many records with Pings or probes.
    #[error("too many Pings")]
    PingFlood,
    /// Too many streams that were reset or stopped.
    #[error("too many streams were reset")]
    ResetFlood,
    /// Too many session tickets.
    #[error("too many session tickets")]
    TicketFlood,
    /// Too many addresses at a time.
    #[error("too many addresses advertised")]
    AddressFlood,
    /// A Stream frame names a stream of this side that it never opened (reading A-35).
    #[error("a frame names a stream that was never opened here")]
    UnopenedStream,
    /// A Stream frame goes beyond the end that an earlier one set (reading A-3).
    #[error("stream data goes beyond the end of the stream")]
    DataBeyondEnd,
    /// Two frames put the end of a stream at different offsets, or before data that came (reading A-3).
    #[error("the end of a stream moved")]
    EndMoved,
    /// Data goes beyond what the peer was allowed to send on a stream.
    #[error("a stream goes beyond its limit")]
    StreamDataLimit,
    /// Data goes beyond what the peer was allowed to send in the session.
    #[error("the streams go beyond the limit of the session")]
    SessionDataLimit,
    /// The peer opened more streams than it was allowed to.
    #[error("the peer opened more streams than it may")]
    StreamsLimit,
    /// A frame is about the direction that a unidirectional stream does not have.
    #[error("a frame is about a direction that the stream does not have")]
    WrongDirection,
    /// A stream is said to have one direction that is not of its sender, or that was known to have two.
    #[error("a stream is said to have one direction that cannot")]
    NotUnidirectional,
    /// An ACK frame names a connection that the session never had (reading A-10).
    #[error("an ACK names a connection that never was")]
    AckOfUnknownConnection,
    /// An ACK frame covers a record that was not sent yet (reading A-10).
    #[error("an ACK covers a record that was never sent")]
    AckOfUnsentRecord,
    /// A client sent New Token, or took a token back, which is the server's alone (draft 5.2.5).
    #[error("a client sent New Token")]
    TokenFromClient,
    /// A server asked for tokens, which is the client's alone.
    #[error("a server asked for tokens")]
    TokenRequestFromServer,
    /// So many tokens were given up in a row that the peer cannot be told of all of them.
    #[error("too many tokens were given up in a row")]
    TokenChurn,
    /// More unused tokens than a client can ask for.
    #[error("the server gave too many tokens")]
    TooManyTokens,
    /// A token's connection is to start at a key generation that was not reached yet (reading A-26).
    #[error("a token names a key generation that was not reached")]
    TokenGeneration,
    /// A token sequence came again with another value (reading A-6).
    #[error("a token came again with another value")]
    TokenChanged,
    /// A Connection Reset frame names a connection that was never issued (reading A-15).
    #[error("a Connection Reset names a connection that never was")]
    ResetOfUnknownConnection,
    /// A record that authenticates has a content or type that it cannot have.
    #[error(transparent)]
    Record(#[from] RecordFault),
    /// A post-handshake message has no place in TCPLS, or is malformed (reading A-42).
    #[error(transparent)]
    Handshake(#[from] PostHandshakeFault),
    /// A session ticket came on another connection than the first (reading A-43).
    #[error("a session ticket came on a connection that joined")]
    TicketElsewhere,
    /// Too many key updates without anything between them that they would protect (reading A-26).
    #[error("too many key updates without anything between them")]
    KeyUpdateFlood,
}

impl PeerMisbehaved {
    /// The fatal alert that answers this violation.
    pub fn alert(self) -> AlertDescription {
        match self {
            Self::Decode(error) => error.alert(),
            Self::Record(fault) => fault.alert(),
            Self::Handshake(fault) => fault.alert(),
            Self::TokenFromClient
            | Self::TokenRequestFromServer
            | Self::TicketElsewhere
            | Self::EmptyRecords
            | Self::IdleFrames
            | Self::IdleRecords
            | Self::PingFlood
            | Self::ResetFlood
            | Self::TicketFlood
            | Self::TokenChurn
            | Self::AddressFlood
            | Self::KeyUpdateFlood => AlertDescription::UNEXPECTED_MESSAGE,
            Self::UnopenedStream
            | Self::DataBeyondEnd
            | Self::EndMoved
            | Self::StreamDataLimit
            | Self::SessionDataLimit
            | Self::StreamsLimit
            | Self::WrongDirection
            | Self::NotUnidirectional
            | Self::AckOfUnknownConnection
            | Self::AckOfUnsentRecord
            | Self::TokenChanged
            | Self::TooManyTokens
            | Self::TokenGeneration
            | Self::ResetOfUnknownConnection => AlertDescription::ILLEGAL_PARAMETER,
        }
    }
}
