//! `cargo xtask interop`: builds the interoperability scenarios with all their peers, and runs them.

use std::ffi::OsString;

use anyhow::Result;

use crate::Verdict;
use crate::openssl::OpenSsl;
use crate::process::{cargo, run};

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

/// Lints the scenarios with all the peers that this machine can build.
pub(crate) fn clippy() -> Result<Verdict> {
    let mut command = cargo(["clippy", "--all-targets", "--locked"]);
    run(command.args(selection()).args(["--", "-D", "warnings"]))?;
    Ok(Verdict::Clean)
}

/// The arguments that select the package with every feature that can be built here.
fn selection() -> Vec<String> {
    let mut features = vec![SECOND_BACKEND];
    match OpenSsl::find_or_install().library {
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
