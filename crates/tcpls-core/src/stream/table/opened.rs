//! Streams that are opened, by either side.

use super::{
    Announcement, CloseReason, EventQueue, Introduction, Kind, News, OpenError, Phase,
    StreamAnnouncement, StreamId, Streams,
};

impl Streams {
    /// Opens a stream of two directions.
    pub(crate) fn open(&mut self) -> Result<StreamId, OpenError> {
        self.check_open()?;
        self.open_as(Kind::Bidirectional)
    }

    /// Opens a stream of this kind.
    pub(super) fn open_as(&mut self, kind: Kind) -> Result<StreamId, OpenError> {
        let opened = self.opening.open();
        if opened == Err(OpenError::Blocked) && self.opening.wait() == News::Some {
            self.sending.opener_waits();
        }
        let id = opened?;
        let mut stream = self.new_stream();
        if kind.is_unidirectional() {
            stream.become_outgoing();
        }
        let stream = self.map.entry(id).or_insert(stream);
        if self.announcement == StreamAnnouncement::AtOpen {
            stream.send.announcement = Announcement::Due;
            self.sending.queue(id, &mut stream.send);
        }
        Ok(id)
    }

    pub(super) fn check_open(&self) -> Result<(), OpenError> {
        match self.phase {
            Phase::Open => Ok(()),
            Phase::Closing => Err(OpenError::Closing),
            Phase::Over(reason) => Err(OpenError::Lost(reason)),
        }
    }

    /// The next stream of two directions that the peer opened.
    pub(crate) fn accept(&mut self) -> Option<StreamId> {
        self.arrivals.accept()
    }

    /// opens a stream of the peer, and all below it.
    pub(super) fn open_for_peer(
        &mut self,
        id: StreamId,
        events: &mut EventQueue,
    ) -> Result<(), CloseReason> {
        let kind = if self.has_kinds() {
            Kind::Unknown
        } else {
            Kind::Bidirectional
        };
        for id in self.opening.open_for_peer(id)? {
            let mut stream = self.new_stream();
            stream.introduction = Introduction::Due;
            stream.kind = kind;
            self.map.insert(id, stream);
            if kind == Kind::Bidirectional {
                self.introduce(id, events);
            }
        }
        Ok(())
    }
}
