//! Plain TLS 1.3, for peers that do not speak TCPLS (draft 5.1.1, reading A-40).

use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tcpls_core::crypto::{
    ContentType, Exporter, HandshakeInfo, KeyError, KeyUpdateRequest, OpenError, PlainReason,
    Plaintext, PostHandshake, PostHandshakeMessage, RecordOpener, RecordSealer, SealError,
    TicketStore, WriteBuffer, key_update_message,
};
use tcpls_core::wire::{Alert, AlertDescription, ConnectionId, Role};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::error::ExportError;
use crate::establish::Handover;
use crate::handshake;
use crate::io::{Addresses, Transport};

/// Plaintext of the largest record.
const RECORD: usize = 16 * 1024;
/// Sealed bytes that may wait for the socket before a writer does.
const QUEUE: usize = 8 * RECORD;
/// Space offered to one read.
const CHUNK: usize = 4 * RECORD;

/// A TLS 1.3 byte stream to a peer that does not speak TCPLS: one stream, one connection.
///
/// Reading gives the end of the stream only after the peer's `close_notify`; a connection that
/// just ends is an [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
///
/// # Cancel safety
/// As of any `AsyncRead` and `AsyncWrite`: a dropped `read` or `write` has read or written nothing.
/// Written data is on its way once a flush completes.
pub struct PlainStream {
    transport: Transport,
    reason: PlainReason,
    info: HandshakeInfo,
    exporter: Exporter,
    receive: Receive,
    send: Send,
}

impl PlainStream {
    pub(crate) fn new(
        role: Role,
        handover: Handover,
        reason: PlainReason,
    ) -> Result<Self, KeyError> {
        let Handover {
            transport,
            established,
            received,
            ..
        } = handover;
        let keys = established.keys;
        let opener = RecordOpener::new(
            keys.receive,
            ConnectionId::FIRST,
            established.first_received,
        )?;
        let sealer = RecordSealer::new(keys.send, ConnectionId::FIRST, established.first_sent)?;
        Ok(Self {
            transport,
            reason,
            info: established.info,
            exporter: established.exporter,
            receive: Receive {
                opener,
                buffer: received,
                plaintext: Bytes::new(),
                messages: PostHandshake::new(role),
                tickets: established.tickets,
                end: None,
            },
            send: Send {
                sealer,
                sealed: WriteBuffer::new(),
                stage: Stage::Open,
                owes_update: false,
                waiting: Waiting::Nobody,
            },
        })
    }

    /// Why this is plain TLS and not a TCPLS session.
    pub fn reason(&self) -> PlainReason {
        self.reason
    }

    pub(crate) fn because(&mut self, reason: PlainReason) {
        self.reason = reason;
    }

    /// What the TLS handshake agreed on.
    pub fn handshake(&self) -> &HandshakeInfo {
        &self.info
    }

    /// The peer's address, over TCP.
    pub fn remote_address(&self) -> Option<std::net::SocketAddr> {
        let Addresses { remote, .. } = self.transport.addresses;
        remote
    }

    /// Fills `output` with keying material that only the two ends can derive (RFC 8446 section 7.5).
    ///
    /// # Errors
    /// [`ExportError`] for a too long label or output.
    pub fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportError> {
        self.exporter
            .export_keying_material(label, context, output)
            .map_err(|_| ExportError)
    }

    /// Ends a connection that nobody wants, so that the peer sees an orderly end.
    pub(crate) async fn end(mut self) {
        // That the peer may be gone already, or does not read, changes nothing.
        let said = tokio::time::timeout(handshake::LINGER, self.shutdown()).await;
        if matches!(said, Ok(Ok(()))) {
            handshake::discard(&mut self.transport).await;
        }
    }

    /// Sees to it that some plaintext is there, or the end.
    fn poll_plaintext(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.receive.plaintext.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match &self.receive.end {
                Some(End::CloseNotify) => return Poll::Ready(Ok(())),
                Some(End::Failed(failure)) => return Poll::Ready(Err(failure.to_error())),
                None => {}
            }
            match self.receive.next_record() {
                Ok(Step::Progress) => {}
                Ok(Step::UpdateKeys) => self.send.owes_update = true,
                Ok(Step::NeedsBytes) => {
                    // A key update that is owed goes out although nobody writes. A transport wakes one
                    // writer only, so who waits to write does it instead; and a transport that takes
                    // nothing more may still hold something to read.
                    if self.send.waiting == Waiting::Nobody {
                        let _flushed = self.send.poll_flush(&mut self.transport, cx);
                    }
                    ready!(self.poll_fill(cx))?;
                }
                Err((failure, alert)) => {
                    if let Some(alert) = alert {
                        self.send.fatal_alert(alert);
                        let _sent = self.send.poll_flush(&mut self.transport, cx);
                    }
                    self.receive.end = Some(End::Failed(failure));
                }
            }
        }
    }

    /// Reads the transport once.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.receive.buffer.capacity() - self.receive.buffer.len() < RECORD {
            self.receive.buffer.reserve(CHUNK);
        }
        let read = pin!(self.transport.read.read_buf(&mut self.receive.buffer));
        if ready!(read.poll(cx))? == 0 {
            self.receive.end = Some(End::Failed(Failure::Truncated));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_plaintext(cx))?;
        let count = this.receive.plaintext.len().min(buffer.remaining());
        buffer.put_slice(&this.receive.plaintext.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.send.poll_write(&mut this.transport, cx, data);
        this.send.note_waiting(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = this.send.poll_flush(&mut this.transport, cx);
        this.send.note_waiting(flushed)
    }

    /// Sends `close_notify` and half-closes the connection; reading goes on. Calling it again is
    /// harmless.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.send.close_notify().map_err(sealing_failed)?;
        let flushed = this.send.poll_flush(&mut this.transport, cx);
        ready!(this.send.note_waiting(flushed))?;
        Pin::new(&mut this.transport.write).poll_shutdown(cx)
    }
}

impl fmt::Debug for PlainStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainStream")
            .field("reason", &self.reason)
            .field("handshake", &self.info)
            .finish_non_exhaustive()
    }
}

/// The receiving direction.
struct Receive {
    opener: RecordOpener,
    buffer: BytesMut,
    /// Opened and not yet read.
    plaintext: Bytes,
    messages: PostHandshake,
    tickets: TicketStore,
    end: Option<End>,
}

impl Receive {
    /// Opens one record; the alert is what the peer is told about its mistake.
    fn next_record(&mut self) -> Result<Step, (Failure, Option<AlertDescription>)> {
        let record = match self.opener.open_next(&mut self.buffer) {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Step::NeedsBytes),
            Err(error) => return Err((Failure::Record(error), Some(error.alert()))),
        };
        match record.content_type {
            ContentType::ApplicationData => {
                self.plaintext = record.payload;
                Ok(Step::Progress)
            }
            ContentType::Alert => self.on_alert(&record.payload),
            ContentType::Handshake => self.on_handshake(&record.payload),
        }
    }

    fn on_alert(&mut self, payload: &[u8]) -> Result<Step, (Failure, Option<AlertDescription>)> {
        let alert = Alert::parse(payload)
            .map_err(|_| (Failure::Malformed, Some(AlertDescription::DECODE_ERROR)))?;
        if alert.is_close_notify() {
            self.end = Some(End::CloseNotify);
            return Ok(Step::Progress);
        }
        Err((Failure::Alert(alert.description), None))
    }

    fn on_handshake(
        &mut self,
        payload: &[u8],
    ) -> Result<Step, (Failure, Option<AlertDescription>)> {
        let mut step = Step::Progress;
        self.messages.handle(payload);
        loop {
            match self.messages.poll() {
                Ok(None) => return Ok(step),
                Ok(Some(PostHandshakeMessage::KeyUpdate(KeyUpdateRequest::Requested))) => {
                    step = Step::UpdateKeys;
                }
                Ok(Some(PostHandshakeMessage::KeyUpdate(KeyUpdateRequest::NotRequested))) => {}
                Ok(Some(PostHandshakeMessage::NewSessionTicket(ticket))) => {
                    if let Err(error) = self.tickets.store(&ticket) {
                        tracing::debug!(%error, "a session ticket was not stored");
                    }
                }
                Err(fault) => return Err((Failure::Malformed, Some(fault.alert()))),
            }
        }
    }
}

/// The sending direction.
struct Send {
    sealer: RecordSealer,
    sealed: WriteBuffer,
    stage: Stage,
    /// The peer asked for a key update. Several requests have one answer, so that a peer that asks and
    /// does not read costs no memory.
    owes_update: bool,
    waiting: Waiting,
}

/// Whether a writer was last told to wait for the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nobody,
    Writer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// An alert was the last record.
    Closed,
}

impl Send {
    fn seal(&mut self, content_type: ContentType, content: &[u8]) -> Result<(), SealError> {
        if self.owes_update || self.sealer.update_is_due() {
            self.update_keys()?;
        }
        let plaintext = Plaintext {
            content_type,
            lead: content,
            tail: &[],
            padding: 0,
        };
        self.sealer.seal(&plaintext, &mut self.sealed)?;
        Ok(())
    }

    fn update_keys(&mut self) -> Result<(), SealError> {
        self.owes_update = false;
        let message = key_update_message(KeyUpdateRequest::NotRequested);
        let plaintext = Plaintext::new(ContentType::Handshake, &message);
        self.sealer.seal(&plaintext, &mut self.sealed)?;
        Ok(())
    }

    fn close_notify(&mut self) -> Result<(), SealError> {
        if self.stage == Stage::Open {
            let alert = Alert::CLOSE_NOTIFY.encode();
            self.seal(ContentType::Alert, &alert)?;
            self.stage = Stage::Closed;
        }
        Ok(())
    }

    fn fatal_alert(&mut self, description: AlertDescription) {
        if self.stage == Stage::Open {
            // The connection is given up: an alert that cannot be sealed is not missed.
            let _sealed = self.seal(ContentType::Alert, &Alert::fatal(description).encode());
            self.stage = Stage::Closed;
        }
    }

    fn poll_write(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.stage != Stage::Open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        while self.sealed.len() >= QUEUE {
            ready!(self.poll_write_some(transport, cx))?;
        }
        let mut taken = 0;
        for piece in data.chunks(RECORD) {
            if self.sealed.len() >= QUEUE {
                break;
            }
            self.seal(ContentType::ApplicationData, piece)
                .map_err(sealing_failed)?;
            taken += piece.len();
        }
        // The socket gets what it takes now; the rest waits for the next write or a flush.
        if let Poll::Ready(Err(error)) = self.poll_flush(transport, cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(taken))
    }

    /// Remembers whether the writer waits, out of what it is told.
    fn note_waiting<T>(&mut self, told: Poll<T>) -> Poll<T> {
        self.waiting = if told.is_pending() {
            Waiting::Writer
        } else {
            Waiting::Nobody
        };
        told
    }

    fn poll_write_some(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut transport.write).poll_write(cx, self.sealed.pending()))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => {
                self.sealed.advance(count);
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_flush(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.sealed.is_empty() {
                ready!(self.poll_write_some(transport, cx))?;
            }
            // Nothing follows an alert.
            if !self.owes_update || self.stage == Stage::Closed {
                break;
            }
            self.update_keys().map_err(sealing_failed)?;
        }
        self.sealed.shrink_when_empty(0);
        Pin::new(&mut transport.write).poll_flush(cx)
    }
}

/// What one record brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Progress,
    UpdateKeys,
    NeedsBytes,
}

/// How the receiving direction ended.
#[derive(Clone, Debug)]
enum End {
    CloseNotify,
    Failed(Failure),
}

#[derive(Clone, Debug)]
enum Failure {
    Truncated,
    Malformed,
    Record(OpenError),
    Alert(AlertDescription),
}

impl Failure {
    fn to_error(&self) -> io::Error {
        match self {
            Self::Truncated => io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended without close_notify: data may be missing",
            ),
            Self::Malformed => io::Error::new(
                io::ErrorKind::InvalidData,
                "the peer sent a malformed message",
            ),
            Self::Record(error) => io::Error::new(io::ErrorKind::InvalidData, *error),
            Self::Alert(description) => io::Error::new(
                io::ErrorKind::ConnectionAborted,
                format!("the peer ended the connection with alert {description}"),
            ),
        }
    }
}

fn sealing_failed(error: SealError) -> io::Error {
    io::Error::other(error)
}
