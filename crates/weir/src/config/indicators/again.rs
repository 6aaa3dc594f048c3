//! The lists once more: read anew when one was fetched, or when a file of the operator's changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use toml::Table;
use weir_enrich::indicator::{Builder, Snapshot};

use super::read_into;
use super::reading::FILES_MAX;
use crate::config::Result;

/// Keys of the tables that name files.
const LISTS: &str = "indicators";
const BRIEFINGS: &str = "briefings";

/// Where lists are described, to read them again when one was fetched anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListsAgain {
    table: Table,
    folder: PathBuf,
}

/// Files of lists as they lie on disk: another one when any of them changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Seen {
    fn look(&mut self, path: &Path) {
        let meta = fs::metadata(path).ok();
        let files = meta
            .as_ref()
            .filter(|meta| meta.is_dir())
            .and_then(|_| fs::read_dir(path).ok());
        if let Some(files) = files {
            // A folder with more is refused when it is read.
            let paths = files.flatten().map(|entry| entry.path()).take(FILES_MAX);
            for path in paths {
                self.note(&path, fs::metadata(&path).ok());
            }
        }
        self.note(path, meta);
    }

    fn note(&mut self, path: &Path, meta: Option<fs::Metadata>) {
        let changed = meta.as_ref().and_then(|meta| meta.modified().ok());
        self.0
            .push((path.to_owned(), meta.map_or(0, |meta| meta.len()), changed));
    }
}

impl ListsAgain {
    /// Of a configuration.
    pub(in crate::config) fn new(config: &Table, folder: &Path) -> Self {
        let keys = [LISTS, BRIEFINGS, "indicators_dir"];
        let kept = config.iter().filter(|(key, _)| keys.contains(&key.as_str()));
        Self {
            table: kept.map(|(key, value)| (key.clone(), value.clone())).collect(),
            folder: folder.to_owned(),
        }
    }

    /// Everything the lists hold now.
    pub(crate) fn read(&self) -> Result<Arc<Snapshot>> {
        let read = read_into(&self.table, &self.folder, Builder::new())?;
        Ok(read.lists.unwrap_or_else(|| Arc::new(Builder::new().finish())))
    }

    /// What they hold beyond an earlier snapshot.
    pub(crate) fn read_beyond(&self, before: Option<Arc<Snapshot>>) -> Result<Arc<Snapshot>> {
        let read = read_into(&self.table, &self.folder, Builder::new().beyond(before))?;
        Ok(read.lists.unwrap_or_else(|| Arc::new(Builder::new().finish())))
    }

    /// The files of lists and briefings that people keep, as they are now; nothing where all lists are fetched.
    pub(crate) fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        for key in [LISTS, BRIEFINGS] {
            let tables = self.table.get(key).and_then(toml::Value::as_array);
            let paths = tables
                .into_iter()
                .flatten()
                .filter_map(|table| table.get("path")?.as_str());
            for path in paths.map(|path| self.folder.join(path)) {
                let beside = (key == BRIEFINGS).then(|| briefing_file(&path)).flatten();
                seen.look(&path);
                beside.iter().for_each(|path| seen.look(path));
            }
        }
        seen.0.sort();
        seen
    }
}

/// The file of indicators that a briefing names, beside it.
fn briefing_file(path: &Path) -> Option<PathBuf> {
    let table: Table = fs::read_to_string(path).ok()?.parse().ok()?;
    let file = table.get("file")?.as_str()?;
    Some(path.parent().unwrap_or(Path::new("")).join(file))
}
