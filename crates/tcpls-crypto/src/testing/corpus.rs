//! Runs every body over its corpus and over variations of it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{fs, panic};

use super::{BODIES, Body, seeds};

fn folder(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", name]
        .iter()
        .collect()
}

/// The inputs of a body by file name.
fn inputs(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut inputs: Vec<_> = fs::read_dir(folder(name))
        .unwrap_or_else(|error| panic!("corpus of {name}: {error}"))
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

/// Runs `body`; a failure names the input, in hexadecimal, so that it can become a corpus file.
fn run(body: Body, origin: &str, input: &[u8]) {
    if let Err(panic) = panic::catch_unwind(|| body(input)) {
        let mut hex = String::new();
        for byte in input {
            write!(hex, "{byte:02x}").unwrap();
        }
        eprintln!("input, from {origin}: {hex}");
        panic::resume_unwind(panic);
    }
}

#[test]
fn bodies_hold_on_their_corpus() {
    for (name, body) in BODIES {
        let inputs = inputs(name);
        assert!(!inputs.is_empty(), "{name} has a corpus");
        for (origin, input) in inputs {
            run(*body, &origin, &input);
        }
    }
}

#[test]
fn bodies_hold_on_every_cut() {
    for (name, body) in BODIES {
        for (origin, input) in inputs(name) {
            let step = input.len().div_ceil(64).max(1);
            for cut in (0..input.len()).step_by(step) {
                run(*body, &origin, &input[..cut]);
                run(*body, &origin, &input[cut..]);
            }
        }
    }
}

#[test]
fn bodies_hold_on_every_change_of_a_byte() {
    for (name, body) in BODIES {
        for (origin, input) in inputs(name) {
            let step = input.len().div_ceil(128).max(1);
            for position in (0..input.len()).step_by(step) {
                let mut variation = input.clone();
                for change in [1, 2, 0x7f, 0x80, 0xff] {
                    variation[position] = input[position] ^ change;
                    run(*body, &origin, &variation);
                }
                variation.remove(position);
                run(*body, &origin, &variation);
                variation.insert(position, input[position]);
                variation.insert(position, input[position]);
                run(*body, &origin, &variation);
            }
        }
    }
}

/// Every input goes through every body: nobody sends only what is expected.
#[test]
fn bodies_hold_on_the_corpus_of_the_others() {
    let all: Vec<_> = BODIES.iter().flat_map(|(name, _)| inputs(name)).collect();
    for (_, body) in BODIES {
        for (origin, input) in &all {
            run(*body, origin, input);
        }
    }
}

/// The seeds are in the corpus. `cargo test -p tcpls-crypto write_seeds -- --ignored` puts them
/// there.
#[test]
fn corpus_has_the_seeds() {
    for (body, name, seed) in seeds::all() {
        let path = folder(body).join(name).with_extension("bin");
        let found = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(found, seed, "{}", path.display());
    }
}

#[test]
#[ignore = "writes into the source tree"]
fn write_seeds() {
    for (body, name, seed) in seeds::all() {
        fs::create_dir_all(folder(body)).unwrap();
        fs::write(folder(body).join(name).with_extension("bin"), seed).unwrap();
    }
}
