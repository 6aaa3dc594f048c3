//! The configuration in layers: defaults, the operator's file, and over it the file of changes made in the web interface
//! (ADR 12). The operator's file is never written; each value knows the layer it comes from.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use weir_api::settings::Origin;

use super::{Config, ConfigError, Result, bad, lists, sub};

/// Name of the file of changes, in the folder of stores.
pub const MANAGED: &str = "settings.toml";
/// Keys that stay the operator's: they name ports, folders and threads.
const OPERATORS_KEYS: [&str; 5] = ["serve", "sites", "detect", "indicators_dir", "geo"];
/// Words that name files, or let lists be fetched from inside: whoever may change settings must not be able to read this
/// machine's files, or reach its neighbours, by it.
const FILE_KEYS: [&str; 6] = ["file", "path", "header_file", "ca_file", "private", "via"];
/// People's own patterns.
const PATTERNS: &str = "patterns";
/// Bytes of the file of changes.
const MANAGED_BYTES_MAX: usize = 4 << 20;

/// Both files, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layers {
    file: Option<PathBuf>,
    managed_file: Option<PathBuf>,
    base: Table,
    managed: Table,
}

impl Layers {
    /// Reads them; a file of changes need not be there.
    pub fn read(file: Option<&Path>, managed_file: Option<&Path>) -> Result<Self> {
        let base = match file {
            Some(path) => table_of(path)?,
            None => Table::new(),
        };
        let managed = match managed_file {
            Some(path) if path.exists() => table_of(path)?,
            _ => Table::new(),
        };
        Ok(Self {
            file: file.map(Path::to_owned),
            managed_file: managed_file.map(Path::to_owned),
            base,
            managed,
        })
    }

    /// The operator's file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The file of changes.
    pub fn managed_file(&self) -> Option<&Path> {
        self.managed_file.as_deref()
    }

    /// One table: tables are joined key by key, patterns stand beside one another, everything else of the upper layer
    /// stands for the lower.
    pub fn merged(&self) -> Table {
        let mut merged = self.base.clone();
        join(&mut merged, &self.managed);
        if let (Some(Value::Array(own)), Some(Value::Array(more))) =
            (self.base.get(PATTERNS), self.managed.get(PATTERNS))
        {
            let all = own.iter().chain(more).cloned().collect();
            merged.insert(PATTERNS.to_owned(), Value::Array(all));
        }
        merged
    }

    /// Patterns of the file of changes, as they were written.
    pub fn managed_patterns(&self) -> &[Value] {
        let patterns = self.managed.get(PATTERNS).and_then(Value::as_array);
        patterns.map_or(&[], Vec::as_slice)
    }

    /// The configuration, checked.
    pub fn config(&self) -> Result<Config> {
        let mut table = self.merged();
        let folder = self.folder();
        lists::insert(&mut table, folder)?;
        Config::from_table(&table, folder)
    }

    /// Where relative names of files begin.
    pub(super) fn folder(&self) -> &Path {
        self.file
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new(""))
    }

    /// The layer a value comes from.
    pub fn origin(&self, keys: &[&str]) -> Origin {
        if holds(&self.managed, keys) {
            Origin::Managed
        } else if holds(&self.base, keys) {
            Origin::File
        } else {
            Origin::Default
        }
    }

    /// These layers after a merge patch (RFC 7396) of the changes: null takes a change back.
    pub fn patched(&self, patch: &serde_json::Value) -> Result<Self> {
        let Some(patch) = patch.as_object() else {
            return Err(bad(
                "settings",
                "must be an object such as {\"preset\": \"quiet\"}",
            ));
        };
        for key in patch.keys() {
            if OPERATORS_KEYS.contains(&key.as_str()) {
                return Err(bad(
                    key,
                    "is set in the configuration file only, by whoever runs the server",
                ));
            }
        }
        let mut changed = self.clone();
        apply(&mut changed.managed, patch, "")?;
        Ok(changed)
    }

    /// Replaces the file of changes: the old one stays until the new one is on disk.
    pub fn write(&self) -> std::io::Result<()> {
        let Some(path) = &self.managed_file else {
            return Ok(());
        };
        let text = format!(
            "# Changes made in the web interface; they stand over the configuration file. Written by weir.\n\n{}",
            toml::to_string_pretty(&self.managed).map_err(std::io::Error::other)?
        );
        if text.len() > MANAGED_BYTES_MAX {
            return Err(std::io::Error::other(format!(
                "{} bytes of settings are more than {MANAGED_BYTES_MAX}",
                text.len()
            )));
        }
        let new = path.with_extension("toml.new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    }
}

fn table_of(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    text.parse().map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        error: Box::new(error),
    })
}

fn join(lower: &mut Table, upper: &Table) {
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Value::Table(lower)), Value::Table(upper)) => join(lower, upper),
            _ => {
                lower.insert(key.clone(), value.clone());
            }
        }
    }
}

fn holds(table: &Table, keys: &[&str]) -> bool {
    match keys {
        [] => true,
        [key, rest @ ..] => match table.get(*key) {
            Some(Value::Table(table)) => holds(table, rest),
            // A list of instances is one value: what lies in it comes from where it comes from.
            Some(_) => true,
            None => false,
        },
    }
}

fn apply(table: &mut Table, patch: &serde_json::Map<String, serde_json::Value>, place: &str) -> Result<()> {
    for (key, value) in patch {
        let place = format!("{place}{}{key}", if place.is_empty() { "" } else { "." });
        match value {
            serde_json::Value::Null => {
                table.remove(key);
            }
            serde_json::Value::Object(inner) => {
                if FILE_KEYS.iter().any(|word| inner.contains_key(*word)) {
                    return Err(names_a_file(&place));
                }
                if !matches!(table.get(key), Some(Value::Table(_))) {
                    table.insert(key.clone(), Value::Table(Table::new()));
                }
                let mut below = sub(&place, &table[key])?.clone();
                apply(&mut below, inner, &place)?;
                if below.is_empty() {
                    table.remove(key);
                } else {
                    table.insert(key.clone(), Value::Table(below));
                }
            }
            value => {
                if names_files(value) {
                    return Err(names_a_file(&place));
                }
                let value = Value::try_from(value).map_err(|error| bad(&place, &error.to_string()))?;
                table.insert(key.clone(), value);
            }
        }
    }
    Ok(())
}

fn names_a_file(place: &str) -> ConfigError {
    bad(
        place,
        "files and this machine's own network are named in the configuration file only, by whoever runs the server",
    )
}

fn names_files(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Array(all) => all.iter().any(names_files),
        serde_json::Value::Object(object) => object
            .iter()
            .any(|(key, value)| FILE_KEYS.contains(&key.as_str()) || names_files(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn layers(base: &str) -> Layers {
        Layers {
            base: base.parse().unwrap(),
            ..Layers::default()
        }
    }

    #[test]
    fn patterns_made_here_stand_beside_those_of_the_file() {
        let of = |name: &str| {
            format!("[[patterns]]\nname = \"{name}\"\ntitle = \"t\"\npattern = \"where dst port 23\"\n")
        };
        let mut both = layers(&of("Telnet"));
        let more = json!({"patterns": [{"name": "Other", "title": "t", "pattern": "where dst port 24"}]});
        both = both.patched(&more).unwrap();
        let config = both.config().unwrap();
        let names: Vec<&str> = config.patterns.iter().map(|one| one.compiled.name()).collect();
        assert_eq!(names, ["USER_Telnet", "USER_Other"]);
        assert_eq!(both.managed_patterns().len(), 1);
        let same = json!({"patterns": [{"name": "Telnet", "title": "t", "pattern": "where dst port 24"}]});
        let error = both.patched(&same).unwrap().config().err().unwrap().to_string();
        assert!(error.contains("two patterns"), "{error}");
    }

    #[test]
    fn changes_stand_over_the_file_and_go_again() {
        let base =
            layers("preset = \"quiet\"\n[methods.dictattack]\nattempts_min = 30\noff = [\"HTTPProtocol\"]");
        let patch = json!({"preset": "everything", "methods": {"dictattack": {"attempts_min": 40}}});
        let changed = base.patched(&patch).unwrap();
        let merged = changed.merged();
        assert_eq!(merged["preset"].as_str(), Some("everything"));
        let method = merged["methods"]["dictattack"].as_table().unwrap();
        assert_eq!((method["attempts_min"].as_integer(), method.len()), (Some(40), 2));
        let of = |layers: &Layers, keys: &[&str]| layers.origin(keys);
        assert_eq!(of(&changed, &["preset"]), Origin::Managed);
        assert_eq!(of(&changed, &["methods", "dictattack", "off"]), Origin::File);
        assert_eq!(
            of(&changed, &["methods", "dictattack", "spread_max"]),
            Origin::Default
        );
        let back = json!({"preset": null, "methods": {"dictattack": {"attempts_min": null}}});
        assert_eq!(changed.patched(&back).unwrap(), base, "nothing is left of it");
        assert!(changed.config().is_ok());
    }

    #[test]
    fn what_is_the_operators_stays_so() {
        let base = layers("");
        for patch in [
            json!({"serve": {"listen": "0.0.0.0:1"}}),
            json!({"lists": {"users": {"file": "/etc/passwd"}}}),
            json!({"indicators": [{"path": "/etc/shadow"}]}),
            json!({"methods": {"tor": [{"name": "a", "relays": {"file": "x"}}]}}),
            json!([1]),
            json!({"preset": {"deep": [{"path": 1}]}}),
            json!({"indicators": [{"url": "https://lists.test/a", "header_file": "/etc/shadow"}]}),
            json!({"indicators": [{"url": "https://lists.test/a", "private": true}]}),
            json!({"indicators_dir": "/"}),
        ] {
            assert!(base.patched(&patch).is_err(), "{patch}");
        }
        let unknown = base.patched(&json!({"prest": "quiet"})).unwrap().config();
        let error = unknown.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("did you mean \"preset\""), "{error}");
    }

    #[test]
    fn changes_are_kept_in_a_file() {
        let folder = std::env::temp_dir().join(format!("weir-layers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let managed = folder.join(MANAGED);
        let before = Layers::read(None, Some(&managed)).unwrap();
        let patch = json!({"inside": ["10.0.0.0/8"], "methods": {"upload": [{"name": "a"}, {"name": "b"}]}});
        let changed = before.patched(&patch).unwrap();
        changed.write().unwrap();
        assert_eq!(Layers::read(None, Some(&managed)).unwrap(), changed);
        fs::remove_dir_all(&folder).unwrap();
    }
}
