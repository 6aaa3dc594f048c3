//! MISP warning lists: what is known good or too common to mean anything, so that no other list speaks of it. The types
//! that can be compared with traffic are taken; patterns (`regex`, `substring`) are counted and left out.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Entries, Entry};

/// The key that only warning lists have; it stands near the end of the file.
const MARK: &[u8] = b"\"matching_attributes\"";
/// Bytes at the end of a text in which the key is looked for.
const TAIL_BYTES: usize = 16 * 1024;

#[derive(Deserialize)]
struct File<'a> {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(borrow)]
    list: Vec<&'a RawValue>,
}

/// Does the text look like a warning list?
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let holds = |part: &[u8]| part.windows(MARK.len()).any(|window| window == MARK);
    let head = &bytes[..bytes.len().min(TAIL_BYTES)];
    let tail = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
    head.trim_ascii_start().starts_with(b"{") && (holds(head) || holds(tail))
}

pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    entries.at_line(1);
    let file = match serde_json::from_slice::<File<'_>>(bytes) {
        Ok(file) => file,
        Err(error) => return entries.fault(format!("no MISP warning list: {error}")),
    };
    // Without a type it is one of texts, as the lists' own programs take it.
    let comparable = matches!(file.kind.as_deref(), None | Some("string" | "hostname" | "cidr"));
    for (at, raw) in file.list.into_iter().enumerate() {
        entries.at_line(at + 1);
        match serde_json::from_str::<String>(raw.get()) {
            Ok(_) if !comparable => entries.unseen(),
            Ok(text) => entries.text(&text, &Entry::default()),
            Err(_) => entries.fault("not a text"),
        }
    }
}
