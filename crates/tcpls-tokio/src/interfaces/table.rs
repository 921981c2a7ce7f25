//! Which local addresses can be used right now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A local address and the interface that has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalAddress {
    pub(crate) address: IpAddr,
    /// The name of the interface.
    pub(crate) device: String,
}

/// What the system says of its interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Link {
        index: u32,
        device: Option<String>,
        carrier: Carrier,
    },
    LinkGone(u32),
    Address {
        index: u32,
        address: IpAddr,
    },
    /// Also of an address that may not be used (yet).
    AddressGone {
        index: u32,
        address: IpAddr,
    },
}

/// What the system tells at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Everything there is: at the start, and after messages were lost.
    Everything(Vec<Report>),
    Something(Report),
}

/// Whether an interface moves packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Carrier {
    Up,
    #[default]
    Down,
}

/// What became usable and unusable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) gone: Vec<IpAddr>,
    pub(crate) came: Vec<LocalAddress>,
    /// All that are usable now.
    pub(crate) usable: Arc<[LocalAddress]>,
}

impl Change {
    pub(crate) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.came.is_empty()
    }
}

/// The interfaces of the system with their addresses. An address is usable while an interface that is
/// up has it.
#[derive(Debug, Default)]
pub(crate) struct InterfaceTable {
    links: BTreeMap<u32, Link>,
}

#[derive(Debug, Default)]
struct Link {
    device: String,
    carrier: Carrier,
    addresses: BTreeSet<IpAddr>,
}

impl InterfaceTable {
    /// Takes in what the system said; what that changes.
    pub(crate) fn take_in(&mut self, told: Told) -> Change {
        let before = self.usable();
        match told {
            Told::Everything(reports) => {
                *self = Self::default();
                for report in reports {
                    self.note(report);
                }
            }
            Told::Something(report) => self.note(report),
        }
        between(&before, &self.usable())
    }

    /// The addresses of interfaces that are up.
    pub(crate) fn usable(&self) -> BTreeSet<LocalAddress> {
        self.links
            .values()
            .filter(|link| link.carrier == Carrier::Up)
            .flat_map(|link| {
                link.addresses.iter().map(|address| LocalAddress {
                    address: *address,
                    device: link.device.clone(),
                })
            })
            .collect()
    }

    fn note(&mut self, report: Report) {
        match report {
            Report::Link {
                index,
                device,
                carrier,
            } => {
                let link = self.links.entry(index).or_default();
                link.carrier = carrier;
                if let Some(device) = device {
                    link.device = device;
                }
            }
            Report::LinkGone(index) => {
                self.links.remove(&index);
            }
            Report::Address { index, address } => {
                let link = self.links.entry(index).or_default();
                link.addresses.insert(address);
            }
            Report::AddressGone { index, address } => {
                if let Some(link) = self.links.get_mut(&index) {
                    link.addresses.remove(&address);
                }
            }
        }
    }
}

fn between(before: &BTreeSet<LocalAddress>, after: &BTreeSet<LocalAddress>) -> Change {
    let still = |address| after.iter().any(|local| local.address == address);
    Change {
        gone: before
            .iter()
            .map(|local| local.address)
            .filter(|address| !still(*address))
            .collect(),
        came: after.difference(before).cloned().collect(),
        usable: after.iter().cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "192.0.2.1";

    fn link(index: u32, device: &str, carrier: Carrier) -> Report {
        Report::Link {
            index,
            device: Some(device.to_owned()),
            carrier,
        }
    }

    fn address(index: u32, address: &str) -> Report {
        let address = address.parse().unwrap();
        Report::Address { index, address }
    }

    fn local(address: &str, device: &str) -> LocalAddress {
        LocalAddress {
            address: address.parse().unwrap(),
            device: device.to_owned(),
        }
    }

    /// an address counts from when its interface is up until the interface goes down.
    #[test]
    fn an_address_counts_while_its_interface_is_up() {
        let mut table = InterfaceTable::default();
        let mut take_in = |report| table.take_in(Told::Something(report));
        assert!(take_in(address(1, HOME)).is_empty());
        let came = take_in(link(1, "eth0", Carrier::Up));
        assert_eq!(came.came, [local(HOME, "eth0")]);
        let down = Report::Link {
            index: 1,
            device: None,
            carrier: Carrier::Down,
        };
        let change = take_in(down.clone());
        assert_eq!(change.gone, [HOME.parse::<IpAddr>().unwrap()]);
        assert!(change.came.is_empty());
        assert!(take_in(down).is_empty(), "again");
        assert_eq!(take_in(link(1, "eth0", Carrier::Up)), came);
        assert_eq!(take_in(Report::LinkGone(1)).gone.len(), 1);
    }

    /// an address that moves to another interface is not gone in between.
    #[test]
    fn an_address_may_move() {
        let mut table = InterfaceTable::default();
        table.take_in(Told::Everything(vec![
            link(1, "eth0", Carrier::Up),
            link(2, "eth1", Carrier::Up),
            address(1, HOME),
        ]));
        let mut take_in = |report| table.take_in(Told::Something(report));
        let address = HOME.parse().unwrap();
        let moved = take_in(Report::Address { index: 2, address });
        assert_eq!(moved.came, [local(HOME, "eth1")]);
        assert!(take_in(Report::AddressGone { index: 1, address }).is_empty());
        let gone = take_in(Report::AddressGone { index: 2, address });
        assert_eq!(gone.gone, [address]);
    }

    /// after messages of the system were lost, what it says then counts.
    #[test]
    fn starting_over_tells_the_difference() {
        let mut table = InterfaceTable::default();
        let other = "192.0.2.2";
        let mut take_in = |home| {
            let reports = vec![link(1, "eth0", Carrier::Up), address(1, home)];
            table.take_in(Told::Everything(reports))
        };
        take_in(HOME);
        let change = take_in(other);
        assert_eq!(change.gone, [HOME.parse::<IpAddr>().unwrap()]);
        assert_eq!(change.came, [local(other, "eth0")]);
    }
}
