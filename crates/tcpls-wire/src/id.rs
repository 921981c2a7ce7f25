//! The numbers of the protocol as types: who allocates them, how wide they are, what they order.

use core::num::NonZeroU8;

/// Which side of the session an endpoint is: the client opens connections, the server issues tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opens the TCP connections (draft 4.2) and the streams with even identifiers.
    Client,
    /// Issues the tokens (draft 4.2.1) and opens the streams with odd identifiers.
    Server,
}

impl Role {
    /// The other side.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Identifier of a stream, 32 bits (draft 4.1): even ones belong to the client, odd ones to the
/// server, each side counting up from its lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

impl StreamId {
    /// The identifier with this value on the wire.
    pub const fn from_wire(value: u32) -> Self {
        Self(value)
    }

    /// The stream that `initiator` opens as its `index`-th, counting from 0; `None` past 2^31-1.
    pub fn nth(initiator: Role, index: u32) -> Option<Self> {
        let parity = match initiator {
            Role::Client => 0,
            Role::Server => 1,
        };
        Some(Self(index.checked_mul(2)? | parity))
    }

    /// The value on the wire.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The side that opens this stream, told by the parity.
    pub fn initiator(self) -> Role {
        if self.0.is_multiple_of(2) {
            Role::Client
        } else {
            Role::Server
        }
    }

    /// How many streams the same initiator opens before this one, 0 to 2^31-1.
    pub fn index(self) -> u32 {
        self.0 / 2
    }
}

/// Identifier of a TCP connection in its session, 32 bits (draft 4.2.1): 0 for the connection that
/// carried the handshake, the token's sequence for each one that joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u32);

impl ConnectionId {
    /// The connection that carried the TLS handshake.
    pub const FIRST: Self = Self(0);

    /// The identifier with this value on the wire.
    pub const fn from_wire(value: u32) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

/// Number of a protected record on one connection and direction, 64 bits, counted from 0 over all
/// records under application traffic keys (draft 4.3, reading A-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordSequence(u64);

impl RecordSequence {
    /// The first record.
    pub const ZERO: Self = Self(0);

    /// The number with this value on the wire.
    pub const fn from_wire(value: u64) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The number of the record that follows; `None` after 2^64-1.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }
}

/// Sequence of a token in its session, 1 to 255 (draft 5.2.5, reading A-6).
///
/// 0 is no token's: the connection that carried the handshake has that Connection ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenSequence(NonZeroU8);

impl TokenSequence {
    /// The token that a server gives in its `EncryptedExtensions` (draft 5.1.3).
    pub const EARLY: Self = Self(NonZeroU8::MIN);

    /// The last sequence that a session can issue (reading A-5).
    pub const LAST: Self = Self(NonZeroU8::MAX);

    /// The sequence with this value on the wire; `None` for the reserved 0.
    pub const fn from_wire(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The sequence of the token that this connection joins with; `None` for the connection that carried
    /// the handshake, and for those beyond the draft's 255.
    pub fn of(connection: ConnectionId) -> Option<Self> {
        u8::try_from(connection.0).ok().and_then(Self::from_wire)
    }

    /// The value on the wire.
    pub const fn as_u8(self) -> u8 {
        self.0.get()
    }

    /// The sequence that follows; `None` after 255, because one is never issued twice (reading A-5).
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    /// The identifier of the connection that joins with this token (draft 4.2.1, reading A-7).
    pub fn connection_id(self) -> ConnectionId {
        ConnectionId(u32::from(self.as_u8()))
    }
}

/// Identifier of an address that one side advertises, 8 bits, one space for each side (draft 5.2.7,
/// reading A-32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressId(u8);

impl AddressId {
    /// The identifier with this value on the wire.
    pub const fn from_wire(value: u8) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R7, A-35: the parity of a stream's identifier tells who opens it, its half the order.
    #[test]
    fn stream_ids_alternate_between_the_sides() {
        for (role, first_three) in [(Role::Client, [0, 2, 4]), (Role::Server, [1, 3, 5])] {
            for (index, id) in (0..).zip(first_three) {
                let stream = StreamId::nth(role, index).unwrap();
                assert_eq!(stream, StreamId::from_wire(id));
                assert_eq!((stream.initiator(), stream.index()), (role, index));
                assert_eq!(stream.initiator().peer(), role.peer());
            }
        }
    }

    /// R7: the last identifiers of the 32-bit space are usable, and there is none after them.
    #[test]
    fn stream_ids_end_with_their_space() {
        let last = u32::MAX / 2;
        assert_eq!(
            StreamId::nth(Role::Client, last).unwrap().as_u32(),
            u32::MAX - 1
        );
        assert_eq!(
            StreamId::nth(Role::Server, last).unwrap().as_u32(),
            u32::MAX
        );
        assert_eq!(StreamId::nth(Role::Client, last + 1), None);
        assert_eq!(StreamId::nth(Role::Server, last + 1), None);
    }

    /// R15, R39, A-7: a connection is named by the token that it joined with.
    #[test]
    fn token_sequence_names_its_connection() {
        assert_eq!(ConnectionId::FIRST, ConnectionId::from_wire(0));
        assert_eq!(TokenSequence::EARLY.as_u8(), 1);
        assert_eq!(TokenSequence::of(ConnectionId::FIRST), None);
        assert_eq!(TokenSequence::of(ConnectionId::from_wire(256)), None);
        for value in 1..=255 {
            let sequence = TokenSequence::from_wire(value).unwrap();
            assert_eq!(sequence.connection_id().as_u32(), u32::from(value));
            assert_eq!(TokenSequence::of(sequence.connection_id()), Some(sequence));
        }
    }

    /// sequences run from 1 to 255 and neither wrap nor touch 0.
    #[test]
    fn token_sequences_neither_start_at_zero_nor_wrap() {
        assert_eq!(TokenSequence::from_wire(0), None);
        let mut sequence = TokenSequence::EARLY;
        let mut count = 1;
        while let Some(next) = sequence.next() {
            assert!(next > sequence);
            sequence = next;
            count += 1;
        }
        assert_eq!((sequence, count), (TokenSequence::LAST, 255));
    }

    /// R24: record sequences start at 0 and do not wrap.
    #[test]
    fn record_sequences_do_not_wrap() {
        assert_eq!(
            RecordSequence::ZERO.next(),
            Some(RecordSequence::from_wire(1))
        );
        assert_eq!(RecordSequence::from_wire(u64::MAX).next(), None);
    }
}
