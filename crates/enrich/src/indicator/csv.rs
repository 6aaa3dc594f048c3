//! Lists with columns. The header says which column is what, by the names abuse.ch (URLhaus, Feodo tracker, ThreatFox,
//! SSLBL) and others use; it may stand behind `#`, as theirs does.

use super::date::seconds;
use super::value::{self, Value};
use super::{Entries, Entry, Format, lines, plain};

/// Columns of one line; more are passed over.
const COLUMNS_MAX: usize = 64;

/// Names of columns that hold an indicator, the more exact first.
const VALUES: [&str; 17] = [
    "ioc_value",
    "url",
    "dst_ip",
    "dstip",
    "ja3_md5",
    "ja3",
    "ja4",
    "sha1",
    "sha256",
    "cidr",
    "network",
    "ip",
    "ip_address",
    "domain",
    "host",
    "indicator",
    "value",
];
const PORTS: [&str; 3] = ["dst_port", "dstport", "port"];
/// Last confirmation before first.
const SEEN: [&str; 9] = [
    "last_online",
    "last_seen_utc",
    "lastseen",
    "last_seen",
    "dateadded",
    "first_seen_utc",
    "firstseen",
    "first_seen",
    "listingdate",
];
const UNTIL: [&str; 3] = ["valid_until", "expires", "expiration"];
const CATEGORIES: [&str; 6] = [
    "malware_printable",
    "malware",
    "listingreason",
    "threat",
    "threat_type",
    "category",
];
const CONFIDENCES: [&str; 2] = ["confidence_level", "confidence"];
/// What the value is, where the list says so; others are told by their look.
const TYPES: [&str; 2] = ["ioc_type", "type"];

/// Which column holds what.
#[derive(Debug, Default)]
struct Header {
    value: usize,
    port: Option<usize>,
    seen: Vec<usize>,
    until: Option<usize>,
    category: Vec<usize>,
    confidence: Option<usize>,
    kind: Option<usize>,
    /// The name of the value's column: a SHA-1 there is a certificate, an MD5 under `ja3_md5` a JA3.
    value_name: String,
}

/// Does the text begin with a header, in a comment or not?
pub(super) fn has_header(text: &str) -> bool {
    text.lines().take(50).any(|line| header(line).is_some())
}

pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) {
    let mut columns: Option<Header> = None;
    for (number, line) in lines(bytes) {
        entries.at_line(number);
        let Some(line) = line else {
            entries.fault("line too long");
            continue;
        };
        if columns.is_none()
            && let Some(found) = header(&line)
        {
            columns = Some(found);
            continue;
        }
        if plain::is_comment(&line) {
            continue;
        }
        match &columns {
            Some(columns) => row(columns, &fields(&line), entries),
            None => {
                entries.fault(format!(
                    "no line with column names before it: one of {} is wanted",
                    VALUES.join(", ")
                ));
                return;
            }
        }
    }
}

fn header(line: &str) -> Option<Header> {
    let names: Vec<String> = fields(line.trim().trim_start_matches(['#', ' ']))
        .into_iter()
        .map(|name| name.to_lowercase())
        .collect();
    let find = |name: &&str| names.iter().position(|known| known == name);
    let value = VALUES.iter().find_map(&find)?;
    // One word alone may be any comment; a header has several columns, or is nothing but the name of the value.
    if names.len() < 2 && line.trim_start().starts_with('#') {
        return None;
    }
    let all = |wanted: &[&str]| wanted.iter().filter_map(&find).collect::<Vec<_>>();
    Some(Header {
        value,
        port: PORTS.iter().find_map(&find),
        seen: all(&SEEN),
        until: UNTIL.iter().find_map(&find),
        category: all(&CATEGORIES),
        confidence: CONFIDENCES.iter().find_map(&find),
        kind: TYPES.iter().find_map(find),
        value_name: names[value].clone(),
    })
}

fn row(columns: &Header, fields: &[String], entries: &mut Entries<'_>) {
    let field = |at: usize| fields.get(at).map_or("", |text| text.as_str());
    let some = |at: Option<usize>| at.map_or("", field);
    let text = field(columns.value);
    if text.is_empty() {
        entries.fault(format!("nothing in column {:?}", columns.value_name));
        return;
    }
    let entry = Entry {
        category: columns
            .category
            .iter()
            .map(|&at| field(at))
            .find(|text| !text.is_empty() && *text != "None")
            .unwrap_or_default(),
        confidence: some(columns.confidence).parse().ok().filter(|sure| *sure <= 100),
        seen_s: columns.seen.iter().find_map(|&at| seconds(field(at))),
        until_s: seconds(some(columns.until)),
    };
    let kind = some(columns.kind);
    if kind.ends_with("_hash") || kind.contains("email") || kind.contains("file") {
        entries.unseen();
        return;
    }
    let port = some(columns.port);
    if let (Ok(ip), false) = (text.parse(), port.is_empty()) {
        let value = match port.parse() {
            Ok(port) => value::service_value(ip, port),
            Err(_) => Err(format!("{port:?} is no port")),
        };
        match value {
            Ok(value) => entries.value(value, &entry),
            Err(why) => entries.fault(why),
        }
        return;
    }
    match (columns.value_name.as_str(), kind) {
        ("ja4", _) if value::is_ja4(text) => entries.value(Value::Ja4(text.to_lowercase()), &entry),
        _ => entries.text(text, &entry),
    }
}

/// The fields of a line; quoted ones may hold commas and doubled quotes. Spaces around a field do not belong to it.
fn fields(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = line;
    while all.len() < COLUMNS_MAX {
        rest = rest.trim_start();
        let (field, behind) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        all.push(field);
        let Some(at) = behind.find(',') else { break };
        rest = &behind[at + 1..];
    }
    all
}

/// The text up to the closing quote, and what follows it; without one, all of it.
fn unquote(text: &str) -> (String, &str) {
    let mut field = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        field.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => {
                field.push('"');
                rest = behind;
            }
            None => return (field, rest),
        }
    }
    field.push_str(rest);
    (field, "")
}

/// The fields of a JSON object under the names of columns, for lists that come in both forms.
pub(super) fn object(object: &serde_json::Map<String, serde_json::Value>, entries: &mut Entries<'_>) {
    let line: Vec<(String, String)> = object
        .iter()
        .take(COLUMNS_MAX)
        .filter_map(|(name, value)| {
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Number(number) => number.to_string(),
                _ => return None,
            };
            Some((name.to_lowercase(), text))
        })
        .collect();
    let names: Vec<&str> = line.iter().map(|(name, _)| name.as_str()).collect();
    match header(&names.join(",")) {
        Some(columns) => {
            let fields: Vec<String> = line.into_iter().map(|(_, text)| text).collect();
            row(&columns, &fields, entries);
        }
        None => entries.fault(format!(
            "an object without any of {} (format {:?})",
            VALUES.join(", "),
            Format::Json.word()
        )),
    }
}
