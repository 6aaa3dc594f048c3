//! TAXII 2.1 (OASIS, 2021): discovery leads to a root, the root to collections, a collection gives objects page by page,
//! those added since the last time. Indicators are kept by their id, in the version that changed last.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::http::{self, Response};
use super::{FetchError, New, Remote, State};

const ACCEPT: &str = "application/taxii+json;version=2.1";
/// Objects asked for at once; servers give fewer as they like.
const LIMIT: &str = "1000";
/// Pages of one fetch; the rest comes with the next.
const PAGES_MAX: usize = 500;
/// Objects kept of one collection.
const OBJECTS_MAX: usize = 1_000_000;

#[derive(Deserialize)]
struct Discovery {
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    api_roots: Vec<String>,
}

#[derive(Deserialize)]
struct Collections {
    #[serde(default)]
    collections: Vec<Collection>,
}

#[derive(Deserialize)]
struct Collection {
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    alias: Option<String>,
    #[serde(default)]
    can_read: bool,
}

/// A page of objects.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    more: bool,
    #[serde(default)]
    next: Option<serde_json::Value>,
    #[serde(default, borrow)]
    objects: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Kept<'a> {
    #[serde(default, borrow)]
    objects: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    #[serde(default)]
    modified: String,
}

/// Indicators by id: when each changed, and its text.
type Objects = BTreeMap<String, (String, Box<str>)>;

/// The new copy; `None` when nothing was added.
pub(super) fn fetch(remote: &Remote, state: &mut State) -> Result<Option<New>, FetchError> {
    let objects = objects_url(remote)?;
    let mut kept = Objects::new();
    let known = remote.content();
    if known.is_file() {
        let bytes = fs::read(&known)?;
        if let Ok(read) = serde_json::from_slice::<Kept<'_>>(&bytes) {
            read.objects.into_iter().for_each(|raw| keep(raw, &mut kept));
        }
    } else {
        state.added_after = None;
    }
    let (mut added, mut next, mut reached) = (0, None::<String>, None);
    for _ in 0..PAGES_MAX {
        let mut url = objects.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("limit", LIMIT);
            if let Some(after) = &state.added_after {
                query.append_pair("added_after", after);
            }
            if let Some(next) = &next {
                query.append_pair("next", next);
            }
        }
        let response = ask(remote, url)?;
        let last = super::mark(&response, "x-taxii-date-added-last");
        let page: Envelope<'_> = read(&response)?;
        added += page.objects.len();
        page.objects.iter().for_each(|raw| keep(raw, &mut kept));
        if kept.len() > OBJECTS_MAX {
            return Err(FetchError::Broken(
                "the collection has more objects than are kept",
            ));
        }
        next = page.next.map(|next| match next {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        });
        reached = last.clone().or(reached);
        if !page.more {
            break;
        }
        // Without a mark of its own the next page is what was added after the last one.
        if next.is_none() {
            match last {
                Some(last) if state.added_after.as_ref() != Some(&last) => state.added_after = Some(last),
                _ => return Err(FetchError::Broken("there is more, and no way to ask for it")),
            }
        }
    }
    // Also when pages were left: the next fetch goes on from here.
    state.added_after = reached.or(state.added_after.take());
    if added == 0 && known.is_file() {
        return Ok(None);
    }
    let bytes: usize = kept.values().map(|(_, text)| text.len() + 1).sum();
    if bytes as u64 > remote.bytes_max {
        return Err(FetchError::TooLarge(remote.bytes_max));
    }
    let texts: Vec<&str> = kept.values().map(|(_, text)| &**text).collect();
    let bundle = format!("{{\"type\":\"bundle\",\"objects\":[{}]}}", texts.join(",\n"));
    Ok(Some(New::File(bundle.into_bytes())))
}

/// Takes an indicator when it is newer than what is known of it; revoked ones stay, so that older versions do not return.
fn keep(raw: &RawValue, kept: &mut Objects) {
    let Ok(object) = serde_json::from_str::<Object>(raw.get()) else {
        return;
    };
    if object.kind != "indicator" {
        return;
    }
    match kept.get(&object.id) {
        Some((modified, _)) if *modified > object.modified => {}
        _ => {
            kept.insert(object.id, (object.modified, raw.get().into()));
        }
    }
}

/// Where the collection's objects are.
fn objects_url(remote: &Remote) -> Result<Url, FetchError> {
    let mut url = remote.url.clone();
    let path = url.path().trim_end_matches('/').to_owned();
    if path.contains("/collections/") {
        let objects = if path.ends_with("/objects") {
            "/"
        } else {
            "/objects/"
        };
        url.set_path(&format!("{path}{objects}"));
        return Ok(url);
    }
    url.set_path(&format!("{path}/"));
    let discovery: Discovery = read(&ask(remote, url.clone())?)?;
    let root = match discovery.default.or(discovery.api_roots.into_iter().next()) {
        Some(root) => url
            .join(&root)
            .map_err(|_| FetchError::Broken("the root named is no URL"))?,
        // The URL is a root itself.
        None => url,
    };
    let root = Url::parse(&format!("{}/", root.as_str().trim_end_matches('/')))
        .map_err(|_| FetchError::Broken("the root named is no URL"))?;
    if root.host_str() != remote.url.host_str() {
        return Err(FetchError::Broken(
            "the root named is on another host: give its URL",
        ));
    }
    let join = |name: &str| {
        root.join(name)
            .map_err(|_| FetchError::Broken("an id that makes no URL"))
    };
    let found: Collections = read(&ask(remote, join("collections/")?)?)?;
    let mut readable = found.collections.into_iter().filter(|one| one.can_read);
    let wanted = match &remote.collection {
        Some(name) => {
            readable.find(|one| [Some(&one.id), Some(&one.title), one.alias.as_ref()].contains(&Some(name)))
        }
        None => readable.next(),
    };
    let id = wanted.map(|one| one.id);
    let id = id.ok_or(FetchError::Broken("there is no such collection that we may read"))?;
    if !id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Err(FetchError::Broken("the collection's id is no id"));
    }
    join(&format!("collections/{id}/objects/"))
}

fn ask(remote: &Remote, url: Url) -> Result<Response, FetchError> {
    let accept = ("Accept".to_owned(), ACCEPT.to_owned());
    let response = http::ask(&remote.request(url, vec![accept])?)?;
    match response.status {
        200 => Ok(response),
        other => Err(FetchError::Status(other)),
    }
}

fn read<'a, T: Deserialize<'a>>(response: &'a Response) -> Result<T, FetchError> {
    serde_json::from_slice(&response.body)
        .map_err(|_| FetchError::Broken("the answer is not what TAXII says"))
}
