//! `[[patterns]]`: behaviours people describe, and those that come with the program. All are submethods of BPATTERNS;
//! people's own begin with `USER_`, so that nobody takes them for the program's.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use toml::{Table, Value};
use weir_detect::behaviour::bpatterns::{Compiled, PATTERNS_MAX, Pattern};
use weir_model::Priority;
use weir_query::{Catalog, Lists, NoLists, parse_behaviour};

use super::{ConfigError, Result, bad, check_name, flag, instances, text, texts, unknown};

/// Before the names of people's own patterns.
pub const USER_PREFIX: &str = "USER_";
/// Characters of a name.
const NAME_CHARS_MAX: usize = 64;
/// Bytes of a pattern's file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const KEYS: [&str; 9] = [
    "name", "title", "about", "pattern", "detail", "priority", "attack", "source", "enabled",
];

macro_rules! shipped {
    ($($file:literal),* $(,)?) => { &[$(($file, include_str!(concat!("../patterns/", $file)))),*] };
}

/// The files that come with the program.
const SHIPPED: &[(&str, &str)] = shipped!(
    "crypto_mining.toml",
    "iot_spread.toml",
    "worm_spread.toml",
    "dns_odd_port.toml",
    "tor2web.toml",
    "vscode_tunnel.toml",
    "public_tunnel.toml",
    "cms_login.toml",
    "exposed_service.toml",
    "jndi.toml",
    "java_callback.toml",
    "program_from_address.toml",
);

/// A pattern with what the configuration says beside it.
#[derive(Clone, Debug)]
pub struct ReadPattern {
    pub compiled: Arc<Compiled>,
    /// Why it is there and what else looks the same, for people.
    pub about: String,
    pub priority: Option<Priority>,
    pub enabled: bool,
}

/// The patterns that come with the program, compiled when they are first asked for.
pub fn shipped() -> &'static [ReadPattern] {
    static READ: LazyLock<Vec<ReadPattern>> = LazyLock::new(|| {
        let read = SHIPPED
            .iter()
            .map(|(file, text)| of_text(text, file, "", &NoLists));
        // A test reads each of them.
        read.filter_map(std::result::Result::ok).collect()
    });
    &READ
}

/// Reads a pattern from the text of its own file; `place` names it in errors.
pub fn of_text(text: &str, place: &str, prefix: &str, lists: &dyn Lists) -> Result<ReadPattern> {
    let table = text.parse::<Table>().map_err(|error| ConfigError::Syntax {
        path: place.into(),
        error: Box::new(error),
    })?;
    of_table(&table, place, prefix, lists)
}

/// Reads a pattern from a file.
pub fn of_file(path: &Path, prefix: &str, lists: &dyn Lists) -> Result<ReadPattern> {
    let place = path.display().to_string();
    let unreadable = |error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(bad(
            &place,
            &format!("has {bytes} bytes, at most {FILE_BYTES_MAX} are read"),
        ));
    }
    of_text(
        &fs::read_to_string(path).map_err(unreadable)?,
        &place,
        prefix,
        lists,
    )
}

/// The patterns of a configuration, shipped ones not among them.
pub(super) fn read(config: &Table, folder: &Path, lists: &dyn Lists) -> Result<Vec<ReadPattern>> {
    let Some(value) = config.get("patterns") else {
        return Ok(Vec::new());
    };
    let all = value
        .as_array()
        .ok_or_else(|| bad("patterns", "must be tables: write [[patterns]] above each"))?;
    let room = PATTERNS_MAX - SHIPPED.len();
    if all.len() > room {
        return Err(bad(
            "patterns",
            &format!("at most {room} are run beside those of the program"),
        ));
    }
    let mut read: Vec<ReadPattern> = Vec::new();
    for (at, value) in all.iter().enumerate() {
        let place = format!("patterns[{}]", at + 1);
        let table = super::sub(&place, value)?;
        let pattern = match table.get("path") {
            None => of_table(table, &place, USER_PREFIX, lists)?,
            Some(path) => beside(table, path, &place, folder, lists)?,
        };
        let name = pattern.compiled.name();
        if read.iter().any(|known| known.compiled.name() == name) {
            return Err(bad(&place, &format!("there are two patterns named {name:?}")));
        }
        read.push(pattern);
    }
    Ok(read)
}

/// A pattern in a file of its own, which the configuration may only switch off.
fn beside(table: &Table, path: &Value, place: &str, folder: &Path, lists: &dyn Lists) -> Result<ReadPattern> {
    let path = folder.join(text(&format!("{place}.path"), path)?);
    let mut pattern = of_file(&path, USER_PREFIX, lists)?;
    for (key, value) in table {
        match key.as_str() {
            "path" => {}
            "enabled" => pattern.enabled = flag(&format!("{place}.enabled"), value)?,
            _ => return Err(unknown(&format!("{place}.{key}"), key, ["path", "enabled"])),
        }
    }
    Ok(pattern)
}

fn of_table(table: &Table, place: &str, prefix: &str, lists: &dyn Lists) -> Result<ReadPattern> {
    let at = |key: &str| format!("{place}.{key}");
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(unknown(&at(key), key, KEYS));
    }
    let wanted = |key: &str| match table.get(key) {
        Some(value) => text(&at(key), value),
        None => Err(bad(place, &format!("needs {key} = \"...\""))),
    };
    let optional = |key: &str| table.get(key).map(|value| text(&at(key), value)).transpose();
    let name = wanted("name")?;
    check_name(&at("name"), name, NAME_CHARS_MAX)?;
    let behaviour = parse_behaviour(
        wanted("pattern")?,
        Catalog::flows(),
        &instances::transactions(),
        lists,
    )
    .map_err(|error| bad(&at("pattern"), &error.to_string()))?;
    let blames_responder = match optional("source")? {
        None | Some("initiator") => false,
        Some("responder") => true,
        Some(_) => return Err(bad(&at("source"), "must be \"initiator\" or \"responder\"")),
    };
    let priority = optional("priority")?.map(|word| {
        Priority::from_word(word).ok_or_else(|| {
            bad(
                &at("priority"),
                "must be critical, high, medium, low or informational",
            )
        })
    });
    let pattern = Pattern {
        name: format!("{prefix}{name}"),
        title: wanted("title")?.to_owned(),
        detail: optional("detail")?.unwrap_or_default().to_owned(),
        techniques: match table.get("attack") {
            Some(value) => techniques(&at("attack"), value)?,
            None => Vec::new(),
        },
        blames_responder,
        behaviour,
    };
    Ok(ReadPattern {
        compiled: Arc::new(Compiled::new(pattern).map_err(|error| bad(place, &error.to_string()))?),
        about: optional("about")?.unwrap_or_default().trim().to_owned(),
        priority: priority.transpose()?,
        enabled: match table.get("enabled") {
            Some(value) => flag(&at("enabled"), value)?,
            None => true,
        },
    })
}

/// `["TA0011/T1071.004"]`.
fn techniques(place: &str, value: &Value) -> Result<Vec<(String, String)>> {
    let read = texts(place, value)?.into_iter().map(|word| {
        let digits =
            |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let good = |tactic: &str, technique: &str| {
            tactic.strip_prefix("TA").is_some_and(digits) && technique.strip_prefix('T').is_some_and(digits)
        };
        match word.split_once('/') {
            Some((tactic, technique)) if good(tactic, technique) => {
                Ok((tactic.to_owned(), technique.to_owned()))
            }
            _ => Err(bad(
                place,
                &format!("{word:?} is no tactic and technique such as \"TA0011/T1071.004\""),
            )),
        }
    });
    read.collect()
}

#[cfg(test)]
mod tests;
