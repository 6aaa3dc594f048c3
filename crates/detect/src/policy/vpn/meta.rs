//! What VPN says of itself: rules, words, manual.

use weir_model::{
    Clause, Manual, Maturity, MethodMeta, Need, Priority, Reads, Rule, Scope, SubmethodMeta, Technique,
};

const TUNNELING: &[Technique] = &[Technique {
    tactic: "TA0011",
    technique: "T1572",
}];
const IN_USE: &[Rule] = &[&[Clause::at_least("packets", "packets_min")]];

const fn product(name: &'static str, about: &'static str) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: IN_USE,
        reason: "{source} keeps up a tunnel ({Description}) to {targets} in {span}: {uploaded} sent, {downloaded} received",
        needs: &[],
        techniques: TUNNELING,
    }
}

pub(super) const META: MethodMeta = MethodMeta {
    code: "VPN",
    slug: "vpn",
    family: "policy",
    title: "Private tunnel",
    submethods: &[
        product(
            "OpenVPN",
            "OpenVPN by its first packet on any port, or on its port 1194, over UDP or TCP",
        ),
        product("IPSec", "IPsec: ESP, or its packets on UDP 4500"),
        product("MSPPTP", "PPTP on TCP 1723"),
        product("Hamachi", "Hamachi on TCP 12975"),
        product(
            "WireGuard",
            "WireGuard by its handshake on any port, or on its usual port, UDP 51820",
        ),
        product("InternetTunnel", "L2TP, ZeroTier, Nebula or tinc on their ports"),
        SubmethodMeta {
            name: "BehavioralDetection",
            about: "One long, heavy conversation of unknown kind carries most of what a host exchanges with the outside",
            rules: &[&[
                Clause::at_least("moved", "minimal_data"),
                Clause::at_least("lasted", "minimal_time"),
                Clause::at_least("share", "share_min"),
                Clause::at_least("balance", "balance_min"),
            ]],
            reason: "{source} and {target} exchanged {moved} in {lasted}, {share} of all the host exchanged with the outside, both ways",
            needs: &[Need::BothDirections],
            techniques: TUNNELING,
        },
    ],
    priority: Priority::Informational,
    maturity: Maturity::Preview,
    scope: Scope::Initiator,
    reads: Reads::ALL_FLOWS,
    needs: &[],
    same_as: &[],
    manual: Manual {
        what: "A host inside carries traffic to the outside in a tunnel that nobody else can look into: a remote worker, an evaded filter, or a way out for an intruder.",
        basis: "Answered flows of inside hosts to the outside that begin as OpenVPN or WireGuard begin, or that use the ports or the protocol numbers of known products, ten packets each way; and one conversation of at least minimal_time_min and minimal_data_mib that carries share_min of the host's outside bytes and flows both ways.",
        bias: "BehavioralDetection is silent until behaviour is switched on. Ports are taken at their word unless content shows another protocol; OpenVPN and WireGuard are found on other ports too when packets are seen from the beginning, other products and those that hide in TLS on 443 are not. Conversations whose content is recognised and those on web ports are left out of BehavioralDetection. Flows to inside gateways do not count.",
        false_positives: "Tunnels that are meant to be; for BehavioralDetection video conferences, games, remote desktops and backups by unknown protocols.",
        response: "Ask whether the tunnel is allowed. Priority is informational: raise it in your perspective where tunnels are forbidden.",
    },
};
