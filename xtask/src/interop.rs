//! `cargo xtask interop`: builds the interoperability scenarios with all their peers, and runs them.

use std::ffi::OsString;

use anyhow::Result;

use crate::openssl::OpenSsl;
use crate::process::{answer, cargo, run};
use crate::{Verdict, debian};

/// The package that holds the scenarios.
const PACKAGE: &str = "tcpls-interop";

/// The peer that needs OpenSSL's headers.
const OPENSSL_PEER: &str = "openssl-peer";

/// The second backend for record protection.
const SECOND_BACKEND: &str = "rustcrypto";

/// Runs the scenarios with `arguments` passed on to them.
///
/// Where OpenSSL is missing and cannot be installed, the scenarios that need it are skipped, and
/// say so.
pub(crate) fn run_scenarios(arguments: &[OsString]) -> Result<Verdict> {
    let selection = selection();
    find_network_programs();
    run(cargo(["build", "--quiet"]).args(&selection))?;
    let outcome = run(cargo(["run", "--quiet"])
        .args(&selection)
        .arg("--")
        .args(arguments));
    if let Err(error) = outcome {
        println!("interop: {error:#}");
        return Ok(Verdict::Violated);
    }
    Ok(Verdict::Clean)
}

/// Looks for the programs that set up the lab's networks, and installs them where that is possible.
///
/// Where they are missing all the same, the rows that need them are skipped, and say so.
fn find_network_programs() {
    const PACKAGE: &str = "iproute2";
    let is_here = |program: &&str| answer(program, &["-V"]).is_some();
    if !cfg!(target_os = "linux") || ["ip", "ss"].iter().all(is_here) {
        return;
    }
    if let Err(reason) = debian::install(PACKAGE) {
        println!("interop: no `ip` and `ss` here, and they cannot be installed: {reason}");
        println!("interop: on Debian or Ubuntu, run: apt-get install -y {PACKAGE}");
    }
}

/// Lints the scenarios with all the peers that this machine can build.
pub(crate) fn clippy() -> Result<Verdict> {
    let mut command = cargo(["clippy", "--all-targets", "--locked"]);
    run(command.args(selection()).args(["--", "-D", "warnings"]))?;
    Ok(Verdict::Clean)
}

/// The arguments that select the package with every feature that can be built here.
fn selection() -> Vec<String> {
    let mut features = vec![SECOND_BACKEND];
    match OpenSsl::find_or_install().headers {
        Some(version) => {
            println!("interop: with a peer on OpenSSL's library {version}");
            features.push(OPENSSL_PEER);
        }
        None => println!("interop: no OpenSSL headers, so no peer on OpenSSL's library"),
    }
    [
        "--package",
        PACKAGE,
        "--features",
        features.join(",").as_str(),
    ]
    .map(str::to_owned)
    .to_vec()
}
