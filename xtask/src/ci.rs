//! `cargo xtask ci`: all that the continuous integration runs, in the same order.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::{answer, cargo, run, run_watching};
use crate::{Verdict, bench, interop, layers, spec};

/// One thing to run.
#[derive(Debug, Clone, Copy)]
struct Step {
    name: &'static str,
    run: fn() -> Result<Verdict>,
}

/// In order: what is quick to run and quick to break comes first, the tests come last, so that
/// the output ends with the closing line of the test runner.
const STEPS: [Step; 13] = [
    Step {
        name: "format",
        run: format,
    },
    Step {
        name: "layers",
        run: layers::run,
    },
    Step {
        name: "spec",
        run: || spec::run(spec::Mode::Check),
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "clippy-backends",
        run: clippy_backends,
    },
    Step {
        name: "clippy-interop",
        run: interop::clippy,
    },
    Step {
        name: "clippy-benches",
        run: bench::check,
    },
    Step {
        name: "docs",
        run: docs,
    },
    Step {
        name: "platforms",
        run: platforms,
    },
    Step {
        name: "interop",
        run: || interop::run_scenarios(&["--quick".into()]),
    },
    Step {
        name: "test-backends",
        run: test_backends,
    },
    Step {
        name: "test-benches",
        run: bench::test,
    },
    Step {
        name: "test",
        run: test,
    },
];

/// The crates that let their users choose a backend for record protection.
const WITH_BACKENDS: [&str; 3] = ["tcpls-crypto", "tcpls-core", "tcpls-tokio"];

/// Platforms that nothing here runs on: their builds are checked where rustup has the target.
const OTHER_PLATFORMS: [(&str, &[&str]); 4] = [
    ("x86_64-pc-windows-gnu", &LIBRARIES),
    ("aarch64-apple-darwin", &LIBRARIES),
    ("x86_64-apple-darwin", &LIBRARIES),
    ("thumbv7em-none-eabi", &["tcpls-wire"]),
];

/// What others build on.
const LIBRARIES: [&str; 4] = ["tcpls-wire", "tcpls-crypto", "tcpls-core", "tcpls-tokio"];

/// Runs the steps called `names`, or all of them, to the end even if one fails.
pub(crate) fn run_steps(names: &[String]) -> Result<Verdict> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !STEPS.iter().any(|step| step.name == **name))
    {
        let known = STEPS.map(|step| step.name).join(", ");
        bail!("there is no step `{unknown}`; there are {known}");
    }
    let start = Instant::now();
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut failures: Vec<String> = Vec::new();
    for step in STEPS {
        if !names.is_empty() && !names.iter().any(|name| name == step.name) {
            continue;
        }
        if step.name == "test" {
            print_times(&times, start.elapsed());
        }
        println!("==> {} (after {} s)", step.name, start.elapsed().as_secs());
        let begun = Instant::now();
        match (step.run)() {
            Ok(Verdict::Clean) => {}
            Ok(Verdict::Violated) => failures.push(step.name.to_owned()),
            Err(error) => {
                println!("{}: {error:#}", step.name);
                failures.push(step.name.to_owned());
            }
        }
        times.push((step.name, begun.elapsed()));
    }
    if failures.is_empty() {
        return Ok(Verdict::Clean);
    }
    print_times(&times, start.elapsed());
    println!("failed: {}", failures.join(", "));
    Ok(Verdict::Violated)
}

fn print_times(times: &[(&str, Duration)], total: Duration) {
    println!("==> times in seconds");
    for (name, time) in times {
        println!("    {name:<18} {:>7.1}", time.as_secs_f64());
    }
    println!("    {:<18} {:>7.1}", "so far", total.as_secs_f64());
}

fn format() -> Result<Verdict> {
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    Ok(Verdict::Clean)
}

fn clippy() -> Result<Verdict> {
    let deny = ["--", "-D", "warnings"];
    run(cargo(["clippy", "--workspace", "--all-targets", "--locked"]).args(deny))?;
    Ok(Verdict::Clean)
}

/// Lints the crates with backends with the pure Rust one alone, and with both.
fn clippy_backends() -> Result<Verdict> {
    let alone = ["--no-default-features", "--features", "rustcrypto"];
    // The tests and examples of tcpls-tokio want the default backend, so there the library alone.
    let selections: [(&str, &[&str], &[&str]); 3] = [
        ("--all-targets", &alone, &["tcpls-crypto", "tcpls-core"]),
        ("--lib", &alone, &["tcpls-tokio"]),
        ("--all-targets", &["--all-features"], &WITH_BACKENDS),
    ];
    for (targets, features, packages) in selections {
        let mut command = cargo(["clippy", "--locked", targets]);
        command.args(features);
        for package in packages {
            command.args(["--package", package]);
        }
        run(command.args(["--", "-D", "warnings"]))?;
    }
    Ok(Verdict::Clean)
}

fn docs() -> Result<Verdict> {
    let mut command = cargo(["doc", "--workspace", "--no-deps", "--locked"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Verdict::Clean)
}

/// Checks the portable crates for every other platform whose target is installed.
fn platforms() -> Result<Verdict> {
    let installed = answer("rustup", &["target", "list", "--installed"]).unwrap_or_default();
    for (target, packages) in OTHER_PLATFORMS {
        if !installed.lines().any(|line| line.trim() == target) {
            println!("platforms: {target} skipped: `rustup target list --installed` lacks it");
            continue;
        }
        let mut command = cargo([
            "check",
            "--locked",
            "--target",
            target,
            "--no-default-features",
        ]);
        if packages.contains(&"tcpls-crypto") {
            // The default backend would need a C compiler for that platform.
            command.args(["--features", "rustcrypto"]);
        }
        for package in packages {
            command.args(["--package", package]);
        }
        run(&mut command)?;
    }
    Ok(Verdict::Clean)
}

/// Runs the same vectors on every backend, which the plain test command does on the default one.
fn test_backends() -> Result<Verdict> {
    run(&mut cargo([
        "test",
        "--locked",
        "--quiet",
        "--all-features",
        "--package",
        "tcpls-crypto",
    ]))?;
    Ok(Verdict::Clean)
}

/// Runs the tests as the README says, and ends with the runner's own closing line.
fn test() -> Result<Verdict> {
    let mut closing = Closing::default();
    run_watching(&mut cargo(["test", "--workspace"]), |line| {
        for shown in closing.take(line) {
            println!("{shown}");
        }
    })?;
    if let Some(line) = closing.missing_at_the_end() {
        println!("{line}");
    }
    Ok(Verdict::Clean)
}

/// Passes lines on so that a test runner's last summary can end the output: empty lines wait
/// until something follows them.
#[derive(Debug, Default)]
struct Closing {
    summary: Option<String>,
    followed: bool,
    empty: usize,
}

impl Closing {
    /// Takes one line; gives what is now due to be shown.
    fn take<'a>(&mut self, line: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut due = 0;
        if line.is_empty() {
            self.empty += 1;
        } else {
            due = std::mem::take(&mut self.empty);
            self.followed = !line.starts_with("test result:");
            if !self.followed {
                self.summary = Some(line.to_owned());
            }
        }
        std::iter::repeat_n("", due).chain((!line.is_empty()).then_some(line))
    }

    /// The last summary, if anything was shown after it.
    fn missing_at_the_end(&self) -> Option<&str> {
        self.summary.as_deref().filter(|_| self.followed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_followed_by_empty_lines_ends_the_output() {
        let mut closing = Closing::default();
        let lines = ["", "running 1 test", "test result: ok. 1 passed", "", ""];
        let shown: Vec<&str> = lines.iter().flat_map(|line| closing.take(line)).collect();
        assert_eq!(shown, ["", "running 1 test", "test result: ok. 1 passed"]);
        assert_eq!(closing.missing_at_the_end(), None);
    }

    #[test]
    fn a_summary_followed_by_words_is_repeated() {
        let mut closing = Closing::default();
        let lines = ["test result: ok. 1 passed", "", "all doctests ran in 0.3 s"];
        let shown: Vec<&str> = lines.iter().flat_map(|line| closing.take(line)).collect();
        assert_eq!(shown, lines);
        assert_eq!(
            closing.missing_at_the_end(),
            Some("test result: ok. 1 passed")
        );
    }

    #[test]
    fn an_unknown_step_is_refused() {
        assert!(run_steps(&["nonsense".to_owned()]).is_err());
    }

    #[test]
    fn the_tests_come_last() {
        assert_eq!(STEPS.last().map(|step| step.name), Some("test"));
    }
}
