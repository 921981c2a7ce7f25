//! Finding what comes twice in a list of numbers.

/// The smallest value that comes more than once, found by sorting.
pub(crate) fn first_duplicate<T: Ord + Copy>(values: &mut [T]) -> Option<T> {
    values.sort_unstable();
    values.windows(2).find_map(|pair| match pair {
        [first, second] if first == second => Some(*first),
        _ => None,
    })
}
