//! What SRVNA says of itself: rules, words, manual.

use weir_model::{
    Clause, Manual, Maturity, MethodMeta, Need, Priority, Reads, Rule, Scope, SubmethodMeta, Technique,
};

const STOPPED: Rule = &[
    Clause::at_least("failures", "attempts_min"),
    Clause::at_least("clients", "clients_min"),
    Clause::at_least("share", "relative_unsuccessful"),
    Clause::at_least("answered_before", "once"),
];
const CUT_OFF: Rule = &[
    Clause::at_least("outage_failures", "attempts_min"),
    Clause::at_least("outage_clients", "clients_min"),
    Clause::at_least("outage", "outage_s"),
    Clause::at_least("answered_before", "once"),
];
const NEVER_THERE: Rule = &[
    Clause::at_least("failures", "attempts_min"),
    Clause::at_least("clients", "clients_min"),
    Clause::at_least("share", "relative_unsuccessful"),
    Clause::at_least("tries_per_client", "tries_per_client_min"),
    Clause::is("alive", "once"),
];
const DENIAL: &[Technique] = &[
    Technique {
        tactic: "TA0040",
        technique: "T1489",
    },
    Technique {
        tactic: "TA0040",
        technique: "T1499",
    },
];

pub(super) const META: MethodMeta = MethodMeta {
    code: "SRVNA",
    slug: "srvna",
    family: "flood",
    title: "Service not available",
    submethods: &[
        SubmethodMeta {
            name: "TCPService",
            about: "A TCP service answers nobody although several clients keep trying",
            rules: &[STOPPED, CUT_OFF, NEVER_THERE],
            reason: "{Service} of {source} left {failures} tries of {clients} clients without an answer in {span}",
            needs: &[Need::TcpFlags],
            techniques: DENIAL,
        },
        SubmethodMeta {
            name: "TCPServiceReset",
            about: "A TCP service refuses everybody although several clients keep trying",
            rules: &[STOPPED, CUT_OFF, NEVER_THERE],
            reason: "{Service} of {source} refused {rejected} of {failures} tries of {clients} clients in {span}",
            needs: &[Need::TcpFlags],
            techniques: DENIAL,
        },
        SubmethodMeta {
            name: "UDPService",
            about: "A UDP service that used to answer answers nobody although several clients keep asking",
            rules: &[
                &[
                    Clause::at_least("failures", "udp_threshold"),
                    Clause::at_least("clients", "clients_min"),
                    Clause::at_least("share", "relative_unsuccessful"),
                    Clause::at_least("answered_before", "udp_answers_min"),
                ],
                &[
                    Clause::at_least("outage_failures", "udp_threshold"),
                    Clause::at_least("outage_clients", "clients_min"),
                    Clause::at_least("outage", "outage_s"),
                    Clause::at_least("answered_before", "udp_answers_min"),
                ],
            ],
            reason: "{Service} of {source} left {failures} questions of {clients} clients without an answer in {span}",
            needs: &[],
            techniques: DENIAL,
        },
    ],
    priority: Priority::Critical,
    maturity: Maturity::Preview,
    scope: Scope::Responder,
    reads: Reads::ENDED_FLOWS,
    needs: &[Need::BothDirections, Need::Unsampled],
    same_as: &["DOS.SYNFlood", "DOS.Volumetric"],
    manual: Manual {
        what: "A service that people need does not work: it crashed, was stopped, a firewall rule cut it off, or an attack exhausts it. The provider is the source of the event, the clients that fail are its targets.",
        basis: "Ended flows per inside provider and port in five minutes: tries that failed, clients that fail and clients that succeed; and tries that failed since anybody was last answered, for a service that stops within the five minutes. The service must have answered before in this feed; one that never did is reported only when its host is alive and inside clients come back several times each. UDP must always have answered before.",
        bias: "Silent in doubt: hosts outside (unless in service_providers), hosts that never sent anything, single clients, ports above 1023 tried from outside, tries without the client's SYN, and flow records without the other direction do not count. What answered is remembered in memory, for a day.",
        false_positives: "A service that moved while clients keep its old address; a planned stop; a workstation that left the network while others still want its shares.",
        response: "Ask the service whether it runs, then the firewalls between. If DOS names the same host, it is an attack.",
    },
};
