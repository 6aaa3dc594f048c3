//! RANDOMDOMAIN: a host asks for names that look drawn by lot, as programs do that search their masters by generated
//! names. One odd name is chance or a shop with an odd name, so several different ones are wanted.

mod lexical;

use weir_model::{
    Clause, Facts, FlowFilter, Kind, Manual, Maturity, MethodMeta, NANOS_PER_S, Need, Priority, Protocol,
    Quantity, Reads, Rule, Scope, SubmethodMeta, Target, Technique, Time, Transaction,
};

use crate::baseline::Distinct;
use crate::names::{is_within, registered_label};
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Look at names in DNS questions.
    dns: bool = true;
    /// Look at host names in HTTP requests and TLS handshakes.
    http: bool = true;
    /// Score from which a name looks random, 0 to 1. Higher is quieter and misses shorter names.
    score_min: f64 = 0.9, 0.5..=1.0;
    /// Different random-looking domains a host asks for within the window before they are reported.
    names_min: u32 = 3, 1..=10_000;
    /// Different names that look at least half random and do not exist: with so many, one random-looking name suffices.
    failed_min: u32 = 10, 1..=10_000;
    /// Time in which the names of a host are counted together, minutes.
    window_min: u32 = 60, 1..=10_080;
    /// Domains that are left out with all names under them.
    ignore_domains: Vec<String> = Vec::new();
}

/// Score from which a name that does not exist counts among the failures.
const FAILED_SCORE: f64 = 0.5;
/// Names shown; more are only counted.
const LISTED_MAX: usize = 16;
const EITHER: &[Rule] = &[
    &[Clause::at_least("names", "names_min")],
    &[
        Clause::at_least("failed", "failed_min"),
        Clause::at_least("names", "one"),
    ],
];

/// See the file.
pub struct RandomDomain;

/// Odd names of one host.
#[derive(Default)]
pub struct State {
    names: Distinct<LISTED_MAX>,
    listed: Vec<Box<str>>,
    failed: Distinct<LISTED_MAX>,
    servers: Vec<Target>,
    span: Option<(Time, Time)>,
}

impl Method for RandomDomain {
    const META: MethodMeta = MethodMeta {
        code: "RANDOMDOMAIN",
        slug: "randomdomain",
        family: "dns",
        title: "Random-looking names",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "A host asks for several names that look drawn by lot",
            rules: EITHER,
            reason: "{source} asked for random-looking names ({names}: {Domains}) in {span}; odd names that do not exist: {failed}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0011",
                technique: "T1568.002",
            }],
        }],
        priority: Priority::Informational,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[
                (Protocol::Dns, Kind::Query),
                (Protocol::Tls, Kind::Handshake),
                (Protocol::Http, Kind::Request),
            ],
            fields: &["dns.query", "dns.rd", "dns.rcode", "tls.sni", "http.host"],
            ..Reads::NOTHING
        },
        needs: &[Need::Payload],
        same_as: &[],
        manual: Manual {
            what: "Malware that must not lose its masters tries names that both sides compute from the date. They look like nobody chose them.",
            basis: "The registered label of names in DNS questions, HTTP hosts and TLS server names: length, rarity of letter pairs, runs without a vowel, changes between letters and digits. Several different labels over score_min in the window; or one, beside many odd ones that do not exist.",
            bias: "Labels shorter than seven characters, names in other scripts, single labels, reverse and multicast look-ups are not judged, nor a resolver's own questions. Generators that join words or syllables are not recognised. Names at providers of dynamic names are judged by the part people choose, those at content networks by the provider's.",
            false_positives: "Abbreviations, names of languages far from English, trackers and advertisers behind throw-away domains, blocking lists that are fetched name by name.",
            response: "Look at the names and at what the host contacted afterwards; leave known domains out by ignore_domains.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(params: &Params) -> Window {
        Window::idle_s(params.window_min * 60)
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        let counts = odd(params, transaction).is_some_and(|(_, _, score, failed)| {
            score >= params.score_min || (failed && score >= FAILED_SCORE)
        });
        if counts {
            cells.add(CellKey::initiator(&transaction.key));
        }
    }

    fn breaks(params: &Params, state: &State, start: Time) -> bool {
        state
            .span
            .is_some_and(|(first, _)| start.since(first) > i64::from(params.window_min) * 60 * NANOS_PER_S)
    }

    fn on_transaction(params: &Params, state: &mut State, _: &CellKey, transaction: &Transaction) {
        let Some((name, label, score, failed)) = odd(params, transaction) else {
            return;
        };
        let (first, last) = state.span.unwrap_or((transaction.start, transaction.end));
        state.span = Some((first.min(transaction.start), last.max(transaction.end)));
        if failed {
            state.failed.add(label);
        }
        if score >= params.score_min && state.names.add(label) && state.listed.len() < LISTED_MAX {
            state.listed.push(name.into());
            let server = Target::service(transaction.key.responder_ip, transaction.key.responder_port);
            if !state.servers.contains(&server) {
                state.servers.push(server);
            }
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((first, last)) = state.span.filter(|_| out.due("General")) else {
            return;
        };
        let facts = Facts::new()
            .input("names", Quantity::Count(state.names.count()))
            .input("failed", Quantity::Count(state.failed.count()))
            .limit("names_min", Quantity::Count(params.names_min.into()))
            .limit("failed_min", Quantity::Count(params.failed_min.into()))
            .limit("one", Quantity::Count(1));
        if let Some(verdict) = out.judge("General", facts) {
            verdict
                .targets(state.servers.clone(), state.servers.len() as u64)
                .span(first, last)
                .detail("Domains", Quantity::Texts(state.listed.clone()))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    ..FlowFilter::default()
                });
        }
    }
}

/// The name a transaction asks for, its registered label, how random that looks, and whether the name does not exist.
fn odd<'a>(params: &Params, transaction: &'a Transaction) -> Option<(&'a str, &'a str, f64, bool)> {
    let name = match transaction.protocol {
        Protocol::Dns => {
            let asks = params.dns && !transaction.key.responder_ip.is_multicast();
            // A resolver that looks for the answer itself repeats what its clients asked.
            asks.then(|| transaction.text("dns.query"))
                .flatten()
                .filter(|_| transaction.flag("dns.rd") != Some(false))?
        }
        Protocol::Tls => transaction.text("tls.sni").filter(|_| params.http)?,
        _ => transaction.text("http.host").filter(|_| params.http)?,
    };
    let name = name.split_once(':').map_or(name, |(host, _)| host);
    let label = registered_label(name)?;
    let score = lexical::score(label);
    let ignored = || params.ignore_domains.iter().any(|domain| is_within(name, domain));
    if score < FAILED_SCORE || ignored() {
        return None;
    }
    Some((
        name,
        label,
        score,
        transaction.text("dns.rcode") == Some("NXDOMAIN"),
    ))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    #[test]
    fn three_names() {
        check::<RandomDomain>(
            "@0s tx dns/query 10.0.0.5 <> 10.0.0.1:53 dns.query=xkqvbznwtrjpm.example dns.rcode=NXDOMAIN
             @1s tx tls/handshake 10.0.0.5 <> 203.0.113.9:443 tls.sni=www.qwvjzk8fh2mxp.com
             @2s tx http/request 10.0.0.5 <> 203.0.113.9:80 http.host=vbqmxzjrtkwpl.co.uk:8080",
            expect![[r#"
                RANDOMDOMAIN.General 50 % after 2 s, 2 findings, 3 targets: 10.0.0.5 asked for random-looking names (3: xkqvbznwtrjpm.example, www.qwvjzk8fh2mxp.com, vbqmxzjrtkwpl.co.uk) in 2 s; odd names that do not exist: 1
                  names >= names_min; silent at names 3; src ip 10.0.0.5
            "#]],
        );
    }

    /// Names of middling oddness that do not exist make one random-looking name suspicious.
    #[test]
    fn a_run_of_failures() {
        check::<RandomDomain>(
            "@0s tx dns/query every 500ms x18 10.0.0.5 <> 10.0.0.1:53 dns.query={jdoqocy,zewvyym,nawkxuj,ijwozlv,piwhzmuw,tbbujqkry,ufggdwezyd,btmbxiacvl,gmjstqdpmv}.example dns.rcode=NXDOMAIN
             @9s tx dns/query 10.0.0.5 <> 10.0.0.1:53 dns.query=vkqxzbjwtrnpm.info dns.rcode=NXDOMAIN",
            expect![[r#"
                RANDOMDOMAIN.General 50 % after 9 s, 2 findings, 1 targets: 10.0.0.5 asked for random-looking names (1: vkqxzbjwtrnpm.info) in 9 s; odd names that do not exist: 10
                  failed >= failed_min and names >= one; silent at failed 10, names 1; src ip 10.0.0.5
            "#]],
        );
    }

    /// Two domains, the third after the window; ordinary ones; the network's own questions; a domain left out.
    #[test]
    fn below_the_limits() {
        check::<RandomDomain>(
            "@0s tx dns/query 10.0.0.5 <> 10.0.0.1:53 dns.query=xkqvbznwtrjpm.example
             @1s tx dns/query every 1s x9 10.0.0.5 <> 10.0.0.1:53 dns.query=a{1..9}.qwvjzk8fh2mxp.com
             @70min tx dns/query 10.0.0.5 <> 10.0.0.1:53 dns.query=vbqmxzjrtkwpl.org
             @0s tx dns/query every 1s x20 10.0.0.6 <> 10.0.0.1:53 dns.query=host{1..20}.deutsche-bank.de
             @0s tx dns/query every 1s x20 10.0.0.6 <> 10.0.0.1:53 dns.query=xkqvbznwtrjpm{1..20}.cloudfront.net
             @0s tx dns/query every 1s x20 10.0.0.1 <> 203.0.113.53:53 dns.query=xkqvbznwtr{1..20}jpm.com dns.rd=false
             @0s tx dns/query every 1s x20 10.0.0.6 > 224.0.0.251:5353 dns.query=xkqvbznwtr{1..20}jpm.com",
            expect![[""]],
        );
        check_with::<RandomDomain>(
            r#"{"ignore_domains": ["xkqvbznwtrjpm.com"]}"#,
            "@0s tx dns/query every 1s x20 10.0.0.6 <> 10.0.0.1:53 dns.query=a{1..20}.xkqvbznwtrjpm.com",
            expect![[""]],
        );
        check_with::<RandomDomain>(
            r#"{"dns": false}"#,
            "@0s tx dns/query every 1s x20 10.0.0.6 <> 10.0.0.1:53 dns.query=xkqvbznwtr{1..20}jpm.com",
            expect![[""]],
        );
    }
}
