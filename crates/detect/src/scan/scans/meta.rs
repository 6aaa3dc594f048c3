//! What SCANS says of itself: rules, words, manual.

use weir_model::{
    Clause, Manual, Maturity, MethodMeta, Need, Priority, Reads, Rule, Scope, SubmethodMeta, Technique,
};

const HORIZONTAL: Rule = &[
    Clause::at_least("hosts_on_port", "hosts_min"),
    Clause::at_least("failed_on_port", "failed_min"),
];
const VERTICAL: Rule = &[
    Clause::at_least("ports_on_host", "ports_min"),
    Clause::at_least("failed_on_host", "failed_min"),
];
const BURST: Rule = &[
    Clause::at_least("ports_on_host", "burst_ports_min"),
    Clause::at_most("host_s", "burst_s"),
    Clause::is("answers_of_host", "no_answers"),
];
const CHAOTIC: Rule = &[
    Clause::at_least("pairs", "pairs_min"),
    Clause::at_least("failed", "failed_min"),
    Clause::at_least("repetition", "repetition_min"),
];
/// A gateway that answers for every port hides which are open; nobody opens so many and says nothing.
const OPENED: Rule = &[
    Clause::at_least("opened_ports", "opened_ports_min"),
    Clause::at_least("opened", "failed_min"),
];
/// Rests of connections at the edge of a capture are bare ACKs, too, each from a port of its own.
const HORIZONTAL_ACK: Rule = &[
    Clause::at_least("hosts_on_port", "hosts_min"),
    Clause::at_least("failed_on_port", "failed_min"),
    Clause::at_least("per_source_port", "repetition_min"),
];
const CHAOTIC_ACK: Rule = &[
    Clause::at_least("pairs", "pairs_min"),
    Clause::at_least("failed", "failed_min"),
    Clause::at_least("repetition", "repetition_min"),
    Clause::at_least("per_source_port", "repetition_min"),
];
const ORDINARY: &[Rule] = &[HORIZONTAL, VERTICAL, BURST, CHAOTIC];
const ODD: &[Rule] = &[&[Clause::at_least("pairs", "odd_pairs_min")]];

const SCANNING: &[Technique] = &[
    Technique {
        tactic: "TA0007",
        technique: "T1046",
    },
    Technique {
        tactic: "TA0043",
        technique: "T1595",
    },
];
const SWEEPING: &[Technique] = &[Technique {
    tactic: "TA0007",
    technique: "T1018",
}];

/// A submethod that counts pairs of host and port by one shape.
const fn shaped(
    name: &'static str,
    about: &'static str,
    rules: &'static [Rule],
    reason: &'static str,
    needs: &'static [Need],
) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules,
        reason,
        needs,
        techniques: SCANNING,
    }
}

const FLAGS: &[Need] = &[Need::TcpFlags];

pub(super) const META: MethodMeta = MethodMeta {
    code: "SCANS",
    slug: "scans",
    family: "scan",
    title: "Scan of hosts or ports",
    submethods: &[
        shaped(
            "TCPSYN",
            "Connections begun with a SYN that come to nothing, or many that are answered and never used",
            &[HORIZONTAL, VERTICAL, BURST, CHAOTIC, OPENED],
            "TCP SYN scan ({Type}): {source} tried {Tried} in {span}, {Answers}",
            FLAGS,
        ),
        shaped(
            "TCPFIN",
            "Lone FIN packets, which slip past simple filters",
            ODD,
            "TCP FIN scan ({Type}): {source} sent a lone FIN to {Tried} in {span}",
            FLAGS,
        ),
        shaped(
            "TCPNull",
            "TCP packets without any flag",
            ODD,
            "TCP null scan ({Type}): {source} sent packets without flags to {Tried} in {span}",
            FLAGS,
        ),
        shaped(
            "TCPXmas",
            "TCP packets with FIN, PSH and URG",
            ODD,
            "TCP Christmas tree scan ({Type}): {source} sent FIN+PSH+URG to {Tried} in {span}",
            FLAGS,
        ),
        shaped(
            "TCPACK",
            "Bare ACKs answered by RST or by silence; window scans look the same on the wire",
            &[HORIZONTAL_ACK, VERTICAL, BURST, CHAOTIC_ACK],
            "TCP ACK scan ({Type}): {source} sent bare ACKs to {Tried} in {span}",
            FLAGS,
        ),
        shaped(
            "UDP",
            "Short UDP exchanges without an answer, or refused by ICMP port unreachable",
            ORDINARY,
            "UDP scan ({Type}): {source} tried {Tried} in {span}, {Answers}",
            &[],
        ),
        SubmethodMeta {
            name: "ARP",
            about: "ARP requests for many addresses, most of which nobody has",
            rules: &[
                &[
                    Clause::at_least("hosts", "arp_hosts_min"),
                    Clause::at_least("failed", "arp_failed_min"),
                    Clause::at_least("in_order", "arp_order_min"),
                ],
                &[
                    Clause::at_least("hosts", "arp_any_hosts_min"),
                    Clause::at_least("failed", "arp_failed_min"),
                ],
            ],
            reason: "ARP scan: {source} asked for {Tried} in {span}, {Answers}",
            needs: &[],
            techniques: SWEEPING,
        },
        SubmethodMeta {
            name: "PingSweep",
            about: "Echo, timestamp or mask requests to many hosts, most of which do not answer",
            rules: &[HORIZONTAL],
            reason: "Ping sweep: {source} asked {Tried} in {span}, {Answers}",
            needs: &[],
            techniques: SWEEPING,
        },
        shaped(
            "IPProtocol",
            "Packets of many IP protocol numbers to one host",
            &[&[
                Clause::at_least("ports_on_host", "protocols_min"),
                Clause::at_least("failed_on_host", "failed_min"),
            ]],
            "IP protocol scan: {source} tried {Tried} in {span}, {Answers}",
            &[],
        ),
        shaped(
            "PortBased",
            "Fallback for exporters without TCP flags: TCP flows without an answer",
            ORDINARY,
            "TCP scan ({Type}): {source} tried {Tried} in {span}, {Answers} (no TCP flags in this feed)",
            &[],
        ),
        shaped(
            "SlowScan",
            "The same as TCPSYN, spread over a day",
            &[HORIZONTAL, VERTICAL],
            "Slow TCP SYN scan ({Type}): {source} tried {Tried} in {span}, {Answers}",
            FLAGS,
        ),
        shaped(
            "Fingerprint",
            "Several impossible flag combinations from one source to few ports, as operating system detection sends them; to many ports they are the scans above",
            &[&[
                Clause::at_least("odd_kinds", "odd_kinds_min"),
                Clause::below("ports_on_host", "odd_pairs_min"),
            ]],
            "Operating system detection: {source} sent {odd_kinds} kinds of impossible TCP flags to {targets} in {span}",
            FLAGS,
        ),
    ],
    priority: Priority::Medium,
    maturity: Maturity::Stable,
    scope: Scope::Initiator,
    reads: Reads::ENDED_FLOWS,
    needs: &[Need::BothDirections, Need::Unsampled],
    // ICMPANOM names SCANS.PingSweep: it suffices that one of the two does.
    same_as: &[],
    manual: Manual {
        what: "A source that looks for hosts or open services: many hosts on one port (horizontal), many ports of one host (vertical), or both (chaotic). It is the usual first step after a break-in, and of worms.",
        basis: "Each shape of probe is counted apart, by distinct host, port and pair that failed (silence, RST, ICMP unreachable) in a window that begins with the first failure. The share of failures is taken for the busiest port and host alone, so that a scanner which also browses is seen. Only the side that began the flow counts, by its own first packet; UDP probes are at most 3 packets; multicast, broadcast, traceroute ports and QUIC first packets do not count. A window scan differs from an ACK scan only in what the scanner reads, so both are TCPACK. Type follows Zeek: at most 5 hosts vertical, at most 5 ports horizontal, else mixed where whole sweeps and port scans explain four fifths of it, else chaotic. Counts are exact up to 4096. A source whose TCP conversations are seen by half is not judged by UDP and echo: its answers are not in the feed.",
        bias: "Silent when in doubt: a scan that meets mostly open doors, one slower than a day, or one that tries every host on another port (as peer-to-peer programs do) is not reported. Slow scans are told from SYN only, because silence over a day is ordinary for UDP.",
        false_positives: "Vulnerability scanners and inventory tools (list them in ignore_sources); a client whose network is down while it knows many addresses; a web server that looks up NetBIOS names of its visitors; a router asked from outside for a whole empty subnet (ARP).",
        response: "Find out what runs on the source. From inside, treat it as compromised until explained; look at the answered ports next, they are where it goes on. From outside, it matters only with an answer or a later log-in.",
    },
};
