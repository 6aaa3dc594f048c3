//! Licences of dependencies: permissive ones only, by cargo's own metadata, so that it needs no further tool.
//! `deny.toml` says the same to cargo-deny for those who have it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Licences the project may build on. Keep in step with `deny.toml` (a test compares them).
const ALLOWED: [&str; 14] = [
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "0BSD",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
];

pub(crate) fn run(root: &Path) -> Result<()> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| package["source"].is_string())
        .filter(|package| !package["license"].as_str().is_some_and(allowed))
        .map(|package| {
            format!(
                "{} {}: {}",
                package["name"], package["version"], package["license"]
            )
        })
        .collect();
    if packages.is_empty() || !refused.is_empty() {
        bail!("licences that are not allowed:\n  {}", refused.join("\n  "));
    }
    Ok(())
}

/// Is there a way to satisfy the SPDX expression with allowed licences? Exceptions (`WITH`) only widen permissions.
fn allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    let known = |name: &str| ALLOWED.contains(&name.trim().split(" WITH ").next().unwrap_or_default());
    // `A AND (B OR C)` flattens to alternatives that are stricter than the truth, never laxer, when each AND part
    // is looked at alone: every part must offer one allowed licence.
    plain.split(" AND ").all(|part| part.split(" OR ").any(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        assert!(allowed("MIT OR Apache-2.0"));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(allowed("Apache-2.0 WITH LLVM-exception"));
        assert!(allowed("MIT/Apache-2.0"));
        assert!(!allowed("GPL-3.0-only"));
        assert!(!allowed("MIT AND GPL-2.0"));
    }

    #[test]
    fn the_same_list_as_deny_toml() {
        let text = std::fs::read_to_string(crate::root().join("deny.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let listed = table["licenses"]["allow"].as_array().unwrap();
        let mut listed: Vec<&str> = listed.iter().filter_map(|name| name.as_str()).collect();
        let mut ours = ALLOWED.to_vec();
        listed.sort_unstable();
        ours.sort_unstable();
        assert_eq!(listed, ours);
    }
}
