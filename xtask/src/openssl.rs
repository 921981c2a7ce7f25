//! OpenSSL, as the interoperability scenarios need it: the program and the library's headers.

use std::process::{Command, Stdio};

use crate::process::{answer, run};

/// Debian's packages that bring both, in the order in which they are missed.
const PACKAGES: &str = "openssl libssl-dev pkg-config";

/// What of OpenSSL this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenSsl {
    /// The version of the `openssl` program.
    pub(crate) program: Option<String>,
    /// The version of the library that programs can be built against.
    pub(crate) library: Option<String>,
}

impl OpenSsl {
    /// Looks for OpenSSL, and installs what is missing where that is possible.
    pub(crate) fn find_or_install() -> Self {
        let found = Self::find();
        if found.is_complete() {
            return found;
        }
        match install() {
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
        self.program.is_some() && self.library.is_some()
    }

    fn find() -> Self {
        Self {
            program: answer("openssl", &["version"]),
            library: answer("pkg-config", &["--modversion", "openssl"]),
        }
    }
}

/// Installs Debian's packages as root or through a `sudo` that asks for nothing.
fn install() -> Result<(), String> {
    if answer("apt-get", &["--version"]).is_none() {
        return Err("there is no apt-get".to_owned());
    }
    let prefix: &[&str] = if answer("id", &["-u"]).as_deref() == Some("0") {
        &[]
    } else if answer("sudo", &["-n", "true"]).is_some() {
        &["sudo", "-n"]
    } else {
        return Err("neither root nor a sudo without password".to_owned());
    };
    println!("interop: installing {PACKAGES}");
    let apt_get = |arguments: &[&str]| {
        let mut words = prefix.iter().copied().chain(["apt-get", "-qq"]);
        let mut command = Command::new(words.next().unwrap_or("apt-get"));
        command
            .args(words)
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null());
        run(&mut command).map_err(|error| format!("{error:#}"))
    };
    let install: Vec<&str> = ["install", "-y", "--no-install-recommends"]
        .into_iter()
        .chain(PACKAGES.split(' '))
        .collect();
    // The lists of packages may be absent or old: fetch them only when they are missed.
    apt_get(&install).or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&install)))
}
