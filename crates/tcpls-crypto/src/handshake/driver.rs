//! Feeds a rustls connection record by record until the handshake is over.

use std::sync::Arc;

use bytes::BytesMut;
use rustls::PeerMisbehaved;

use super::error::{HandshakeError, NotTls};
use super::exchange::Exchange;
use super::machine::{Machine, Step};
use super::scope::Scope;
use crate::header::{HEADER_LEN, MAX_CIPHERTEXT};

/// A rustls connection with the bytes on their way to and from it.
///
/// rustls is given one record at a time, because it would also take the application records that
/// follow the handshake, and those are not its.
pub(super) struct Driver<C> {
    pub(super) connection: C,
    pub(super) exchange: Arc<Exchange>,
    /// Records that rustls is not done with: at most one handshake message and one record.
    records: Vec<u8>,
    /// What rustls wrote and nobody has taken yet.
    written: Vec<u8>,
    state: State,
    /// Whether a record was read already, so that the peer surely speaks TLS.
    heard: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Running,
    Complete,
    Failed(HandshakeError),
}

impl<C: Machine> Driver<C> {
    pub(super) fn new(connection: C, exchange: Arc<Exchange>) -> Self {
        Self {
            connection,
            exchange,
            records: Vec::new(),
            written: Vec::new(),
            state: State::Running,
            heard: false,
        }
    }

    /// Takes the records of the handshake off the front of `input`, and shows each to `inspect`
    /// before rustls sees it. After an error it gives the same error again.
    pub(super) fn read(
        &mut self,
        input: &mut BytesMut,
        mut inspect: impl FnMut(&[u8]) -> Result<(), HandshakeError>,
    ) -> Result<(), HandshakeError> {
        self.run()?;
        while self.state == State::Running {
            let Some(len) = self.next_record(input)? else {
                break;
            };
            let record = input.split_to(len);
            self.heard = true;
            if let Err(error) = inspect(&record) {
                return self.fail(error);
            }
            self.records.extend_from_slice(&record);
            self.run()?;
        }
        Ok(())
    }

    /// Gives rustls a record that was received before.
    pub(super) fn feed(
        &mut self,
        header: [u8; HEADER_LEN],
        body: &[u8],
    ) -> Result<(), HandshakeError> {
        self.heard = true;
        self.records.reserve(HEADER_LEN + body.len());
        self.records.extend_from_slice(&header);
        self.records.extend_from_slice(body);
        self.run()
    }

    /// Lets rustls work until it needs another record or is done.
    pub(super) fn run(&mut self) -> Result<(), HandshakeError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        while self.state == State::Running {
            match self.step() {
                Ok(Step::Again) => {}
                Ok(Step::NeedsRecord) => break,
                Ok(Step::MaySend) if self.connection.is_handshaking() => break,
                Ok(Step::MaySend) if self.records.is_empty() => self.state = State::Complete,
                Ok(Step::MaySend) => return self.fail(pending_fragment()),
                Ok(Step::Closed) => return self.fail(HandshakeError::Closed),
                Err(error) => return self.fail(error),
            }
        }
        Ok(())
    }

    /// The bytes to send since the last call; after a failure they end with the alert.
    pub(super) fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    pub(super) fn has_written(&self) -> bool {
        !self.written.is_empty()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    fn step(&mut self) -> Result<Step, HandshakeError> {
        let _scope = Scope::enter(&self.exchange);
        let before = self.written.len();
        let (discard, step) = self.connection.step(&mut self.records, &mut self.written);
        self.records.drain(..discard.min(self.records.len()));
        if let Some(failure) = self.exchange.failure() {
            // Whatever rustls wrote since is part of a handshake that fails.
            self.written.truncate(before);
            return Err(failure);
        }
        step.map_err(HandshakeError::from_rustls)
    }

    /// Ends the handshake; the alert, if there is one, is written.
    pub(super) fn fail<T>(&mut self, error: HandshakeError) -> Result<T, HandshakeError> {
        match error.own_alert() {
            Some(alert) => self.exchange.write_alert(alert, &mut self.written),
            None => self.drain_alert(),
        }
        self.state = State::Failed(error.clone());
        Err(error)
    }

    /// Takes the alert that rustls queued for its own error.
    ///
    /// Not a step more: rustls may still hold messages that it would look for in its input.
    fn drain_alert(&mut self) {
        let _scope = Scope::enter(&self.exchange);
        while self.connection.wants_write() {
            let (_, step) = self.connection.step(&mut [], &mut self.written);
            if step != Ok(Step::Again) {
                break;
            }
        }
    }

    /// Length of the whole record at the front of `input`; `None` if it is incomplete.
    fn next_record(&mut self, input: &[u8]) -> Result<Option<usize>, HandshakeError> {
        match record_len(input) {
            Ok(Some(len)) if input.len() >= len => Ok(Some(len)),
            Ok(_) => Ok(None),
            Err(error) if !self.heard => self.fail(error),
            // rustls has its own opinion on records that go wrong later, and alerts for them.
            Err(_) => Ok(Some(input.len().min(HEADER_LEN))),
        }
    }
}

/// The record that ended the handshake holds the start of something else.
fn pending_fragment() -> HandshakeError {
    HandshakeError::PeerMisbehaved(PeerMisbehaved::KeyEpochWithPendingFragment.into())
}

/// Moves bytes to the end of others, and copies them only if there are any.
pub(super) fn hand_over(from: &mut Vec<u8>, to: &mut Vec<u8>) {
    if to.is_empty() {
        std::mem::swap(from, to);
        from.clear();
    } else {
        to.append(from);
    }
}

/// Length of the record at the front of `input` as its header tells; `None` before that is there.
pub(super) fn record_len(input: &[u8]) -> Result<Option<usize>, HandshakeError> {
    let not_tls = || HandshakeError::NotTls(NotTls::new(input));
    if input
        .first()
        .is_some_and(|kind| !RECORD_TYPES.contains(kind))
    {
        return Err(not_tls());
    }
    let Some(&[_, major, _, high, low]) = input.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if major != 3 || len > MAX_CIPHERTEXT {
        return Err(not_tls());
    }
    Ok(Some(HEADER_LEN + len))
}

/// `change_cipher_spec` to `application_data`.
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 20..=23;
