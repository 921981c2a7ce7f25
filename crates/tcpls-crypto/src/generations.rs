//! The key generations of one direction that are kept, and who still needs them (reading A-26).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::secrets::{DirectionKeys, KeyError, NextSecret, RecordKey};

/// Consecutive generations, up to the highest that was reached.
///
/// Invariant: those that a [`Position`] is at, and all after it, are there.
pub(crate) struct Generations {
    source: Box<dyn NextSecret>,
    /// The generation of the first key in `keys`.
    first: u32,
    keys: VecDeque<Arc<RecordKey>>,
    /// Generations before this one may go.
    floor: u32,
    /// How many sealers or openers are at a generation.
    positions: BTreeMap<u32, usize>,
}

impl Generations {
    pub(crate) fn new(first: RecordKey, source: Box<dyn NextSecret>) -> Self {
        Self {
            source,
            first: 0,
            keys: VecDeque::from([Arc::new(first)]),
            floor: 0,
            positions: BTreeMap::new(),
        }
    }

    /// The key of a generation; `make` turns further secrets into keys. At most `most` keys are kept.
    pub(crate) fn key(
        &mut self,
        generation: u32,
        most: u32,
        make: impl Fn(&mut dyn NextSecret) -> Result<RecordKey, KeyError>,
    ) -> Result<Arc<RecordKey>, KeyError> {
        let index = generation
            .checked_sub(self.first)
            .ok_or(KeyError::Forgotten(generation))?;
        if index >= most {
            return Err(KeyError::TooManyGenerations(generation));
        }
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        while self.keys.len() <= index {
            let key = make(&mut *self.source)?;
            self.keys.push_back(Arc::new(key));
        }
        let key = self.keys.get(index).cloned();
        key.ok_or(KeyError::Forgotten(generation))
    }

    /// The highest generation that was reached.
    pub(crate) fn highest(&self) -> u32 {
        let after = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.first.saturating_add(after).saturating_sub(1)
    }

    /// Generations before this one are not needed, apart from those that somebody is at.
    pub(crate) fn forget_before(&mut self, generation: u32) {
        self.floor = self.floor.max(generation.min(self.highest()));
        self.erase();
    }

    fn erase(&mut self) {
        let lowest = self.positions.first_key_value();
        let floor = lowest.map_or(self.floor, |(lowest, _)| self.floor.min(*lowest));
        while self.first < floor {
            self.keys.pop_front();
            self.first += 1;
        }
    }

    /// Somebody left a generation, for another one or altogether.
    pub(crate) fn on_moved(&mut self, to: Option<u32>, from: u32) {
        if let Some(to) = to {
            self.enter(to);
        }
        self.leave(from);
    }

    /// Somebody is at this generation.
    pub(crate) fn enter(&mut self, generation: u32) {
        *self.positions.entry(generation).or_default() += 1;
    }

    fn leave(&mut self, generation: u32) {
        if let Some(count) = self.positions.get_mut(&generation) {
            *count -= 1;
            if *count == 0 {
                self.positions.remove(&generation);
                self.erase();
            }
        }
    }
}

/// A sealer's or opener's place among the generations: the one that it is at and those after it stay until
/// it has moved on.
pub(crate) struct Position {
    keys: Arc<DirectionKeys>,
    generation: u32,
    key: Arc<RecordKey>,
}

impl Position {
    pub(crate) fn new(keys: Arc<DirectionKeys>, generation: u32) -> Result<Self, KeyError> {
        let key = keys.enter(generation)?;
        Ok(Self {
            keys,
            generation,
            key,
        })
    }

    pub(crate) fn keys(&self) -> &Arc<DirectionKeys> {
        &self.keys
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// The key of this generation.
    pub(crate) fn key(&self) -> &Arc<RecordKey> {
        &self.key
    }

    /// The key of the next one.
    pub(crate) fn next_key(&self) -> Result<Arc<RecordKey>, KeyError> {
        self.keys.key(self.generation.saturating_add(1))
    }

    /// Moves to the next generation, whose key this is.
    pub(crate) fn move_on(&mut self, next: Arc<RecordKey>) {
        let (before, after) = (self.generation, self.generation.saturating_add(1));
        self.keys.on_moved(Some(after), before);
        self.generation = after;
        self.key = next;
    }
}

impl Drop for Position {
    fn drop(&mut self) {
        self.keys.on_moved(None, self.generation);
    }
}
