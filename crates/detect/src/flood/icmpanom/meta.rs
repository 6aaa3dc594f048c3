//! What ICMPANOM says of itself: rules, words, manual.

use weir_model::{
    Clause, Manual, Maturity, MethodMeta, Need, Priority, Reads, Scope, SubmethodMeta, Technique,
};

pub(super) const META: MethodMeta = MethodMeta {
    code: "ICMPANOM",
    slug: "icmpanom",
    family: "flood",
    title: "ICMP anomaly",
    submethods: &[
        SubmethodMeta {
            name: "DestinationUnreachIP",
            about: "A host gets far more destination unreachable messages than it usually does",
            rules: &[&[
                Clause::at_least("unreachables", "unreachables_min"),
                Clause::above("unreachables", "unreachables_usual_max"),
                Clause::at_least("intervals", "intervals_min"),
            ]],
            reason: "{source} was told {unreachables} times in 5 min that its destination is unreachable, usually {unreachables_mean} times",
            needs: &[],
            techniques: &[],
        },
        SubmethodMeta {
            name: "DestinationUnreachNetwork",
            about: "The whole network gets far more destination unreachable messages than usual; the host with the most is the source",
            rules: &[&[
                Clause::at_least("unreachables", "unreachables_min"),
                Clause::above("unreachables", "unreachables_usual_max"),
                Clause::at_least("intervals", "intervals_min"),
            ]],
            reason: "{unreachables} destination unreachable messages in 5 min, usually {unreachables_mean}, most of them to {source}",
            needs: &[],
            techniques: &[],
        },
        SubmethodMeta {
            name: "ICMPScan",
            about: "One host asks many hosts by echo, timestamp, information or mask request, and some of them are not there",
            rules: &[
                &[
                    Clause::at_least("hosts", "hosts_min"),
                    Clause::at_least("silent", "silent_min"),
                ],
                &[
                    Clause::at_least("hosts", "burst_hosts_min"),
                    Clause::at_most("asked_s", "burst_s"),
                    Clause::at_least("silent", "silent_min"),
                ],
            ],
            reason: "{source} asked {hosts} hosts by ICMP within {asked_s}, {SilentCount} of them never answered",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0007",
                technique: "T1018",
            }],
        },
        SubmethodMeta {
            name: "SmurfAttack",
            about: "Echo requests to broadcast addresses in the name of a victim, or the unasked replies that reach it; the source carries the victim's forged address and the sender's hardware address",
            rules: &[
                &[
                    Clause::at_least("broadcast_per_minute", "smurf_per_minute_min"),
                    Clause::at_least("repliers", "smurf_repliers_min"),
                ],
                &[
                    Clause::at_least("replies_per_minute", "smurf_per_minute_min"),
                    Clause::at_least("repliers", "smurf_repliers_min"),
                ],
            ],
            reason: "In the name of {source}, {SentPacketCount} echo requests went to broadcast addresses in {span}; {repliers} hosts sent it {ReceivedPacketCount} replies",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0040",
                technique: "T1498.002",
            }],
        },
        SubmethodMeta {
            name: "PingFlood",
            about: "One host floods another with echo requests",
            rules: &[&[Clause::at_least("per_minute", "flood_per_minute_min")]],
            reason: "{source} sent {requests} echo requests to {target} in {span}, {per_minute} a minute",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0040",
                technique: "T1498.001",
            }],
        },
        SubmethodMeta {
            name: "LargePayload",
            about: "Echo that carries more than echo: several replies a request, replies that differ from requests, or much payload for long (tunnels)",
            rules: &[
                &[
                    Clause::at_least("replies_per_request", "replies_min"),
                    Clause::at_least("replies", "tunnel_packets_min"),
                ],
                &[
                    Clause::at_least("skew", "skew_min"),
                    Clause::at_least("requests", "tunnel_packets_min"),
                    Clause::at_least("replies", "tunnel_packets_min"),
                ],
                &[
                    Clause::above("payload", "payload_min"),
                    Clause::at_least("packets", "payload_packets_min"),
                ],
            ],
            reason: "{source} and {target} exchanged {requests} echo requests and {replies} replies in {span}, {payload} of payload on average, up to {PayloadMax}",
            needs: &[Need::Unsampled],
            techniques: &[
                Technique {
                    tactic: "TA0011",
                    technique: "T1095",
                },
                Technique {
                    tactic: "TA0011",
                    technique: "T1572",
                },
            ],
        },
    ],
    priority: Priority::Medium,
    maturity: Maturity::Preview,
    scope: Scope::Initiator,
    reads: Reads::ALL_FLOWS,
    needs: &[Need::BothDirections],
    same_as: &["SCANS.PingSweep"],
    manual: Manual {
        what: "ICMP used for more than telling whether a host is there: sweeps before an attack, floods, Smurf amplification, tunnels, and bursts of error messages, which show that a host knocks at doors that do not exist.",
        basis: "Sweeps: distinct hosts asked and the share that stays silent. Floods: requests a minute between two hosts. Smurf: requests to broadcast and replies nobody asked for. Tunnels: honest echo gives one reply a request with the same payload; a tunnel gives more, or others, or many large ones. Errors: destination unreachable messages per 5 min against the mean of up to a day before, for the host that is told and for the network. x.y.z.255 counts as broadcast.",
        bias: "Silent when in doubt: a sweep whose hosts all answer, and a tunnel that keeps to small equal payloads, are not reported. Payload is not compared with the network's median but with what ping programs send, so one tunnel among few hosts is still seen.",
        false_positives: "Monitoring of many hosts that are mostly down; long tests with large packets; duplicated replies of a misconfigured network.",
        response: "ICMPScan: see what the source did next. LargePayload: look at the payload of a few packets; end the conversation at the firewall. Floods: limit the rate of ICMP at the edge.",
    },
};
