//! `cargo xtask new method`: the skeleton of a detection method, in its place, and what is left to do.
//! It has every part a method must have, so that none is forgotten.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::say;

/// The skeleton; `{slug}` and the like are replaced.
const METHOD: &str = include_str!("method.rs.txt");

pub(crate) fn method(root: &Path, family: &str, slug: &str, code: &str) -> Result<()> {
    let path = root.join(format!("crates/detect/src/{family}/{slug}.rs"));
    if path.exists() {
        bail!("{} is there already", path.display());
    }
    if !slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) || code.to_lowercase() != slug {
        bail!(
            "the slug is the code in lower case: `new method {family} {} {code}`",
            code.to_lowercase()
        );
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(
        &path,
        METHOD
            .replace("{slug}", slug)
            .replace("{code}", code)
            .replace("{family}", family),
    )?;
    say(&format!(
        "wrote {}; now:\n  1. pub mod {slug}; in the family's mod.rs\n  2. entry::<{family}::{slug}::Method_>() in registry.rs\n  \
         3. a golden case in captures/{slug}, a line in CHANGELOG.md\n  4. cargo xtask docs",
        path.display()
    ));
    Ok(())
}
