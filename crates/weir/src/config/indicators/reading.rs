//! Files of lists into the builder, within limits, and a line for people about each.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use weir_enrich::indicator::{Builder, Format, ListSpec, Report};
use weir_model::Quantity;

use super::Read;
use crate::config::{ConfigError, Result, bad};

/// Bytes of one list; a folder counts as one. The largest public lists have some tens of MiB.
const LIST_BYTES_MAX: u64 = 256 << 20;
/// Files in the folder of one list.
pub(super) const FILES_MAX: usize = 20_000;

/// Reads a file or folder into the builder and says what came of it.
pub(super) fn add(
    spec: ListSpec,
    format: Option<Format>,
    path: &Path,
    builder: &mut Builder,
    read: &mut Read,
) -> Result<()> {
    let texts = contents(path)?;
    let format = format.unwrap_or_else(|| Format::guess(texts.first().map_or(&[], Vec::as_slice)));
    let name = spec.name.clone();
    let report = builder.list(spec, format, texts.iter().map(Vec::as_slice));
    read.lines.push(line(&name, format, &report));
    Ok(())
}

pub(super) fn line(name: &str, format: Format, report: &Report) -> String {
    let mut line = format!(
        "list {name} ({}): {} indicators",
        format.word(),
        Quantity::Count(report.taken as u64)
    );
    if report.unseen > 0 {
        line.push_str(&format!(
            ", {} of kinds traffic does not show",
            Quantity::Count(report.unseen as u64)
        ));
    }
    if report.over > 0 {
        line.push_str(&format!(
            ", {} found no place",
            Quantity::Count(report.over as u64)
        ));
    }
    if report.bad > 0 {
        line.push_str(&format!(
            ", {} not understood",
            Quantity::Count(report.bad as u64)
        ));
    }
    if let Some(first) = report.faults.first() {
        line.push_str(&format!(", first {first}"));
    }
    line
}

/// The texts of a file, or of every file of a folder (as a MISP feed has one per event), in the order of their names.
pub(super) fn contents(path: &Path) -> Result<Vec<Vec<u8>>> {
    let unreadable = |path: &Path, error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let mut files: Vec<PathBuf> = Vec::new();
    let meta = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if meta.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| unreadable(path, error))? {
            let entry = entry.map_err(|error| unreadable(path, error))?.path();
            // The table of contents of a MISP feed holds no indicators.
            if entry.is_file()
                && entry
                    .file_name()
                    .is_some_and(|name| name != "manifest.json" && name != "hashes.csv")
            {
                files.push(entry);
            }
        }
        files.sort();
    } else if meta.is_file() {
        files.push(path.to_owned());
    }
    let shown = path.display().to_string();
    if files.is_empty() || files.len() > FILES_MAX {
        return Err(bad(
            &shown,
            &format!("must be a file, or a folder of 1 to {FILES_MAX} files"),
        ));
    }
    let mut left = LIST_BYTES_MAX;
    let mut texts = Vec::new();
    for path in &files {
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(|error| unreadable(path, error))?;
        let read = file.take(left + 1).read_to_end(&mut bytes);
        let read = read.map_err(|error| unreadable(path, error))? as u64;
        left = left
            .checked_sub(read)
            .ok_or_else(|| bad(&shown, &format!("has more than {LIST_BYTES_MAX} bytes")))?;
        texts.push(bytes);
    }
    Ok(texts)
}
