//! Addresses that either side advertises, each side with its own identifiers (draft 5.2.7, 5.2.8), and
//! which connections use them (reading A-32).

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{
    AddressError,
    sent::ControlFrame,
    wire::{AddressId, NewAddressFrame, Role},
};

/// What became of the address at one end of a connection, from
/// [`Session::peer_address`](crate::Session::peer_address) and
/// [`Session::own_address`](crate::Session::own_address).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressStanding {
    /// It was never advertised, which says nothing against it: that of the first connection need not be.
    Unknown,
    /// It is advertised.
    Advertised(AddressId),
    /// It was advertised and is withdrawn: no connection is to use it (draft 5.2.8).
    Withdrawn(AddressId),
}

impl AddressStanding {
    /// Out of what all advertised addresses say: one that still stands outweighs one that does not.
    fn of(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::Unknown, |found, next| match (found, next) {
            (Self::Advertised(_), _) | (_, Self::Unknown) => found,
            (Self::Unknown | Self::Withdrawn(_), _) => next,
        })
    }
}

/// Whether a connection that has `actual` at the end of `owner` uses the address that `owner`
/// advertised: a server's with its port, a client's without, because a client's ports are many. Port 0
/// is any. IPv4 is the same inside IPv6.
fn is_used(owner: Role, advertised: SocketAddr, actual: SocketAddr) -> bool {
    let port = match owner {
        Role::Client => true,
        Role::Server => advertised.port() == 0 || advertised.port() == actual.port(),
    };
    port && advertised.ip().to_canonical() == actual.ip().to_canonical()
}

/// The addresses of the peer.
#[derive(Debug, Default)]
pub(crate) struct PeerAddresses {
    places: BTreeMap<AddressId, PeerPlace>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeerPlace {
    Advertised(SocketAddr),
    Removed(SocketAddr),
}

/// The addresses of this side.
#[derive(Debug, Default)]
pub(crate) struct OwnAddresses {
    places: BTreeMap<AddressId, OwnPlace>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OwnPlace {
    address: SocketAddr,
    state: OwnState,
}

/// Remove Address goes out only after New Address was acknowledged: on a faster connection it would
/// overtake it and be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnState {
    Advertised,
    Acked,
    /// Withdrawn before the peer acknowledged it.
    Withdrawing,
    Withdrawn,
}

impl PeerAddresses {
    /// Returns whether the address is new: content that differs from what came before under the same
    /// identifier is ignored, and so is an identifier that was removed.
    pub(crate) fn on_new(&mut self, frame: &NewAddressFrame) -> Option<SocketAddr> {
        if self.places.contains_key(&frame.id) {
            return None;
        }
        let address = SocketAddr::new(frame.address, frame.port);
        self.places.insert(frame.id, PeerPlace::Advertised(address));
        Some(address)
    }

    /// The address that is gone now, or `None` for an identifier that is unknown or removed already.
    pub(crate) fn on_removed(&mut self, id: AddressId) -> Option<SocketAddr> {
        let place = self.places.get_mut(&id)?;
        match *place {
            PeerPlace::Advertised(address) => {
                *place = PeerPlace::Removed(address);
                Some(address)
            }
            PeerPlace::Removed(_) => None,
        }
    }

    /// What the peer, which is `peer`, says about its end of a connection.
    pub(crate) fn standing(&self, peer: Role, remote: SocketAddr) -> AddressStanding {
        AddressStanding::of(self.places.iter().map(|(&id, place)| match *place {
            PeerPlace::Advertised(address) if is_used(peer, address, remote) => {
                AddressStanding::Advertised(id)
            }
            PeerPlace::Removed(address) if is_used(peer, address, remote) => {
                AddressStanding::Withdrawn(id)
            }
            PeerPlace::Advertised(_) | PeerPlace::Removed(_) => AddressStanding::Unknown,
        }))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (AddressId, SocketAddr)> + '_ {
        self.places.iter().filter_map(|(&id, place)| match place {
            PeerPlace::Advertised(address) => Some((id, *address)),
            PeerPlace::Removed(_) => None,
        })
    }
}

impl OwnAddresses {
    /// Gives an address the next identifier.
    pub(crate) fn advertise(&mut self, address: SocketAddr) -> Result<AddressId, AddressError> {
        let next = u8::try_from(self.places.len()).map_err(|_| AddressError::UsedUp)?;
        let id = AddressId::from_wire(next);
        self.places.insert(
            id,
            OwnPlace {
                address,
                state: OwnState::Advertised,
            },
        );
        Ok(id)
    }

    /// Withdraws an address; the frame to send now, if it can be sent now.
    pub(crate) fn withdraw(&mut self, id: AddressId) -> Result<Option<ControlFrame>, AddressError> {
        let place = self.places.get_mut(&id).ok_or(AddressError::Unknown)?;
        let (state, frame) = match place.state {
            OwnState::Advertised => (OwnState::Withdrawing, None),
            OwnState::Acked => (OwnState::Withdrawn, Some(ControlFrame::RemoveAddress(id))),
            OwnState::Withdrawing | OwnState::Withdrawn => return Err(AddressError::Unknown),
        };
        place.state = state;
        Ok(frame)
    }

    /// The peer knows the address; the frame to send now if it was withdrawn meanwhile.
    pub(crate) fn on_acked(&mut self, id: AddressId) -> Option<ControlFrame> {
        let place = self.places.get_mut(&id)?;
        match place.state {
            OwnState::Advertised => {
                place.state = OwnState::Acked;
                None
            }
            OwnState::Withdrawing => {
                place.state = OwnState::Withdrawn;
                Some(ControlFrame::RemoveAddress(id))
            }
            OwnState::Acked | OwnState::Withdrawn => None,
        }
    }

    /// What this side, which is `own`, says about its end of a connection.
    pub(crate) fn standing(&self, own: Role, local: SocketAddr) -> AddressStanding {
        AddressStanding::of(self.places.iter().map(|(&id, place)| {
            if !is_used(own, place.address, local) {
                return AddressStanding::Unknown;
            }
            match place.state {
                OwnState::Advertised | OwnState::Acked => AddressStanding::Advertised(id),
                OwnState::Withdrawing | OwnState::Withdrawn => AddressStanding::Withdrawn(id),
            }
        }))
    }

    pub(crate) fn frame(&self, id: AddressId) -> Option<NewAddressFrame> {
        let address = self.places.get(&id)?.address;
        Some(NewAddressFrame {
            id,
            address: address.ip(),
            port: address.port(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "192.0.2.1:443";
    const SECOND: &str = "[2001:db8::1]:443";

    fn frame(id: u8, address: &str) -> NewAddressFrame {
        let address: SocketAddr = address.parse().unwrap();
        let id = AddressId::from_wire(id);
        NewAddressFrame {
            id,
            address: address.ip(),
            port: address.port(),
        }
    }

    /// R49: other content under a known identifier is ignored. R50: so is a removed identifier. R54:
    /// removing what is unknown or removed is ignored. For all 256 identifiers.
    #[test]
    fn an_identifier_is_used_once() {
        let mut peer = PeerAddresses::default();
        for id in 0..=255 {
            let name = AddressId::from_wire(id);
            assert_eq!(peer.on_removed(name), None, "unknown");
            assert_eq!(peer.on_new(&frame(id, FIRST)), FIRST.parse().ok());
            assert_eq!(peer.on_new(&frame(id, FIRST)), None, "again");
            assert_eq!(peer.on_new(&frame(id, SECOND)), None, "changed");
            assert_eq!(
                peer.iter().collect::<Vec<_>>(),
                [(name, FIRST.parse().unwrap())]
            );
            assert_eq!(peer.on_removed(name), FIRST.parse().ok());
            assert_eq!(peer.on_removed(name), None, "removed already");
            assert_eq!(peer.on_new(&frame(id, FIRST)), None, "used up");
        }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// a server's address is one with its port, a client's without; port 0 is any port, and IPv4
    /// is the same inside IPv6.
    #[test]
    fn a_client_has_many_ports() {
        for (owner, advertised, actual, used) in [
            (Role::Server, "192.0.2.1:443", "192.0.2.1:443", true),
            (Role::Server, "192.0.2.1:443", "192.0.2.1:444", false),
            (Role::Server, "192.0.2.1:443", "192.0.2.2:443", false),
            (Role::Server, "192.0.2.1:0", "192.0.2.1:444", true),
            (
                Role::Server,
                "192.0.2.1:443",
                "[::ffff:192.0.2.1]:443",
                true,
            ),
            (Role::Server, "[fe80::1]:443", "[fe80::1%3]:443", true),
            (Role::Client, "192.0.2.1:443", "192.0.2.1:50123", true),
            (Role::Client, "192.0.2.1:0", "192.0.2.1:50123", true),
            (Role::Client, "[::ffff:192.0.2.1]:0", "192.0.2.1:1", true),
            (Role::Client, "192.0.2.1:0", "192.0.2.2:50123", false),
            (Role::Client, "192.0.2.1:0", "[2001:db8::1]:50123", false),
        ] {
            let mut peer = PeerAddresses::default();
            peer.on_new(&frame(7, advertised));
            let id = AddressId::from_wire(7);
            let expected = if used {
                AddressStanding::Advertised(id)
            } else {
                AddressStanding::Unknown
            };
            let standing = peer.standing(owner, address(actual));
            assert_eq!(standing, expected, "{owner:?} {advertised} {actual}");
            let mut own = OwnAddresses::default();
            let id = own.advertise(address(advertised)).unwrap();
            let expected = if used {
                AddressStanding::Advertised(id)
            } else {
                AddressStanding::Unknown
            };
            assert_eq!(own.standing(owner, address(actual)), expected);
        }
    }

    /// R52, A-32: an address that was withdrawn is not used, unless it was advertised again under another
    /// identifier; one that was never advertised may be.
    #[test]
    fn a_withdrawn_address_is_told_from_an_unknown_one() {
        let [first, again] = [3, 9].map(AddressId::from_wire);
        let mut peer = PeerAddresses::default();
        let standing = |peer: &PeerAddresses| peer.standing(Role::Server, address(FIRST));
        assert_eq!(standing(&peer), AddressStanding::Unknown);
        peer.on_new(&frame(3, FIRST));
        peer.on_new(&frame(4, SECOND));
        assert_eq!(standing(&peer), AddressStanding::Advertised(first));
        peer.on_removed(first);
        assert_eq!(standing(&peer), AddressStanding::Withdrawn(first));
        peer.on_new(&frame(9, FIRST));
        assert_eq!(standing(&peer), AddressStanding::Advertised(again));
        peer.on_removed(again);
        assert!(matches!(standing(&peer), AddressStanding::Withdrawn(_)));

        let mut own = OwnAddresses::default();
        let id = own.advertise(address(FIRST)).unwrap();
        own.withdraw(id).unwrap();
        let standing = |own: &OwnAddresses| own.standing(Role::Server, address(FIRST));
        let withdrawn = AddressStanding::Withdrawn(id);
        assert_eq!(standing(&own), withdrawn, "before the peer knows");
        own.on_acked(id);
        assert_eq!(standing(&own), withdrawn);
        let id = own.advertise(address(FIRST)).unwrap();
        assert_eq!(standing(&own), AddressStanding::Advertised(id));
    }

    /// 256 identifiers a side, none used twice.
    #[test]
    fn own_identifiers_run_out() {
        let mut own = OwnAddresses::default();
        let address = FIRST.parse().unwrap();
        for id in 0..=255 {
            assert_eq!(own.advertise(address), Ok(AddressId::from_wire(id)));
        }
        assert_eq!(own.advertise(address), Err(AddressError::UsedUp));
    }

    /// Remove Address follows the acknowledgment of New Address, whichever comes first here.
    #[test]
    fn withdrawing_waits_for_the_acknowledgment() {
        let mut own = OwnAddresses::default();
        let early = own.advertise(FIRST.parse().unwrap()).unwrap();
        assert_eq!(own.withdraw(early), Ok(None));
        assert_eq!(own.withdraw(early), Err(AddressError::Unknown));
        assert_eq!(
            own.on_acked(early),
            Some(ControlFrame::RemoveAddress(early))
        );
        assert_eq!(own.on_acked(early), None);
        let late = own.advertise(SECOND.parse().unwrap()).unwrap();
        assert_eq!(own.on_acked(late), None);
        assert_eq!(
            own.withdraw(late),
            Ok(Some(ControlFrame::RemoveAddress(late)))
        );
    }
}
