//! How the program is: sources, books that must balance, queues, stores. Made by the program every second, shown as it is.

use serde::Serialize;
use utoipa::ToSchema;

/// A snapshot of the whole.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Status {
    /// RFC 3339; when the program started.
    pub started: String,
    /// Event time the whole pipeline has passed, nanoseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_ns: Option<i64>,
    pub sources: Vec<SourceStatus>,
    /// Books: what came in is what went out.
    pub books: Vec<Book>,
    pub stores: Vec<StoreStatus>,
    /// Submethods that cannot see what they need, by what is missing.
    pub blind: Vec<Blind>,
    /// Counted peculiarities of the input.
    pub anomalies: Vec<Counted>,
    /// What the checks of input and methods found in the last hours.
    pub notices: Vec<NoticeShown>,
    /// Last change of the configuration, when it was read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload: Option<Reload>,
}

/// Kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A capture file of the watched folder.
    File,
    /// A port that takes flow exports.
    Listener,
    /// Somebody who exports to a listener.
    Exporter,
}

/// How far a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Nothing has come yet.
    Waiting,
    /// It delivers.
    Live,
    /// It has been read to its end.
    Done,
    /// It was silent for long.
    Silent,
    /// It failed; the trouble says why.
    Failed,
}

/// Where traffic comes from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SourceStatus {
    pub name: String,
    pub kind: SourceKind,
    pub state: SourceState,
    /// Packets of a capture, datagrams of an exporter.
    pub packets: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Flow records made of them.
    pub flows: u64,
    /// Packets or records that were lost on the way, as far as that can be told.
    pub lost: u64,
    /// Flow records per second over the last span.
    pub flows_per_s: f64,
    /// RFC 3339; first and last record by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// What is wrong, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A sum that must come out even: `total` is the sum of `parts`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Book {
    /// What is counted.
    pub name: String,
    pub total: u64,
    pub parts: Vec<Counted>,
    /// Does it come out even?
    pub even: bool,
}

impl Book {
    /// A book of these counts.
    pub fn new(name: &str, total: u64, parts: Vec<Counted>) -> Self {
        let sum = parts
            .iter()
            .fold(0_u64, |sum, part| sum.saturating_add(part.count));
        Self {
            name: name.to_owned(),
            total,
            even: sum == total,
            parts,
        }
    }
}

/// A name and a count.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Counted {
    pub name: String,
    pub count: u64,
}

impl Counted {
    /// So many of these.
    pub fn new(name: impl Into<String>, count: u64) -> Self {
        Self {
            name: name.into(),
            count,
        }
    }
}

/// A store on disk.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoreStatus {
    /// `events`, `flows`, or `events-copy`: the second database of events.
    pub name: String,
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Days until the disk is full at the present rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Submethods that are off for want of something.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Blind {
    /// What the feed does not have.
    pub missing: String,
    /// `METHOD.Submethod`.
    pub submethods: Vec<String>,
}

/// Something worth knowing about the watching itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticeShown {
    /// The check: `MinSingle`.
    pub check: String,
    /// RFC 3339, event time.
    pub at: String,
    /// What was found and what to do.
    pub text: String,
}

/// What became of reading the configuration again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reload {
    /// RFC 3339.
    pub at: String,
    /// Keys whose new value is in force.
    pub applied: Vec<String>,
    /// Keys whose new value needs a restart.
    pub needs_restart: Vec<String>,
    /// Why the whole file was refused; then nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}
