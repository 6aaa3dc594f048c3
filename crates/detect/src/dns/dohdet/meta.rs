//! What DOHDET says of itself: rules, words, manual.

use weir_model::{
    Clause, Kind, Manual, Maturity, MethodMeta, Need, Priority, Protocol, Reads, Scope, SubmethodMeta,
    Technique,
};

const TUNNELING: &[Technique] = &[Technique {
    tactic: "TA0011",
    technique: "T1572",
}];

pub(super) const META: MethodMeta = MethodMeta {
    code: "DOHDET",
    slug: "dohdet",
    family: "dns",
    title: "Name resolution over HTTPS",
    submethods: &[
        SubmethodMeta {
            name: "KnownServers",
            about: "A host resolves names at a public resolver over HTTPS, told by the resolver's name or address",
            rules: &[&[Clause::at_least("uses", "one")]],
            reason: "{source} resolves names over HTTPS at {targets} in {span}, known by {known_by}: {UploadedData} sent, {DownloadedData} received",
            needs: &[],
            techniques: TUNNELING,
        },
        SubmethodMeta {
            name: "BehavioralDetection",
            about: "A host visits the web without asking for names, beside one long TLS session of short questions and answers",
            rules: &[&[
                Clause::at_least("visited", "visited_min"),
                Clause::at_most("plain", "plain_max"),
                Clause::at_least("lasted", "session_min"),
                Clause::at_most("question_bytes", "question_bytes_max"),
                Clause::at_most("answer_bytes", "answer_bytes_max"),
                Clause::at_least("rate", "rate_min"),
            ]],
            reason: "{source} visited {visited} web servers and asked {plain} questions by plain DNS, beside {lasted} with {target} of short questions ({question_bytes} B) and answers ({answer_bytes} B)",
            needs: &[Need::BothDirections],
            techniques: TUNNELING,
        },
    ],
    priority: Priority::Medium,
    maturity: Maturity::Preview,
    scope: Scope::Initiator,
    reads: Reads {
        transactions: &[(Protocol::Tls, Kind::Handshake), (Protocol::Http, Kind::Request)],
        fields: &["tls.sni", "http.host"],
        ..Reads::ALL_FLOWS
    },
    needs: &[],
    same_as: &[],
    manual: Manual {
        what: "Names resolved over HTTPS pass by the resolver of the network: its filters, its logs and the methods that watch DNS. Browsers do it, and so does malware.",
        basis: "KnownServers: the server name of a TLS handshake, the host of an HTTP request, or flows to port 443 at an address that serves nothing but resolution. BehavioralDetection: in one hour a host exchanged data with many web servers, asked (almost) nothing by plain DNS, and held one long session on port 443 with short packets both ways.",
        bias: "A resolver at an address that also serves web pages is known by its name only, which encrypted hellos hide. BehavioralDetection is silent until behaviour is switched on, because it takes hosts whose DNS the sensor does not see for hosts without.",
        false_positives: "Browsers that are meant to do so: allow their resolver, or forbid it by policy of the browser. For BehavioralDetection chats and notifications of hosts with long-lived caches or a list of hosts.",
        response: "Find the program. Answer use-application-dns.net with NXDOMAIN to switch it off in browsers, and block the resolvers where it must not be.",
    },
};
