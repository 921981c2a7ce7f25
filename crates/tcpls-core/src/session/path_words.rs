//! What this side has to say about single connections, until the peer has it.

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{
    sent::ControlFrame,
    wire::{
        ConnectionCloseFrame, ConnectionId, ConnectionPriorityFrame, ExtendedFrame,
        ObservedAddressFrame, PriorityFlags,
    },
};

/// The latest word on each connection. A newer one takes the place of an older one, also where that is
/// on its way: its epoch is higher, and the peer believes the highest.
#[derive(Debug, Default)]
pub(crate) struct PathWords {
    /// The last epoch that was used, on whichever connection.
    epoch: u32,
    words: BTreeMap<ConnectionId, Words>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Words {
    priority: Option<(u32, PriorityFlags)>,
    observed: Option<(u32, SocketAddr)>,
}

impl PathWords {
    /// Notes what a connection is for.
    pub(crate) fn set_priority(&mut self, connection: ConnectionId, flags: PriorityFlags) {
        let epoch = self.next_epoch();
        self.words.entry(connection).or_default().priority = Some((epoch, flags));
    }

    /// Notes where the peer's end of a connection is seen.
    pub(crate) fn set_observed(&mut self, connection: ConnectionId, address: SocketAddr) {
        let epoch = self.next_epoch();
        self.words.entry(connection).or_default().observed = Some((epoch, address));
    }

    /// Forgets what was to be said about connections that are over.
    pub(crate) fn retain(&mut self, is_live: impl Fn(ConnectionId) -> bool) {
        self.words.retain(|connection, _| is_live(*connection));
    }

    /// What there is to say about a connection.
    pub(crate) fn about(&self, connection: ConnectionId) -> impl Iterator<Item = ControlFrame> {
        let words = self.words.get(&connection).copied().unwrap_or_default();
        let priority = words
            .priority
            .map(|(epoch, _)| ControlFrame::ConnectionPriority(connection, epoch));
        let observed = words
            .observed
            .map(|(epoch, _)| ControlFrame::ObservedAddress(connection, epoch));
        priority.into_iter().chain(observed)
    }

    /// The frame of this name; `None` when a newer one took its place.
    pub(crate) fn frame(&self, name: ControlFrame) -> Option<ExtendedFrame<'static>> {
        match name {
            ControlFrame::ConnectionClose(connection) => {
                let frame = ConnectionCloseFrame {
                    connection,
                    code: 0,
                };
                Some(ExtendedFrame::ConnectionClose(frame))
            }
            ControlFrame::ConnectionPriority(connection, named) => {
                let (epoch, flags) = self.words.get(&connection)?.priority?;
                let frame = ConnectionPriorityFrame {
                    connection,
                    epoch,
                    flags,
                };
                (epoch == named).then_some(ExtendedFrame::ConnectionPriority(frame))
            }
            ControlFrame::ObservedAddress(connection, named) => {
                let (epoch, address) = self.words.get(&connection)?.observed?;
                let frame = ObservedAddressFrame {
                    connection,
                    epoch,
                    address: address.ip(),
                    port: address.port(),
                };
                (epoch == named).then_some(ExtendedFrame::ObservedAddress(frame))
            }
            ControlFrame::NewToken(_)
            | ControlFrame::RetireToken(_)
            | ControlFrame::TokenRequest
            | ControlFrame::ConnectionReset(_)
            | ControlFrame::NewAddress(_)
            | ControlFrame::RemoveAddress(_) => None,
        }
    }

    fn next_epoch(&mut self) -> u32 {
        self.epoch = self.epoch.saturating_add(1);
        self.epoch
    }
}
