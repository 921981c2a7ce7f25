//! How many files and sockets this process may have open.

/// Raises the limit as far as `wanted` if the system allows it. Returns how many there may be now, where
/// it is known.
pub(crate) fn raise(wanted: u64) -> Option<u64> {
    raise_limit(wanted)
}

#[cfg(unix)]
fn raise_limit(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= wanted) {
        return now.current;
    }
    let hard = now.maximum;
    // Beyond the hard limit only the privileged get; the others get as far as that.
    let attempts = [
        Rlimit {
            current: Some(wanted),
            maximum: hard.map(|hard| hard.max(wanted)),
        },
        Rlimit {
            current: Some(hard.map_or(wanted, |hard| hard.min(wanted))),
            maximum: hard,
        },
    ];
    let raised = attempts
        .into_iter()
        .any(|limit| setrlimit(Resource::Nofile, limit).is_ok());
    if !raised {
        tracing::debug!("the limit on open files stays where it is");
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
fn raise_limit(_wanted: u64) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_lowered() {
        let before = raise(1);
        assert_eq!(raise(2), before);
        assert!(raise(64) >= before);
    }
}
