//! The part of `cargo metadata`'s answer that the checks read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The workspace and everything it depends on.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: BTreeSet<String>,
    pub(crate) workspace_root: PathBuf,
    pub(crate) resolve: Resolve,
}

/// One package as its manifest declares it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependency tables.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) features: Vec<String>,
    #[serde(default = "defaults_are_on")]
    pub(crate) uses_default_features: bool,
}

/// The table a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    #[default]
    Normal,
    Build,
    Dev,
}

/// The resolved graph, with the features that the whole workspace turns on.
#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package in the resolved graph.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<Edge>,
}

/// A resolved dependency.
#[derive(Debug, Deserialize)]
pub(crate) struct Edge {
    pub(crate) pkg: String,
    #[serde(default)]
    pub(crate) dep_kinds: Vec<EdgeKind>,
}

/// One reason why an edge is in the graph.
#[derive(Debug, Deserialize)]
pub(crate) struct EdgeKind {
    #[serde(default)]
    pub(crate) kind: Kind,
}

impl Metadata {
    /// Asks cargo about the workspace that the current directory belongs to.
    pub(crate) fn load() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked"])
            .output()
            .context("cannot start cargo metadata")?;
        if !output.status.success() {
            bail!(
                "cargo metadata failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        serde_json::from_slice(&output.stdout).context("cannot read cargo metadata's answer")
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The workspace member called `name`.
    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.members().find(|package| package.name == name)
    }

    /// Every package that a build of `root` compiles into it: its dependencies in the normal
    /// tables, theirs, and so on, each with the path of names that leads to it.
    pub(crate) fn normal_tree<'a>(&'a self, root: &'a Package) -> BTreeMap<&'a str, Vec<&'a str>> {
        let nodes: BTreeMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let names: BTreeMap<&str, &str> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let mut found = BTreeMap::new();
        let mut waiting = vec![(root.id.as_str(), vec![root.name.as_str()])];
        while let Some((id, path)) = waiting.pop() {
            let Some(node) = nodes.get(id) else { continue };
            for edge in node.deps.iter().filter(|edge| edge.is_normal()) {
                let name = names
                    .get(edge.pkg.as_str())
                    .copied()
                    .unwrap_or(edge.pkg.as_str());
                let mut longer = path.clone();
                longer.push(name);
                if !found.contains_key(edge.pkg.as_str()) {
                    found.insert(edge.pkg.as_str(), longer.clone());
                    waiting.push((edge.pkg.as_str(), longer));
                }
            }
        }
        found
    }

    /// The package behind a resolved id.
    pub(crate) fn package(&self, id: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == id)
    }
}

impl Package {
    /// The directory that holds the manifest.
    pub(crate) fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }
}

impl Edge {
    fn is_normal(&self) -> bool {
        self.dep_kinds
            .iter()
            .any(|reason| reason.kind == Kind::Normal)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(
            match Option::<String>::deserialize(deserializer)?.as_deref() {
                None | Some("normal") => Self::Normal,
                Some("build") => Self::Build,
                Some("dev") => Self::Dev,
                Some(other) => {
                    return Err(serde::de::Error::unknown_variant(
                        other,
                        &["normal", "build", "dev"],
                    ));
                }
            },
        )
    }
}

fn defaults_are_on() -> bool {
    true
}
