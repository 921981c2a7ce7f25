//! `cargo xtask bench`: builds the comparison with other transports, and runs it.

use std::ffi::OsString;

use anyhow::Result;

use crate::Verdict;
use crate::process::{cargo, run};

/// The package that holds the benches.
const PACKAGE: &str = "tcpls-benches";

/// The feature that brings the other transports; nothing else compiles them.
const FEATURE: &str = "peers";

/// The program that compares, and the one that it has count memory.
const PROGRAMS: [&str; 2] = ["compare", "compare-memory"];

/// Runs the comparison with `arguments` passed on to it.
pub(crate) fn compare(arguments: &[OsString]) -> Result<Verdict> {
    let mut build = cargo(["build", "--release", "--locked"]);
    build.args(["--package", PACKAGE, "--features", FEATURE]);
    for program in PROGRAMS {
        build.args(["--bin", program]);
    }
    run(&mut build)?;
    let [program, _] = PROGRAMS;
    let mut measure = cargo(["run", "--release", "--locked", "--quiet"]);
    measure.args(["--package", PACKAGE, "--features", FEATURE]);
    let outcome = run(measure.args(["--bin", program, "--"]).args(arguments));
    if let Err(error) = outcome {
        println!("bench: {error:#}");
        return Ok(Verdict::Violated);
    }
    Ok(Verdict::Clean)
}

/// Lints the benches with all the other transports.
pub(crate) fn check() -> Result<Verdict> {
    let mut lint = cargo(["clippy", "--all-targets", "--locked"]);
    lint.args(["--package", PACKAGE, "--features", FEATURE]);
    run(lint.args(["--", "-D", "warnings"]))?;
    Ok(Verdict::Clean)
}

/// Runs everything that the benches measure once, unoptimised, so that it goes on working.
pub(crate) fn test() -> Result<Verdict> {
    let mut test = cargo(["test", "--locked", "--quiet", "--benches"]);
    run(test.args(["--package", PACKAGE]))?;
    Ok(Verdict::Clean)
}
