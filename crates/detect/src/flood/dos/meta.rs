//! What DOS says of itself: rules, words, manual.

use weir_model::{
    Clause, Manual, Maturity, MethodMeta, Need, Priority, Reads, Scope, SubmethodMeta, Technique,
};

pub(super) const META: MethodMeta = MethodMeta {
    code: "DOS",
    slug: "dos",
    family: "flood",
    title: "Denial of service",
    submethods: &[
        SubmethodMeta {
            name: "Volumetric",
            about: "A host receives far more than it sends: against its own habits, in a burst of unanswered flows, or as unasked answers of amplifying services",
            rules: &[
                &[
                    Clause::above("ratio", "ratio_usual_max"),
                    Clause::at_least("packets", "packets_min"),
                    Clause::at_least("ratio", "ratio_min"),
                    Clause::at_least("attackers", "attackers_min"),
                    Clause::at_least("intervals", "intervals_min"),
                ],
                &[
                    Clause::at_least("burst_flows", "burst_flows_min"),
                    Clause::at_least("unanswered", "unanswered_min"),
                    Clause::at_least("attackers", "burst_attackers_min"),
                ],
                &[
                    Clause::at_least("reflected", "reflected_bytes_min"),
                    Clause::at_least("reflectors", "reflectors_min"),
                    Clause::at_least("reflected_packet", "reflected_packet_min"),
                ],
            ],
            reason: "{source} received {packets} packets from {Senders} in {span}, {ratio} for each it sent{Signs}",
            needs: &[],
            techniques: &[
                Technique {
                    tactic: "TA0040",
                    technique: "T1498.001",
                },
                Technique {
                    tactic: "TA0040",
                    technique: "T1498.002",
                },
            ],
        },
        SubmethodMeta {
            name: "SYNFlood",
            about: "Very many TCP connections begun and never completed, to few ports or from many senders",
            rules: &[
                &[
                    Clause::at_least("half_open", "half_open_min"),
                    Clause::above("unfinished", "unfinished_min"),
                    Clause::at_most("try_packets", "try_packets_max"),
                    Clause::at_most("flood_ports", "flood_ports_max"),
                ],
                &[
                    Clause::at_least("half_open", "half_open_min"),
                    Clause::above("unfinished", "unfinished_min"),
                    Clause::at_most("try_packets", "try_packets_max"),
                    Clause::at_least("attackers", "burst_attackers_min"),
                ],
            ],
            reason: "{half_open} connections to {source} were begun and not completed in {span}, from {Senders} to {Ports}",
            needs: &[Need::TcpFlags],
            techniques: &[Technique {
                tactic: "TA0040",
                technique: "T1499.001",
            }],
        },
        SubmethodMeta {
            name: "FIN2WAIT",
            about: "Very many connections that only the victim closes, which keeps it waiting",
            rules: &[&[
                Clause::at_least("half_closed", "half_closed_min"),
                Clause::above("half_closed_share", "half_closed_share_min"),
            ]],
            reason: "{source} closed {half_closed} connections in {span} that its peers left open",
            needs: &[Need::TcpFlags],
            techniques: &[Technique {
                tactic: "TA0040",
                technique: "T1499.001",
            }],
        },
    ],
    priority: Priority::Critical,
    maturity: Maturity::Preview,
    scope: Scope::Responder,
    reads: Reads::ALL_FLOWS,
    needs: &[Need::BothDirections, Need::Unsampled],
    same_as: &[],
    manual: Manual {
        what: "A host is sent so much, or so many openings, that it cannot serve its users. The victim is the source of the event; the attackers, often forged, are its targets.",
        basis: "Per victim and 5 min: received per sent packets against mean and sigma of the host's own past hour; flows nobody answered per 10 s and their distinct senders; bytes of answers that were never asked for, from ports of amplifying services or in fragments; TCP tries the initiator never completes and that were not refused, with packets per try (systems repeat a SYN, floods do not).",
        bias: "Silent when in doubt: a flood by one sender of plain data, or below the limits for a short while, is not reported, because a wanted stream looks the same. A scan of many ports by few senders is SCANS. ICMP floods are ICMPANOM.",
        false_positives: "A popular service that has just died (SRVNA says so too); a feed in which the answers of the victim are not seen; a new one-way stream from several senders.",
        response: "Look at protocol, ports and senders: filter the reflected source port or the single service upstream, turn on SYN cookies, tell the provider. Forged senders are not worth blocking one by one.",
    },
};
