//! What ALIENDEV says of itself: rules, words, manual.

use weir_model::{
    Clause, Kind, Manual, Maturity, MethodMeta, Need, Priority, Protocol, Reads, Scope, SubmethodMeta,
    Technique,
};

const ADDED_HARDWARE: &[Technique] = &[Technique {
    tactic: "TA0001",
    technique: "T1200",
}];

pub(super) const META: MethodMeta = MethodMeta {
    code: "ALIENDEV",
    slug: "aliendev",
    family: "asset",
    title: "Unknown device",
    submethods: &[
        SubmethodMeta {
            name: "KnownSegment",
            about: "A host uses an address outside the allowed ones",
            rules: &[&[Clause::at_least("flows", "one")]],
            reason: "{source} is none of the allowed addresses; flows in {span}: {flows}",
            needs: &[],
            techniques: ADDED_HARDWARE,
        },
        SubmethodMeta {
            name: "IPBased",
            about: "An address was never seen while its network was learned",
            rules: &[&[Clause::at_least("learned", "season")]],
            reason: "{source} was never seen in its network, which has been learned for {learned} days",
            needs: &[],
            techniques: ADDED_HARDWARE,
        },
        SubmethodMeta {
            name: "MACBased",
            about: "A hardware address was never seen while the network was learned",
            rules: &[&[Clause::at_least("learned", "season")]],
            reason: "the device {MAC} ({targets}) was never seen in this network, which has been learned for {learned} days",
            needs: &[Need::Macs, Need::Payload],
            techniques: ADDED_HARDWARE,
        },
    ],
    priority: Priority::Medium,
    maturity: Maturity::Preview,
    scope: Scope::Network,
    reads: Reads {
        transactions: &[(Protocol::Arp, Kind::Query), (Protocol::Dhcp, Kind::Lease)],
        fields: &[
            "arp.sender_mac",
            "arp.sender_ip",
            "dhcp.client_mac",
            "dhcp.your_ip",
        ],
        ..Reads::ENDED_FLOWS
    },
    needs: &[],
    same_as: &[],
    manual: Manual {
        what: "A device nobody knows: a guest, a gift with a network plug, an intruder's small computer.",
        basis: "KnownSegment: initiators of answered flows outside known_segment. IPBased: IPv4 addresses of inside hosts per network of 256, after it has been learned for closed_season_d; one answered flow in four is looked at. MACBased: senders of ARP messages and clients of DHCP leases after closed_season_mac_d. The source is the link-local address of the hardware address.",
        bias: "Silent while it learns; days without traffic teach nothing; what was learned outlives restarts. A network of 256 addresses learns for itself, so the first device of a new one is not reported. IPv6 addresses change by design and are left to MACBased. Addresses drawn by lot, those of virtual routers and of groups do not count. At most 16 new ones are told of within five minutes.",
        false_positives: "New devices that are welcome. Where addresses are given out anew each day, IPBased tells little: set closed_season_d = 0.",
        response: "Ask who brought it; find its switch port by the hardware address.",
    },
};
