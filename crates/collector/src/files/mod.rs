//! Flow records out of other programs' files: nfdump, flow-tools, Zeek, Suricata, Argus and the clouds' flow logs, told
//! apart by content. One file of code per format; what they share (lines, columns, times, counters) is here and beside.

mod argus;
mod aws;
mod azure;
mod columns;
mod eve;
mod flow_tools;
mod gcp;
mod nfcapd;
mod stamp;
mod told;
mod twice;
mod units;
mod zeek;

#[cfg(test)]
mod tests;

use std::io::Read;

use weir_model::{FlowRecord, NANOS_PER_S};

use crate::pairing::HOLD_NS as PAIR_WITHIN_NS;
pub use told::{Bad, FileCounts};
use units::{Lines, Objects};

/// Bytes of a file's start from which its format is told and what its records offer is learned.
pub const HEAD_BYTES: usize = 16 << 10;

/// What wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// nfdump (`nfcapd`), layouts 1 and 2.
    Nfcapd,
    /// flow-tools (`flow-capture`), stream version 3.
    FlowTools,
    /// Zeek conn.log, tab-separated.
    ZeekTsv,
    /// Zeek conn.log, one JSON object per line.
    ZeekJson,
    /// Suricata EVE, one JSON object per line.
    Eve,
    /// Argus (`ra` with commas between columns) and the binetflow files made so.
    Argus,
    /// Flow log of an AWS VPC.
    AwsVpc,
    /// Flow log of an Azure network security group or virtual network.
    Azure,
    /// Flow log of a Google Cloud VPC.
    GcpVpc,
}

impl FileKind {
    /// Name for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nfcapd => "nfdump file",
            Self::FlowTools => "flow-tools file",
            Self::ZeekTsv | Self::ZeekJson => "Zeek conn.log",
            Self::Eve => "Suricata EVE log",
            Self::Argus => "Argus flows",
            Self::AwsVpc => "AWS VPC flow log",
            Self::Azure => "Azure flow log",
            Self::GcpVpc => "GCP VPC flow log",
        }
    }

    /// Is every packet counted? Clouds sample and do not say how.
    pub const fn unsampled(self) -> bool {
        !matches!(self, Self::GcpVpc)
    }

    /// How long, in nanoseconds of event time, the two directions of a flow may lie apart in the file. Logs of whole
    /// connections need none; clouds write by interval and interface.
    pub const fn pair_within_ns(self) -> i64 {
        match self {
            // Intervals of up to ten minutes, interface by interface.
            Self::AwsVpc | Self::GcpVpc => 11 * 60 * NANOS_PER_S,
            _ => PAIR_WITHIN_NS,
        }
    }

    /// The kind of a file that begins with `head` ([`HEAD_BYTES`] of it, or all if it is shorter).
    ///
    /// # Errors
    /// [`Untold`]: it is none that is read, with what it is where that is known.
    pub fn of(head: &[u8]) -> Result<Self, Untold> {
        if nfcapd::check(head)? {
            return Ok(Self::Nfcapd);
        }
        if head.starts_with(&flow_tools::MAGIC) {
            return flow_tools::check(head).map(|()| Self::FlowTools);
        }
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            // A character may be cut at the end of what was looked at.
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
            Err(_) => return Err(Untold(None)),
        };
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.starts_with("#separator") {
            return zeek::check(text).map(|()| Self::ZeekTsv);
        }
        if text.starts_with(['{', '[']) {
            return json(text);
        }
        let line = text.lines().next().unwrap_or_default();
        if argus::check(text)? {
            return Ok(Self::Argus);
        }
        if aws::is_one(line) {
            return Ok(Self::AwsVpc);
        }
        Err(Untold(None))
    }
}

/// Tells JSON logs by the names in their first records.
fn json(text: &str) -> Result<FileKind, Untold> {
    let has = |names: &[&str]| names.iter().all(|name| text.contains(&format!("\"{name}\"")));
    if has(&["id.orig_h", "id.resp_h"]) {
        return if has(&["conn_state"]) || has(&["orig_pkts"]) || has(&["orig_bytes"]) {
            Ok(FileKind::ZeekJson)
        } else {
            Err(Untold(Some(zeek::OTHER_LOG.into())))
        };
    }
    if has(&["event_type", "timestamp"]) {
        return Ok(FileKind::Eve);
    }
    if has(&["flowTuples"]) || has(&["flowLogVersion"]) || has(&["flowRecords"]) {
        return Ok(FileKind::Azure);
    }
    if has(&["connection", "src_ip", "dest_ip"]) {
        return Ok(FileKind::GcpVpc);
    }
    Err(Untold(None))
}

/// Why a file is not read: what it is and what to do, where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold(pub Option<String>);

/// One step of a reader of any format.
trait Reader: Send {
    /// Reads one unit (a line, an object, a block); false at the end, early or not.
    fn step(&mut self, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> bool;
    /// Why reading ended early, in words.
    fn trouble(&self) -> Option<String>;
}

/// What is made of one line or object.
trait Format: Send {
    /// Appends what the unit tells to `out`.
    fn take(&mut self, unit: &str, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad>;
}

/// A file of flow records being read.
pub struct FlowFile {
    kind: FileKind,
    reader: Box<dyn Reader>,
    counts: FileCounts,
}

impl FlowFile {
    /// Reads `stream`, from its first byte on, as a file of this kind; `head` is how it begins.
    pub fn new(kind: FileKind, head: &[u8], stream: Box<dyn Read + Send>) -> Self {
        let reader: Box<dyn Reader> = match kind {
            FileKind::Nfcapd => Box::new(nfcapd::Nfcapd::new(stream)),
            FileKind::FlowTools => Box::new(flow_tools::FlowTools::new(stream)),
            FileKind::ZeekTsv => Box::new(Lined::new(stream, zeek::Tsv::default())),
            FileKind::ZeekJson => Box::new(Lined::new(stream, zeek::Json)),
            FileKind::Eve => Box::new(Lined::new(stream, eve::Eve::new(head))),
            FileKind::Argus => Box::new(Lined::new(stream, argus::Argus::default())),
            FileKind::AwsVpc => Box::new(Lined::new(stream, aws::AwsVpc::default())),
            FileKind::Azure => Box::new(Listed::new(stream, azure::Azure::default())),
            FileKind::GcpVpc => Box::new(Listed::new(stream, gcp::GcpVpc::default())),
        };
        Self {
            kind,
            reader,
            counts: FileCounts::default(),
        }
    }

    /// What wrote it.
    pub const fn kind(&self) -> FileKind {
        self.kind
    }

    /// Appends some more records to `out`, perhaps none; false at the end, early or not (see `trouble`).
    pub fn step(&mut self, out: &mut Vec<FlowRecord>) -> bool {
        let before = out.len();
        let more = self.reader.step(&mut self.counts, out);
        self.counts.records += (out.len() - before) as u64;
        more
    }

    /// Why reading ended early, in words.
    pub fn trouble(&self) -> Option<String> {
        self.reader.trouble()
    }

    /// What was read, passed over and broken so far.
    pub const fn counts(&self) -> &FileCounts {
        &self.counts
    }
}

/// A format of lines.
struct Lined<F> {
    lines: Lines,
    format: F,
}

impl<F: Format> Lined<F> {
    fn new(stream: Box<dyn Read + Send>, format: F) -> Self {
        let lines = Lines::new(stream);
        Self { lines, format }
    }
}

impl<F: Format> Reader for Lined<F> {
    fn step(&mut self, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> bool {
        let Some(unit) = self.lines.next() else {
            return false;
        };
        let taken = unit.and_then(|line| match line.trim_end() {
            "" => Ok(()),
            line => self.format.take(line, counts, out),
        });
        counts.judge(taken);
        true
    }

    fn trouble(&self) -> Option<String> {
        self.lines.trouble.clone()
    }
}

/// A format of JSON objects, one behind the other or in arrays.
struct Listed<F> {
    objects: Objects,
    format: F,
}

impl<F: Format> Listed<F> {
    fn new(stream: Box<dyn Read + Send>, format: F) -> Self {
        let objects = Objects::new(stream);
        Self { objects, format }
    }
}

impl<F: Format> Reader for Listed<F> {
    fn step(&mut self, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> bool {
        let Some(unit) = self.objects.next() else {
            return false;
        };
        let taken = unit.and_then(|object| self.format.take(object, counts, out));
        counts.judge(taken);
        true
    }

    fn trouble(&self) -> Option<String> {
        self.objects.trouble.clone()
    }
}
