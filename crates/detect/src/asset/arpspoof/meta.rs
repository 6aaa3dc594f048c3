//! What ARPSPOOF says of itself: rules, words, manual.

use weir_model::{
    Clause, Manual, Maturity, MethodMeta, Need, Priority, Reads, Rule, Scope, SubmethodMeta, Technique,
};

const TO_AND_FRO: Rule = &[Clause::at_least("changes", "changes_min")];
const PRESSED: Rule = &[
    Clause::at_least("unasked", "unasked_min"),
    Clause::at_least("changes", "changed"),
];
const GATEWAY_PRESSED: Rule = &[
    Clause::at_least("gateway_unasked", "gateway_unasked_min"),
    Clause::at_least("changes", "changed"),
];
const SEVERAL: Rule = &[
    Clause::at_least("addresses", "addresses_min"),
    Clause::at_least("pushed", "pushed_min"),
];

const POISONING: &[Technique] = &[Technique {
    tactic: "TA0006",
    technique: "T1557.002",
}];

pub(super) const META: MethodMeta = MethodMeta {
    code: "ARPSPOOF",
    slug: "arpspoof",
    family: "asset",
    title: "Claim of another's address",
    submethods: &[
        SubmethodMeta {
            name: "Conflict",
            about: "An address goes to and fro between hardware addresses or is taken by pressing, or one hardware address presses several addresses on others",
            rules: &[TO_AND_FRO, PRESSED, SEVERAL],
            reason: "{MAC} claims {Claimed}{Before}{Told} within {span}: {Signs}",
            needs: &[],
            techniques: POISONING,
        },
        SubmethodMeta {
            name: "Gateway",
            about: "The same for an address that many hosts ask for, such as the gateway's, or told to the gateway",
            rules: &[TO_AND_FRO, PRESSED, GATEWAY_PRESSED, SEVERAL],
            reason: "{MAC} puts itself between hosts and their gateway: claims {Claimed}{Before}{Told} within {span}, {Signs}",
            needs: &[],
            techniques: POISONING,
        },
        SubmethodMeta {
            name: "Storm",
            about: "One hardware address announces addresses without end",
            rules: &[&[Clause::at_least("per_minute", "storm_per_minute_min")]],
            reason: "{MAC} made {per_minute} announcements of addresses within a minute (addresses: {addresses})",
            needs: &[],
            techniques: POISONING,
        },
        SubmethodMeta {
            name: "NeighbourAdvert",
            about: "The same in IPv6: overriding neighbour advertisements for another's address",
            rules: &[TO_AND_FRO, PRESSED],
            reason: "{MAC} advertises {Claimed}{Before} within {span}: {Signs}",
            needs: &[],
            techniques: POISONING,
        },
    ],
    priority: Priority::High,
    maturity: Maturity::Preview,
    scope: Scope::Link,
    reads: Reads {
        transactions: super::READS,
        fields: &[
            "arp.op",
            "arp.sender_mac",
            "arp.sender_ip",
            "arp.target_ip",
            "nd.kind",
            "nd.target",
            "nd.link_address",
            "nd.override",
        ],
        ..Reads::ENDED_FLOWS
    },
    needs: &[Need::Packets, Need::Macs],
    same_as: &[],
    manual: Manual {
        what: "A host that answers for an address of another, so that traffic passes through it: the base of eavesdropping and changing traffic on a local network. The gateway is the usual prey.",
        basis: "Who claims an address is learned from ARP, from neighbour advertisements, and from the hardware address of traffic between inside hosts. An address that goes to and fro between two of them, one that is taken by answers nobody asked for and kept by repeating them, and one hardware address that pushes several addresses on others, are reported. Announcements to all count only when they go on for longer than a takeover needs. An answer right behind the sender's own question is pushed, because the asked host has just learned the address. An address asked for by many hosts is taken for a gateway.",
        bias: "Silent when in doubt: a single change of hands, a change after the holder fell silent (new lease, new card), probes with an empty sender, and the virtual addresses of VRRP, HSRP and CARP are not reported. Rogue router advertisements are another matter and not seen here.",
        false_positives: "Machines and bridges that answer for the same address on two cards; clusters that move an address with its real hardware address again and again; two machines configured with one address, which is a fault worth knowing.",
        response: "Find the port of the hardware address on the switch. Compare with the owner's; renew the neighbour tables of the victims; assume that clear-text passwords since then are known. Turn on dynamic ARP inspection or RA guard.",
    },
};
