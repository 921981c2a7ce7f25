//! Streams of a session: opened here, or taken when the peer opened them.

use std::sync::Arc;

use tcpls_core::wire::StreamId;

use crate::error::{OpenError, SessionError};
use crate::recv_stream::RecvStream;
use crate::send_stream::SendStream;
use crate::session::Session;
use crate::shared::{State, Wait};

impl Session {
    /// Opens a stream that carries bytes both ways, and tells the peer at once.
    ///
    /// Waits while as many own streams are open as the peer or the configuration allows.
    ///
    /// # Errors
    /// [`OpenError::SessionLost`] when the session is over or closing, and
    /// [`OpenError::StreamLimit`] when streams that were dropped unfinished fill the limit, so that
    /// waiting would be for ever (reading A-34).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, no stream was opened.
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), OpenError> {
        let id = self.wait_to_open(tcpls_core::Session::open_bi).await?;
        Ok((self.send_half(id), self.recv_half(id)))
    }

    /// Opens a stream that carries bytes to the peer only (`spec/extensions.md` 6.12).
    ///
    /// Waits as [`open_bi`](Self::open_bi) does.
    ///
    /// # Errors
    /// [`OpenError::UnsupportedByPeer`] when both sides did not agree on such streams, which
    /// [`features`](Self::features) tells in advance; otherwise as [`open_bi`](Self::open_bi).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, no stream was opened.
    pub async fn open_uni(&self) -> Result<SendStream, OpenError> {
        let id = self.wait_to_open(tcpls_core::Session::open_uni).await?;
        Ok(self.send_half(id))
    }

    /// Takes the next stream with two directions that the peer opened: of those that wait, the one that it
    /// opened first. A stream of a peer that does not speak the draft alone waits once its first data
    /// came, which that of a later one may overtake.
    ///
    /// # Errors
    /// [`SessionError`] when the session is over and every stream opened before was taken.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, no stream was taken.
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), SessionError> {
        let accept = tcpls_core::Session::accept_bi;
        let id = self.wait_to_accept(Wait::Accept, accept).await?;
        Ok((self.send_half(id), self.recv_half(id)))
    }

    /// Takes the next stream on which only the peer sends. There is never one when both sides did not
    /// agree on such streams: then it waits for the end of the session.
    ///
    /// # Errors
    /// As [`accept_bi`](Self::accept_bi).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it completes, no stream was taken.
    pub async fn accept_uni(&self) -> Result<RecvStream, SessionError> {
        let accept = tcpls_core::Session::accept_uni;
        let id = self.wait_to_accept(Wait::AcceptUni, accept).await?;
        Ok(self.recv_half(id))
    }

    async fn wait_to_open(
        &self,
        open: fn(&mut tcpls_core::Session) -> Result<StreamId, tcpls_core::OpenError>,
    ) -> Result<StreamId, OpenError> {
        let open = |state: &mut State| match open(&mut state.core) {
            Err(tcpls_core::OpenError::Blocked) => None,
            opened => Some(opened.map_err(OpenError::from)),
        };
        self.shared().wait_for(Wait::Open, open).await
    }

    async fn wait_to_accept(
        &self,
        wait: Wait,
        accept: fn(&mut tcpls_core::Session) -> Option<StreamId>,
    ) -> Result<StreamId, SessionError> {
        let accept = |state: &mut State| match accept(&mut state.core) {
            Some(id) => Some(Ok(id)),
            None => state.ended().copied().map(Err),
        };
        self.shared().wait_for(wait, accept).await
    }

    fn send_half(&self, id: StreamId) -> SendStream {
        SendStream::new(Arc::clone(&self.handle), id)
    }

    fn recv_half(&self, id: StreamId) -> RecvStream {
        RecvStream::new(Arc::clone(&self.handle), id)
    }
}
