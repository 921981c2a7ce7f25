//! How much the peer lets this side send (`spec/extensions.md` 6.1).

use std::collections::BTreeMap;

use super::{Allowance, QueuePlace, SendHalf, Sending, Stream, StreamId};

impl Sending {
    /// What the peer allowed at the start: in the session, and on each stream.
    pub(crate) fn allow(&mut self, session: u64, stream: u64) {
        self.allowance = Allowance::new(session);
        self.first_allowance = Allowance::new(stream);
    }

    /// A half of a new stream.
    pub(crate) fn new_half(&self) -> SendHalf {
        SendHalf {
            allowance: self.first_allowance,
            ..SendHalf::default()
        }
    }

    /// The peer lets the session send more: the streams that waited for it go on in their order.
    /// Returns whether it does.
    pub(crate) fn on_max_data(
        &mut self,
        limit: u64,
        streams: &mut BTreeMap<StreamId, Box<Stream>>,
    ) -> bool {
        let more = self.allowance.raise(limit);
        if more {
            for id in std::mem::take(&mut self.starved) {
                if let Some(half) = streams.get_mut(&id).map(|stream| &mut stream.send)
                    && half.place == QueuePlace::Starved
                {
                    half.place = QueuePlace::Out;
                    self.queue(id, half);
                }
            }
        }
        more
    }

    /// The peer lets a stream send more. Returns whether it does.
    pub(crate) fn on_max_stream_data(
        &mut self,
        id: StreamId,
        half: &mut SendHalf,
        limit: u64,
    ) -> bool {
        let more = half.allowance.raise(limit);
        if more {
            self.queue(id, half);
        }
        more
    }

    /// How many bytes the session lets out now.
    pub(super) fn credit(&self) -> u64 {
        self.allowance.limit().saturating_sub(self.used)
    }
}
