//! One attempt to get a path: connecting TCP, then joining.

use std::net::SocketAddr;
use std::sync::Arc;

use tcpls_core::ConnectionHandle;

use super::dial::{Zeal, dial};
use super::plan::{Origin, Place};
use crate::error::PathError;
use crate::io::{Addresses, Transport};
use crate::join::Joiner;
use crate::shared::Shared;

/// What became of an attempt.
pub(super) enum Outcome {
    Joined(ConnectionHandle),
    /// There is no TCP connection.
    Unreached(PathError),
    /// There is one, but it did not join.
    Unjoined(PathError),
}

/// One attempt to get to a place.
pub(super) async fn attempt(shared: &Arc<Shared>, joiner: &Joiner, place: Place) -> Outcome {
    if let Err(error) = place.options.check(shared) {
        return Outcome::Unjoined(error);
    }
    let zeal = match place.origin {
        Origin::Advertised(_) => Zeal::Once,
        Origin::Lost(..) | Origin::Suspect(..) | Origin::Wanted | Origin::Interface => {
            Zeal::Repeatedly
        }
    };
    let (tcp, took) = match dial(&place.options, zeal).await {
        Ok(dialled) => dialled,
        Err(error) => return Outcome::Unreached(error),
    };
    let transport = Transport::new(tcp).opened_with(place.options.clone());
    if is_elsewhere(&place, transport.addresses, &others(shared)) {
        return Outcome::Unreached(PathError::NoAddress);
    }
    let patience = place.patience(took);
    match tokio::time::timeout(patience, joiner.join(shared, transport)).await {
        Ok(Ok(connection)) => Outcome::Joined(connection),
        Ok(Err(error)) => Outcome::Unjoined(error),
        Err(_) => Outcome::Unjoined(PathError::TimedOut(patience)),
    }
}

/// Whether the system chose another way than the lost connection took, and one that the session has
/// already: that is not the path that is missing.
fn is_elsewhere(place: &Place, addresses: Addresses, others: &[Addresses]) -> bool {
    let ip = |address: Option<SocketAddr>| address.map(|address| address.ip());
    let before = match place.origin {
        Origin::Lost(_, local) | Origin::Suspect(_, local) => local,
        Origin::Advertised(_) | Origin::Wanted | Origin::Interface => return false,
    };
    let is_same = |other: &Addresses| {
        ip(other.local) == ip(addresses.local) && other.remote == addresses.remote
    };
    before != ip(addresses.local) && others.iter().any(is_same)
}

/// Between which addresses the session has connections that are not silent.
fn others(shared: &Shared) -> Vec<Addresses> {
    shared.inspect(|state| {
        let slots = state.connections.iter();
        slots
            .filter(|(connection, _)| !state.core.is_suspect(**connection))
            .map(|(_, slot)| slot.addresses)
            .collect()
    })
}

/// Whether no further attempt will do better.
pub(super) fn is_final(error: &PathError) -> bool {
    matches!(
        error,
        PathError::TokensUsedUp | PathError::SessionLost(_) | PathError::AddressWithdrawn(_)
    )
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Plan, tests::connection};
    use super::*;
    use crate::path_options::PathOptions;

    fn between(local: &str, remote: &str) -> Addresses {
        Addresses {
            local: Some(local.parse().unwrap()),
            remote: Some(remote.parse().unwrap()),
        }
    }

    /// where the system takes another way than before, because the interface is gone, the session
    /// does not get a second connection there.
    #[test]
    fn a_connection_over_a_path_in_use_is_not_the_one_that_is_missing() {
        let now = crate::clock::now();
        let mut plan = Plan::new(now);
        plan.want(PathOptions::new(), Origin::Wanted, now);
        let mut place = plan.begin(now).unwrap();
        let in_use = [between("192.0.2.1:40000", "203.0.113.1:443")];
        let home = between("192.0.2.1:40001", "203.0.113.1:443");
        let away = between("198.51.100.1:40001", "203.0.113.1:443");
        let other_server = between("192.0.2.1:40001", "203.0.113.2:443");
        assert!(!is_elsewhere(&place, home, &in_use), "it is wanted");
        let silent = connection(0);
        let before = |address: &str| Some(address.parse().unwrap());
        for origin in [Origin::Lost, Origin::Suspect] {
            place.origin = origin(silent, before("198.51.100.1"));
            assert!(is_elsewhere(&place, home, &in_use));
            assert!(!is_elsewhere(&place, away, &in_use), "as before");
            assert!(!is_elsewhere(&place, other_server, &in_use), "another path");
            assert!(!is_elsewhere(&place, home, &[]), "the only one");
            place.origin = origin(silent, before("192.0.2.1"));
            assert!(!is_elsewhere(&place, home, &in_use), "there were two");
        }
    }
}
