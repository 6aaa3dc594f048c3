//! What SMTPANOMALY says of itself: rules, words, manual.

use weir_model::{
    Clause, Kind, Manual, Maturity, MethodMeta, Priority, Protocol, Reads, Scope, SubmethodMeta, Technique,
};

pub(super) const META: MethodMeta = MethodMeta {
    code: "SMTPANOMALY",
    slug: "smtpanomaly",
    family: "policy",
    title: "Unusual mail traffic",
    submethods: &[
        SubmethodMeta {
            name: "UndefinedServer",
            about: "A station uses a mail server that is not one of the network's",
            rules: &[&[Clause::at_least("flows", "one")]],
            reason: "{source} sends mail past this network's servers, through {targets}; connections in {span}: {flows}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0011",
                technique: "T1071.003",
            }],
        },
        SubmethodMeta {
            name: "SpammingClient",
            about: "A station sends many times the mail its equals send, or hands much mail to many servers itself",
            rules: &[
                &[
                    Clause::above("mails", "mails_max"),
                    Clause::at_least("mails", "minimal_mail_limit"),
                    Clause::at_least("stations", "stations_min"),
                ],
                &[
                    Clause::at_least("mails", "spam_counter"),
                    Clause::at_least("servers", "spam_servers_min"),
                ],
            ],
            reason: "{source} sent {mails} mails to {servers} servers in {span}; the mean of {stations} others is {mean_of_others} in an hour",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0040",
                technique: "T1496",
            }],
        },
    ],
    priority: Priority::High,
    maturity: Maturity::Preview,
    scope: Scope::Network,
    reads: Reads {
        transactions: &[(Protocol::Smtp, Kind::Mail)],
        ..Reads::ENDED_FLOWS
    },
    needs: &[],
    same_as: &[],
    manual: Manual {
        what: "A station that sends mail past the network's servers, or far too much of it, sends spam, phishing or stolen files.",
        basis: "TCP to 25, 465 and 587. UndefinedServer: connections of inside stations to servers outside servers_filter. SpammingClient: mails of each station over the last hour, message by message in the clear, else connection by connection of 400 B and more, against a multiple of the mean of the others; or spam_counter mails to spam_servers_min servers.",
        bias: "UndefinedServer is silent until servers_filter is set, and the coverage report says so. Whoever takes mail itself is a server and never a spamming client. With fewer than stations_min others there is no mean. A connection under TLS counts as one mail.",
        false_positives: "Newsletters and monitoring: put them into exclude_mail_servers. Guests that use their own provider: ignore_tcp587 and ignore_secured_smtp.",
        response: "Block TCP 25 for stations; look for what runs on the host.",
    },
};
