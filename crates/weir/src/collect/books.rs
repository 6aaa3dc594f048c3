//! The books of a collector: what came in, what became of it, and whether the sums agree. They are exact when nothing is in
//! flight, so a difference at the end is a fault of ours and is told as one.

use std::sync::atomic::Ordering::Relaxed;

use weir_collector::{Counts, PairingCounts, StitchingCounts};
use weir_model::Quantity;

use super::stream::Streams;
use super::udp::UdpListener;

/// Everything counted, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// Datagrams read from UDP sockets, and their bytes.
    pub(super) read: u64,
    pub(super) read_bytes: u64,
    /// Of those, from senders that are not allowed.
    pub(super) refused: u64,
    /// Of those, shed because their exporter had its share of the queue already.
    pub(super) shed: u64,
    /// Datagrams the kernel dropped before they could be read; `None` when some socket's count is not known.
    pub(super) dropped: Option<u64>,
    /// Messages of connections, connections, those refused, and those closed for what they sent.
    pub(super) stream_messages: u64,
    pub(super) stream_bytes: u64,
    pub(super) connections: u64,
    pub(super) connections_refused: u64,
    pub(super) connections_expelled: u64,
    /// Records given to detection and output.
    pub(super) handed_on: u64,
    pub(super) collected: Counts,
    pub(super) pairing: PairingCounts,
    pub(super) stitching: StitchingCounts,
    /// Most bytes waiting between receivers and decoder.
    pub(super) queued_bytes_most: u64,
}

impl Books {
    /// Adds what the sockets counted.
    pub(super) fn sockets(&mut self, sockets: &[UdpListener], streams: &Streams) {
        self.dropped = Some(0);
        for socket in sockets {
            self.read += socket.tally.read.load(Relaxed);
            self.read_bytes += socket.tally.bytes.load(Relaxed);
            self.refused += socket.tally.refused.load(Relaxed);
            self.dropped = self.dropped.zip(socket.dropped()).map(|(all, one)| all + one);
        }
        self.stream_messages = streams.messages.load(Relaxed);
        self.stream_bytes = streams.bytes.load(Relaxed);
        self.connections = streams.accepted.load(Relaxed);
        self.connections_refused = streams.refused.load(Relaxed);
        self.connections_expelled = streams.expelled.load(Relaxed);
    }

    /// The sums that must agree at the end: what they are about, the one side and the other.
    fn identities(&self) -> [(&'static str, u64, u64); 3] {
        let (counts, pairing) = (&self.collected, &self.pairing);
        [
            (
                "messages read = parsed + malformed + refused + shed",
                self.read + self.stream_messages,
                counts.messages + self.refused + self.shed,
            ),
            (
                "records parsed = 2 x pairs + biflows + one-way",
                counts.records,
                2 * pairing.pairs + pairing.biflows + pairing.lone,
            ),
            (
                "flow records made = handed on",
                pairing.pairs + pairing.biflows + pairing.lone + self.stitching.ends,
                self.handed_on,
            ),
        ]
    }

    /// The first words of a summary.
    pub(super) fn source(&self) -> String {
        format!(
            "{} datagrams and messages ({})",
            Quantity::Count(self.read + self.stream_messages),
            Quantity::Bytes(self.read_bytes + self.stream_bytes),
        )
    }

    /// The books for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let number = |count: u64| Quantity::Count(count).to_string();
        let (counts, pairing) = (&self.collected, &self.pairing);
        let dropped = self.dropped.map_or("an unknown number".to_owned(), number);
        let mut lines = vec![format!(
            "received: {} read = {} parsed + {} malformed + {} refused; {dropped} dropped by the kernel's socket buffers",
            number(self.read + self.stream_messages),
            number(counts.messages - counts.malformed),
            number(counts.malformed),
            number(self.refused),
        )];
        lines.push(format!(
            "records: {} parsed = 2 x {} pairs + {} biflows + {} one-way; {} flow records handed on",
            number(counts.records),
            number(pairing.pairs),
            number(pairing.biflows),
            number(pairing.lone),
            number(self.handed_on),
        ));
        let (parts, ends) = (self.stitching.parts, self.stitching.ends);
        if parts + ends + counts.duplicates > 0 {
            lines.push(format!(
                "of these: {} parts of long flows put together, {} ends given to flows that nobody ended, {} told by \
                 another exporter before",
                number(parts),
                number(ends),
                number(counts.duplicates)
            ));
        }
        if self.shed > 0 {
            lines.push(format!(
                "shed: {} messages of exporters that sent more than their share while the queue was full",
                number(self.shed)
            ));
        }
        if self.connections + self.connections_refused > 0 {
            lines.push(format!(
                "connections: {} accepted, {} refused, {} closed for what they sent",
                self.connections, self.connections_refused, self.connections_expelled
            ));
        }
        let troubles = troubles(counts);
        if !troubles.is_empty() {
            lines.push(format!("exports: {}", troubles.join(", ")));
        }
        for (what, one, other) in self.identities() {
            if one != other {
                lines.push(format!(
                    "the books do not agree, please report: {what}: {one} is not {other}"
                ));
            }
        }
        lines
    }
}

/// What was odd, in words with counts.
pub(super) fn troubles(counts: &Counts) -> Vec<String> {
    let mut troubles: Vec<String> = [
        ("lost by sequence", counts.lost),
        ("late or twice", counts.late),
        ("exporter restarts", counts.restarts),
        ("templates changed in meaning", counts.templates_changed),
        ("templates refused", counts.templates_refused),
        (
            "sets waiting for a template",
            counts
                .sets_parked
                .saturating_sub(counts.sets_replayed + counts.sets_dropped),
        ),
        ("sets dropped without template", counts.sets_dropped),
        ("records about no IP flow", counts.not_flows),
        ("lost by samplers", counts.sampler_drops),
        (
            "flows whose doubles pass unmarked, if they come",
            counts.marks_displaced,
        ),
        ("lists that nothing was taken from", counts.lists_passed),
        ("values without a name too long to keep", counts.unnamed_cut),
        ("domains forgotten", counts.domains_evicted),
        ("exporters forgotten", counts.exporters_evicted),
    ]
    .into_iter()
    .filter(|&(_, times)| times > 0)
    .map(|(what, times)| format!("{what} {}", Quantity::Count(times)))
    .collect();
    let faults = counts.faults();
    troubles
        .extend(faults.map(|(fault, times)| format!("broken {} {}", fault.word(), Quantity::Count(times))));
    troubles
}
