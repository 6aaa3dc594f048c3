//! A MISP feed: `manifest.json` says which events there are and when each changed, every event is a file of its own.
//! Only what changed is fetched; the rest is taken over from the copy before.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::{FetchError, New, Remote, State, http};

/// Events of one feed; what goes beyond, the oldest, is left out.
const EVENTS_MAX: usize = 10_000;
/// Events fetched in one go; the others come with the next.
const FETCHED_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Listed {
    /// Seconds since 1970, as text or number.
    #[serde(default)]
    timestamp: serde_json::Value,
}

/// The new copy; `None` when nothing changed.
pub(super) fn fetch(remote: &Remote, _: &mut State) -> Result<Option<New>, FetchError> {
    let mut base = remote.url.clone();
    let path = base
        .path()
        .trim_end_matches("manifest.json")
        .trim_end_matches('/')
        .to_owned()
        + "/";
    base.set_path(&path);
    let listed = manifest(&ask(remote, &base, "manifest.json")?)?;
    let (content, new) = (remote.content(), remote.folder.join("content.new"));
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    fs::create_dir(&new)?;
    let file = |uuid: &str, stamp: u64| format!("{uuid}.{stamp}.json");
    let (mut fetched, mut bytes) = (0, 0_u64);
    for (uuid, stamp) in &listed {
        let name = file(uuid, *stamp);
        let known = content.join(&name);
        if known.is_file() {
            bytes += fs::copy(&known, new.join(&name))?;
        } else if fetched < FETCHED_MAX {
            let event = ask(remote, &base, &format!("{uuid}.json"))?;
            bytes += event.len() as u64;
            fs::write(new.join(&name), event)?;
            fetched += 1;
        }
        if bytes > remote.bytes_max {
            fs::remove_dir_all(&new)?;
            return Err(FetchError::TooLarge(remote.bytes_max));
        }
    }
    let gone = fs::read_dir(&content)
        .is_ok_and(|files| files.flatten().any(|old| !new.join(old.file_name()).exists()));
    if fetched == 0 && !gone && content.exists() {
        fs::remove_dir_all(&new)?;
        return Ok(None);
    }
    Ok(Some(New::Folder(new)))
}

fn ask(remote: &Remote, base: &Url, name: &str) -> Result<Vec<u8>, FetchError> {
    let url = base
        .join(name)
        .map_err(|_| FetchError::Broken("a name that makes no URL"))?;
    let accept = ("Accept".to_owned(), "application/json".to_owned());
    let response = http::ask(&remote.request(url, vec![accept])?)?;
    match response.status {
        200 => super::unpacked(response.body, remote.bytes_max),
        other => Err(FetchError::Status(other)),
    }
}

/// Events with the moment each changed, the latest [`EVENTS_MAX`] of them.
fn manifest(bytes: &[u8]) -> Result<BTreeMap<String, u64>, FetchError> {
    let all: BTreeMap<String, &RawValue> =
        serde_json::from_slice(bytes).map_err(|_| FetchError::Broken("manifest.json is no JSON object"))?;
    let mut listed: Vec<(u64, String)> = all
        .into_iter()
        // They become names of files.
        .filter(|(uuid, _)| {
            uuid.len() == 36 && uuid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        })
        .map(|(uuid, raw)| {
            let stamp = serde_json::from_str::<Listed>(raw.get())
                .ok()
                .map(|listed| listed.timestamp);
            let stamp = match stamp {
                Some(serde_json::Value::String(text)) => text.parse().ok(),
                Some(serde_json::Value::Number(number)) => number.as_u64(),
                _ => None,
            };
            (stamp.unwrap_or(0), uuid)
        })
        .collect();
    listed.sort_unstable_by(|one, other| other.cmp(one));
    listed.truncate(EVENTS_MAX);
    Ok(listed.into_iter().map(|(stamp, uuid)| (uuid, stamp)).collect())
}
