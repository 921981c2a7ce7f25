//! How many sessions each client address has.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The clients of a server, by where they come from.
#[derive(Clone, Default)]
pub(crate) struct Clients {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// Sessions, and handshakes that may become one; those without any have no entry.
    sessions: HashMap<Network, usize>,
    refused: u64,
}

/// What one client has for itself: an IPv4 address, or the /64 that IPv6 gives to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4(Ipv4Addr),
    V6(u64),
}

/// The place of one session; free again when it is dropped.
pub(crate) struct Place {
    clients: Clients,
    network: Network,
}

impl Clients {
    /// A place for one more session of the client at `address`, unless it has `limit`.
    pub(crate) fn enter(&self, address: IpAddr, limit: usize) -> Option<Place> {
        let network = Network::of(address);
        let mut inner = self.lock();
        let sessions = inner.sessions.get(&network).copied().unwrap_or(0);
        if sessions >= limit {
            inner.refused = inner.refused.saturating_add(1);
            return None;
        }
        inner.sessions.insert(network, sessions + 1);
        Some(Place {
            clients: self.clone(),
            network,
        })
    }

    /// How many had no place.
    pub(crate) fn refused(&self) -> u64 {
        self.lock().refused
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.clients.lock();
        if let Some(sessions) = inner.sessions.get_mut(&self.network) {
            *sessions -= 1;
            if *sessions == 0 {
                inner.sessions.remove(&self.network);
            }
        }
    }
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let [a, b, c, d, ..] = address.segments();
        let network = [a, b, c, d].map(u64::from);
        Self::V6(network.into_iter().fold(0, |all, part| all << 16 | part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IPv6 counts by /64, IPv4 by address, also inside IPv6; who leaves makes room and no entry stays.
    #[test]
    fn places_are_counted_by_network() {
        let clients = Clients::default();
        let enter = |address: &str| clients.enter(address.parse().unwrap(), 2);
        let places = [
            "2001:db8:1:2::1",
            "2001:db8:1:2:ffff::",
            "2001:db8:1:3::1",
            "2001:db8:1:3::1",
            "192.0.2.1",
            "::ffff:192.0.2.1",
            "192.0.2.2",
        ]
        .map(|address| enter(address).unwrap());
        for full in ["2001:db8:1:2::7", "2001:db8:1:3::", "192.0.2.1"] {
            assert!(enter(full).is_none(), "{full}");
        }
        assert_eq!(clients.refused(), 3);
        assert!(enter("192.0.2.2").is_some());
        drop(places);
        assert!(clients.lock().sessions.is_empty());
        assert!(clients.enter("192.0.2.1".parse().unwrap(), 0).is_none());
    }
}
