//! Times of silence that both sides agree on (`spec/extensions.md` 6.5).

use std::time::Duration;

use crate::{
    SessionConfig,
    config::SHORTEST_KEEP_ALIVE,
    wire::{Features, SessionParams},
};

/// Writes what a session with this configuration says about its times.
pub(crate) fn say(config: &SessionConfig, params: &mut SessionParams) {
    params.max_idle = config.idle_timeout.map(millis);
    params.keepalive = config.keep_alive.map(millis);
    params.linger = Some(config.orphan_timeout.map_or(0, seconds));
}

/// The shorter time of both sides counts, and who keeps a session alive does so within it.
pub(crate) fn agree(config: &mut SessionConfig, agreed: Features, peer: &SessionParams) {
    if !agreed.contains(Features::IDLE) {
        return;
    }
    let theirs = peer.max_idle.filter(|millis| *millis > 0);
    let theirs = theirs.map(|millis| Duration::from_millis(millis.into()));
    config.idle_timeout = [config.idle_timeout, theirs].into_iter().flatten().min();
    if let (Some(interval), Some(idle)) = (&mut config.keep_alive, config.idle_timeout) {
        *interval = (*interval).min(idle / 3).max(SHORTEST_KEEP_ALIVE);
    }
    if let (Some(own), Some(theirs)) = (config.orphan_timeout, peer.linger) {
        let theirs = Duration::from_secs(theirs.into());
        config.orphan_timeout = (!theirs.is_zero()).then_some(own.min(theirs));
    }
}

/// At least 1, which differs from none, and at most 49 days.
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// Not less than it is.
fn seconds(time: Duration) -> u32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX)
}
