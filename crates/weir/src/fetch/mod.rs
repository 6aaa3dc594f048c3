//! Lists of indicators over the network: fetched at their interval, only when they changed, checked before they take the
//! place of the copy before, and kept on disk, so that a server that is away or broken changes nothing.
//!
//! On disk each list has a folder: `content` (a file, or a folder of MISP events) and `state.json`. Both are put in
//! place as a whole. Replays read what lies there and fetch nothing.

mod guard;
mod http;
mod misp;
pub(crate) mod provider;
mod refresh;
pub(crate) mod server;
mod taxii;

use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use url::Url;
use weir_enrich::indicator::{Builder, Format, ListSpec};

use http::{Request, Response};
pub(crate) use refresh::Refresher;

/// Failures after which tries come no rarer: a minute, doubled each time.
const BACKOFF_MAX: u32 = 10;
/// A new copy with less than this share of the old one's indicators looks cut off, percent.
const SHRINK_PERCENT: usize = 10;
/// Copies smaller than this may shrink as they like.
const SHRINK_FROM: usize = 100;
/// Bytes of a file with a header or certificates.
const SMALL_BYTES_MAX: u64 = 1 << 20;

/// Why a list could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{0} cannot be resolved: {1}")]
    Host(String, String),
    #[error("{0} is not connected to ({1}); private = true allows servers inside")]
    Forbidden(IpAddr, &'static str),
    #[error("{0}:// is not fetched: http or https")]
    Scheme(String),
    #[error("{0}")]
    Broken(&'static str),
    #[error("it has more than {0} bytes; size_max_mib allows more")]
    TooLarge(u64),
    #[error("it took too long; timeout_s allows more")]
    TooSlow,
    #[error("TLS: {0}")]
    Tls(String),
    #[error("the server answers {0}")]
    Status(u16),
    #[error("what came is refused, the copy before stays: {0}")]
    Refused(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How the server has the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// A file under the URL.
    #[default]
    File,
    /// A MISP feed: the folder with `manifest.json`.
    Misp,
    /// A TAXII 2.1 server, or one of its collections.
    Taxii,
}

impl Via {
    /// Reads the word of the configuration.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "file" => Some(Self::File),
            "misp" => Some(Self::Misp),
            "taxii" => Some(Self::Taxii),
            _ => None,
        }
    }
}

/// A list that is fetched.
#[derive(Clone, Debug)]
pub struct Remote {
    pub name: String,
    pub url: Url,
    pub via: Via,
    /// Seconds between two fetches.
    pub interval_s: u32,
    pub bytes_max: u64,
    pub timeout_s: u32,
    /// Servers with inside addresses are allowed.
    pub private: bool,
    /// File with `Name: value`, a header that lets us in.
    pub header_file: Option<PathBuf>,
    /// PEM file of authorities trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// TAXII: title, alias or id of the collection, where the URL is not one.
    pub collection: Option<String>,
    pub spec: ListSpec,
    pub format: Option<Format>,
    /// Folder of this list.
    pub folder: PathBuf,
}

/// What is known of a list's fetches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The URL it was fetched from: another one begins anew.
    pub url: String,
    /// Seconds since 1970.
    pub tried_s: u64,
    /// When the server last answered as it should, changed or not.
    pub fetched_s: u64,
    pub changed_s: u64,
    pub failures: u32,
    pub error: Option<String>,
    pub bytes: u64,
    pub indicators: u64,
    etag: Option<String>,
    last_modified: Option<String>,
    /// TAXII: everything up to this was taken.
    added_after: Option<String>,
}

/// What became of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    Changed,
    Same,
}

/// Content that is to take the place of the old.
enum New {
    File(Vec<u8>),
    /// A folder made beside the old one.
    Folder(PathBuf),
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl Remote {
    /// Where the copy lies.
    pub fn content(&self) -> PathBuf {
        self.folder.join("content")
    }

    /// What is known of its fetches; nothing where that cannot be read.
    pub fn state(&self) -> State {
        let read = fs::read(self.folder.join("state.json")).ok();
        let state: Option<State> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        state
            .filter(|state| state.url == self.url.as_str())
            .unwrap_or_default()
    }

    /// When it is to be fetched next, seconds since 1970.
    pub fn due_s(&self, state: &State) -> u64 {
        if state.tried_s == 0 {
            return 0;
        }
        let wait = match state.failures {
            0 => u64::from(self.interval_s),
            failures => (60 << failures.min(BACKOFF_MAX)).min(u64::from(self.interval_s)),
        };
        state.tried_s.saturating_add(wait)
    }

    /// Makes it due now, for whoever looks after it. What is known of its copy stays.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn make_due(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let state = State {
            tried_s: 0,
            url: self.url.as_str().to_owned(),
            ..self.state()
        };
        self.keep(&state)
    }

    /// Fetches the list. With `accept` a copy that shrank much is taken as well.
    ///
    /// # Errors
    /// Says what is wrong; the copy before is still there, and the error is kept beside it.
    pub fn update(&self, accept: bool) -> Result<Fetched, FetchError> {
        fs::create_dir_all(&self.folder)?;
        let mut state = self.state();
        state.url = self.url.as_str().to_owned();
        state.tried_s = now_s();
        let fetched = self.fetch(&mut state, accept);
        match &fetched {
            Ok(fetched) => {
                (state.failures, state.error) = (0, None);
                state.fetched_s = state.tried_s;
                if *fetched == Fetched::Changed {
                    state.changed_s = state.tried_s;
                }
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                state.error = Some(error.to_string());
            }
        }
        self.keep(&state)?;
        fetched
    }

    fn keep(&self, state: &State) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(state).map_err(io::Error::other)?;
        write_whole(&self.folder.join("state.json"), &text)
    }

    fn fetch(&self, state: &mut State, accept: bool) -> Result<Fetched, FetchError> {
        let mut next = state.clone();
        let new = match self.via {
            Via::File => self.file(&mut next)?,
            Via::Misp => misp::fetch(self, &mut next)?,
            Via::Taxii => taxii::fetch(self, &mut next)?,
        };
        let Some(new) = new else {
            // What the server said of the same content counts, too.
            *state = next;
            return Ok(Fetched::Same);
        };
        let placed = self.check(&new, state, accept).and_then(|(indicators, bytes)| {
            (next.indicators, next.bytes) = (indicators as u64, bytes);
            Ok(self.place(&new)?)
        });
        if let (Err(_), New::Folder(folder)) = (&placed, &new) {
            let _ = fs::remove_dir_all(folder);
        }
        placed?;
        *state = next;
        Ok(Fetched::Changed)
    }

    fn file(&self, state: &mut State) -> Result<Option<New>, FetchError> {
        let mut headers = vec![("Accept".to_owned(), "*/*".to_owned())];
        // Only what there is a copy of can be the same.
        if self.content().exists() {
            let marks = [
                ("If-None-Match", &state.etag),
                ("If-Modified-Since", &state.last_modified),
            ];
            let known = marks
                .into_iter()
                .filter_map(|(name, mark)| Some((name.to_owned(), mark.clone()?)));
            headers.extend(known);
        }
        let response = http::ask(&self.request(self.url.clone(), headers)?)?;
        match response.status {
            200 => {}
            304 => return Ok(None),
            other => return Err(FetchError::Status(other)),
        }
        state.etag = mark(&response, "etag");
        state.last_modified = mark(&response, "last-modified");
        let body = unpacked(response.body, self.bytes_max)?;
        let same = fs::read(self.content()).is_ok_and(|old| old == body);
        Ok((!same).then_some(New::File(body)))
    }

    /// A request with this list's limits.
    fn request(&self, url: Url, headers: Vec<(String, String)>) -> Result<Request, FetchError> {
        let secret = self.header_file.as_deref().map(header).transpose()?;
        let authorities = match &self.ca_file {
            Some(path) => http::authorities(&small(path)?)?,
            None => Vec::new(),
        };
        Ok(Request {
            url,
            headers,
            body: None,
            secret,
            bytes_max: self.bytes_max,
            timeout: Duration::from_secs(self.timeout_s.into()),
            private: self.private,
            authorities,
        })
    }

    /// Can the new copy be what the list is? Its indicators and bytes.
    fn check(&self, new: &New, before: &State, accept: bool) -> Result<(usize, u64), FetchError> {
        let texts = match new {
            New::File(bytes) => vec![bytes.clone()],
            New::Folder(folder) => folder_texts(folder)?,
        };
        let bytes = texts.iter().map(|text| text.len() as u64).sum();
        let format = self.format.unwrap_or_else(|| match self.via {
            Via::File => Format::guess(texts.first().map_or(&[], Vec::as_slice)),
            Via::Misp => Format::Misp,
            Via::Taxii => Format::Stix,
        });
        let report = Builder::new().list(self.spec.clone(), format, texts.iter().map(Vec::as_slice));
        let refuse = |why: String| Err(FetchError::Refused(why));
        if report.taken == 0 && report.unseen == 0 && self.via == Via::File {
            let first = report.faults.first().map(|fault| format!(", first {fault}"));
            return refuse(format!(
                "no indicator in it, read as {}{}",
                format.word(),
                first.unwrap_or_default()
            ));
        }
        let known = before.indicators as usize;
        if !accept && known >= SHRINK_FROM && report.taken * 100 < known * SHRINK_PERCENT {
            return refuse(format!(
                "{} indicators where {known} were; weir feeds update {} --accept takes it",
                report.taken, self.name
            ));
        }
        Ok((report.taken, bytes))
    }

    /// Puts the new copy in the place of the old.
    fn place(&self, new: &New) -> io::Result<()> {
        let content = self.content();
        let old = self.folder.join("content.old");
        match new {
            New::File(bytes) => {
                if content.is_dir() {
                    fs::remove_dir_all(&content)?;
                }
                write_whole(&content, bytes)
            }
            New::Folder(folder) => {
                if old.exists() {
                    fs::remove_dir_all(&old)?;
                }
                if content.is_file() {
                    fs::remove_file(&content)?;
                } else if content.exists() {
                    fs::rename(&content, &old)?;
                }
                fs::rename(folder, &content)?;
                fs::File::open(&self.folder)?.sync_all()?;
                if old.exists() {
                    fs::remove_dir_all(&old)?;
                }
                Ok(())
            }
        }
    }

    /// Puts back a folder that a crash left between two names.
    pub(crate) fn recover(&self) {
        let (content, old) = (self.content(), self.folder.join("content.old"));
        if !content.exists() && old.exists() {
            // Where it fails the list is fetched anew.
            let _ = fs::rename(old, content);
        }
    }
}

/// A header of an answer that is sent back with the next question; of a length that headers have.
fn mark(response: &Response, name: &str) -> Option<String> {
    let value = response.header(name)?;
    let plain = value.len() <= 512 && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    plain.then(|| value.to_owned())
}

/// The body, unpacked when it is gzip.
fn unpacked(body: Vec<u8>, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(body);
    }
    let mut plain = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(body.as_slice());
    io::Read::read_to_end(&mut io::Read::take(decoder, bytes_max + 1), &mut plain)?;
    if plain.len() as u64 > bytes_max {
        return Err(FetchError::TooLarge(bytes_max));
    }
    Ok(plain)
}

/// The texts of a folder of files, in the order of their names.
fn folder_texts(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    paths.into_iter().map(fs::read).collect()
}

/// The header in a file.
fn header(path: &Path) -> Result<(String, String), FetchError> {
    let text = String::from_utf8_lossy(&small(path)?).into_owned();
    let line = text.lines().next().unwrap_or_default();
    let wrong = FetchError::Broken("header_file must hold one line such as \"Authorization: Bearer ...\"");
    let (name, value) = line.split_once(':').ok_or(wrong)?;
    let token = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || !token(name) || value.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        return Err(FetchError::Broken("header_file holds what no header may"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn small(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > SMALL_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{} is too large", path.display()),
        ));
    }
    fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Writes a file so that a crash leaves the old one or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests;
