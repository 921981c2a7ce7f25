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
///                                                       |
///                                                       +-retired or half-closed--> Retiring --too long--+
///                                                                  all acked, given out |             EndDue
///                                                                                       +--> Retired <---+
/// ```
///
/// From `Retiring` and `EndDue` it goes back to Open when no other connection is left, and to `NotifyDue`
/// when the session closes.
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
    /// Nothing new: TCP's FIN follows once all frames sent are acknowledged, or at this time are left
    /// to other connections (reading A-16).
    Retiring(Instant),
    /// TCP's FIN; at this time, if any, the connection is given up.
    EndDue(Option<Instant>),
    /// Nothing: TCP's FIN was given out without `close_notify`. At this time, if any, the peer's is
    /// given up.
    Retired(Option<Instant>),
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
            self.retire(deadline);
        }
    }

    /// Nothing new is to be sent; until `deadline` acknowledgments are awaited.
    pub(crate) fn retire(&mut self, deadline: Instant) {
        if self.write == WriteHalf::Open {
            self.write = WriteHalf::Retiring(deadline);
        }
    }

    /// Acknowledgments are awaited for longer. Returns whether they still are awaited at all.
    pub(crate) fn defer(&mut self, deadline: Instant) -> bool {
        if !matches!(self.write, WriteHalf::Retiring(_)) {
            return false;
        }
        self.write = WriteHalf::Retiring(deadline);
        if let ReadHalf::HalfClosed(awaited) = &mut self.read {
            *awaited = deadline;
        }
        true
    }

    /// No other connection is left: this one goes on, unless one of its halves ended. Returns whether it
    /// was being left until now.
    pub(crate) fn revive(&mut self) -> bool {
        let left = matches!(self.write, WriteHalf::Retiring(_) | WriteHalf::EndDue(_));
        let revived = left && self.is_readable();
        if revived {
            self.write = WriteHalf::Open;
        }
        revived
    }

    /// What is unacknowledged went to other connections; the connection is given up at `deadline`.
    pub(crate) fn on_moved(&mut self, deadline: Option<Instant>) {
        if matches!(self.write, WriteHalf::Retiring(_)) {
            self.write = WriteHalf::EndDue(deadline);
        }
    }

    /// TCP's FIN was given out; the peer's is given up at `deadline`.
    pub(crate) fn on_end(&mut self, deadline: Option<Instant>) {
        if let WriteHalf::EndDue(deadline) = self.write {
            self.write = WriteHalf::Retired(deadline);
        } else if matches!(self.write, WriteHalf::Retiring(_)) {
            self.write = WriteHalf::Retired(deadline);
        }
    }

    /// The connection is over in order.
    pub(crate) fn end(&mut self) {
        *self = Self {
            read: ReadHalf::Ended,
            write: WriteHalf::Ended,
        };
    }

    /// `close_notify` is to be sent.
    pub(crate) fn notify(&mut self) {
        if matches!(
            self.write,
            WriteHalf::Open | WriteHalf::Retiring(_) | WriteHalf::EndDue(_)
        ) {
            self.write = WriteHalf::NotifyDue;
        }
    }

    /// The last record of the connection was given out.
    pub(crate) fn on_last_record(&mut self) {
        self.write = match self.write {
            WriteHalf::NotifyDue => WriteHalf::Shutdown,
            WriteHalf::AlertDue(_) => WriteHalf::Ended,
            other @ (WriteHalf::Open
            | WriteHalf::Retiring(_)
            | WriteHalf::EndDue(_)
            | WriteHalf::Retired(_)
            | WriteHalf::Shutdown
            | WriteHalf::Ended) => other,
        };
    }

    /// The connection failed; `alert` is what there is to say about it.
    pub(crate) fn fail(&mut self, alert: Option<AlertDescription>) {
        self.read = ReadHalf::Ended;
        self.write = match (self.write, alert) {
            (
                WriteHalf::Open
                | WriteHalf::Retiring(_)
                | WriteHalf::EndDue(_)
                | WriteHalf::NotifyDue,
                Some(alert),
            ) => WriteHalf::AlertDue(alert),
            _ => WriteHalf::Ended,
        };
    }

    /// Whether records are taken in.
    pub(crate) fn is_readable(self) -> bool {
        self.read == ReadHalf::Open
    }

    /// Whether frames may be sent: not on a connection that either side is leaving (reading A-16).
    pub(crate) fn is_writable(self) -> bool {
        self.write == WriteHalf::Open
            && !matches!(self.read, ReadHalf::HalfClosed(_) | ReadHalf::Ended)
    }

    /// Whether the session still counts on it.
    pub(crate) fn is_live(self) -> bool {
        match self.write {
            WriteHalf::Open
            | WriteHalf::Retiring(_)
            | WriteHalf::EndDue(_)
            | WriteHalf::NotifyDue => self.read != ReadHalf::Ended,
            WriteHalf::Retired(_) => self.read == ReadHalf::Open,
            WriteHalf::Shutdown => {
                matches!(self.read, ReadHalf::Open | ReadHalf::HalfClosed(_))
            }
            WriteHalf::AlertDue(_) | WriteHalf::Ended => false,
        }
    }

    /// When waiting ends: for acknowledgments, for the peer's FIN, or for room for this side's.
    pub(crate) fn deadline(self) -> Option<Instant> {
        let read = match self.read {
            ReadHalf::HalfClosed(deadline) => Some(deadline),
            ReadHalf::Open | ReadHalf::Notified | ReadHalf::Ended => None,
        };
        let write = match self.write {
            WriteHalf::Retiring(deadline) => Some(deadline),
            WriteHalf::EndDue(deadline) | WriteHalf::Retired(deadline) => deadline,
            WriteHalf::Open
            | WriteHalf::NotifyDue
            | WriteHalf::Shutdown
            | WriteHalf::AlertDue(_)
            | WriteHalf::Ended => None,
        };
        read.into_iter().chain(write).min()
    }

    /// Whether what it carried is acknowledged or was left to other connections.
    pub(crate) fn is_moved(self) -> bool {
        matches!(self.write, WriteHalf::EndDue(_) | WriteHalf::Retired(_))
    }
}
