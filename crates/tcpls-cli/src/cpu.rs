//! How much CPU time this process used.

use std::time::Duration;

/// User and system time of the whole process so far; `None` where the system does not tell.
pub(crate) fn used() -> Option<Duration> {
    process_time()
}

/// The time used since `start`, an earlier result of [`used`].
pub(crate) fn since(start: Option<Duration>) -> Option<Duration> {
    Some(used()?.saturating_sub(start?))
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn process_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn process_time() -> Option<Duration> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn work_shows_as_cpu_time() {
        let start = used();
        let mut sum = 0_u64;
        while since(start).unwrap() < Duration::from_millis(1) {
            sum = std::hint::black_box(sum.wrapping_mul(3).wrapping_add(1));
        }
        assert!(used() > start);
    }
}
