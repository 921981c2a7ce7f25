//! Debian's packages, installed where that is possible without asking.

use std::process::{Command, Stdio};

use crate::process::{answer, run};

/// Installs `packages`, separated by spaces, as root or through a `sudo` that asks for nothing; an
/// error says why not.
pub(crate) fn install(packages: &str) -> Result<(), String> {
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
    println!("interop: installing {packages}");
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
        .chain(packages.split(' '))
        .collect();
    // The lists of packages may be absent or old: fetch them only when they are missed.
    apt_get(&install).or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&install)))
}
