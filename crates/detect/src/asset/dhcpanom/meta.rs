//! What DHCPANOM says of itself: rules, words, manual.

use weir_model::{
    Clause, Kind, Manual, Maturity, MethodMeta, Need, Priority, Protocol, Reads, Scope, SubmethodMeta,
    Technique,
};

const ROGUE: &[Technique] = &[Technique {
    tactic: "TA0006",
    technique: "T1557.003",
}];
const EXHAUSTION: &[Technique] = &[Technique {
    tactic: "TA0040",
    technique: "T1499.002",
}];

pub(super) const META: MethodMeta = MethodMeta {
    code: "DHCPANOM",
    slug: "dhcpanom",
    family: "asset",
    title: "DHCP anomaly",
    submethods: &[
        SubmethodMeta {
            name: "FakeServer",
            about: "A DHCP server gives addresses that is not on the list, or that appeared while another had long been answering alone",
            rules: &[
                &[Clause::at_least("unlisted_answers", "answers_min")],
                &[
                    Clause::at_least("newcomer_answers", "answers_min"),
                    Clause::at_least("known_answers", "known_answers_min"),
                    Clause::at_least("known_for", "known_for_min"),
                ],
            ],
            reason: "{source} gave addresses to {clients} clients as a DHCP server in {span}; {Known} had answered before",
            needs: &[Need::Payload],
            techniques: ROGUE,
        },
        SubmethodMeta {
            name: "ServerChange",
            about: "A known DHCP server answers from another hardware address",
            rules: &[&[
                Clause::at_least("changed_answers", "answers_min"),
                Clause::at_least("known_answers", "known_answers_min"),
                Clause::at_least("known_for", "known_for_min"),
            ]],
            reason: "the DHCP server {source} answers from {MAC}, until now from {OldMAC}",
            needs: &[Need::Macs],
            techniques: ROGUE,
        },
        SubmethodMeta {
            name: "ServerOverloadIP",
            about: "A DHCP server answers far more within five minutes than it usually does",
            rules: &[&[
                Clause::above("answers", "answers_usual_max"),
                Clause::at_least("answers", "overload_min"),
                Clause::at_least("intervals", "intervals_min"),
            ]],
            reason: "{source} answered {answers} DHCP messages within five minutes, usually {usual}",
            needs: &[Need::Payload, Need::Unsampled],
            techniques: EXHAUSTION,
        },
        SubmethodMeta {
            name: "ServerOverloadNetwork",
            about: "All DHCP servers of a network together answer far more within five minutes than they usually do",
            rules: &[&[
                Clause::above("answers", "answers_usual_max"),
                Clause::at_least("answers", "overload_min"),
                Clause::at_least("intervals", "intervals_min"),
            ]],
            reason: "{answers} DHCP messages were answered within five minutes, usually {usual}; {source} answered most",
            needs: &[Need::Payload, Need::Unsampled],
            techniques: EXHAUSTION,
        },
        SubmethodMeta {
            name: "OversendingClientIP",
            about: "A client sends DHCP messages without end, or far more than it usually does",
            rules: &[
                &[Clause::at_least("messages", "flood_min")],
                &[
                    Clause::above("messages", "messages_usual_max"),
                    Clause::at_least("messages", "oversending_min"),
                    Clause::at_least("intervals", "intervals_min"),
                ],
            ],
            reason: "{MAC} sent {messages} DHCP messages in {span} under {addresses} addresses, usually {usual} in five minutes",
            needs: &[Need::Payload, Need::Unsampled],
            techniques: EXHAUSTION,
        },
        SubmethodMeta {
            name: "OversendingClientNetwork",
            about: "A client sends far more DHCP messages than the other clients of its network",
            rules: &[&[
                Clause::above("messages", "others_max"),
                Clause::at_least("messages", "oversending_min"),
                Clause::at_least("clients", "clients_min"),
            ]],
            reason: "{MAC} sent {messages} DHCP messages in {span}, {clients} other clients {others_mean} each",
            needs: &[Need::Payload, Need::Unsampled],
            techniques: EXHAUSTION,
        },
    ],
    priority: Priority::High,
    maturity: Maturity::Preview,
    scope: Scope::Network,
    reads: Reads {
        transactions: &[(Protocol::Dhcp, Kind::Lease)],
        fields: &[
            "dhcp.message",
            "dhcp.client_mac",
            "dhcp.server_ip",
            "dhcp.relay_ip",
        ],
        ..Reads::ENDED_FLOWS
    },
    needs: &[],
    same_as: &[],
    manual: Manual {
        what: "Somebody plays DHCP server, so that clients take its gateway and name server (a man in the middle), or exhausts the addresses of the real one.",
        basis: "OFFER and ACK messages by the server they name, per network (VLAN); the hardware address the server's flows come from; DHCP messages per client hardware address, per server and in all in intervals of five minutes, against a floor and against the mean of past intervals.",
        bias: "Without dhcp_servers a server is called fake only if another answered alone for known_for_min_min and still answers; relayed messages do not count then, since each relay may name itself. Comparisons with the past are silent until intervals_min intervals were learned, which are kept in memory only. ServerChange needs hardware addresses.",
        false_positives: "A second server that was really added, or a standby that takes its turn for the first time: put both into dhcp_servers. A server moved to other hardware. A whole site that starts after a power cut.",
        response: "Find the port of the switch by the hardware address and take the stranger off; switch on DHCP snooping.",
    },
};
