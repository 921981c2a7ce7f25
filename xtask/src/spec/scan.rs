//! Tests and the numbers that their doc comments name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::layers::rust_files;
use crate::metadata::Metadata;

/// Every test function of the workspace that names a requirement or reading.
#[derive(Debug, Default)]
pub(super) struct Tests {
    /// From a number like `A-10` to the tests, as `path::function`, that name it.
    by_number: BTreeMap<String, BTreeSet<String>>,
}

/// Directories of a package in which tests stand.
const DIRECTORIES: [&str; 2] = ["src", "tests"];

/// The package whose own tests speak of made-up numbers.
const SELF: &str = "xtask";

impl Tests {
    /// Reads every source of every workspace member.
    pub(super) fn in_workspace(metadata: &Metadata) -> Result<Self> {
        let mut tests = Self::default();
        for package in metadata.members().filter(|package| package.name != SELF) {
            for directory in DIRECTORIES.map(|name| package.directory().join(name)) {
                if !directory.is_dir() {
                    continue;
                }
                for file in rust_files(&directory)? {
                    let text = fs::read_to_string(&file)
                        .with_context(|| format!("cannot read {}", file.display()))?;
                    tests.add(file.strip_prefix(&metadata.workspace_root)?, &text);
                }
            }
        }
        Ok(tests)
    }

    /// Adds the tests of one file, whose path is shown as `path`.
    pub(super) fn add(&mut self, path: &Path, text: &str) {
        let mut numbers = BTreeSet::new();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if let Some(comment) = line.strip_prefix("///") {
                numbers.extend(numbers_in(comment));
            } else if line.starts_with("#[") {
                is_test |= is_test_attribute(line);
            } else if let Some(name) = function_name(line) {
                if is_test {
                    for number in &numbers {
                        let full_name = format!("{}::{name}", path.display()).replace('\\', "/");
                        self.by_number
                            .entry(number.clone())
                            .or_default()
                            .insert(full_name);
                    }
                }
                numbers.clear();
                is_test = false;
            } else if line.ends_with([';', '{', '}']) {
                numbers.clear();
                is_test = false;
            }
        }
    }

    /// The tests that name `number`, in order.
    pub(super) fn naming(&self, number: &str) -> impl Iterator<Item = &str> {
        self.by_number
            .get(number)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Every number that some test names.
    pub(super) fn numbers(&self) -> impl Iterator<Item = &str> {
        self.by_number.keys().map(String::as_str)
    }
}

/// `#[test]`, `#[tokio::test(flavor = "..")]` and their like.
fn is_test_attribute(line: &str) -> bool {
    let path = line
        .trim_start_matches("#[")
        .split(['(', ']'])
        .next()
        .unwrap_or_default();
    path.rsplit("::").next() == Some("test")
}

/// The name in a line that begins a function. Macro variables are no names.
fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| {
        matches!(*word, "async" | "const" | "unsafe") || word.starts_with("pub")
    });
    if words.next() != Some("fn") {
        return None;
    }
    let name = words.next()?.split(['(', '<']).next()?;
    (!name.starts_with('$')).then_some(name)
}

/// The numbers in one line of a comment: `R` or `A-` and digits, standing alone.
fn numbers_in(comment: &str) -> impl Iterator<Item = String> {
    comment
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter_map(|word| {
            let digits = word.strip_prefix("A-").or_else(|| word.strip_prefix('R'))?;
            let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            number.then(|| word.to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Vec<(String, Vec<String>)> {
        let mut tests = Tests::default();
        tests.add(Path::new("src/lib.rs"), text);
        let all = tests.by_number.into_iter();
        all.map(|(number, names)| (number, names.into_iter().collect()))
            .collect()
    }

    #[test]
    fn a_test_is_found_under_every_number_of_its_comment() {
        let found =
            scan("/// R41, A-10: read from the end.\n/// Also R7.\n#[test]\nfn ends() {}\n");
        let expected = ["A-10", "R41", "R7"]
            .map(|number| (number.to_owned(), vec!["src/lib.rs::ends".to_owned()]));
        assert_eq!(found, expected);
    }

    #[test]
    fn asynchronous_and_property_tests_are_found() {
        let text = "    /// R6\n    #[tokio::test(flavor = \"current_thread\")]\n    \
                    async fn echo() {}\nproptest! {\n    /// R6\n    #[test]\n    \
                    fn any(x in 0..4u8) {\n";
        assert_eq!(scan(text)[0].1, ["src/lib.rs::any", "src/lib.rs::echo"]);
    }

    #[test]
    fn plain_functions_and_other_words_do_not_count() {
        assert!(scan("/// R6: not a test.\nfn helper() {}\n#[test]\nfn bare() {}\n").is_empty());
        assert!(scan("/// RFC 8446, AES-128, R, A-x.\n#[test]\nfn words() {}\n").is_empty());
    }

    #[test]
    fn a_comment_belongs_to_the_item_that_follows_it() {
        assert!(scan("/// R6: a constant.\nconst X: u8 = 1;\n#[test]\nfn later() {}\n").is_empty());
    }
}
