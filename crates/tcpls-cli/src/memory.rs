//! How much memory of its own this process uses.

/// Bytes in memory that are this process's alone and no file's: heap, stacks, what else it allocated.
/// `None` where the system does not tell; Linux does.
pub(crate) fn used() -> Option<u64> {
    process_memory()
}

#[cfg(target_os = "linux")]
fn process_memory() -> Option<u64> {
    anonymous(&std::fs::read_to_string("/proc/self/status").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn process_memory() -> Option<u64> {
    None
}

/// `RssAnon` of a process's `status` (`proc_pid_status(5)`).
#[cfg(target_os = "linux")]
fn anonymous(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_among_others() {
        let status = "VmRSS:\t  9000 kB\nRssAnon:\t     1234 kB\nRssFile:\t 1 kB\n";
        assert_eq!(anonymous(status), Some(1234 * 1024));
        assert_eq!(anonymous("VmRSS: 1 kB\n"), None);
    }

    #[test]
    fn memory_in_use_shows() {
        let before = used().unwrap();
        let taken = std::hint::black_box(vec![1_u8; 16 << 20]);
        let after = used().unwrap();
        assert!(after >= before + (8 << 20), "{before} {after}");
        drop(taken);
    }
}
