//! OpenSSL, as the interoperability scenarios need it: the program and the library's headers.

use crate::debian;
use crate::process::answer;

/// Debian's packages that bring both, in the order in which they are missed.
const PACKAGES: &str = "openssl libssl-dev pkg-config";

/// What of OpenSSL this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenSsl {
    /// The version of the `openssl` program.
    pub(crate) program: Option<String>,
    /// The version of the library whose headers are there, so that programs can be built against it.
    pub(crate) headers: Option<String>,
}

impl OpenSsl {
    /// Looks for OpenSSL, and installs what is missing where that is possible.
    pub(crate) fn find_or_install() -> Self {
        let found = Self::find();
        if found.is_complete() {
            return found;
        }
        match debian::install(PACKAGES) {
            Ok(()) => Self::find(),
            Err(reason) => {
                println!("interop: OpenSSL is incomplete here and cannot be installed: {reason}");
                println!("interop: on Debian or Ubuntu, run: apt-get install -y {PACKAGES}");
                found
            }
        }
    }

    /// Whether nothing is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.program.is_some() && self.headers.is_some()
    }

    fn find() -> Self {
        Self {
            program: answer("openssl", &["version"]),
            headers: answer("pkg-config", &["--modversion", "openssl"]),
        }
    }
}
