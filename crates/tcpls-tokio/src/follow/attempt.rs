//! One attempt to get a path: connecting TCP, then joining.

use std::net::SocketAddr;
use std::sync::Arc;

use tcpls_core::ConnectionHandle;

use super::dial::{Zeal, dial};
use super::plan::{Origin, Place};
use crate::error::PathError;
use crate::io::Transport;
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
    if is_elsewhere(shared, &place, &transport) {
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
fn is_elsewhere(shared: &Shared, place: &Place, transport: &Transport) -> bool {
    let addresses = transport.addresses;
    let ip = |address: Option<SocketAddr>| address.map(|address| address.ip());
    let before = match place.origin {
        Origin::Lost(_, local) | Origin::Suspect(_, local) => local,
        Origin::Advertised(_) | Origin::Wanted | Origin::Interface => return false,
    };
    before != ip(addresses.local)
        && shared.inspect(|state| {
            state.connections.iter().any(|(connection, slot)| {
                ip(slot.addresses.local) == ip(addresses.local)
                    && slot.addresses.remote == addresses.remote
                    && !state.core.is_suspect(*connection)
            })
        })
}

/// Whether no further attempt will do better.
pub(super) fn is_final(error: &PathError) -> bool {
    matches!(
        error,
        PathError::TokensUsedUp | PathError::SessionLost(_) | PathError::AddressWithdrawn(_)
    )
}
