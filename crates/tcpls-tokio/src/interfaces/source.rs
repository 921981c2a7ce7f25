//! From which of its addresses a client could reach a server.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::LocalAddress;

/// One address of each interface that none of the addresses `used` is on, to connect to `remote` from.
pub(crate) fn sources<'a>(
    addresses: &'a [LocalAddress],
    remote: SocketAddr,
    used: &[IpAddr],
) -> Vec<&'a LocalAddress> {
    let is_used = |local: &&LocalAddress| used.contains(&local.address);
    let devices = addresses.iter().filter(is_used);
    let mut taken: BTreeSet<_> = devices.map(|local| local.device.as_str()).collect();
    addresses
        .iter()
        .filter(|local| is_source(local.address, remote.ip()) && taken.insert(&local.device))
        .collect()
}

fn is_source(local: IpAddr, remote: IpAddr) -> bool {
    let narrow = match local {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    local.is_ipv4() == remote.to_canonical().is_ipv4() && !narrow
}

#[cfg(test)]
mod tests {
    use super::*;

    /// one address of each other interface that may lead to the server.
    #[test]
    fn each_interface_is_a_source_once() {
        let local = |(address, device): (&str, &str)| LocalAddress {
            address: address.parse().unwrap(),
            device: device.to_owned(),
        };
        let addresses = [
            ("10.0.0.1", "eth0"),
            ("10.0.0.2", "eth0"),
            ("10.1.0.1", "eth1"),
            ("10.1.0.2", "eth1"),
            ("2001:db8::1", "eth2"),
            ("127.0.0.1", "lo"),
            ("169.254.0.1", "usb0"),
            ("fe80::1", "eth3"),
        ]
        .map(local);
        let used = ["10.0.0.2".parse().unwrap()];
        let found = |remote: &str| -> Vec<_> {
            let sources = sources(&addresses, remote.parse().unwrap(), &used);
            sources
                .into_iter()
                .map(|local| local.address.to_string())
                .collect()
        };
        assert_eq!(found("192.0.2.1:443"), ["10.1.0.1"]);
        assert_eq!(found("[2001:db8::2]:443"), ["2001:db8::1"]);
        assert_eq!(found("[::ffff:192.0.2.1]:443"), ["10.1.0.1"]);
    }
}
