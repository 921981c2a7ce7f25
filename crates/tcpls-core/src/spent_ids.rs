//! Connection IDs that are used up, in bounded memory.

use crate::{range_set::RangeSet, wire::ConnectionId};

/// Connection IDs that will not come back, as ranges: a session that joins connections for years keeps
/// a handful of them.
///
/// Where a peer scatters its identifiers, the lowest gaps are closed: what lies in them then counts as
/// used up, too, and that only means that it is ignored.
#[derive(Debug, Default)]
pub(crate) struct SpentIds {
    ranges: RangeSet,
}

/// How many ranges are kept, some 32 bytes each.
const MAX_RANGES: usize = 512;

impl SpentIds {
    pub(crate) fn insert(&mut self, id: ConnectionId) {
        let id = u64::from(id.as_u32());
        self.ranges.insert(id..id + 1);
        if self.ranges.len() > MAX_RANGES {
            self.ranges.close_first_gap();
        }
    }

    pub(crate) fn contains(&self, id: ConnectionId) -> bool {
        self.ranges.contains(u64::from(id.as_u32()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: u32) -> ConnectionId {
        ConnectionId::from_wire(value)
    }

    /// what is used up stays so, however many there are, and in however odd an order.
    #[test]
    fn identifiers_are_kept_in_bounded_memory() {
        let mut spent = SpentIds::default();
        for value in (0..100_000).rev().chain([u32::MAX]) {
            spent.insert(id(value));
        }
        assert_eq!(spent.ranges.len(), 2);
        for value in (200_000..300_000).step_by(2) {
            spent.insert(id(value));
            assert!(spent.contains(id(value)));
            assert!(spent.ranges.len() <= MAX_RANGES);
        }
        assert!(spent.contains(id(0)) && spent.contains(id(u32::MAX)));
        assert!(spent.contains(id(150_000)), "the lowest gap is closed");
        assert!(!spent.contains(id(299_999)) && !spent.contains(id(300_001)));
    }
}
