//! Room of the session that writers were told of.

/// Bytes of room that writers were told of and have not used.
///
/// Who was told may not want it any more. So a promise holds for an era, in which the session takes as much
/// as its buffer holds, and for the next one; and none holds when nobody comes for room (see
/// [`forget`](Self::forget)).
///
/// Invariant: `made` and `before` are the sums of the promises of this era and of the one before it.
#[derive(Debug, Default)]
pub(super) struct Promises {
    era: u64,
    made: usize,
    before: usize,
    /// Bytes that were written in this era.
    written: usize,
}

/// What one writer was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Promise {
    era: u64,
    bytes: usize,
}

impl Promises {
    /// What writers were told of.
    pub(super) fn outstanding(&self) -> usize {
        self.made + self.before
    }

    /// What is left of this one.
    pub(super) fn left(&self, promise: Promise) -> usize {
        if self.era - promise.era < 2 {
            promise.bytes
        } else {
            0
        }
    }

    /// Promises so much, beside what was promised before.
    pub(super) fn make(&mut self, promise: &mut Promise, bytes: usize) {
        let left = self.take_back(promise);
        *promise = Promise {
            era: self.era,
            bytes: left + bytes,
        };
        self.made += promise.bytes;
    }

    /// The writer wants nothing of it any more. Returns what was left.
    pub(super) fn take_back(&mut self, promise: &mut Promise) -> usize {
        let left = self.left(*promise);
        self.reduce(promise, left);
        left
    }

    /// The writer wrote `bytes`; eras are as long as it takes to write `limit` bytes.
    pub(super) fn keep(&mut self, promise: &mut Promise, bytes: usize, limit: usize) {
        let kept = self.left(*promise).min(bytes);
        self.reduce(promise, kept);
        self.written += bytes;
        if self.written >= limit {
            self.written = 0;
            self.era += 1;
            self.before = std::mem::take(&mut self.made);
        }
    }

    /// No promise holds any longer.
    pub(super) fn forget(&mut self) {
        *self = Self {
            era: self.era + 2,
            ..Self::default()
        };
    }

    fn reduce(&mut self, promise: &mut Promise, bytes: usize) {
        promise.bytes = self.left(*promise) - bytes;
        if promise.era == self.era {
            self.made -= bytes;
        } else {
            self.before -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_or_taken_back() {
        let mut promises = Promises::default();
        let (mut one, mut other) = (Promise::default(), Promise::default());
        promises.make(&mut one, 30);
        promises.make(&mut other, 20);
        assert_eq!(promises.outstanding(), 50);
        promises.keep(&mut one, 10, 100);
        assert_eq!((promises.left(one), promises.outstanding()), (20, 40));
        promises.keep(&mut one, 25, 100);
        assert_eq!((promises.left(one), promises.outstanding()), (0, 20));
        assert_eq!(promises.take_back(&mut other), 20);
        assert_eq!((promises.left(other), promises.outstanding()), (0, 0));
    }

    #[test]
    fn who_does_not_come_for_two_eras_has_lost_it() {
        let mut promises = Promises::default();
        let (mut absent, mut writer) = (Promise::default(), Promise::default());
        promises.make(&mut absent, 30);
        promises.keep(&mut writer, 100, 100);
        assert_eq!((promises.left(absent), promises.outstanding()), (30, 30));
        promises.make(&mut writer, 5);
        promises.keep(&mut writer, 100, 100);
        assert_eq!((promises.left(absent), promises.outstanding()), (0, 0));
        promises.keep(&mut absent, 10, 100);
        assert_eq!(promises.take_back(&mut absent), 0);
        promises.make(&mut absent, 7);
        promises.forget();
        assert_eq!((promises.left(absent), promises.outstanding()), (0, 0));
    }
}
