//! SIPSCAN: somebody tries many telephone servers, or many identities at one, and mostly in vain.

use weir_model::{
    Clause, Facts, FlowFilter, Kind, Manual, Maturity, MethodMeta, Need, Outcome, Priority, Protocol,
    Quantity, Reads, Rule, Scope, SubmethodMeta, Target, Technique, Time, Transaction,
};

use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Servers, or identities, that are tried. More makes it quieter.
    threshold: u32 = 30, 2..=1_000_000;
    /// Share of the tries that did not succeed, per cent. Telephones of an office behind one address succeed every
    /// second time: a challenge, then the answer to it.
    failed_share_pct: f64 = 80.0, 1.0..=100.0;
}

/// Silence that ends a scan, seconds.
const IDLE_S: u32 = 300;
const TARGETS_LISTED_MAX: usize = 32;

/// See the file.
pub struct SipScan;

/// The tries of one host with one kind of request.
#[derive(Default)]
pub struct State {
    servers: Distinct,
    identities: Distinct,
    flows: Distinct,
    tries: u64,
    failed: u64,
    listed: Vec<Target>,
    span: Option<(Time, Time)>,
}

const RULES: &[Rule] = &[
    &[
        Clause::at_least("servers", "threshold"),
        Clause::at_least("failed_share", "failed_share_min"),
    ],
    &[
        Clause::at_least("identities", "threshold"),
        Clause::at_least("failed_share", "failed_share_min"),
    ],
];

const TECHNIQUES: &[Technique] = &[Technique {
    tactic: "TA0043",
    technique: "T1595",
}];

const fn submethod(name: &'static str, about: &'static str) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: RULES,
        reason: "{source} tried {identities} identities at {targets} with {tries} requests in {span}, {failed} without success",
        needs: &[],
        techniques: TECHNIQUES,
    }
}

/// Methods by role of cells.
const METHODS: [(&str, &str); 3] = [
    ("Register", "REGISTER"),
    ("Options", "OPTIONS"),
    ("Invite", "INVITE"),
];

impl Method for SipScan {
    const META: MethodMeta = MethodMeta {
        code: "SIPSCAN",
        slug: "sipscan",
        family: "scan",
        title: "Search for telephone servers and identities",
        submethods: &[
            submethod(
                "Register",
                "A host tries to register many identities, or at many servers.",
            ),
            submethod(
                "Options",
                "A host asks many servers, or about many identities, what they can do.",
            ),
            submethod("Invite", "A host calls many numbers, or at many servers."),
        ],
        priority: Priority::Low,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[(Protocol::Sip, Kind::Request)],
            fields: &["sip.method", "sip.client", "sip.status", "sip.to", "sip.uri"],
            ..Reads::NOTHING
        },
        needs: &[Need::Payload, Need::Unsampled],
        same_as: &["SCANS", "SIPFLOOD"],
        manual: Manual {
            what: "The first step of telephone fraud: find servers, then names that exist, then a password or a number \
                   that lets calls out.",
            basis: "Different servers and different identities (To, and the address asked for) of one host's REGISTER, \
                    OPTIONS or INVITE requests until it is silent for five minutes, and how many did not succeed: no \
                    final answer, a challenge, a refusal.",
            bias: "Silent while enough tries succeed, so that an exchange with many telephones, and an office behind one \
                   address, are not told. A scan slower than one request in five minutes is not seen.",
            false_positives: "An exchange that has just lost its telephones; a test tool.",
            response: "Outside: refuse the address at the border. Inside: look at the program that sends (user agent).",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_transaction(_: &Params, transaction: &Transaction, cells: &mut Cells) {
        let method = transaction.text("sip.method").unwrap_or_default();
        let role = METHODS.iter().position(|(_, word)| *word == method);
        if let (Some(role), Some(client)) = (role, transaction.ip("sip.client")) {
            cells.add(CellKey::host(client).role(role as u8));
        }
    }

    fn on_transaction(_: &Params, state: &mut State, cell: &CellKey, transaction: &Transaction) {
        let key = &transaction.key;
        let (server, port) = if cell.host == key.initiator_ip {
            (key.responder_ip, key.responder_port)
        } else {
            (key.initiator_ip, key.initiator_port)
        };
        if state.servers.add(server) && state.listed.len() < TARGETS_LISTED_MAX {
            state.listed.push(Target::service(server, port));
        }
        if let Some(identity) = transaction.text("sip.to").or_else(|| transaction.text("sip.uri")) {
            state.identities.add(identity);
        }
        state.flows.add(transaction.flow);
        state.tries += 1;
        state.failed += u64::from(transaction.outcome != Outcome::Accepted);
        let (first, last) = state.span.unwrap_or((transaction.start, transaction.end));
        state.span = Some((first.min(transaction.start), last.max(transaction.end)));
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let (servers, identities) = (state.servers.count(), state.identities.count());
        if servers.max(identities) < params.threshold.into() {
            return;
        }
        let Some(((submethod, _), (first, last))) =
            METHODS.get(usize::from(cell.role)).copied().zip(state.span)
        else {
            return;
        };
        if !out.due(submethod) {
            return;
        }
        let share = state.failed as f64 / state.tries.max(1) as f64 * 100.0;
        let facts = Facts::new()
            .input("servers", Quantity::Count(servers))
            .input("identities", Quantity::Count(identities))
            .input("tries", Quantity::Count(state.tries))
            .input("failed", Quantity::Count(state.failed))
            .input("failed_share", Quantity::Ratio(share))
            .limit("threshold", Quantity::Count(params.threshold.into()))
            .limit("failed_share_min", Quantity::Ratio(params.failed_share_pct));
        let many = |count: u64| count >= params.threshold.into();
        let shape = match (many(servers), many(identities)) {
            (true, true) => "chaotic",
            (true, false) => "horizontal",
            _ => "vertical",
        };
        if let Some(verdict) = out.judge(submethod, facts) {
            verdict
                .targets(state.listed.iter().copied(), servers)
                .span(first, last)
                .detail("Type", Quantity::Text(shape.into()))
                .detail("IDCount", Quantity::Count(identities))
                .detail("TargetCount", Quantity::Count(servers))
                .detail("FlowCount", Quantity::Count(state.flows.count()))
                .evidence(FlowFilter {
                    host: Some(cell.host),
                    protocol: Some(Protocol::Sip),
                    ..FlowFilter::default()
                });
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check;

    /// Names tried at one server: some exist.
    #[test]
    fn identities_at_one_server() {
        check::<SipScan>(
            "@0s tx sip/request every 100ms x40 198.51.100.7 <> 10.0.0.9:5060 outcome=refused sip.method=REGISTER sip.client=198.51.100.7 sip.to={100..139}@10.0.0.9 sip.status=404
             @0s tx sip/request every 1s x4 198.51.100.7 <> 10.0.0.9:5060 sip.method=REGISTER sip.client=198.51.100.7 sip.to={100..103}@10.0.0.9 sip.status=401",
            expect![[r#"
                SIPSCAN.Register 68 % after 2 s, 2 findings, 1 targets: 198.51.100.7 tried 40 identities at 10.0.0.9:5060 with 44 requests in 3.9 s, 44 without success
                  identities >= threshold and failed_share >= failed_share_min; silent at identities 30, failed_share 80; ip 198.51.100.7 and app sip
            "#]],
        );
    }

    #[test]
    fn many_servers() {
        check::<SipScan>(
            "@0s tx sip/request every 100ms x100 198.51.100.7 > 10.0.0.{1..100}:5060 sip.method=OPTIONS sip.client=198.51.100.7 sip.to=100@1.1.1.1
             @0s tx sip/request 198.51.100.7 <> 10.0.0.9:5060 outcome=accepted sip.method=OPTIONS sip.client=198.51.100.7 sip.to=100@1.1.1.1 sip.status=200",
            expect![[r#"
                SIPSCAN.Options 99 % after 2 s, 2 findings, 100 targets: 198.51.100.7 tried 1 identities at 100 targets with 101 requests in 9.9 s, 100 without success
                  servers >= threshold and failed_share >= failed_share_min; silent at servers 30, failed_share 80; ip 198.51.100.7 and app sip
            "#]],
        );
    }

    #[test]
    fn numbers_called() {
        check::<SipScan>(
            "@0s tx sip/request every 2s x30 198.51.100.7 <> 10.0.0.9:5060 outcome=refused sip.method=INVITE sip.client=198.51.100.7 sip.to=00{1..30}972@10.0.0.9 sip.status=403",
            expect![[r#"
                SIPSCAN.Invite 50 % after 58 s, 2 findings, 1 targets: 198.51.100.7 tried 30 identities at 10.0.0.9:5060 with 30 requests in 58 s, 30 without success
                  identities >= threshold and failed_share >= failed_share_min; silent at identities 30, failed_share 80; ip 198.51.100.7 and app sip
            "#]],
        );
    }

    /// 29 names; an office behind one address; an exchange that keeps its telephones awake; pauses in between.
    #[test]
    fn below_the_limits() {
        check::<SipScan>(
            "@0s tx sip/request every 100ms x29 198.51.100.7 <> 10.0.0.9:5060 outcome=refused sip.method=REGISTER sip.client=198.51.100.7 sip.to={100..128}@10.0.0.9 sip.status=404",
            expect![[""]],
        );
        check::<SipScan>(
            "@0s tx sip/request every 1s x60 198.51.100.7 <> 10.0.0.9:5060 sip.method=REGISTER sip.client=198.51.100.7 sip.to={100..159}@10.0.0.9 sip.status=401
             @0s tx sip/request every 1s x60 198.51.100.7 <> 10.0.0.9:5060 outcome=accepted sip.method=REGISTER sip.client=198.51.100.7 sip.to={100..159}@10.0.0.9 sip.status=200",
            expect![[""]],
        );
        check::<SipScan>(
            "@0s tx sip/request every 1s x300 10.0.0.9 <> 10.0.1.{1..100}:5060 outcome=accepted sip.method=OPTIONS sip.client=10.0.0.9 sip.to={1..100}@pbx sip.status=200
             @0s tx sip/request every 10s x30 10.0.0.9 > 10.0.2.{1..30}:5060 sip.method=OPTIONS sip.client=10.0.0.9 sip.to={1..30}@pbx",
            expect![[""]],
        );
        check::<SipScan>(
            "@0s tx sip/request every 301s x40 198.51.100.7 <> 10.0.0.9:5060 outcome=refused sip.method=REGISTER sip.client=198.51.100.7 sip.to={100..139}@10.0.0.9 sip.status=404",
            expect![[""]],
        );
    }
}
