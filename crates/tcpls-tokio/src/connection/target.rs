//! Memory of who reads a stream, which records are opened into.

use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use tcpls_core::crypto::{ContentType, OpenError, OpenedRecord, RecordOpener};
use tcpls_core::{ConnectionHandle, Delivery, LandedRecord, Landing};

use crate::shared::State;

/// Memory of who reads a stream.
pub(crate) struct Target<'a> {
    /// What is to be there.
    landing: Landing,
    space: &'a mut [u8],
    filled: usize,
}

/// What became of the next record.
pub(super) enum Next {
    /// Its data is what comes next in the target.
    Landed(LandedRecord),
    /// It was another one, and is no longer there.
    Other(OpenedRecord),
    /// There is no whole record, or no room for it.
    None,
}

impl<'a> Target<'a> {
    /// What comes next on the stream of `landing` is wanted in `space`.
    pub(crate) fn new(landing: Landing, space: &'a mut [u8]) -> Self {
        Self {
            landing,
            space,
            filled: 0,
        }
    }

    /// Opens the first record of `received`.
    pub(super) fn open_next(
        &mut self,
        opener: &mut RecordOpener,
        received: &mut BytesMut,
    ) -> Result<Next, OpenError> {
        let Some(length) = opener.next_record(received)? else {
            return Ok(Next::None);
        };
        let space = self.space.get_mut(self.filled..).unwrap_or_default();
        let Some(record) = received
            .get(..length)
            .filter(|record| record.len() <= space.len() + RECORD_OVERHEAD)
        else {
            return Ok(Next::None);
        };
        let found = opener.open_into(record, space)?;
        received.advance(length);
        let content = space.get(..found.len).unwrap_or_default();
        let landed = match found.content_type {
            ContentType::ApplicationData => self.landing.land(found.sequence, content),
            ContentType::Alert | ContentType::Handshake => None,
        };
        Ok(match landed {
            Some(landed) => {
                self.filled += landed.data_len();
                Next::Landed(landed)
            }
            None => Next::Other(OpenedRecord {
                sequence: found.sequence,
                content_type: found.content_type,
                payload: Bytes::copy_from_slice(content),
            }),
        })
    }

    /// Hands over the records that landed, and says how many bytes at the front are read.
    pub(super) fn deliver(
        self,
        state: &mut State,
        connection: ConnectionHandle,
        records: &mut Vec<LandedRecord>,
        now: Instant,
    ) -> usize {
        let (mut start, mut read) = (0, 0);
        for record in records.drain(..) {
            let end = start + record.data_len();
            let data = self.space.get(start..end).unwrap_or_default();
            match state.core.handle_landed(connection, &record, data, now) {
                Delivery::Read => {
                    if read < start {
                        self.space.copy_within(start..end, read);
                    }
                    read += end - start;
                }
                Delivery::Kept => {}
            }
            start = end;
        }
        read
    }
}

/// Bytes of a record beyond what it takes where it is opened: its header and its tag.
const RECORD_OVERHEAD: usize = 21;
