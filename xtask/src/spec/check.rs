//! The rules that both files must keep.

use std::collections::BTreeSet;
use std::path::Path;

use super::Family;
use super::document::{Document, Entry, Status};
use super::scan::Tests;

/// Levels of obligation that a requirement may have.
const LEVELS: [&str; 5] = ["must", "must-not", "should", "may", "implicit"];

/// Longest text of one key, in bytes: an entry sums up, it does not copy.
const LONGEST: usize = 600;

/// Complains about numbers that tests name but no family has.
pub(super) fn references(tests: &Tests, families: &[Family]) -> Vec<String> {
    let known: BTreeSet<String> = families
        .iter()
        .flat_map(|family| family.numbers())
        .collect();
    tests
        .numbers()
        .filter(|number| !known.contains(*number))
        .map(|number| {
            let naming: Vec<&str> = tests.naming(number).collect();
            format!(
                "{number} does not exist, but {} names it",
                naming.join(", ")
            )
        })
        .collect()
}

/// Complains about everything in `document` that breaks a rule.
pub(super) fn document(
    root: &Path,
    family: Family,
    document: &Document,
    tests: &Tests,
) -> Vec<String> {
    let mut complaints = Vec::new();
    let present: Vec<&str> = document
        .entries()
        .iter()
        .map(|entry| entry.number.as_str())
        .collect();
    let expected: Vec<String> = family.numbers().collect();
    for number in expected
        .iter()
        .filter(|number| !present.contains(&number.as_str()))
    {
        complaints.push(format!("{}: {number} is missing", family.file));
    }
    let known = present
        .iter()
        .filter(|number| expected.iter().any(|known| known == *number));
    if !known
        .copied()
        .is_sorted_by_key(|number| expected.iter().position(|n| n == number))
    {
        complaints.push(format!("{}: the entries are not in order", family.file));
    }
    for entry in document.entries() {
        if expected.contains(&entry.number) {
            complaints.extend(words(family, entry));
            complaints.extend(places(root, entry));
            complaints.extend(tests_of(entry, tests));
        } else {
            complaints.push(format!("{}: {} is no number", family.file, entry.number));
        }
    }
    complaints
}

/// The texts are there, known, and short.
fn words(family: Family, entry: &Entry) -> Vec<String> {
    let number = &entry.number;
    let mut complaints = Vec::new();
    for key in family.words {
        match entry.words.iter().find(|(name, _)| name == key) {
            Some((_, text)) if !text.trim().is_empty() => {}
            _ => complaints.push(format!("{number}: `{key}` is missing or empty")),
        }
    }
    for (key, text) in &entry.words {
        if !family.words.contains(&key.as_str()) {
            complaints.push(format!("{number}: `{key}` is no key"));
        }
        if key == "level" && !LEVELS.contains(&text.as_str()) {
            complaints.push(format!(
                "{number}: `{text}` is none of {}",
                LEVELS.join(", ")
            ));
        }
        if text.len() > LONGEST {
            complaints.push(format!("{number}: `{key}` is longer than {LONGEST} bytes"));
        }
    }
    complaints
}

/// What is done says where, and every place exists.
fn places(root: &Path, entry: &Entry) -> Vec<String> {
    let number = &entry.number;
    let mut complaints = Vec::new();
    if entry.places.is_empty() && entry.status == Status::Done {
        complaints.push(format!("{number}: does not say where it is implemented"));
    }
    for place in entry
        .places
        .iter()
        .filter(|place| !root.join(place).exists())
    {
        complaints.push(format!("{number}: {place} does not exist"));
    }
    complaints
}

/// The tests listed are those that name the entry, and what is done has some.
fn tests_of(entry: &Entry, tests: &Tests) -> Vec<String> {
    let number = &entry.number;
    let mut complaints = Vec::new();
    let found: Vec<&str> = tests.naming(number).collect();
    for test in entry
        .tests
        .iter()
        .filter(|test| !found.contains(&test.as_str()))
    {
        complaints.push(format!(
            "{number}: {test} is listed but is no test that names {number}"
        ));
    }
    for test in found
        .iter()
        .filter(|test| !entry.tests.iter().any(|listed| listed == *test))
    {
        complaints.push(format!(
            "{number}: {test} names it but is not listed (run with --update)"
        ));
    }
    match &entry.status {
        Status::Done if found.is_empty() => {
            complaints.push(format!("{number}: no test names it, and it has no status"));
        }
        Status::NotApplicable(_) if !found.is_empty() => {
            complaints.push(format!(
                "{number}: it has tests, so it cannot be `not applicable`"
            ));
        }
        Status::Later(reason) | Status::NotApplicable(reason) if reason.trim().is_empty() => {
            complaints.push(format!("{number}: the reason is empty"));
        }
        Status::Done | Status::Later(_) | Status::NotApplicable(_) => {}
    }
    complaints
}

impl Family {
    /// Every number of the family, in order.
    fn numbers(self) -> impl Iterator<Item = String> {
        (1..=self.last).map(move |number| format!("{}{number}", self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Family = Family {
        file: "two.toml",
        prefix: "R",
        last: 2,
        words: &["section", "level", "says"],
    };

    const R1: &str = "[R1]\nsection = \"1\"\nlevel = \"must\"\nsays = \"x\"\nwhere = [\"src\"]\n\
                      tests = [\"src/a.rs::works\"]\n";
    const R2: &str = "[R2]\nsection = \"1\"\nlevel = \"may\"\nsays = \"x\"\nwhere = []\n\
                      tests = []\nstatus = \"later\"\nreason = \"not yet\"\n";

    /// The complaints about a file, with this crate as the root and one test that names R1.
    fn complaints(text: &str) -> Vec<String> {
        let mut tests = Tests::default();
        tests.add(
            Path::new("src/a.rs"),
            "/// R1: it works.\n#[test]\nfn works() {}\n",
        );
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        document(root, TWO, &Document::parse(text).unwrap(), &tests)
    }

    fn one_complaint(text: &str, expected: &str) {
        let found = complaints(text);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{expected}: {found:?}"
        );
    }

    #[test]
    fn a_complete_file_is_clean() {
        assert_eq!(complaints(&format!("{R1}{R2}")), Vec::<String>::new());
    }

    #[test]
    fn missing_unknown_and_disordered_entries_are_found() {
        one_complaint(R1, "R2 is missing");
        one_complaint(&format!("{R1}{R2}[R3]\n"), "R3 is no number");
        one_complaint(&format!("{R2}{R1}"), "not in order");
    }

    #[test]
    fn missing_words_and_unknown_levels_are_found() {
        let file = format!("{R1}{R2}");
        one_complaint(&file.replacen("says = \"x\"\n", "", 1), "`says` is missing");
        one_complaint(
            &file.replacen("\"must\"", "\"maybe\"", 1),
            "`maybe` is none of",
        );
        one_complaint(
            &file.replacen("section", "page = \"3\"\nsection", 1),
            "`page` is no key",
        );
    }

    #[test]
    fn a_place_that_does_not_exist_is_found() {
        let file = format!("{R1}{R2}");
        one_complaint(
            &file.replacen("[\"src\"]", "[\"lost\"]", 1),
            "lost does not exist",
        );
        one_complaint(&file.replacen("[\"src\"]", "[]", 1), "does not say where");
    }

    #[test]
    fn stale_and_unlisted_tests_are_found() {
        let file = format!("{R1}{R2}");
        let listed = "\"src/a.rs::works\"";
        one_complaint(&file.replacen(listed, "", 1), "is not listed");
        let stale = format!("{listed}, \"src/a.rs::gone\"");
        one_complaint(&file.replacen(listed, &stale, 1), "gone is listed but");
    }

    #[test]
    fn done_without_a_test_is_found() {
        let done = R2.replace("status = \"later\"\nreason = \"not yet\"\n", "");
        let file = format!("{R1}{}", done.replace("where = []", "where = [\"src\"]"));
        one_complaint(&file, "no test names it");
    }

    #[test]
    fn not_applicable_with_a_test_is_found() {
        let status = "status = \"not applicable\"\nreason = \"x\"\n";
        one_complaint(&format!("{R1}{status}{R2}"), "cannot be `not applicable`");
    }

    #[test]
    fn a_test_that_names_a_number_nobody_has_is_found() {
        let mut tests = Tests::default();
        tests.add(
            Path::new("src/a.rs"),
            "/// R9: what?\n#[test]\nfn odd() {}\n",
        );
        let found = references(&tests, &[TWO]);
        assert_eq!(found, ["R9 does not exist, but src/a.rs::odd names it"]);
    }
}
