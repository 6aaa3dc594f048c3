//! `[[indicators]]` and `[[briefings]]`: lists of indicators in files, read with the configuration into one snapshot.
//! A list with faults is taken as far as it can be read; what could not is told with its line.

mod again;
mod reading;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Table;
use weir_detect::c2::threats::BRIEFINGS_MAX;
use weir_enrich::indicator::{Builder, FORMATS, Format, ListSpec, Snapshot};
use weir_model::ListClass;

use crate::fetch::{Remote, Via};

pub(crate) use again::{ListsAgain, Seen};
use reading::{add, contents, line};

use super::{ConfigError, Result, bad, flag, number, sub, text, texts, unknown};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 64;

/// Lists fetched: how often, how large, how long.
const INTERVAL_S: (i64, i64, i64) = (60, 30 * 86_400, 6 * 3_600);
const SIZE_MIB: (i64, i64, i64) = (1, 256, 64);
const TIMEOUT_S: (i64, i64, i64) = (1, 3_600, 60);
/// Folder of fetched lists, beside the configuration, unless `indicators_dir` names another.
const FOLDER: &str = "indicators";
/// Keys that only mean something with `url`.
const REMOTE_KEYS: [&str; 8] = [
    "via",
    "interval_s",
    "size_max_mib",
    "timeout_s",
    "private",
    "header_file",
    "ca_file",
    "collection",
];

const LIST_KEYS: [&str; 18] = [
    "name",
    "path",
    "url",
    "via",
    "interval_s",
    "size_max_mib",
    "timeout_s",
    "private",
    "header_file",
    "ca_file",
    "collection",
    "format",
    "class",
    "category",
    "score",
    "expire_days",
    "inside",
    "allow",
];
const BRIEFING_KEYS: [&str; 7] = ["name", "title", "text", "category", "score", "indicators", "file"];

/// What the lists came to.
#[derive(Default)]
pub(super) struct Read {
    /// Lists that are fetched.
    pub(super) remotes: Vec<Remote>,
    pub(super) lists: Option<Arc<Snapshot>>,
    /// `[{"name": .., "title": .., "text": ..}]`: what THREATS is told of the briefings.
    pub(super) briefings: Vec<serde_json::Value>,
    /// A line for people per list.
    pub(super) lines: Vec<String>,
}

/// Reads every list of the configuration; relative names are relative to `folder`, the configuration's.
pub(super) fn read(config: &Table, folder: &Path) -> Result<Read> {
    read_into(config, folder, Builder::new())
}

fn read_into(config: &Table, folder: &Path, mut builder: Builder) -> Result<Read> {
    let mut read = Read::default();
    let fetched = match config.get("indicators_dir") {
        Some(value) => folder.join(text("indicators_dir", value)?),
        None => folder.join(FOLDER),
    };
    let mut names: Vec<String> = Vec::new();
    for (place, table) in tables(config, "indicators")? {
        let place = Place {
            place: &place,
            folder,
            fetched: &fetched,
        };
        list(&place, table, &mut builder, &mut names, &mut read)?;
    }
    let briefings = tables(config, "briefings")?;
    if briefings.len() > BRIEFINGS_MAX {
        return Err(bad("briefings", &format!("at most {BRIEFINGS_MAX} are taken")));
    }
    for (place, table) in briefings {
        let only = table.keys().find(|key| *key != "path");
        if let Some(key) = only {
            return Err(unknown(&format!("{place}.{key}"), key, ["path"]));
        }
        let path = folder.join(path_of(&place, table)?);
        briefing(&path, &mut builder, &mut names, &mut read)?;
    }
    let snapshot = builder.finish();
    read.lists = (!snapshot.is_empty()).then(|| Arc::new(snapshot));
    Ok(read)
}

/// The tables of an array of tables, each with its place for errors.
fn tables<'a>(config: &'a Table, key: &str) -> Result<Vec<(String, &'a Table)>> {
    let Some(value) = config.get(key) else {
        return Ok(Vec::new());
    };
    let all = value
        .as_array()
        .ok_or_else(|| bad(key, &format!("must be tables: write [[{key}]] above each")))?;
    let numbered = all.iter().enumerate().map(|(at, value)| {
        let place = format!("{key}[{}]", at + 1);
        sub(&place, value).map(|table| (place, table))
    });
    numbered.collect()
}

fn path_of<'a>(place: &str, table: &'a Table) -> Result<&'a str> {
    let value = table
        .get("path")
        .ok_or_else(|| bad(place, "needs path = \"...\", a file or a folder of files"))?;
    text(&format!("{place}.path"), value)
}

/// Where a list is described, and where its files are.
struct Place<'a> {
    place: &'a str,
    /// Relative names begin here.
    folder: &'a Path,
    /// Folder of fetched lists.
    fetched: &'a Path,
}

fn list(
    at: &Place<'_>,
    table: &Table,
    builder: &mut Builder,
    names: &mut Vec<String>,
    read: &mut Read,
) -> Result<()> {
    let place = at.place;
    let url = table
        .get("url")
        .map(|value| url(&format!("{place}.url"), value))
        .transpose()?;
    if url.is_some() && table.contains_key("path") {
        return Err(bad(place, "has a path and a url: it is one or the other"));
    }
    if url.is_none()
        && let Some(key) = table.keys().find(|key| REMOTE_KEYS.contains(&key.as_str()))
    {
        return Err(bad(&format!("{place}.{key}"), "is for lists with a url"));
    }
    let path = match url {
        Some(_) => PathBuf::new(),
        None if !table.contains_key("path") => {
            return Err(bad(
                place,
                "needs path = \"...\", a file or a folder of files, or url = \"...\"",
            ));
        }
        None => at.folder.join(path_of(place, table)?),
    };
    let named = match (table.get("name"), &url) {
        (Some(value), _) => text(&format!("{place}.name"), value)?.to_owned(),
        (None, Some(_)) => return Err(bad(place, "needs name = \"...\" beside its url")),
        (None, None) => path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    };
    let (spec, format) = spec(place, table, &name(place, &named, names)?)?;
    let Some(url) = url else {
        return add(spec, format, &path, builder, read);
    };
    let remote = remote(at, table, url, spec.clone(), format)?;
    remote.recover();
    let content = remote.content();
    let format = format.or(match remote.via {
        Via::File => None,
        Via::Misp => Some(Format::Misp),
        Via::Taxii => Some(Format::Stix),
    });
    read.remotes.push(remote);
    if content.exists() {
        return add(spec, format, &content, builder, read);
    }
    read.lines.push(format!(
        "list {}: not fetched yet: weir feeds update does so, as weir serve and weir collect do by themselves",
        spec.name
    ));
    Ok(())
}

/// What a list is, by its table; and how it is written, where that is said.
fn spec(place: &str, table: &Table, name: &str) -> Result<(ListSpec, Option<Format>)> {
    let mut spec = ListSpec::new(name);
    let mut format = None;
    for (key, value) in table {
        let place = format!("{place}.{key}");
        match key.as_str() {
            "name" | "path" | "url" => {}
            key if REMOTE_KEYS.contains(&key) => {}
            "format" => {
                let word = text(&place, value)?;
                let known = Format::from_word(word);
                let wrong = || {
                    let words: Vec<&str> = FORMATS.iter().map(|format| format.word()).collect();
                    bad(&place, &format!("must be one of {}", words.join(", ")))
                };
                format = Some(known.ok_or_else(wrong)?);
            }
            "class" => {
                spec.class = match text(&place, value)? {
                    "threat" => ListClass::Threat,
                    "application" => ListClass::Application,
                    _ => return Err(bad(&place, "must be \"threat\" or \"application\"")),
                }
            }
            "category" => spec.category = text(&place, value)?.into(),
            "score" => spec.score = number(&place, value, 0, 100)? as u8,
            "expire_days" => spec.expire_days = Some(number(&place, value, 1, 36_500)? as u32),
            "inside" => spec.inside = flag(&place, value)?,
            "allow" => spec.allow = flag(&place, value)?,
            _ => return Err(unknown(&place, key, LIST_KEYS)),
        }
    }
    Ok((spec, format))
}

fn url(place: &str, value: &toml::Value) -> Result<url::Url> {
    let wrong = || bad(place, "must be a URL such as \"https://lists.example/bad.txt\"");
    let url: url::Url = text(place, value)?.parse().map_err(|_| wrong())?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(wrong());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(
            place,
            "holds a secret: put the header that lets us in into a file, header_file = \"...\"",
        ));
    }
    Ok(url)
}

/// The table of a list that is fetched.
fn remote(
    at: &Place<'_>,
    table: &Table,
    url: url::Url,
    spec: ListSpec,
    format: Option<Format>,
) -> Result<Remote> {
    let place = |key: &str| format!("{}.{key}", at.place);
    let whole = |key: &str, (low, high, default): (i64, i64, i64)| match table.get(key) {
        Some(value) => number(&place(key), value, low, high),
        None => Ok(default),
    };
    let words = |key: &str| table.get(key).map(|value| text(&place(key), value)).transpose();
    let file = |key: &str| Ok(words(key)?.map(|name| at.folder.join(name)));
    let via = match words("via")? {
        None => Via::default(),
        Some(word) => Via::from_word(word)
            .ok_or_else(|| bad(&place("via"), "must be \"file\", \"misp\" or \"taxii\""))?,
    };
    Ok(Remote {
        name: spec.name.to_string(),
        url,
        via,
        interval_s: whole("interval_s", INTERVAL_S)? as u32,
        bytes_max: (whole("size_max_mib", SIZE_MIB)? as u64) << 20,
        timeout_s: whole("timeout_s", TIMEOUT_S)? as u32,
        private: match table.get("private") {
            Some(value) => flag(&place("private"), value)?,
            None => false,
        },
        header_file: file("header_file")?,
        ca_file: file("ca_file")?,
        collection: words("collection")?.map(str::to_owned),
        folder: at.fetched.join(&*spec.name),
        spec,
        format,
    })
}

/// A briefing: name, title and text for people, indicators in it or in a file beside it.
fn briefing(path: &Path, builder: &mut Builder, names: &mut Vec<String>, read: &mut Read) -> Result<()> {
    let place = path.display().to_string();
    let bytes = contents(path)?.concat();
    let table = String::from_utf8_lossy(&bytes)
        .parse::<Table>()
        .map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            error: Box::new(error),
        })?;
    if let Some(key) = table.keys().find(|key| !BRIEFING_KEYS.contains(&key.as_str())) {
        return Err(unknown(&format!("{place}: {key}"), key, BRIEFING_KEYS));
    }
    let wanted = |key: &str| match table.get(key) {
        Some(value) => text(&format!("{place}: {key}"), value),
        None => Err(bad(&place, &format!("needs {key} = \"...\""))),
    };
    let name = name(&place, wanted("name")?, names)?;
    let mut spec = ListSpec {
        class: ListClass::Bundle,
        category: wanted("title")?.into(),
        ..ListSpec::new(&name)
    };
    if let Some(value) = table.get("category") {
        spec.category = text(&format!("{place}: category"), value)?.into();
    }
    if let Some(value) = table.get("score") {
        spec.score = number(&format!("{place}: score"), value, 0, 100)? as u8;
    }
    read.briefings.push(serde_json::json!({
        "name": name,
        "title": wanted("title")?,
        "text": wanted("text")?.trim(),
    }));
    match (table.get("indicators"), table.get("file")) {
        (Some(value), None) => {
            let lines = texts(&format!("{place}: indicators"), value)?.join("\n");
            let report = builder.list(spec, Format::Plain, [lines.as_bytes()]);
            read.lines.push(line(&name, Format::Plain, &report));
            Ok(())
        }
        (None, Some(value)) => {
            let beside = path.parent().unwrap_or(Path::new(""));
            let file = beside.join(text(&format!("{place}: file"), value)?);
            add(spec, None, &file, builder, read)
        }
        _ => Err(bad(&place, "needs either indicators = [...] or file = \"...\"")),
    }
}

/// A name for events, once: letters, digits and `-_.`.
fn name(place: &str, name: &str, names: &mut Vec<String>) -> Result<String> {
    super::check_name(place, name, NAME_CHARS_MAX)?;
    if names.iter().any(|known| known == name) {
        return Err(bad(place, &format!("there are two lists named {name:?}")));
    }
    names.push(name.to_owned());
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
