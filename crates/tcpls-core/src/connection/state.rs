//! How far the two halves of a connection are.

use std::time::Instant;

use crate::wire::AlertDescription;

/// The state of one connection.
///
/// ```text
/// read:  Open --close_notify--> Notified     write:  Open --> NotifyDue --given out--> Shutdown
///         |                                             |         |
///         +-- FIN --> HalfClosed --too long--+          +-failed--+--> AlertDue --given out--> Ended
///         +-- failed ------------------------+-> Ended  +-failed, nothing to say ------------> Ended
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionState {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
}

/// What may still arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadHalf {
    /// Records.
    Open,
    /// Nothing: the peer half-closed without `close_notify`. At this time the connection is given up
    /// (reading A-16).
    HalfClosed(Instant),
    /// Nothing that counts: the peer sent `close_notify` (reading A-17).
    Notified,
    /// Nothing.
    Ended,
}

/// What may still be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteHalf {
    /// Records.
    Open,
    /// The last acknowledgments and `close_notify`.
    NotifyDue,
    /// Nothing: `close_notify` was given out.
    Shutdown,
    /// A fatal alert.
    AlertDue(AlertDescription),
    /// Nothing.
    Ended,
}

impl ConnectionState {
    pub(crate) const OPEN: Self = Self {
        read: ReadHalf::Open,
        write: WriteHalf::Open,
    };

    /// The peer sent `close_notify`.
    pub(crate) fn on_notified(&mut self) {
        if self.is_readable() {
            self.read = ReadHalf::Notified;
        }
    }

    /// The peer half-closed without `close_notify`; the connection is given up at `deadline`.
    pub(crate) fn on_half_closed(&mut self, deadline: Instant) {
        if self.is_readable() {
            self.read = ReadHalf::HalfClosed(deadline);
        }
    }

    /// `close_notify` is to be sent.
    pub(crate) fn notify(&mut self) {
        if self.write == WriteHalf::Open {
            self.write = WriteHalf::NotifyDue;
        }
    }

    /// The last record of the connection was given out.
    pub(crate) fn on_last_record(&mut self) {
        self.write = match self.write {
            WriteHalf::NotifyDue => WriteHalf::Shutdown,
            WriteHalf::AlertDue(_) => WriteHalf::Ended,
            other @ (WriteHalf::Open | WriteHalf::Shutdown | WriteHalf::Ended) => other,
        };
    }

    /// The connection failed; `alert` is what there is to say about it.
    pub(crate) fn fail(&mut self, alert: Option<AlertDescription>) {
        self.read = ReadHalf::Ended;
        self.write = match (self.write, alert) {
            (WriteHalf::Open | WriteHalf::NotifyDue, Some(alert)) => WriteHalf::AlertDue(alert),
            _ => WriteHalf::Ended,
        };
    }

    /// Whether records are taken in.
    pub(crate) fn is_readable(self) -> bool {
        self.read == ReadHalf::Open
    }

    /// Whether frames may be sent: not on a connection that the peer is leaving (reading A-16).
    pub(crate) fn is_writable(self) -> bool {
        self.write == WriteHalf::Open
            && !matches!(self.read, ReadHalf::HalfClosed(_) | ReadHalf::Ended)
    }

    /// Whether the session still counts on it.
    pub(crate) fn is_live(self) -> bool {
        match self.write {
            WriteHalf::Open | WriteHalf::NotifyDue => self.read != ReadHalf::Ended,
            WriteHalf::Shutdown => {
                matches!(self.read, ReadHalf::Open | ReadHalf::HalfClosed(_))
            }
            WriteHalf::AlertDue(_) | WriteHalf::Ended => false,
        }
    }

    /// When the connection is given up.
    pub(crate) fn deadline(self) -> Option<Instant> {
        match self.read {
            ReadHalf::HalfClosed(deadline) => Some(deadline),
            ReadHalf::Open | ReadHalf::Notified | ReadHalf::Ended => None,
        }
    }
}
