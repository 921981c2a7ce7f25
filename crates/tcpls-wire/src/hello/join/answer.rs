//! The client's side: what arrives on a joining connection before its first protected record.

use alloc::vec::Vec;

use super::{
    JoinFailure, JoinOffer, RECORD_ALERT, RECORD_APPLICATION_DATA, RECORD_CHANGE_CIPHER_SPEC,
    RECORD_HANDSHAKE, RECORD_HEADER,
};
use crate::{
    Alert, ServerHello,
    cursor::Reader,
    hello::{HandshakeMessage, HandshakeType},
};

/// Reads the server's answer to a join: `ServerHello` and `change_cipher_spec`, until the first
/// protected record (reading A-20).
///
/// ```text
///            ServerHello            type 23
/// Waiting ---------------> Answered -------> Protected
///    |                                           ^
///    +-------------------------------------------+
///                      type 23
/// ```
///
/// Both may be missing. Whatever else comes is a [`JoinFailure`] and ends the reading. How the bytes
/// were cut on their way makes no difference.
#[derive(Debug)]
pub struct AnswerReader {
    offer: JoinOffer,
    state: State,
    change_cipher_spec: ChangeCipherSpec,
    /// The `ServerHello` as far as it came, never more than two records.
    message: Vec<u8>,
}

/// What was taken off the input, and where that leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are done with. The caller takes them off the front of its input, and gives the
    /// others again with more behind.
    pub consumed: usize,
    /// Where the connection is now.
    pub stage: AnswerStage,
}

/// Where a joining connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnswerStage {
    /// The server has not answered the hello.
    Waiting,
    /// The server answered the hello: the token is spent (reading A-44).
    Answered,
    /// The input goes on with the first protected record.
    Protected,
}

#[derive(Debug)]
enum State {
    Reading(AnswerStage),
    Failed(JoinFailure),
}

#[derive(Debug, PartialEq, Eq)]
enum ChangeCipherSpec {
    Expected,
    Seen,
}

impl AnswerReader {
    /// The longest unprotected record that is read, header included, in bytes. An answer to a join
    /// takes a third of it.
    pub const MAX_RECORD: usize = RECORD_HEADER + MAX_MESSAGE;

    /// A reader for the answer to `offer`.
    pub fn new(offer: JoinOffer) -> Self {
        Self {
            offer,
            state: State::Reading(AnswerStage::Waiting),
            change_cipher_spec: ChangeCipherSpec::Expected,
            message: Vec::new(),
        }
    }

    /// Reads whole records off the front of `input`, up to the first protected one.
    ///
    /// As long as that is not there, less than [`Self::MAX_RECORD`] bytes are left unread. After an
    /// error every later call gives the same one.
    pub fn read(&mut self, input: &[u8]) -> Result<Progress, JoinFailure> {
        let mut reader = Reader::new(input);
        loop {
            let stage = match self.state {
                State::Failed(failure) => return Err(failure),
                State::Reading(stage) => stage,
            };
            let item = match stage {
                AnswerStage::Protected => Ok(Item::Incomplete),
                AnswerStage::Waiting | AnswerStage::Answered => Item::take(&mut reader),
            };
            let next = match item {
                Ok(Item::Incomplete) => {
                    let consumed = input.len() - reader.rest().len();
                    return Ok(Progress { consumed, stage });
                }
                Ok(item) => self.handle(stage, item),
                Err(failure) => Err(failure),
            };
            self.state = next.map_or_else(State::Failed, State::Reading);
        }
    }

    fn handle(&mut self, stage: AnswerStage, item: Item<'_>) -> Result<AnswerStage, JoinFailure> {
        match item {
            Item::Handshake(fragment) => self.handle_handshake(stage, fragment),
            Item::Alert(body) => Err(Alert::parse(body).map_or(
                JoinFailure::UnexpectedRecord(RECORD_ALERT),
                JoinFailure::Alert,
            )),
            Item::ChangeCipherSpec(body) => {
                let expected = self.change_cipher_spec == ChangeCipherSpec::Expected;
                if !expected || body != [1] || !self.message.is_empty() {
                    return Err(JoinFailure::UnexpectedRecord(RECORD_CHANGE_CIPHER_SPEC));
                }
                self.change_cipher_spec = ChangeCipherSpec::Seen;
                Ok(stage)
            }
            Item::Protected if self.message.is_empty() => Ok(AnswerStage::Protected),
            Item::Protected => Err(JoinFailure::UnexpectedRecord(RECORD_APPLICATION_DATA)),
            Item::Incomplete => Ok(stage),
        }
    }

    fn handle_handshake(
        &mut self,
        stage: AnswerStage,
        fragment: &[u8],
    ) -> Result<AnswerStage, JoinFailure> {
        self.message.extend_from_slice(fragment);
        if stage == AnswerStage::Waiting {
            expect_server_hello(&self.message)?;
            if HandshakeMessage::announced_length(&self.message) > Some(MAX_MESSAGE) {
                return Err(JoinFailure::TooLong);
            }
            let mut stream = self.message.as_slice();
            let Some(message) = HandshakeMessage::take_first(&mut stream) else {
                return Ok(stage);
            };
            let hello = ServerHello::parse(message.bytes).map_err(JoinFailure::Malformed)?;
            self.offer.check(&hello)?;
            let end = message.bytes.len();
            self.message.drain(..end);
        }
        match self.message.first() {
            Some(kind) => Err(unexpected_message(*kind)),
            None => Ok(AnswerStage::Answered),
        }
    }
}

/// The next thing on the connection.
#[derive(Clone, Copy)]
enum Item<'a> {
    /// No whole record.
    Incomplete,
    /// The body of a record of this type.
    Handshake(&'a [u8]),
    Alert(&'a [u8]),
    ChangeCipherSpec(&'a [u8]),
    /// The start of a protected record, which is not taken.
    Protected,
}

impl<'a> Item<'a> {
    /// Takes a record off the front. Each byte of its header is judged as soon as it is there, so
    /// that nothing is waited for in vain.
    fn take(reader: &mut Reader<'a>) -> Result<Self, JoinFailure> {
        let mut attempt = *reader;
        let Ok(kind) = attempt.u8() else {
            return Ok(Self::Incomplete);
        };
        let of_body = match kind {
            RECORD_APPLICATION_DATA => return Ok(Self::Protected),
            RECORD_HANDSHAKE => Self::Handshake,
            RECORD_ALERT => Self::Alert,
            RECORD_CHANGE_CIPHER_SPEC => Self::ChangeCipherSpec,
            other => return Err(JoinFailure::NotTls(other)),
        };
        match attempt.u8() {
            Ok(3) => {}
            Ok(other) => return Err(JoinFailure::NotTls(other)),
            Err(_) => return Ok(Self::Incomplete),
        }
        let (Ok(_), Ok(length)) = (attempt.u8(), attempt.u16()) else {
            return Ok(Self::Incomplete);
        };
        match usize::from(length) {
            0 => Err(JoinFailure::UnexpectedRecord(kind)),
            length if length > MAX_MESSAGE => Err(JoinFailure::TooLong),
            length => match attempt.take(length) {
                Ok(body) => {
                    *reader = attempt;
                    Ok(of_body(body))
                }
                Err(_) => Ok(Self::Incomplete),
            },
        }
    }
}

fn expect_server_hello(message: &[u8]) -> Result<(), JoinFailure> {
    match message.first() {
        Some(kind) if *kind != HandshakeType::SERVER_HELLO.as_u8() => {
            Err(unexpected_message(*kind))
        }
        _ => Ok(()),
    }
}

fn unexpected_message(kind: u8) -> JoinFailure {
    JoinFailure::UnexpectedMessage(HandshakeType::from_wire(kind))
}

/// The longest `ServerHello` that is read, with its header, and the longest record body.
const MAX_MESSAGE: usize = 4096;
