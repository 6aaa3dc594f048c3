//! MISP events, as a MISP feed has them in one file each: the attributes marked for detection (`to_ids`), alone or in
//! objects, of the types that traffic can show.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::date::seconds;
use super::value::{self, Value};
use super::{Entries, Entry};

#[derive(Deserialize)]
struct File<'a> {
    #[serde(rename = "Event", borrow)]
    event: Event<'a>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    info: String,
    #[serde(rename = "Attribute", default, borrow)]
    attributes: Vec<&'a RawValue>,
    #[serde(rename = "Object", default, borrow)]
    objects: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(rename = "Attribute", default, borrow)]
    attributes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "type")]
    kind: String,
    value: String,
    #[serde(default)]
    to_ids: bool,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    timestamp: Option<serde_json::Value>,
    #[serde(default)]
    last_seen: Option<String>,
}

pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    entries.at_line(1);
    if let Ok(files) = serde_json::from_slice::<Vec<&RawValue>>(bytes) {
        for (at, file) in files.into_iter().enumerate() {
            entries.at_line(at + 1);
            one(file.get().as_bytes(), entries);
        }
    } else {
        one(bytes, entries);
    }
}

fn one(bytes: &[u8], entries: &mut Entries<'_>) {
    let event = match serde_json::from_slice::<File<'_>>(bytes) {
        Ok(file) => file.event,
        Err(error) => return entries.fault(format!("no MISP event: {error}")),
    };
    let mut number = 0;
    let mut take = |raw: &RawValue, entries: &mut Entries<'_>| {
        number += 1;
        entries.at_line(number);
        match serde_json::from_str::<Attribute>(raw.get()) {
            Ok(found) => attribute(&found, &event.info, entries),
            Err(error) => entries.fault(format!("no attribute: {error}")),
        }
    };
    for raw in &event.attributes {
        take(raw, entries);
    }
    for raw in &event.objects {
        match serde_json::from_str::<Object<'_>>(raw.get()) {
            Ok(object) => object.attributes.iter().for_each(|raw| take(raw, entries)),
            Err(error) => entries.fault(format!("no object: {error}")),
        }
    }
}

fn attribute(found: &Attribute, info: &str, entries: &mut Entries<'_>) {
    if !found.to_ids || found.deleted {
        return;
    }
    let stamp = match &found.timestamp {
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        Some(serde_json::Value::Number(number)) => {
            number.as_u64().and_then(|number| u32::try_from(number).ok())
        }
        _ => None,
    };
    let entry = Entry {
        category: info,
        seen_s: found.last_seen.as_deref().and_then(seconds).or(stamp),
        ..Entry::default()
    };
    let text = found.value.as_str();
    match found.kind.as_str() {
        "ip-src"
        | "ip-dst"
        | "domain"
        | "url"
        | "ja3-fingerprint-md5"
        | "x509-fingerprint-sha1"
        | "x509-fingerprint-sha256" => entries.text(text, &entry),
        // A host name stands for itself, but what is below it belongs to the same owner.
        "hostname" => entries.text(text, &entry),
        "ip-src|port" | "ip-dst|port" => service(text, &entry, entries),
        "domain|ip" => {
            // Either alone says enough; the address of a shared host would not.
            let name = text.split('|').next().unwrap_or_default();
            entries.text(name, &entry);
        }
        "hostname|port" => entries.text(text.split('|').next().unwrap_or_default(), &entry),
        _ => entries.unseen(),
    }
}

fn service(text: &str, entry: &Entry<'_>, entries: &mut Entries<'_>) {
    let parsed = text
        .split_once('|')
        .and_then(|(ip, port)| Some((ip.parse().ok()?, port.parse().ok()?)));
    let value: Result<Value, String> = match parsed {
        Some((ip, port)) => value::service_value(ip, port),
        None => Err("an address and a port are wanted".to_owned()),
    };
    match value {
        Ok(value) => entries.value(value, entry),
        Err(why) => entries.fault(why),
    }
}
