//! `cargo xtask tidy`: what the compiler does not check about the tree. Each rule exists because a reader asked for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Which of our crates a crate may import, beside `model`. ARCHITECTURE.md says why.
const IMPORTS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &[]),
    ("dissect", &["wire"]),
    ("capture", &["wire"]),
    ("collector", &["wire"]),
    ("meter", &["wire", "dissect"]),
    ("enrich", &[]),
    ("detect", &["query"]),
    ("triage", &[]),
    ("output", &[]),
    ("query", &[]),
    ("store", &["query"]),
    ("api", &["query", "store"]),
    ("testkit", &[]),
];
/// Lines of a file, tests included, past which it must become several.
const LINES_MAX: usize = 800;
/// Leftovers that may not be committed. Split so that this file does not find itself.
const LEFTOVERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("/wo", "rk/"),
    concat!("XX", "X"),
];

pub(crate) fn run(root: &Path) -> Result<()> {
    let mut faults = Vec::new();
    imports(root, &mut faults)?;
    for path in sources(root)? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        file(&shown, &text, &mut faults);
    }
    if faults.is_empty() {
        Ok(())
    } else {
        bail!("{} faults:\n  {}", faults.len(), faults.join("\n  "))
    }
}

fn file(shown: &str, text: &str, faults: &mut Vec<String>) {
    let lines = text.lines().count();
    let rendered = shown.starts_with("docs/reference/");
    if lines > LINES_MAX && !rendered {
        faults.push(format!("{shown}: {lines} lines; split it ({LINES_MAX} at most)"));
    }
    if shown.ends_with(".rs") && !text.starts_with("//!") && !text.starts_with("#![no_main]") {
        faults.push(format!("{shown}: does not open with what it is and why (//!)"));
    }
    for word in LEFTOVERS {
        if let Some(at) = text.lines().position(|line| line.contains(word)) {
            faults.push(format!("{shown}:{}: {word:?} left over", at + 1));
        }
    }
}

/// Every file people wrote: Rust, Markdown, TOML, scripts.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let skipped = [
                "target",
                ".git",
                "node_modules",
                "corpus",
                "artifacts",
                "LICENSE",
                "Cargo.lock",
            ];
            if skipped.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if [".rs", ".md", ".toml", ".sh", ".py"]
                .iter()
                .any(|end| name.ends_with(end))
                || name == "Makefile"
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Compares every manifest with [`IMPORTS`]. Dev-dependencies are free, except that nothing imports `weir`.
fn imports(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let rules: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    for entry in fs::read_dir(root.join("crates"))? {
        let folder = entry?.path();
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml"))?.parse()?;
        if manifest.get("lints").is_none() {
            faults.push(format!("crates/{name}: takes no part in the workspace's lints"));
        }
        if name == "weir" {
            continue;
        }
        let Some(allowed) = rules.get(name.as_str()) else {
            faults.push(format!(
                "crates/{name}: a new crate needs a decision record and a row in xtask/src/tidy.rs"
            ));
            continue;
        };
        let imported = manifest
            .get("dependencies")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten();
        for ours in imported.filter_map(|(key, _)| key.strip_prefix("weir-")) {
            if ours != "model" && !allowed.contains(&ours) {
                faults.push(format!("crates/{name}: may not import {ours}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        run(&crate::root()).unwrap();
    }

    #[test]
    fn faults_are_found() {
        let mut faults = Vec::new();
        file(
            "a.rs",
            &format!("fn main() {{}} // {}\n{}", LEFTOVERS[0], "\n".repeat(LINES_MAX)),
            &mut faults,
        );
        assert_eq!(faults.len(), 3, "{faults:?}");
    }
}
