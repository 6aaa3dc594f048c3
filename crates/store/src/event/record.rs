//! An event as the database takes it: the columns that are searched and counted, beside the whole line they came from.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use weir_model::Priority;

/// Bytes of one event's line. With all its targets and evidence an event has some 60 KiB.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;
/// Bytes of the words an event is found by.
const SEARCH_BYTES_MAX: usize = 16 << 10;
/// Rows of each list kept with an event; triage makes fewer.
const ROWS_MAX: usize = 256;

/// Why a line is no event.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not the JSON of an event.
    #[error("this is no event of the contract: {0}")]
    Json(#[from] serde_json::Error),
    /// A time that cannot be read.
    #[error("{field} {text:?} is no RFC 3339 time")]
    Time { field: &'static str, text: String },
    /// A priority or state there is no word for.
    #[error("{field} {text:?} is unknown")]
    Word { field: &'static str, text: String },
    /// Too long.
    #[error("an event of {0} bytes is longer than {LINE_BYTES_MAX}")]
    TooLong(usize),
}

/// A moment: as it was written, and in nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) text: String,
    pub(super) ns: i64,
}

impl Moment {
    fn read(field: &'static str, text: &str) -> Result<Self, RecordError> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
        let ns = moment.and_then(|moment| i64::try_from(moment.unix_timestamp_nanos()).ok());
        Ok(Self {
            text: text.to_owned(),
            ns: ns.ok_or_else(|| RecordError::Time {
                field,
                text: text.to_owned(),
            })?,
        })
    }
}

/// A target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Peer {
    pub(super) ip: Option<String>,
    pub(super) mac: Option<String>,
    pub(super) port: Option<i64>,
}

/// The source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Source {
    pub(super) ip: Option<String>,
    pub(super) mac: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) user: Option<String>,
}

/// A technique of ATT&CK.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Attack {
    pub(super) tactic: String,
    pub(super) technique: String,
}

/// A flow that proves the event: the columns people sort by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Flow {
    pub(super) flow_id: Option<String>,
    pub(super) start: Option<String>,
    pub(super) src_ip: Option<String>,
    pub(super) src_port: Option<i64>,
    pub(super) dst_ip: Option<String>,
    pub(super) dst_port: Option<i64>,
    pub(super) proto: Option<i64>,
    pub(super) app: Option<String>,
    pub(super) src_packets: Option<i64>,
    pub(super) src_bytes: Option<i64>,
    pub(super) dst_packets: Option<i64>,
    pub(super) dst_bytes: Option<i64>,
    pub(super) src_tcp_flags: Option<String>,
    pub(super) dst_tcp_flags: Option<String>,
}

#[derive(Deserialize)]
struct Evidence {
    #[serde(default)]
    flows: Vec<Flow>,
}

/// The fields of the contract that become columns; others stay in the line.
#[derive(Deserialize)]
struct Line {
    id: String,
    method: String,
    submethod: String,
    title: String,
    priority: String,
    probability: i64,
    risk: i64,
    state: String,
    site: String,
    feed: String,
    instance: String,
    source: Source,
    targets: Vec<Peer>,
    target_count: i64,
    first_flow: String,
    detected: String,
    last_update: String,
    end: Option<String>,
    updates: i64,
    reason: String,
    #[serde(default)]
    detail: Map<String, Value>,
    #[serde(default)]
    attack: Vec<Attack>,
    evidence: Option<Evidence>,
}

/// An event ready to be stored.
#[derive(Clone, Debug)]
pub struct EventRecord {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) submethod: String,
    pub(super) title: String,
    pub(super) priority: i64,
    pub(super) probability: i64,
    pub(super) risk: i64,
    pub(super) closed: bool,
    pub(super) site: String,
    pub(super) feed: String,
    pub(super) instance: String,
    pub(super) source: Source,
    pub(super) targets: Vec<Peer>,
    pub(super) target_count: i64,
    pub(super) first_flow: Moment,
    pub(super) detected: Moment,
    pub(super) last_update: Moment,
    pub(super) end: Option<Moment>,
    pub(super) updates: i64,
    pub(super) reason: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) attack: Vec<Attack>,
    pub(super) flows: Vec<Flow>,
    pub(super) search: String,
    /// The line as it came.
    pub(super) document: String,
}

impl EventRecord {
    /// Reads a line of the event contract (design.md, section 9).
    pub fn from_line(line: &str) -> Result<Self, RecordError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(RecordError::TooLong(line.len()));
        }
        let read: Line = serde_json::from_str(line)?;
        let unknown = |field, text: &str| RecordError::Word {
            field,
            text: text.to_owned(),
        };
        let priority =
            Priority::from_word(&read.priority).ok_or_else(|| unknown("priority", &read.priority))?;
        let closed = match read.state.as_str() {
            "open" => false,
            "closed" => true,
            other => return Err(unknown("state", other)),
        };
        let mut record = Self {
            id: plain(read.id),
            method: plain(read.method),
            submethod: plain(read.submethod),
            title: plain(read.title),
            priority: priority as i64,
            probability: read.probability,
            risk: read.risk,
            closed,
            site: plain(read.site),
            feed: plain(read.feed),
            instance: plain(read.instance),
            source: Source {
                ip: read.source.ip.map(plain),
                mac: read.source.mac.map(plain),
                hostname: read.source.hostname.map(plain),
                user: read.source.user.map(plain),
            },
            targets: first(read.targets),
            target_count: read.target_count,
            first_flow: Moment::read("first_flow", &read.first_flow)?,
            detected: Moment::read("detected", &read.detected)?,
            last_update: Moment::read("last_update", &read.last_update)?,
            end: read.end.map(|end| Moment::read("end", &end)).transpose()?,
            updates: read.updates,
            reason: plain(read.reason),
            attributes: first(read.detail.into_iter().map(attribute)),
            attack: first(read.attack),
            flows: first(read.evidence.map(|evidence| evidence.flows).unwrap_or_default()),
            search: String::new(),
            document: line.trim_end().to_owned(),
        };
        record.search = record.words();
        Ok(record)
    }

    /// Id of the event.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The line it was read from.
    pub fn line(&self) -> &str {
        &self.document
    }

    /// Word of the state.
    pub(super) const fn state(&self) -> &'static str {
        if self.closed { "closed" } else { "open" }
    }

    /// What it is found by, in lower case: both databases then compare alike.
    fn words(&self) -> String {
        let mut words = vec![
            format!("{}.{}", self.method, self.submethod),
            self.title.clone(),
            self.reason.clone(),
        ];
        let Source {
            ip,
            mac,
            hostname,
            user,
        } = &self.source;
        words.extend([ip, mac, hostname, user].into_iter().flatten().cloned());
        words.extend(self.attributes.iter().map(|(_, value)| value.clone()));
        words.extend(self.targets.iter().filter_map(|target| target.ip.clone()));
        let mut text = words.join(" ").to_lowercase();
        text.truncate(text.floor_char_boundary(SEARCH_BYTES_MAX));
        text
    }
}

/// Rows up to the limit.
fn first<T>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    all.into_iter().take(ROWS_MAX).collect()
}

/// A name or text without NUL, which PostgreSQL does not take.
fn plain(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

fn attribute((name, value): (String, Value)) -> (String, String) {
    let value = match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    (plain(name), plain(value))
}

/// An address as 32 hexadecimal digits, so that prefixes are ranges of text in every database.
pub(super) fn ip_key(ip: IpAddr) -> String {
    let bits = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    format!("{bits:032x}")
}

/// The key of an address that is written as text.
pub(super) fn key_of(ip: Option<&String>) -> Option<String> {
    ip.and_then(|ip| ip.parse().ok()).map(ip_key)
}
