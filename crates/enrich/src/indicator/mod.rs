//! Lists of indicators: text of many formats in, one compact immutable snapshot out, looked up for every record.
//! Lists come from strangers: every parser takes any bytes, counts what it cannot use, and says in which line.

mod csv;
mod date;
mod hosts;
mod json;
mod marks;
mod misp;
mod plain;
mod prefixes;
mod snapshot;
mod stix;
mod value;
mod warning;

use std::fmt;

use weir_model::{IndicatorKind, ListClass};

pub(crate) use marks::mark;
pub use snapshot::{Builder, Snapshot};
pub use value::{Value, classify, domain};

/// Entries one list may bring; the rest is counted. The largest public lists have some hundreds of thousands.
pub const ENTRIES_MAX: usize = 2_000_000;
/// Bytes of one line; a longer one is a fault, not an entry.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one indicator text: the longest domain has 253, URLs are cut off by servers at some thousands.
pub(crate) const TEXT_BYTES_MAX: usize = 2048;
/// Faults kept with line and reason; more are only counted.
const FAULTS_KEPT_MAX: usize = 10;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One indicator a line: address, prefix, range, address and port, domain, URL, fingerprint.
    Plain,
    /// Address and names a line, as in a hosts file; the names are the indicators.
    Hosts,
    /// Comma-separated with column names; the shapes of abuse.ch are known.
    Csv,
    /// One JSON object a line with `cidr`, as Spamhaus DROP, or a JSON list of objects, as the Feodo tracker.
    Json,
    /// MISP events: one, or several as a list.
    Misp,
    /// A STIX 2.1 bundle or a TAXII 2.1 envelope.
    Stix,
    /// A MISP warning list: what it names is known good ([`ListSpec::allow`]), whatever the list is configured as.
    Warning,
}

/// Every format.
pub const FORMATS: &[Format] = &[
    Format::Plain,
    Format::Hosts,
    Format::Csv,
    Format::Json,
    Format::Misp,
    Format::Stix,
    Format::Warning,
];

impl Format {
    /// Word in the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Hosts => "hosts",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Misp => "misp",
            Self::Stix => "stix",
            Self::Warning => "warninglist",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        FORMATS.iter().copied().find(|format| format.word() == word)
    }

    /// The format a text looks like, for lists whose format nobody named.
    pub fn guess(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LINE_BYTES_MAX)]);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.starts_with(['{', '[']) {
            return if warning::is_one(bytes) {
                Self::Warning
            } else if text.contains("\"Event\"") {
                Self::Misp
            } else if text.contains("\"pattern\"")
                || text.contains("\"bundle\"")
                || text.contains("\"spec_version\"")
            {
                Self::Stix
            } else {
                Self::Json
            };
        }
        if csv::has_header(text) {
            return Self::Csv;
        }
        let mut lines = text.lines().filter(|line| !plain::is_comment(line));
        match lines.next().and_then(hosts::names) {
            Some(_) => Self::Hosts,
            None => Self::Plain,
        }
    }

    /// Reads a list; entries go to `entries`, faults are noted there. Any bytes are taken.
    pub fn read(self, bytes: &[u8], entries: &mut Entries<'_>) {
        match self {
            Self::Plain => plain::read(bytes, entries),
            Self::Hosts => hosts::read(bytes, entries),
            Self::Csv => csv::read(bytes, entries),
            Self::Json => json::read(bytes, entries),
            Self::Misp => misp::read(bytes, entries),
            Self::Stix => stix::read(bytes, entries),
            Self::Warning => warning::read(bytes, entries),
        }
    }
}

/// What a list is, beside its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSpec {
    pub name: Box<str>,
    pub class: ListClass,
    /// For entries that bring none.
    pub category: Box<str>,
    /// Reputation given to what is listed, 0 (worst) to 100 (safe), where entries do not say how sure they are.
    pub score: u8,
    /// Entries are forgotten so long after they were last confirmed, days; `None`: when they say themselves.
    pub expire_days: Option<u32>,
    /// Look at inside addresses, too: for lists of one's own hosts.
    pub inside: bool,
    /// What it lists is known good: no other list speaks of it.
    pub allow: bool,
}

impl ListSpec {
    /// A threat list of this name with middling defaults.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            class: ListClass::Threat,
            category: "listed".into(),
            score: 10,
            expire_days: None,
            inside: false,
            allow: false,
        }
    }
}

/// One entry of a list, as a parser found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry<'a> {
    pub category: &'a str,
    /// How sure the list is, 0 to 100 %.
    pub confidence: Option<u8>,
    /// Last confirmation, seconds since 1970.
    pub seen_s: Option<u32>,
    /// No longer good after this, seconds since 1970.
    pub until_s: Option<u32>,
}

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line (or object, in JSON) counted from 1.
    pub line: usize,
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// What reading a list came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Indicators taken, the same one twice counted twice.
    pub taken: usize,
    /// Lines that were no indicator.
    pub bad: usize,
    /// Indicators of kinds that traffic cannot show (file hashes, mail addresses).
    pub unseen: usize,
    /// Entries past [`ENTRIES_MAX`].
    pub over: usize,
    /// The first faults.
    pub faults: Vec<Fault>,
}

/// Where the parsers put what they find.
pub struct Entries<'a> {
    builder: &'a mut Builder,
    list: u16,
    line: usize,
    report: Report,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(builder: &'a mut Builder, list: u16) -> Self {
        Self {
            builder,
            list,
            line: 0,
            report: Report::default(),
        }
    }

    pub(crate) fn into_report(self) -> Report {
        self.report
    }

    /// Says which line or object is being read, counted from 1.
    fn at_line(&mut self, line: usize) {
        self.line = line;
    }

    /// The line at hand is no entry.
    fn fault(&mut self, why: impl Into<String>) {
        self.report.bad += 1;
        if self.report.faults.len() < FAULTS_KEPT_MAX {
            self.report.faults.push(Fault {
                line: self.line,
                why: why.into(),
            });
        }
    }

    /// The entry at hand is of a kind that traffic cannot show.
    fn unseen(&mut self) {
        self.report.unseen += 1;
    }

    /// Takes an indicator as text, of whatever kind it is.
    fn text(&mut self, text: &str, entry: &Entry<'_>) {
        match classify(text) {
            Ok(values) => {
                for value in values {
                    self.value(value, entry);
                }
            }
            Err(why) => self.fault(why),
        }
    }

    /// Takes an indicator.
    fn value(&mut self, value: Value, entry: &Entry<'_>) {
        if self.report.taken >= ENTRIES_MAX || !self.builder.add(self.list, value, entry) {
            self.report.over += 1;
        } else {
            self.report.taken += 1;
        }
    }
}

/// Lines of a list with their numbers from 1, without byte order mark and line ends. Bytes that are no UTF-8 become
/// replacement characters, which no indicator holds; a line that is too long comes as `None`.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, Option<std::borrow::Cow<'_, str>>)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n').enumerate().map(|(at, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = (line.len() <= LINE_BYTES_MAX).then(|| String::from_utf8_lossy(line));
        (at + 1, text)
    })
}

/// Counters by kind, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts {
    pub addresses: usize,
    pub services: usize,
    pub domains: usize,
    pub urls: usize,
    pub fingerprints: usize,
}

impl KindCounts {
    pub(crate) fn count(&mut self, kind: IndicatorKind) {
        let slot = match kind {
            IndicatorKind::Address => &mut self.addresses,
            IndicatorKind::Service => &mut self.services,
            IndicatorKind::Domain => &mut self.domains,
            IndicatorKind::Url => &mut self.urls,
            IndicatorKind::Ja3 | IndicatorKind::Ja4 | IndicatorKind::Certificate => &mut self.fingerprints,
        };
        *slot += 1;
    }
}

#[cfg(test)]
mod tests;
