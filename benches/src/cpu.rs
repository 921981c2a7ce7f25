//! The time that a thread or the process computes, which other programs do not disturb.

use std::sync::LazyLock;
use std::time::Duration;

/// How long this thread has computed so far.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub fn now() -> Duration {
    duration(rustix::time::clock_gettime(
        rustix::time::ClockId::ThreadCPUTime,
    ))
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn duration(time: rustix::time::Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

/// Where the system does not tell: how long it is since the first call.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub fn now() -> Duration {
    static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// How long all threads of this process have computed so far, in the kernel as well.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub fn process() -> Duration {
    duration(rustix::time::clock_gettime(
        rustix::time::ClockId::ProcessCPUTime,
    ))
}

/// Where the system does not tell: how long it is since the first call.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub fn process() -> Duration {
    now()
}

/// The time since `start`, an earlier result of [`now`] on the same thread, without what asking for
/// the time takes.
pub fn since(start: Duration) -> Duration {
    static ASKING: LazyLock<Duration> = LazyLock::new(|| {
        let ask = |_| {
            let start = now();
            now().saturating_sub(start)
        };
        (0..1000).map(ask).min().unwrap_or_default()
    });
    now().saturating_sub(start).saturating_sub(*ASKING)
}
