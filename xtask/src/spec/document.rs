//! One of the two files: tables named after the numbers, in order.

use anyhow::{Context, Result, anyhow, bail};
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::scan::Tests;

/// A parsed file, kept with its comments and layout.
#[derive(Debug)]
pub(super) struct Document {
    source: DocumentMut,
    entries: Vec<Entry>,
}

/// One requirement or reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As in `R41` or `A-10`.
    pub(super) number: String,
    /// Keys with plain text, in order: what the entry says, apart from what follows.
    pub(super) words: Vec<(String, String)>,
    /// Paths from the workspace's root.
    pub(super) places: Vec<String>,
    /// Tests as `path::function`.
    pub(super) tests: Vec<String>,
    /// How far it is done.
    pub(super) status: Status,
}

/// How far an entry is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    /// Implemented, and at least one test says so.
    Done,
    /// Not, or not all of it, with the reason.
    Later(String),
    /// Asks for nothing that could be implemented, with the reason.
    NotApplicable(String),
}

impl Document {
    /// Reads `text`; says which entry is malformed.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let source: DocumentMut = text.parse().context("not valid TOML")?;
        let mut entries = Vec::new();
        for (number, item) in source.iter() {
            let table = item
                .as_table()
                .ok_or_else(|| anyhow!("{number} is not a table"))?;
            entries.push(Entry::parse(number, table).with_context(|| format!("entry {number}"))?);
        }
        Ok(Self { source, entries })
    }

    /// All entries in the order of the file.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The text of the file with every `tests` array as the scan found it.
    pub(super) fn with_tests(&self, tests: &Tests) -> Result<String> {
        let mut renewed = self.source.clone();
        for entry in &self.entries {
            let table = renewed
                .get_mut(&entry.number)
                .and_then(Item::as_table_mut)
                .ok_or_else(|| anyhow!("{} vanished", entry.number))?;
            let mut array = Array::new();
            for test in tests.naming(&entry.number) {
                let mut value = Value::from(test);
                value.decor_mut().set_prefix("\n    ");
                array.push_formatted(value);
            }
            if !array.is_empty() {
                array.set_trailing("\n");
                array.set_trailing_comma(true);
            }
            table.insert("tests", Item::Value(Value::Array(array)));
        }
        Ok(renewed.to_string())
    }
}

impl Entry {
    fn parse(number: &str, table: &Table) -> Result<Self> {
        let mut entry = Self {
            number: number.to_owned(),
            words: Vec::new(),
            places: Vec::new(),
            tests: Vec::new(),
            status: Status::Done,
        };
        let mut status = None;
        let mut reason = None;
        for (key, item) in table {
            match key {
                "where" => entry.places = texts(item).context("`where`")?,
                "tests" => entry.tests = texts(item).context("`tests`")?,
                "status" => status = Some(text(item).context("`status`")?),
                "reason" => reason = Some(text(item).context("`reason`")?),
                _ => entry
                    .words
                    .push((key.to_owned(), text(item).with_context(|| key.to_owned())?)),
            }
        }
        entry.status = match (status.as_deref(), reason) {
            (None, None) => Status::Done,
            (Some("later"), Some(reason)) => Status::Later(reason),
            (Some("not applicable"), Some(reason)) => Status::NotApplicable(reason),
            (Some(status @ ("later" | "not applicable")), None) => {
                bail!("`{status}` needs a reason")
            }
            (Some(other), _) => bail!("`{other}` is no status"),
            (None, Some(_)) => bail!("a reason without a status"),
        };
        Ok(entry)
    }
}

fn text(item: &Item) -> Result<String> {
    item.as_str()
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("is not a string"))
}

fn texts(item: &Item) -> Result<Vec<String>> {
    let array = item.as_array().ok_or_else(|| anyhow!("is not an array"))?;
    let texts: Option<Vec<String>> = array
        .iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect();
    texts.ok_or_else(|| anyhow!("holds something else than strings"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FILE: &str = "# kept\n\n[R1]\nsays = \"one\"\nwhere = [\"a.rs\"]\ntests = []\n\n\
                        [R2]\nsays = \"two\" # kept too\nwhere = []\ntests = [\"a.rs::gone\"]\n\
                        status = \"later\"\nreason = \"no need\"\n";

    #[test]
    fn entries_are_read_with_their_status() {
        let document = Document::parse(FILE).unwrap();
        let [one, two] = document.entries() else {
            panic!("two entries")
        };
        assert_eq!((one.number.as_str(), &one.status), ("R1", &Status::Done));
        assert_eq!(one.places, ["a.rs"]);
        assert_eq!(two.tests, ["a.rs::gone"]);
        assert_eq!(two.status, Status::Later("no need".to_owned()));
    }

    #[test]
    fn an_update_changes_the_tests_and_nothing_else() {
        let mut tests = Tests::default();
        tests.add(
            Path::new("a.rs"),
            "/// R1: it works.\n#[test]\nfn works() {}\n",
        );
        let renewed = Document::parse(FILE).unwrap().with_tests(&tests).unwrap();
        let expected = FILE
            .replacen("tests = []", "tests = [\n    \"a.rs::works\",\n]", 1)
            .replacen("tests = [\"a.rs::gone\"]", "tests = []", 1);
        assert_eq!(renewed, expected);
    }

    #[test]
    fn a_status_needs_a_reason_and_must_be_known() {
        for entry in [
            "status = \"later\"",
            "status = \"soon\"\nreason = \"x\"",
            "reason = \"x\"",
        ] {
            assert!(
                Document::parse(&format!("[R1]\n{entry}\n")).is_err(),
                "{entry}"
            );
        }
    }
}
