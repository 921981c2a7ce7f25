//! Who waits for what in a session, and who is to be woken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tcpls_core::ConnectionHandle;
use tcpls_core::wire::StreamId;

use super::{Shared, observing};
use crate::connection::Writer;
use crate::tcp::Tcp;

/// The application's tasks that wait for something.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Tasks that wait for a stream half; a half has one at most, because its methods borrow it.
    streams: BTreeMap<StreamId, StreamWakers>,
    accepting: Vec<Waker>,
    /// For streams on which only the peer sends.
    accepting_uni: Vec<Waker>,
    opening: Vec<Waker>,
    closing: Vec<Waker>,
    /// Who waits for a token, or for a connection to be established.
    joining: Vec<Waker>,
}

impl Waiting {
    /// Waits for `interest` on a stream half.
    pub(crate) fn for_stream<R>(
        &mut self,
        id: StreamId,
        interest: Interest,
        cx: &Context<'_>,
    ) -> Poll<R> {
        let wakers = self.streams.entry(id).or_default();
        *wakers.slot(interest) = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Forgets who waits for `interests`, when that half of the stream is dropped.
    pub(crate) fn forget_stream(&mut self, id: StreamId, interests: &[Interest]) {
        if let Some(wakers) = self.streams.get_mut(&id) {
            for &interest in interests {
                *wakers.slot(interest) = None;
            }
            if wakers.is_empty() {
                self.streams.remove(&id);
            }
        }
    }

    /// Waits for a stream to accept, for room to open one, or for the end of the session.
    pub(crate) fn for_session<R>(&mut self, wait: Wait, cx: &Context<'_>) -> Poll<R> {
        let list = self.list(wait);
        if !list.iter().any(|waker| waker.will_wake(cx.waker())) {
            list.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Has everybody woken who waits for `wait`.
    pub(super) fn wake(&mut self, wait: Wait, wakeups: &mut Wakeups) {
        wakeups.tasks.append(self.list(wait));
    }

    /// Has the task woken that waits for `interest` on a stream half.
    pub(super) fn wake_stream(&mut self, id: StreamId, interest: Interest, wakeups: &mut Wakeups) {
        if let Some(wakers) = self.streams.get_mut(&id) {
            wakeups.tasks.extend(wakers.slot(interest).take());
            if wakers.is_empty() {
                self.streams.remove(&id);
            }
        }
    }

    /// Has everybody woken: the session is over.
    pub(super) fn wake_everybody(&mut self, wakeups: &mut Wakeups) {
        for wait in Wait::ALL {
            self.wake(wait, wakeups);
        }
        for wakers in std::mem::take(&mut self.streams).into_values() {
            wakeups.tasks.extend(wakers.read);
            wakeups.tasks.extend(wakers.write);
            wakeups.tasks.extend(wakers.acked);
            wakeups.tasks.extend(wakers.sent);
        }
    }

    fn list(&mut self, wait: Wait) -> &mut Vec<Waker> {
        match wait {
            Wait::Accept => &mut self.accepting,
            Wait::AcceptUni => &mut self.accepting_uni,
            Wait::Open => &mut self.opening,
            Wait::Closed => &mut self.closing,
            Wait::Join => &mut self.joining,
        }
    }
}

/// What a task waits for on a stream half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Read,
    Write,
    Acked,
    Sent,
}

/// What a task waits for on the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Accept,
    AcceptUni,
    Open,
    Closed,
    Join,
}

impl Wait {
    const ALL: [Self; 5] = [
        Self::Accept,
        Self::AcceptUni,
        Self::Open,
        Self::Closed,
        Self::Join,
    ];
}

#[derive(Default)]
struct StreamWakers {
    read: Option<Waker>,
    write: Option<Waker>,
    acked: Option<Waker>,
    sent: Option<Waker>,
}

impl StreamWakers {
    fn slot(&mut self, interest: Interest) -> &mut Option<Waker> {
        match interest {
            Interest::Read => &mut self.read,
            Interest::Write => &mut self.write,
            Interest::Acked => &mut self.acked,
            Interest::Sent => &mut self.sent,
        }
    }

    fn is_empty(&self) -> bool {
        self.read.is_none() && self.write.is_none() && self.acked.is_none() && self.sent.is_none()
    }
}

/// Whom to wake and what to ask once the lock is released.
#[derive(Default)]
pub(super) struct Wakeups {
    pub(super) tasks: Vec<Waker>,
    pub(super) writers: Vec<(Arc<Writer>, Waker)>,
    /// Connections about which TCP is to be asked.
    pub(super) observations: Vec<(ConnectionHandle, Tcp)>,
}

impl Wakeups {
    pub(super) fn deliver(self, shared: &Shared) {
        for (connection, tcp) in self.observations {
            observing::observe(shared, connection, &tcp);
        }
        for task in self.tasks {
            task.wake();
        }
        for (writer, task) in self.writers {
            writer.kick(shared, task);
        }
    }
}
