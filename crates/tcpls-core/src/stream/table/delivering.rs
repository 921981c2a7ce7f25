//! Data that is with the application when the session hears of it.

use super::{AfterRead, Streams};
use crate::{
    CloseReason,
    event::EventQueue,
    stream::opening::News,
    wire::{StreamFrame, StreamId},
};

impl Streams {
    /// Where the next bytes of a stream begin, when nothing before them is unread and somebody wants them.
    pub(crate) fn next_delivery(&self, id: StreamId) -> Option<u64> {
        let stream = self.map.get(&id)?;
        stream.recv.next_delivery().filter(|next| *next > 0)
    }

    /// Has the data of a Stream frame count as received and read; nothing happens unless it is what comes
    /// next.
    pub(crate) fn deliver(
        &mut self,
        frame: &StreamFrame<'_>,
        events: &mut EventQueue,
    ) -> Result<News, CloseReason> {
        let id = frame.stream;
        if self.next_delivery(id) != Some(frame.offset) {
            return Ok(News::None);
        }
        let Some(stream) = self.map.get_mut(&id) else {
            return Ok(News::None);
        };
        self.receiving.deliver(&mut stream.recv, frame)?;
        let after = AfterRead::of(&stream.recv);
        let ends = stream.is_finished();
        self.note_limits(id, after.limit);
        if after.ended || ends {
            self.settle(id, events);
        }
        Ok(News::Some)
    }
}
