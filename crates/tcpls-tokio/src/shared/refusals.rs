//! What the application sees of calls that the state machine refused.

use super::State;
use crate::{ReadError, SessionError, WriteError};

impl State {
    /// What the application sees of a write that the state machine refused.
    pub(crate) fn write_error(&self, error: tcpls_core::WriteError) -> WriteError {
        match (error, &self.ended) {
            (
                tcpls_core::WriteError::Finished
                | tcpls_core::WriteError::Reset
                | tcpls_core::WriteError::UnknownStream,
                _,
            ) => WriteError::ClosedStream,
            (tcpls_core::WriteError::Stopped(code), _) => WriteError::Stopped(code),
            (_, Some(reason)) => WriteError::SessionLost(*reason),
            (tcpls_core::WriteError::Lost(reason), None) => WriteError::SessionLost(reason),
            (tcpls_core::WriteError::Blocked | tcpls_core::WriteError::Closing, None) => {
                WriteError::SessionLost(SessionError::LocalClose)
            }
        }
    }

    /// What the application sees of a read that the state machine refused.
    pub(crate) fn read_error(&self, error: tcpls_core::ReadError) -> ReadError {
        match (error, &self.ended) {
            (tcpls_core::ReadError::Stopped | tcpls_core::ReadError::UnknownStream, _) => {
                ReadError::ClosedStream
            }
            (tcpls_core::ReadError::Reset(code), _) => ReadError::Reset(code),
            (_, Some(reason)) => ReadError::SessionLost(*reason),
            (tcpls_core::ReadError::Lost(reason), None) => ReadError::SessionLost(reason),
            (tcpls_core::ReadError::Blocked, None) => {
                ReadError::SessionLost(SessionError::LocalClose)
            }
        }
    }
}
