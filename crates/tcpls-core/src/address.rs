//! Addresses that either side advertises, each side with its own identifiers (draft 5.2.7, 5.2.8).

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{
    AddressError,
    sent::ControlFrame,
    wire::{AddressId, NewAddressFrame},
};

/// The addresses of the peer.
#[derive(Debug, Default)]
pub(crate) struct PeerAddresses {
    places: BTreeMap<AddressId, PeerPlace>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeerPlace {
    Advertised(SocketAddr),
    Removed,
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
        match std::mem::replace(place, PeerPlace::Removed) {
            PeerPlace::Advertised(address) => Some(address),
            PeerPlace::Removed => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (AddressId, SocketAddr)> + '_ {
        self.places.iter().filter_map(|(&id, place)| match place {
            PeerPlace::Advertised(address) => Some((id, *address)),
            PeerPlace::Removed => None,
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
