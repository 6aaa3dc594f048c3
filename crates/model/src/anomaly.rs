//! What was wrong with the input: named, counted, never fatal ("weird" in other tools' words).
//! One table gives type, metric label and reference, so that a loss without a name cannot be counted.

use std::fmt;

macro_rules! anomalies {
    ($($(#[doc = $doc:literal])* $name:ident = $word:literal,)*) => {
        /// A named oddity of input. The word is stable: it is a metric label.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Anomaly { $($(#[doc = $doc])* $name,)* }

        impl Anomaly {
            /// Every anomaly, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Stable word in outputs and metrics.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What it means, one sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),*).trim_ascii(),)* }
            }
        }
    };
}

anomalies! {
    /// The capture file ends inside a packet or block.
    CaptureCut = "capture_cut",
    /// A block or packet header of the capture file makes no sense; reading stopped or resumed behind it.
    CaptureCorrupt = "capture_corrupt",
    /// A packet of a link type Weir does not know.
    LinkTypeUnknown = "link_type_unknown",
    /// A packet's clock is far from its neighbours'.
    ClockOutlier = "clock_outlier",
    /// The frame ends before its headers do.
    HeaderCut = "header_cut",
    /// A header's length or version field contradicts itself.
    HeaderBad = "header_bad",
    /// The frame was shorter on the wire than its IP length says; a snap length is no anomaly.
    PacketCut = "packet_cut",
    /// More than the allowed tags, labels or extension headers in one packet.
    NestingDeep = "nesting_deep",
    /// IP fragments overlap.
    FragmentOverlap = "fragment_overlap",
    /// A fragmented packet was given up: time, count or size limit.
    FragmentDropped = "fragment_dropped",
    /// The flow cache was full; the oldest flow was sent early.
    FlowEvicted = "flow_evicted",
    /// TCP bytes were skipped by the reassembly: lost in the capture, or a limit was reached.
    StreamGap = "stream_gap",
    /// TCP segments overlap with different content.
    StreamConflict = "stream_conflict",
    /// A dissector gave up on content that does not follow its protocol.
    ProtocolError = "protocol_error",
    /// A dissector cut a field, list or message at its limit.
    ProtocolLimit = "protocol_limit",
    /// Too many flows were dissected at once; the longest silent one was given up, its records go on.
    DissectionDropped = "dissection_dropped",
    /// A dissector or method panicked and was switched off for the flow or the run.
    PluginPanic = "plugin_panic",
    /// A method's table was full; its longest silent cell was forgotten.
    CellEvicted = "cell_evicted",
    /// The table of open events was full; the oldest was closed early.
    EventEvicted = "event_evicted",
}

/// A counter per anomaly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnomalyCounts([u64; Anomaly::ALL.len()]);

impl AnomalyCounts {
    /// Counts one.
    pub fn count(&mut self, anomaly: Anomaly) {
        self.add(anomaly, 1);
    }

    /// Counts several.
    pub fn add(&mut self, anomaly: Anomaly, times: u64) {
        self.0[anomaly as usize] += times;
    }

    /// Adds another set of counters.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// How often an anomaly was counted.
    pub fn of(&self, anomaly: Anomaly) -> u64 {
        self.0[anomaly as usize]
    }

    /// Anomalies that occurred, with their counts.
    pub fn seen(&self) -> impl Iterator<Item = (Anomaly, u64)> + '_ {
        Anomaly::ALL
            .iter()
            .map(|&anomaly| (anomaly, self.of(anomaly)))
            .filter(|&(_, times)| times > 0)
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
