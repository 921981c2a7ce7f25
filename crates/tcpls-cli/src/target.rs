//! Where to connect to: `HOST:PORT`.

use std::fmt;
use std::str::FromStr;

/// A host name or address and a port, as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or("expected HOST:PORT")?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = match bracketed {
            Some(address) => address,
            None if host.contains(':') => {
                return Err("an IPv6 address needs brackets, as in [::1]:443".to_owned());
            }
            None => host,
        };
        if host.is_empty() {
            return Err("expected HOST:PORT".to_owned());
        }
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or("the port must be a number from 1 to 65535")?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read_and_shown_alike() {
        for text in ["example.org:443", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:443".parse::<Target>().unwrap().host, "::1");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in [
            "",
            "host",
            ":443",
            "host:",
            "host:0",
            "host:65536",
            "host:https",
            "::1:443",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?} was taken");
        }
    }
}
