//! `[[indicators]]` and `[[briefings]]`: lists of indicators in files, read with the configuration into one snapshot.
//! A list with faults is taken as far as it can be read; what could not is told with its line.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Table;
use weir_detect::c2::threats::BRIEFINGS_MAX;
use weir_enrich::indicator::{Builder, FORMATS, Format, ListSpec, Report, Snapshot};
use weir_model::{ListClass, Quantity};

use crate::fetch::{Remote, Via};

use super::{ConfigError, Result, bad, flag, number, sub, text, texts, unknown};

/// Bytes of one list; a folder counts as one. The largest public lists have some tens of MiB.
const LIST_BYTES_MAX: u64 = 256 << 20;
/// Files in the folder of one list.
const FILES_MAX: usize = 20_000;
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

/// Where lists are described, to read them again when one was fetched anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListsAgain {
    table: Table,
    folder: PathBuf,
}

impl ListsAgain {
    /// Of a configuration.
    pub(super) fn new(config: &Table, folder: &Path) -> Self {
        let keys = ["indicators", "briefings", "indicators_dir"];
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
}

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

/// Reads a file or folder into the builder and says what came of it.
fn add(
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

fn line(name: &str, format: Format, report: &Report) -> String {
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
fn contents(path: &Path) -> Result<Vec<Vec<u8>>> {
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
mod tests {
    use expect_test::{Expect, expect};

    use crate::config::Config;

    /// A folder with lists and briefings, the configuration's text, what becomes of it.
    fn check(files: &[(&str, &str)], toml: &str, expect: Expect) {
        let unique = files.iter().map(|(name, _)| *name).collect::<String>() + toml;
        let folder = std::env::temp_dir().join(format!(
            "weir-indicators-{}-{}",
            std::process::id(),
            weir_model::FlowId(
                unique
                    .bytes()
                    .fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte))
            )
        ));
        std::fs::create_dir_all(folder.join("misp")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let shown = match Config::parse(toml, &folder.join("weir.toml")) {
            Ok(config) => {
                let mut lines = config.list_lines.clone();
                for instance in config.instances(true).unwrap() {
                    if ["BLACKLIST", "THREATS"].contains(&instance.meta.code) {
                        let names: Vec<_> = instance.meta.submethods.iter().map(|one| one.name).collect();
                        lines.push(format!("{} {names:?} off {:?}", instance.meta.code, instance.off));
                    }
                }
                lines.join("\n")
            }
            Err(error) => error.to_string(),
        };
        let shown = shown.replace(&folder.display().to_string(), "FOLDER");
        std::fs::remove_dir_all(&folder).unwrap();
        expect.assert_eq(&shown);
    }

    #[test]
    fn lists_and_briefings() {
        check(
            &[
                ("bad.txt", "192.0.2.1\nnonsense\n0.0.0.0/0\n"),
                (
                    "misp/a.json",
                    r#"{"Event":{"info":"x","Attribute":[{"type":"domain","value":"evil.example","to_ids":true}]}}"#,
                ),
                ("misp/manifest.json", "{}"),
                (
                    "took.toml",
                    "name = \"TookPS\"\ntitle = \"A downloader\"\ntext = \"Words.\"\nindicators = [\"192.0.2.7\", \"evil.example\"]",
                ),
                (
                    "other.toml",
                    "name = \"Other\"\ntitle = \"Other\"\ntext = \"Words.\"\nfile = \"bad.txt\"",
                ),
            ],
            "[[indicators]]\npath = \"bad.txt\"\nscore = 5\nexpire_days = 30\n[[indicators]]\nname = \"events\"\npath = \"misp\"\n\
             [[briefings]]\npath = \"took.toml\"\n[[briefings]]\npath = \"other.toml\"",
            expect![[r#"
                list bad (plain): 1 indicators, 2 not understood, first line 2: nonsense is one word, not a domain
                list events (misp): 1 indicators
                list TookPS (plain): 2 indicators
                list Other (plain): 1 indicators, 2 not understood, first line 2: nonsense is one word, not a domain
                BLACKLIST ["Host", "Service", "Web", "Domain", "JA3", "JA4", "Certificate", "Application"] off []
                THREATS ["TookPS", "Other"] off []"#]],
        );
    }

    #[test]
    fn without_lists_the_methods_say_so() {
        check(
            &[],
            "",
            expect![[r#"
            BLACKLIST ["Host", "Service", "Web", "Domain", "JA3", "JA4", "Certificate", "Application"] off ["Host", "Service", "Web", "Domain", "JA3", "JA4", "Certificate", "Application"]
            THREATS ["Briefing"] off ["Briefing"]"#]],
        );
    }

    #[test]
    fn what_is_refused() {
        let list = [("a.txt", "192.0.2.1")];
        check(
            &list,
            "[[indicators]]\npath = \"b.txt\"",
            expect!["FOLDER/b.txt: cannot be read: No such file or directory (os error 2)"],
        );
        check(
            &list,
            "[[indicators]]\nname = \"x\"",
            expect![[r#"indicators[1]: needs path = "...", a file or a folder of files, or url = "...""#]],
        );
        check(
            &list,
            "[[indicators]]\npath = \"a.txt\"\nscores = 1",
            expect![[r#"indicators[1].scores: unknown key; did you mean "score"?"#]],
        );
        check(
            &list,
            "[[indicators]]\npath = \"a.txt\"\nformat = \"xml\"",
            expect!["indicators[1].format: must be one of plain, hosts, csv, json, misp, stix, warninglist"],
        );
        check(
            &list,
            "[[indicators]]\npath = \"a.txt\"\nscore = 101",
            expect!["indicators[1].score: must be a whole number between 0 and 100"],
        );
        check(
            &list,
            "[[indicators]]\npath = \"a.txt\"\n[[indicators]]\npath = \"a.txt\"",
            expect![[r#"indicators[2]: there are two lists named "a""#]],
        );
        check(
            &list,
            "[[indicators]]\nname = \"a b\"\npath = \"a.txt\"",
            expect![[r#"indicators[1]: "a b" is no name: 1 to 64 letters, digits, "-", "_" or ".""#]],
        );
        check(
            &list,
            "[indicators]\npath = \"a.txt\"",
            expect!["indicators: must be tables: write [[indicators]] above each"],
        );
        check(
            &list,
            "[[briefings]]\npath = \"a.txt\"",
            expect![[r#"
            FOLDER/a.txt: not TOML: TOML parse error at line 1, column 10
              |
            1 | 192.0.2.1
              |          ^
            key with no value, expected `=`
        "#]],
        );
        check(
            &[("b.toml", "name = \"x\"\ntitle = \"y\"")],
            "[[briefings]]\npath = \"b.toml\"",
            expect![[r#"FOLDER/b.toml: needs text = "...""#]],
        );
    }
}
