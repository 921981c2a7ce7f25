//! The order of the floors, from the dependency tables of their manifests.

use super::{STACK, TOOLS};
use crate::metadata::{Kind, Metadata, Package};

/// Complains about every member that is not placed, misses the floor below it, skips a floor, or
/// reaches upwards.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in STACK {
        match metadata.member(name) {
            Some(package) => complaints.extend(check_floor(package)),
            None => complaints.push(format!("{name} is a floor of the stack but not a member")),
        }
    }
    for package in metadata.members() {
        let name = package.name.as_str();
        if !STACK.contains(&name) && !TOOLS.contains(&name) {
            complaints.push(format!(
                "{name} has no place: name it as a floor or as a tool"
            ));
        }
    }
    complaints
}

/// Checks what the manifest of one floor names among the workspace's own crates.
fn check_floor(package: &Package) -> Vec<String> {
    let own = package.name.as_str();
    let floor = floor_of(own);
    let mut complaints = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        if TOOLS.contains(&name) {
            complaints.push(format!("{own} depends on {name}, which is a tool"));
        }
        let Some(other) = floor_of(name) else {
            continue;
        };
        // A crate may name itself among its development dependencies to turn a feature on.
        if Some(other) > floor || (Some(other) == floor && dependency.kind != Kind::Dev) {
            complaints.push(format!("{own} depends on {name}, which stands above it"));
        } else if Some(other + 1) < floor && dependency.kind != Kind::Dev {
            complaints.push(format!(
                "{own} depends on {name}, which is more than one floor below: reach it through \
                 what the crate in between re-exports"
            ));
        }
    }
    let below = floor
        .and_then(|floor| floor.checked_sub(1))
        .and_then(|floor| STACK.get(floor));
    if let Some(below) = below {
        let stands = package
            .dependencies
            .iter()
            .any(|dependency| dependency.name == *below && dependency.kind == Kind::Normal);
        if !stands {
            complaints.push(format!(
                "{own} does not depend on {below}, the floor below it"
            ));
        }
    }
    complaints
}

fn floor_of(name: &str) -> Option<usize> {
    STACK.iter().position(|floor| *floor == name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A workspace in order, after which each test breaks one thing.
    fn workspace(extra: &[(&str, Value)]) -> Metadata {
        let mut tables: Vec<(&str, Vec<Value>)> =
            STACK.iter().map(|name| (*name, vec![])).collect();
        for (name, below) in [
            ("tcpls-crypto", "tcpls-wire"),
            ("tcpls-core", "tcpls-crypto"),
            ("tcpls-tokio", "tcpls-core"),
            ("tcpls-cli", "tcpls-tokio"),
        ] {
            tables
                .iter_mut()
                .find(|(own, _)| *own == name)
                .unwrap()
                .1
                .push(json!({"name": below}));
        }
        for (name, dependency) in extra {
            match tables.iter_mut().find(|(own, _)| own == name) {
                Some((_, table)) => table.push(dependency.clone()),
                None => tables.push((name, vec![dependency.clone()])),
            }
        }
        let packages: Vec<Value> = tables
            .iter()
            .map(|(name, dependencies)| {
                json!({"id": name, "name": name, "manifest_path": format!("/{name}/Cargo.toml"),
                       "dependencies": dependencies})
            })
            .collect();
        let members: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
        serde_json::from_value(json!({
            "packages": packages, "workspace_members": members, "workspace_root": "/",
            "resolve": {"nodes": []},
        }))
        .unwrap()
    }

    #[test]
    fn a_stack_in_order_is_clean() {
        assert_eq!(check(&workspace(&[])), Vec::<String>::new());
    }

    #[test]
    fn a_dependency_on_a_crate_above_is_found() {
        let complaints = check(&workspace(&[("tcpls-wire", json!({"name": "tcpls-core"}))]));
        assert_eq!(
            complaints,
            ["tcpls-wire depends on tcpls-core, which stands above it"]
        );
    }

    #[test]
    fn a_development_dependency_on_a_crate_above_is_found() {
        let upward = json!({"name": "tcpls-tokio", "kind": "dev"});
        let complaints = check(&workspace(&[("tcpls-core", upward)]));
        assert_eq!(
            complaints,
            ["tcpls-core depends on tcpls-tokio, which stands above it"]
        );
    }

    #[test]
    fn a_development_dependency_further_below_is_allowed() {
        let downward = json!({"name": "tcpls-wire", "kind": "dev"});
        assert!(check(&workspace(&[("tcpls-tokio", downward)])).is_empty());
    }

    #[test]
    fn a_skipped_floor_is_found() {
        let complaints = check(&workspace(&[(
            "tcpls-tokio",
            json!({"name": "tcpls-wire"}),
        )]));
        assert_eq!(complaints.len(), 1);
        assert!(
            complaints[0].contains("more than one floor below"),
            "{complaints:?}"
        );
    }

    #[test]
    fn a_missing_floor_below_is_found() {
        let mut metadata = workspace(&[]);
        metadata
            .packages
            .iter_mut()
            .find(|p| p.name == "tcpls-core")
            .unwrap()
            .dependencies
            .clear();
        let complaints = check(&metadata);
        assert_eq!(
            complaints,
            ["tcpls-core does not depend on tcpls-crypto, the floor below it"]
        );
    }

    #[test]
    fn a_floor_that_uses_a_tool_is_found() {
        let complaints = check(&workspace(&[(
            "tcpls-cli",
            json!({"name": "tcpls-interop"}),
        )]));
        assert_eq!(
            complaints,
            ["tcpls-cli depends on tcpls-interop, which is a tool"]
        );
    }

    #[test]
    fn a_member_without_a_place_is_found() {
        let complaints = check(&workspace(&[(
            "tcpls-extra",
            json!({"name": "tcpls-wire"}),
        )]));
        assert_eq!(
            complaints,
            ["tcpls-extra has no place: name it as a floor or as a tool"]
        );
    }
}
