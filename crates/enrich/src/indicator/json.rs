//! JSON lists: an object a line (Spamhaus DROP), a list of objects (Feodo tracker, SSLBL) or of texts, lists by id
//! (ThreatFox).

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::{Entries, Entry, csv, lines};

pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    entries.at_line(1);
    if let Ok(all) = serde_json::from_slice::<Vec<&RawValue>>(bytes) {
        for (at, one) in all.into_iter().enumerate() {
            entries.at_line(at + 1);
            item(one, entries);
        }
        return;
    }
    // One object over several lines: under some key stands the list.
    match serde_json::from_slice::<std::collections::BTreeMap<String, &RawValue>>(bytes) {
        Ok(whole) if is_row(&whole) => {
            if let Ok(Json::Object(row)) = serde_json::from_slice(bytes) {
                csv::object(&row, entries);
            }
        }
        Ok(whole) => keyed(whole, entries),
        Err(_) => by_line(bytes, entries),
    }
}

/// Is the object an entry itself, and not a holder of entries?
fn is_row(whole: &std::collections::BTreeMap<String, &RawValue>) -> bool {
    ["cidr", "ip_address", "ip", "domain", "url", "ioc_value"]
        .iter()
        .any(|name| whole.contains_key(*name))
}

/// `{"list": [..]}`, `{"data": [..]}`, `{"<id>": [..], "<id>": [..]}`.
fn keyed(whole: std::collections::BTreeMap<String, &RawValue>, entries: &mut Entries<'_>) {
    let mut number = 0;
    let mut lists = 0;
    for value in whole.values() {
        let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
            continue;
        };
        lists += 1;
        for one in list {
            number += 1;
            entries.at_line(number);
            item(one, entries);
        }
    }
    if lists == 0 {
        entries.fault("no list of entries in it");
    }
}

fn by_line(bytes: &[u8], entries: &mut Entries<'_>) {
    for (number, line) in lines(bytes) {
        entries.at_line(number);
        match line {
            None => entries.fault("line too long"),
            Some(line) if line.trim().is_empty() => {}
            Some(line) => match serde_json::from_str::<&RawValue>(&line) {
                Ok(one) => item(one, entries),
                Err(error) => entries.fault(format!("not JSON: {error}")),
            },
        }
    }
}

fn item(raw: &RawValue, entries: &mut Entries<'_>) {
    match serde_json::from_str::<Json>(raw.get()) {
        Ok(Json::String(text)) => entries.text(&text, &Entry::default()),
        // DROP's last line tells of the list, and its list of systems names networks by number.
        Ok(Json::Object(row)) if row.get("type").is_some_and(|kind| kind == "metadata") => {}
        Ok(Json::Object(row))
            if row.contains_key("asn") && !row.contains_key("cidr") && !row.contains_key("ip_address") =>
        {
            entries.unseen();
        }
        Ok(Json::Object(row)) => csv::object(&row, entries),
        Ok(_) => entries.fault("neither text nor object"),
        Err(error) => entries.fault(format!("not JSON: {error}")),
    }
}
