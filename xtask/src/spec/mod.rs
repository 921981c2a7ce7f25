//! `cargo xtask spec`: every requirement and reading has a place in the code and a test.
//!
//! The two files in `spec/` are written by hand except for their `tests` arrays, which `--update`
//! fills in from the doc comments of the tests.

mod check;
mod document;
mod scan;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::Verdict;
use crate::metadata::Metadata;
use document::Document;
use scan::Tests;

/// A file of numbered entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Family {
    /// Path from the workspace's root.
    file: &'static str,
    /// What stands before the number.
    prefix: &'static str,
    /// The entries are numbered from 1 to this.
    last: u8,
    /// The keys in which an entry says what it is about.
    words: &'static [&'static str],
}

/// What the draft asks for.
const REQUIREMENTS: Family = Family {
    file: "spec/requirements.toml",
    prefix: "R",
    last: 58,
    words: &["section", "level", "says"],
};

/// What we decided where the draft leaves a choice.
const READINGS: Family = Family {
    file: "spec/readings.toml",
    prefix: "A-",
    last: 46,
    words: &["question", "decision"],
};

/// Whether the files are only checked or brought up to date first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write the `tests` arrays anew, then check.
    Update,
    /// Change nothing.
    Check,
}

/// Checks both files against each other and against the sources.
pub(crate) fn run(mode: Mode) -> Result<Verdict> {
    let metadata = Metadata::load()?;
    let root = metadata.workspace_root.as_path();
    let tests = Tests::in_workspace(&metadata)?;
    let mut complaints = check::references(&tests, &[REQUIREMENTS, READINGS]);
    let mut entries = 0;
    let mut carried = 0;
    for family in [REQUIREMENTS, READINGS] {
        let document = load(root, family, &tests, mode)?;
        entries += document.entries().len();
        carried += document
            .entries()
            .iter()
            .filter(|entry| !entry.tests.is_empty())
            .count();
        complaints.extend(check::document(root, family, &document, &tests));
    }
    let checked = format!("{entries} entries, {carried} of them carried by tests");
    Ok(Verdict::report("spec", &checked, &complaints))
}

fn load(root: &Path, family: Family, tests: &Tests, mode: Mode) -> Result<Document> {
    let path = root.join(family.file);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", family.file))?;
    let document = Document::parse(&text).with_context(|| format!("in {}", family.file))?;
    if mode == Mode::Check {
        return Ok(document);
    }
    let renewed = document.with_tests(tests)?;
    if renewed != text {
        fs::write(&path, &renewed).with_context(|| format!("cannot write {}", family.file))?;
        println!("spec: wrote {}", family.file);
    }
    Document::parse(&renewed)
}
