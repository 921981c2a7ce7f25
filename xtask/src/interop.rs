//! `cargo xtask interop`: builds the interoperability scenarios with all their peers, and runs them.

use std::ffi::OsString;

use anyhow::Result;

use crate::Verdict;
use crate::openssl::OpenSsl;
use crate::process::{cargo, run, show};

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
    let openssl = OpenSsl::find_or_install();
    let mut features = vec![SECOND_BACKEND];
    match &openssl.library {
        Some(version) => {
            println!("interop: building a peer on OpenSSL's library {version}");
            features.push(OPENSSL_PEER);
        }
        None => println!("interop: no OpenSSL headers, so no peer on OpenSSL's library"),
    }
    let features = features.join(",");
    run(&mut cargo([
        "build",
        "--quiet",
        "--package",
        PACKAGE,
        "--features",
        features.as_str(),
    ]))?;
    let mut command = cargo([
        "run",
        "--quiet",
        "--package",
        PACKAGE,
        "--features",
        features.as_str(),
        "--",
    ]);
    command.args(arguments);
    match run(&mut command) {
        Ok(()) => Ok(Verdict::Clean),
        Err(error) => {
            println!("interop: {error:#}");
            println!("interop: {}", show(&command));
            Ok(Verdict::Violated)
        }
    }
}
