//! A set of byte offsets, kept as disjoint ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// Offsets as disjoint half-open ranges.
///
/// Invariant: no range is empty and no two touch, so the number of entries is the number of gaps
/// plus one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct RangeSet {
    /// Start of a range to its end (exclusive).
    ranges: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// Adds `range`, joining it with the ranges that it touches or overlaps.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let mut merged = range;
        if let Some((&start, &end)) = self.ranges.range(..=merged.start).next_back() {
            if end >= merged.end {
                return;
            }
            if end >= merged.start {
                merged.start = start;
            }
        }
        while let Some((&start, &end)) = self.ranges.range(merged.start..=merged.end).next() {
            merged.end = merged.end.max(end);
            self.ranges.remove(&start);
        }
        self.ranges.insert(merged.start, merged.end);
    }

    /// Takes every offset of `range` out.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() || self.ranges.is_empty() {
            return;
        }
        if let Some((&start, &end)) = self.ranges.range(..range.start).next_back()
            && end > range.start
        {
            self.ranges.insert(start, range.start);
            if end > range.end {
                self.ranges.insert(range.end, end);
                return;
            }
        }
        while let Some((&start, &end)) = self.ranges.range(range.clone()).next() {
            self.ranges.remove(&start);
            if end > range.end {
                self.ranges.insert(range.end, end);
            }
        }
    }

    /// How many offsets it has.
    pub(crate) fn count(&self) -> u64 {
        self.ranges.iter().map(|(start, end)| end - start).sum()
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<Range<u64>> {
        self.ranges
            .first_key_value()
            .map(|(&start, &end)| start..end)
    }

    /// Whether `offset` is in the set.
    pub(crate) fn contains(&self, offset: u64) -> bool {
        let range = self.ranges.range(..=offset).next_back();
        range.is_some_and(|(_, &end)| offset < end)
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Adds what lies between the two lowest ranges.
    pub(crate) fn close_first_gap(&mut self) {
        let Some((first, end)) = self.ranges.pop_first() else {
            return;
        };
        let end = self.ranges.pop_first().map_or(end, |(_, end)| end);
        self.ranges.insert(first, end);
    }

    /// Takes out the lowest range if it starts at or below `offset`, and returns its end.
    pub(crate) fn take_reachable(&mut self, offset: u64) -> Option<u64> {
        let entry = self.ranges.first_entry()?;
        (*entry.key() <= offset).then(|| entry.remove())
    }

    /// The parts of `range` that are not in the set, lowest first.
    pub(crate) fn missing_from(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut missing = Vec::new();
        let mut from = range.start;
        let before = self.ranges.range(..range.start).next_back();
        let inside = self.ranges.range(range.clone());
        for (&start, &end) in before.into_iter().chain(inside) {
            if start > from {
                missing.push(from..start);
            }
            from = from.max(end);
        }
        if from < range.end {
            missing.push(from..range.end);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn members(set: &RangeSet) -> BTreeSet<u64> {
        set.ranges
            .iter()
            .flat_map(|(&start, &end)| start..end)
            .collect()
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_single_offsets(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..60, 0_u64..20), 1..60),
        ) {
            let mut ranges = RangeSet::default();
            let mut model = BTreeSet::new();
            for (insert, start, length) in steps {
                let range = start..start + length;
                let missing: BTreeSet<u64> =
                    ranges.missing_from(range.clone()).into_iter().flatten().collect();
                prop_assert_eq!(missing, range.clone().filter(|at| !model.contains(at)).collect());
                if insert {
                    ranges.insert(range.clone());
                    model.extend(range);
                } else {
                    ranges.remove(range.clone());
                    model.retain(|at| !range.contains(at));
                }
                prop_assert_eq!(members(&ranges), model.clone());
                for offset in 0..80 {
                    prop_assert_eq!(ranges.contains(offset), model.contains(&offset));
                }
                let gaps = model.iter().filter(|&&at| !model.contains(&(at + 1))).count();
                prop_assert_eq!(ranges.len(), gaps, "touching ranges must be one");
            }
        }
    }

    #[test]
    fn takes_only_what_can_be_reached() {
        let mut set = RangeSet::default();
        set.insert(10..20);
        assert_eq!(set.take_reachable(9), None);
        assert_eq!(set.take_reachable(10), Some(20));
        assert!(set.first().is_none());
    }
}
