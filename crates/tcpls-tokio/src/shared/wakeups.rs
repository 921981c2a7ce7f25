//! Whom to wake and what to ask once the session's lock is released.

use std::sync::Arc;
use std::task::Waker;

use tcpls_core::ConnectionHandle;

use super::{Shared, observing};
use crate::connection::Writer;
use crate::tcp::Tcp;

/// Whom to wake and what to ask once the lock is released.
#[derive(Default)]
pub(super) struct Wakeups {
    pub(super) tasks: Few<Waker>,
    /// Connections with enough to send for it to go out at once.
    pub(super) writers: Few<(Arc<Writer>, Waker)>,
    /// The tasks of connections with little to send. Who is woken here may have more for them, so they
    /// come last: a task that the runtime is told of later may run earlier.
    pub(super) later_writers: Few<Waker>,
    /// Connections about which TCP is to be asked.
    pub(super) observations: Few<(ConnectionHandle, Tcp)>,
}

impl Wakeups {
    pub(super) fn deliver(self, shared: &Shared) {
        for (connection, tcp) in self.observations {
            observing::observe(shared, connection, &tcp);
        }
        for task in self.later_writers {
            task.wake();
        }
        for task in self.tasks {
            task.wake();
        }
        for (writer, task) in self.writers {
            writer.kick(shared, task);
        }
    }
}

/// A list that is mostly empty or of one, and allocates nothing then.
pub(super) struct Few<T> {
    first: Option<T>,
    others: Vec<T>,
}

impl<T> Few<T> {
    pub(super) fn push(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.others.push(item);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self {
            first: None,
            others: Vec::new(),
        }
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.push(item);
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}
