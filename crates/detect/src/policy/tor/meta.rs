//! What TOR says of itself: rules, words, manual.

use weir_model::{
    Clause, Kind, Manual, Maturity, MethodMeta, Priority, Protocol, Reads, Rule, Scope, SubmethodMeta,
    Technique,
};

const RULES: &[Rule] = &[&[Clause::at_least("flows", "flows_min")]];
const PROXY: &[Technique] = &[Technique {
    tactic: "TA0011",
    technique: "T1090.003",
}];

pub(super) const META: MethodMeta = MethodMeta {
    code: "TOR",
    slug: "tor",
    family: "policy",
    title: "Tor network",
    submethods: &[
        SubmethodMeta {
            name: "ClientDirectAccess",
            about: "A host inside contacts a Tor relay",
            rules: RULES,
            reason: "{source} contacted Tor relays ({targets}) with {flows} flows in {span}; {UploadedData} sent, {DownloadedData} received, answered: {Success}",
            needs: &[],
            techniques: PROXY,
        },
        SubmethodMeta {
            name: "ClientHandshake",
            about: "A host inside shakes hands the way Tor does, with names and certificates made up by lot",
            rules: &[&[Clause::at_least("handshakes", "handshakes_min")]],
            reason: "{source} entered Tor at {targets}: {handshakes} TLS handshakes in {span} ask for a name made up by lot ({name}) and get a certificate made up by lot ({certificate})",
            needs: &[],
            techniques: PROXY,
        },
        SubmethodMeta {
            name: "ServerAccess",
            about: "A Tor relay contacts a server inside",
            rules: RULES,
            reason: "the Tor relay {source} contacted {targets} with {flows} flows in {span}; {UploadedData} sent, {DownloadedData} received, answered: {Success}",
            needs: &[],
            techniques: PROXY,
        },
    ],
    priority: Priority::Medium,
    maturity: Maturity::Stable,
    scope: Scope::Initiator,
    reads: Reads {
        transactions: &[(Protocol::Tls, Kind::Handshake)],
        fields: &["tls.sni", "tls.cert_subject", "tls.cert_issuer"],
        ..Reads::ENDED_FLOWS
    },
    needs: &[],
    same_as: &[],
    manual: Manual {
        what: "Tor hides who talks to whom: people use it for privacy, malware to reach its masters, attackers to come unseen.",
        basis: "Ended TCP and UDP flows between inside hosts and the addresses in relays; where the list names a port, only that port of the relay counts as its entrance. ClientHandshake needs no list: a client asks for www, random letters, com; the relay shows a certificate for www, other random letters, net, issued by www, others again, com (Tor protocol, link handshakes 1 to 3).",
        bias: "The access submethods are silent without a list, and the coverage report says so. ClientHandshake sees TLS up to version 1.2 only: from 1.3 on the certificate is hidden. Bridges are in no list and are not found. A relay's address counts for ServerAccess whatever its port, because exits choose ports freely; relays that are no exits also run ordinary programs.",
        false_positives: "Hosts that share an address with a relay; own relays.",
        response: "Find the program on the host. Refresh the list at least daily: a third of the relays changes within weeks.",
    },
};
