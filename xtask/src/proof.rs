//! The table of proofs: for each submethod, which of the project's own files hold it. Read from those files, so that the
//! page cannot claim what no test does.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use weir_model::MethodMeta;

/// The page.
pub(crate) fn page(root: &Path) -> Result<String> {
    let detect = root.join("crates/detect/src");
    let tests = tests(&detect)?;
    let recordings = recordings(&root.join("captures"))?;
    let mut text = head(&recordings);
    let (mut count, mut proven, mut seen) = (0, 0, 0);
    for entry in weir_detect::REGISTRY {
        let meta = entry.meta;
        let silent = silent(meta, &tests);
        if meta.code == "BPATTERNS" {
            let patterns = patterns(root)?;
            (count, proven) = (
                count + patterns.len(),
                proven + patterns.iter().filter(|(_, fires)| *fires).count(),
            );
            for (name, fires) in patterns {
                let (fires, silent) = if fires {
                    (PATTERN_TESTS, PATTERN_SILENT)
                } else {
                    ("", 0)
                };
                let _ = writeln!(text, "| BPATTERNS | {name} | {fires} | {silent} |  |");
            }
            continue;
        }
        for submethod in meta.submethods {
            let name = format!("{}.{}", meta.code, submethod.name);
            let named = |text: &str| match meta.code {
                "THREATS" => text.contains("THREATS."),
                _ => holds(text, &name),
            };
            let fires = tests.iter().find(|(_, text)| named(text));
            let fires = fires.map_or("", |(path, _)| path.as_str());
            let recorded: Vec<&str> = recordings
                .iter()
                .filter(|one| holds(&one.events, &name))
                .map(|one| one.name.as_str())
                .collect();
            (count, proven, seen) = (
                count + 1,
                proven + usize::from(!fires.is_empty()),
                seen + usize::from(!recorded.is_empty()),
            );
            let _ = writeln!(
                text,
                "| {} | {} | {fires} | {silent} | {} |",
                meta.code,
                submethod.name,
                recorded.join(", ")
            );
        }
    }
    let _ = write!(
        text,
        "\n{count} submethods; {proven} fire in flow notation, {seen} in a recording.\n"
    );
    Ok(text)
}

/// Where the patterns that come with the program are tested, below `crates/weir/src`; each with an input just below its
/// limit and a harmless one.
const PATTERN_TESTS: &str = "config/patterns/tests.rs";
const PATTERN_SILENT: usize = 2;

/// The patterns that come with the program, and whether a test makes each of them fire.
fn patterns(root: &Path) -> Result<Vec<(String, bool)>> {
    let weir = root.join("crates/weir/src");
    let tests = fs::read_to_string(weir.join(PATTERN_TESTS)).context(PATTERN_TESTS)?;
    let mut found = Vec::new();
    for path in sorted(&weir.join("patterns"))? {
        let text = fs::read_to_string(&path)?;
        let name = text
            .lines()
            .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        let name = name.with_context(|| format!("{} has no name", path.display()))?;
        // As in what the tests expect: `Name source: sentence`.
        let beginning = format!("{name} ");
        let mut said = tests.split(beginning.as_str()).skip(1);
        let fires = said.any(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
        found.push((name.to_owned(), fires));
    }
    Ok(found)
}

/// What the columns mean.
fn head(recordings: &[Recording]) -> String {
    let harmless: Vec<&str> = recordings
        .iter()
        .filter(|one| one.name.starts_with("benign"))
        .map(|one| one.name.as_str())
        .collect();
    format!(
        "# Which proof each submethod has\n\n\
         - *fires*: a test in flow notation gives this submethod; the file.\n\
         - *silent*: tests of the method give nothing just below a limit or for harmless traffic; how many inputs.\n\
         - *recorded*: recordings of the lab (`captures/`) in which it fires.\n\
         - *harmless*: every method runs over {} and over the scenarios of `crates/detect/src/scenarios/benign.rs`, and \
         none may say anything.\n\n\
         What a submethod without any mark in *fires* recognises is not proven. The submethods of THREATS are named by the \
         configuration, and those of BPATTERNS are the patterns that come with the program.\n\n\
         | method | submethod | fires | silent | recorded |\n|---|---|---|---|---|\n",
        harmless.join(", ")
    )
}

/// A recording of the lab and the events it must give.
struct Recording {
    name: String,
    events: String,
}

fn recordings(folder: &Path) -> Result<Vec<Recording>> {
    let mut found = Vec::new();
    for path in sorted(folder)? {
        if path.join("truth.tsv").is_file() {
            found.push(Recording {
                name: path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                events: fs::read_to_string(path.join("events.txt")).unwrap_or_default(),
            });
        }
    }
    Ok(found)
}

/// Every file of the methods with its tests' text, by its path below the crate's sources.
fn tests(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in sorted(&next)? {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            let text = fs::read_to_string(&path).with_context(|| shown.clone())?;
            let of_tests = if shown.ends_with("tests.rs") || shown.starts_with("scenarios") {
                Some(text.as_str())
            } else {
                text.split_once("#[cfg(test)]\nmod tests {")
                    .map(|(_, tests)| tests)
            };
            found.extend(of_tests.map(|tests| (shown, tests.to_owned())));
        }
    }
    found.sort();
    Ok(found)
}

/// Inputs for which the tests of a method expect nothing.
fn silent(meta: &MethodMeta, tests: &[(String, String)]) -> usize {
    let (file, folder) = (
        format!("{}/{}.rs", meta.family, meta.slug),
        format!("{}/{}/", meta.family, meta.slug),
    );
    tests
        .iter()
        .filter(|(path, _)| *path == file || path.starts_with(&folder))
        .map(|(_, text)| text.matches("expect![[\"\"]]").count())
        .sum()
}

/// Does the text hold the name, not as the beginning of a longer one?
fn holds(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let after = text[at + name.len()..].chars().next();
        after.is_none_or(|after| !after.is_alphanumeric())
    })
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
