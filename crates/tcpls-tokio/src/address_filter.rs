//! Which addresses of the peer a client may be led to (reading A-32).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Decides whether a client may connect to an address that its server advertised (draft 5.2.7).
///
/// A server that is hostile or was broken into could otherwise make its clients connect to whom it
/// likes, and show them a join token. The default is [`PublicAddresses`].
pub trait AddressFilter: fmt::Debug + Send + Sync {
    /// Whether `advertised` may be connected to, in a session whose first connection went to
    /// `primary`.
    fn allows(&self, advertised: SocketAddr, primary: SocketAddr) -> bool;
}

/// Allows public addresses, and others as far as the first connection's own is no more public: with a
/// server on the loopback interface all of them, with one in a private network (RFC 1918, RFC 4193,
/// RFC 6598) private ones, with one on the same link those of a link. Never allows what is no host's:
/// unspecified, multicast, broadcast and reserved addresses, and port 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicAddresses;

impl AddressFilter for PublicAddresses {
    fn allows(&self, advertised: SocketAddr, primary: SocketAddr) -> bool {
        let (Some(advertised_reach), Some(primary_reach)) =
            (reach(advertised.ip()), reach(primary.ip()))
        else {
            return false;
        };
        advertised.port() != 0 && advertised_reach >= primary_reach
    }
}

/// How far an address reaches, from the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Host,
    Link,
    Site,
    World,
}

/// `None` for what is no host's address.
fn reach(address: IpAddr) -> Option<Reach> {
    match address.to_canonical() {
        IpAddr::V4(address) => reach_of_four(address),
        IpAddr::V6(address) => reach_of_six(address),
    }
}

fn reach_of_four(address: Ipv4Addr) -> Option<Reach> {
    match address.octets() {
        [0 | 224..=255, ..] => None,
        [127, ..] => Some(Reach::Host),
        [169, 254, ..] => Some(Reach::Link),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Some(Reach::Site),
        _ => Some(Reach::World),
    }
}

fn reach_of_six(address: Ipv6Addr) -> Option<Reach> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Reach::Host),
        // Multicast, unspecified, and IPv4 addresses in forms that nobody uses any more.
        [0, 0, 0, 0, ..] | [0xff00..=0xffff, ..] => None,
        // IPv4 behind NAT64 and 6to4: what is meant is the address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            reach_of_four(Ipv4Addr::new(a, b, c, d))
        }
        [0xfe80..=0xfebf, ..] => Some(Reach::Link),
        [0xfec0..=0xfeff | 0xfc00..=0xfdff, ..] => Some(Reach::Site),
        _ => Some(Reach::World),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(advertised: &str, primary: &str) -> bool {
        PublicAddresses.allows(advertised.parse().unwrap(), primary.parse().unwrap())
    }

    /// A-32, R51: a server on the internet cannot lead its clients into their own networks.
    #[test]
    fn a_public_server_leads_to_public_addresses_only() {
        let denied = [
            "127.0.0.1:22",
            "127.9.9.9:443",
            "169.254.169.254:80",
            "10.0.0.1:443",
            "172.16.0.1:443",
            "172.31.255.255:443",
            "192.168.1.1:443",
            "100.64.0.1:443",
            "0.0.0.0:443",
            "0.1.2.3:443",
            "224.0.0.1:443",
            "240.0.0.1:443",
            "255.255.255.255:443",
            "203.0.113.1:0",
            "[::]:443",
            "[::1]:443",
            "[::ffff:127.0.0.1]:443",
            "[::ffff:10.0.0.1]:443",
            "[::10.0.0.1]:443",
            "[64:ff9b::10.0.0.1]:443",
            "[64:ff9b::127.0.0.1]:443",
            "[2002:7f00:1::1]:443",
            "[fe80::1]:443",
            "[fec0::1]:443",
            "[fc00::1]:443",
            "[fd00::1]:443",
            "[ff02::1]:443",
        ];
        for primary in ["198.51.100.1:443", "[2001:db8::1]:443"] {
            for address in denied {
                assert!(!allows(address, primary), "{address} from {primary}");
            }
            for address in [
                "203.0.113.1:443",
                "172.32.0.1:8443",
                "100.128.0.1:1",
                "[2001:db8::2]:443",
                "[64:ff9b::203.0.113.1]:443",
                "[::ffff:203.0.113.1]:443",
            ] {
                assert!(allows(address, primary), "{address} from {primary}");
            }
        }
    }

    /// a server in a private network leads into that, but not to the client itself.
    #[test]
    fn a_private_server_leads_to_private_addresses() {
        for primary in ["10.1.2.3:443", "[fd00::1]:443"] {
            assert!(allows("192.168.1.1:443", primary));
            assert!(allows("[fd00::2]:443", primary));
            assert!(allows("203.0.113.1:443", primary));
            assert!(!allows("169.254.1.1:443", primary));
            assert!(!allows("127.0.0.1:443", primary));
        }
        assert!(allows("169.254.1.1:443", "169.254.1.2:443"));
        assert!(!allows("127.0.0.1:443", "169.254.1.2:443"));
        assert!(allows("127.0.0.2:443", "127.0.0.1:443"));
        assert!(allows("[::1]:443", "127.0.0.1:443"));
        assert!(!allows("0.0.0.0:443", "127.0.0.1:443"));
    }
}
