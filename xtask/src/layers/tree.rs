//! What a build of the session crate pulls in, from the resolved dependency graph.

use super::SANS_IO;
use crate::metadata::{Kind, Metadata};

/// Crates that bring sockets, an event loop or an async runtime.
const RUNTIMES: [&str; 14] = [
    "async-executor",
    "async-global-executor",
    "async-io",
    "async-net",
    "async-std",
    "compio",
    "futures-executor",
    "glommio",
    "io-uring",
    "mio",
    "monoio",
    "polling",
    "smol",
    "socket2",
];

/// Prefixes of families of crates that do the same.
const RUNTIME_FAMILIES: [&str; 2] = ["tokio", "compio-"];

/// Features of `rand` that give a generator hidden in a thread-local.
const HIDDEN_GENERATOR: [&str; 3] = ["default", "thread_rng", "std_rng"];

/// Complains about every runtime and hidden random number generator that the normal dependency
/// tree of the session crate contains.
///
/// The graph carries the features of the whole workspace, so this errs on the strict side.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    let Some(root) = metadata.member(SANS_IO) else {
        return Vec::new();
    };
    let tree = metadata.normal_tree(root);
    let mut complaints = Vec::new();
    for path in tree.values() {
        let Some(name) = path.last() else { continue };
        if is_runtime(name) {
            complaints.push(format!(
                "{SANS_IO} must do no I/O but pulls in {}",
                path.join(" -> ")
            ));
        }
    }
    let compiled = tree
        .keys()
        .filter_map(|id| metadata.package(id))
        .chain([root]);
    for package in compiled {
        for dependency in &package.dependencies {
            let hidden = dependency.name == "rand"
                && dependency.kind == Kind::Normal
                && (dependency.uses_default_features
                    || dependency
                        .features
                        .iter()
                        .any(|f| HIDDEN_GENERATOR.contains(&f.as_str())));
            if hidden {
                complaints.push(format!(
                    "{SANS_IO} takes randomness as an argument, but {} turns on rand's \
                     thread-local generator",
                    package.name
                ));
            }
        }
    }
    complaints
}

fn is_runtime(name: &str) -> bool {
    RUNTIMES.contains(&name)
        || RUNTIME_FAMILIES
            .iter()
            .any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn graph(edges: &[(&str, &str, Option<&str>)]) -> Metadata {
        let mut names: Vec<&str> = edges
            .iter()
            .flat_map(|(from, to, _)| [*from, *to])
            .collect();
        names.push(SANS_IO);
        names.sort_unstable();
        names.dedup();
        let packages: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({"id": name, "name": name, "manifest_path": "/x/Cargo.toml",
                       "dependencies": []})
            })
            .collect();
        let nodes: Vec<Value> = names
            .iter()
            .map(|name| {
                let deps: Vec<Value> = edges
                    .iter()
                    .filter(|(from, ..)| from == name)
                    .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                    .collect();
                json!({"id": name, "deps": deps})
            })
            .collect();
        serde_json::from_value(json!({
            "packages": packages, "workspace_members": [SANS_IO], "workspace_root": "/",
            "resolve": {"nodes": nodes},
        }))
        .unwrap()
    }

    #[test]
    fn a_tree_of_plain_libraries_is_clean() {
        let metadata = graph(&[(SANS_IO, "bytes", None), (SANS_IO, "rustls", None)]);
        assert_eq!(check(&metadata), Vec::<String>::new());
    }

    #[test]
    fn a_runtime_deep_in_the_tree_is_found_with_the_way_to_it() {
        let metadata = graph(&[(SANS_IO, "helper", None), ("helper", "mio", None)]);
        let complaints = check(&metadata);
        assert_eq!(
            complaints,
            ["tcpls-core must do no I/O but pulls in tcpls-core -> helper -> mio"]
        );
    }

    #[test]
    fn every_crate_of_the_tokio_family_is_found() {
        let metadata = graph(&[(SANS_IO, "tokio-util", None)]);
        assert_eq!(check(&metadata).len(), 1);
    }

    #[test]
    fn development_and_build_dependencies_are_no_part_of_the_tree() {
        let metadata = graph(&[
            (SANS_IO, "tokio", Some("dev")),
            (SANS_IO, "mio", Some("build")),
        ]);
        assert!(check(&metadata).is_empty());
    }

    #[test]
    fn the_thread_local_generator_of_rand_is_found() {
        let mut metadata = graph(&[(SANS_IO, "helper", None), ("helper", "rand", None)]);
        let rand: Value = json!({"name": "rand", "features": ["thread_rng"],
                                 "uses_default_features": false});
        let helper = metadata
            .packages
            .iter_mut()
            .find(|p| p.name == "helper")
            .unwrap();
        helper
            .dependencies
            .push(serde_json::from_value(rand).unwrap());
        assert_eq!(check(&metadata).len(), 1);
    }

    #[test]
    fn rand_without_its_hidden_generator_is_allowed() {
        let mut metadata = graph(&[(SANS_IO, "rand", None)]);
        let rand: Value = json!({"name": "rand", "uses_default_features": false});
        let core = metadata
            .packages
            .iter_mut()
            .find(|p| p.name == SANS_IO)
            .unwrap();
        core.dependencies
            .push(serde_json::from_value(rand).unwrap());
        assert!(check(&metadata).is_empty());
    }
}
