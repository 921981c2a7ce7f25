//! What the session's state tells the task that follows its paths.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tcpls_core::ConnectionHandle;

use crate::interfaces::LocalAddress;
use crate::path_options::PathOptions;

/// Something that happened to the paths of a session.
#[derive(Debug)]
pub(crate) enum News {
    /// A connection failed that the session is to have again.
    Lost {
        connection: ConnectionHandle,
        /// From where it came.
        local: Option<IpAddr>,
        options: PathOptions,
    },
    /// The server advertised an address.
    Advertised(SocketAddr),
    /// The server withdrew an address.
    Withdrawn,
    /// The application moved the session elsewhere: what was lost stays lost.
    Migrated,
    /// The application wants such a path.
    Wanted(PathOptions),
    /// Local addresses became usable; these are now.
    Came(Arc<[LocalAddress]>),
}

/// News that wait for their reader.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    reader: Reader,
    news: Vec<News>,
    waker: Option<Waker>,
    stirred: bool,
}

/// Whether anybody reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reader {
    #[default]
    Nobody,
    Somebody,
}

impl Inbox {
    /// Somebody reads from now on.
    pub(crate) fn open(&mut self) {
        self.reader = Reader::Somebody;
    }

    /// Leaves word.
    pub(crate) fn tell(&mut self, news: News) {
        if self.reader == Reader::Somebody {
            self.news.push(news);
            self.stirred = true;
        }
    }

    /// Connections came, went, or became silent.
    pub(crate) fn stir(&mut self) {
        self.stirred = true;
    }

    /// Whom to wake.
    pub(crate) fn take_waker(&mut self) -> Option<Waker> {
        if self.stirred {
            self.waker.take()
        } else {
            None
        }
    }

    /// Waits until there is word, or something changed.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.stirred) {
            return Poll::Ready(());
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What was left since the last call.
    pub(crate) fn take(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }
}
