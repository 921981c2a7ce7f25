//! Calls that the lower floors must not make, found in their sources.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{SANS_IO, STACK};
use crate::metadata::Metadata;

/// What no floor up to the session crate may contain, and why.
const FORBIDDEN: [(&str, &str); 11] = [
    ("Instant::now", "time comes in as an argument"),
    ("SystemTime::now", "time comes in as an argument"),
    (".elapsed()", "it reads the clock"),
    ("thread::sleep", "nothing waits here"),
    ("thread::spawn", "threads belong to the runtime"),
    ("thread_rng(", "randomness comes in as an argument"),
    ("rand::rng(", "randomness comes in as an argument"),
    ("rand::random", "randomness comes in as an argument"),
    ("TcpStream", "sockets belong to the runtime"),
    ("UdpSocket", "sockets belong to the runtime"),
    ("TcpListener", "sockets belong to the runtime"),
];

/// A virtual clock needs one real instant to start from: the only exception.
const VIRTUAL_CLOCK: &str = "src/testing/clock.rs";

/// Complains about every forbidden call outside comments and test modules, and about a lowest
/// floor that is not `no_std`.
pub(super) fn check(metadata: &Metadata) -> io::Result<Vec<String>> {
    let mut complaints = Vec::new();
    let floors = STACK
        .iter()
        .position(|name| *name == SANS_IO)
        .map_or(0, |floor| floor + 1);
    for name in STACK.iter().take(floors) {
        let Some(package) = metadata.member(name) else {
            continue;
        };
        for file in rust_files(&package.directory().join("src"))? {
            if file.ends_with(VIRTUAL_CLOCK) {
                continue;
            }
            let shown = file.strip_prefix(&metadata.workspace_root).unwrap_or(&file);
            complaints.extend(check_text(shown, &fs::read_to_string(&file)?));
        }
    }
    let ground = STACK.first().and_then(|name| metadata.member(name));
    if let Some(ground) = ground {
        let root = fs::read_to_string(ground.directory().join("src/lib.rs"))?;
        if !root
            .lines()
            .any(|line| line.trim_start().starts_with("#![no_std]"))
        {
            complaints.push(format!("{} does not declare #![no_std]", ground.name));
        }
    }
    Ok(complaints)
}

/// Every Rust source under `directory`, in order of path.
pub(crate) fn rust_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Checks one file. Test modules stand at the end of a file, so the first one ends the search.
fn check_text(path: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut previous = "";
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line).trim();
        if previous == "#[cfg(test)]" && code.starts_with("mod ") && code.ends_with('{') {
            break;
        }
        for (call, reason) in FORBIDDEN {
            if code.contains(call) {
                let number = index + 1;
                complaints.push(format!("{}:{number}: `{call}`: {reason}", path.display()));
            }
        }
        if !code.is_empty() {
            previous = code;
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        check_text(Path::new("src/session.rs"), text)
    }

    #[test]
    fn a_clock_that_is_read_is_found_with_its_line() {
        let found = complaints("use std::time::Instant;\nlet now = Instant::now();\n");
        assert_eq!(
            found,
            ["src/session.rs:2: `Instant::now`: time comes in as an argument"]
        );
    }

    #[test]
    fn sockets_sleeping_and_hidden_randomness_are_found() {
        for call in [
            "thread::sleep(pause)",
            "TcpStream::connect(peer)",
            "rand::random::<u8>()",
        ] {
            assert_eq!(complaints(call).len(), 1, "{call}");
        }
    }

    #[test]
    fn comments_and_test_modules_are_left_alone() {
        let text = "//! Never call Instant::now here.\nfn f() {} // nor thread::sleep\n\
                    #[cfg(test)]\nmod tests {\n    fn now() { Instant::now(); }\n}\n";
        assert!(complaints(text).is_empty());
    }
}
