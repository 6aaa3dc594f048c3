//! What ANOMALY says of itself: rules, words, manual.

use weir_model::{Clause, Manual, Maturity, MethodMeta, Need, Priority, Reads, Rule, Scope, SubmethodMeta};

const OUTLIER: &[Rule] = &[&[
    Clause::at_least("sigmas_off", "sigmas"),
    Clause::at_least("difference", "difference_min"),
    Clause::at_least("size", "value_min"),
]];

const fn series(name: &'static str, about: &'static str, reason: &'static str) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: OUTLIER,
        reason,
        needs: &[],
        techniques: &[],
    }
}

pub(super) const META: MethodMeta = MethodMeta {
    code: "ANOMALY",
    slug: "anomaly",
    family: "volume",
    title: "Unusual traffic of a segment",
    submethods: &[
        series(
            "SentPackets",
            "Packets the segment's hosts sent",
            "packets sent by the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "ReceivedPackets",
            "Packets they received",
            "packets received by the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "SentBytes",
            "Bytes they sent",
            "bytes sent by the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "ReceivedBytes",
            "Bytes they received",
            "bytes received by the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "SentFlows",
            "Flows they began",
            "flows begun by the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "ReceivedFlows",
            "Flows that came to them",
            "flows that came to the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "Peers",
            "Hosts they spoke with",
            "hosts the segment spoke with: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "ActiveDevices",
            "Hosts of the segment that sent anything",
            "active hosts of the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "Requests",
            "Exchanges they asked for",
            "exchanges the segment asked for: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "Responses",
            "Exchanges they answered",
            "exchanges the segment answered: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "CountUnpaired",
            "Flows in which one side kept silent",
            "flows in which one side kept silent: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "PercentUnpaired",
            "Share of flows in which one side kept silent, per cent",
            "per cent of flows in which one side kept silent: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "TCPFlow",
            "TCP flows",
            "TCP flows of the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "UDPFlow",
            "UDP flows",
            "UDP flows of the segment: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "OtherFlow",
            "Flows of other protocols",
            "flows of other protocols: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "ProvidedServices",
            "Services (host, protocol, port) that answered",
            "services of the segment that answered: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
        series(
            "UsedServices",
            "Services (host, protocol, port) they used",
            "services the segment used: {value} in five minutes; the {intervals} intervals before foretold {mean}; {source} grew most",
        ),
    ],
    priority: Priority::Low,
    maturity: Maturity::Preview,
    scope: Scope::Network,
    reads: Reads::ALL_FLOWS,
    needs: &[Need::Unsampled],
    same_as: &["DOS", "HIGHTRANSF", "SCANS", "PEERS"],
    manual: Manual {
        what: "Something is going on in a segment that no other method has a name for: an outage, a flood, a new program, a move.",
        basis: "Seventeen series per segment in intervals of five minutes. A value is foretold by the mean of the last window_length_net intervals; it is an outlier at sigmas standard deviations and difference_min_pct from it. The source is the host whose packets, bytes or flows grew most since the interval before.",
        bias: "Silent until segments is set, and the coverage report says so, and until the window is full. A series below value_min (bytes by the thousand; hosts, peers, services and per cent weigh more) says nothing. An outlier is learned as what was foretold, so a change that stays is told of again. Told when the next interval ends or the next flow comes.",
        false_positives: "Mornings, backups, updates: the window follows the day within an hour. Raise sigmas for small segments.",
        response: "Look at the host named and at the same minutes in other methods.",
    },
};
