//! TCPLS beside TCP, TLS, the multiplexers that run on TLS, and QUIC, on loopback.
//!
//! Both ends run in this process, on one runtime. In each round every workload is done with every
//! transport in turn, so that a slower minute of the machine is a slower minute of all; the tables show
//! medians over the rounds. A byte counts when the receiving application has it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program prints its figures and how far it is"
)]

mod arguments;
mod figure;
mod machine;
mod memory;
mod meter;
mod report;
mod rounds;
mod subject;
mod workloads;

use clap::Parser;
use tcpls_benches::Error;

use self::arguments::Arguments;

fn main() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let results = rounds::run(&arguments)?;
    report::write(&arguments, &results)
}
