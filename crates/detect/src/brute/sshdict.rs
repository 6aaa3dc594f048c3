//! SSHDICT: password guessing over SSH that takes its time, from one source or many, told apart from work by verdict and
//! by session size. In doubt (few tries, or enough sessions that work) it stays silent.

use weir_model::{
    FlowRecord, Kind, Manual, Maturity, MethodMeta, Priority, Protocol, Reads, Scope, SubmethodMeta,
    Technique, Time, Transaction,
};

use super::engine::{self, Hunt, Limits, Service};
use super::service::SSH_SHAPE;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Tries before anything is said. More makes it quieter and later.
    attempts_min: u32 = 20, 3..=100_000;
    /// Longest pause within one hunt, seconds. Longer catches slower guessing and joins more chance failures.
    hole_s: u32 = 1_800, 60..=86_400;
    /// Targets a source must have tried, besides the number of tries. 1 reports attacks on a single host.
    targets_min: u32 = 1, 1..=10_000;
    /// Sources on one target that make the attack distributed; then their tries count together.
    sources_min: u32 = 3, 2..=10_000;
    /// Spraying: targets that one source tried within a day and that refused it visibly.
    spray_targets_min: u32 = 15, 3..=10_000;
    /// Share of sessions that must be tries; sessions with real work and accepted log-ins lower it.
    share_min: f64 = 0.8, 0.0..=1.0;
    /// Tries per target where sessions are told by size alone. One session each is what inventories and key scans hold.
    tries_per_target_min: f64 = 2.0, 1.0..=1000.0;
    /// Further ports that carry SSH, where only flow records arrive.
    obscure_ports: Vec<u16> = Vec::new();
}

const SERVICE: Service = Service {
    protocol: Protocol::Ssh,
    port: 22,
    shape: &SSH_SHAPE,
    spray_by_shape: false,
};

impl Params {
    fn limits(&self) -> Limits {
        Limits {
            attempts_min: self.attempts_min,
            hole_s: self.hole_s,
            targets_min: self.targets_min,
            sources_min: self.sources_min,
            spray_targets_min: self.spray_targets_min,
            share_min: self.share_min,
            tries_per_target_min: self.tries_per_target_min,
        }
    }
}

/// SSH password guessing.
pub struct SshDictionary;

impl Method for SshDictionary {
    const META: MethodMeta = MethodMeta {
        code: "SSHDICT",
        slug: "sshdict",
        family: "brute",
        title: "SSH password guessing",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "Passwords are guessed over SSH with patience, by one source or by several.",
            rules: &[
                engine::SPRAYED,
                engine::DISTRIBUTED,
                engine::PERSISTENT,
                engine::REFUSED,
            ],
            reason: "{attempts} SSH log-in tries in {span} by {By} at {targets}, {Outcome}",
            needs: &[],
            techniques: &[
                Technique {
                    tactic: "TA0006",
                    technique: "T1110.001",
                },
                Technique {
                    tactic: "TA0006",
                    technique: "T1110.003",
                },
            ],
        }],
        priority: Priority::High,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[(Protocol::Ssh, Kind::Login)],
            fields: &["ssh.attempts"],
            ..Reads::ENDED_FLOWS
        },
        needs: &[],
        same_as: &["DICTATTACK.SSHProtocol"],
        manual: Manual {
            what: "A host guesses SSH passwords over minutes to days, too slowly for DICTATTACK, or several hosts guess \
                   at one server together.",
            basis: "A try is a log-in the dissector saw refused (it reads packet sizes; several tries may fit in one \
                    session) or, where no verdict is known, a session of the size of failed log-ins. Tries are counted \
                    per source and per target until half an hour passes without one. Success is an accepted log-in, or \
                    a session three times larger than the tries, at a target that was guessed at long enough.",
            bias: "Silent in doubt: sessions larger than a failed log-in and accepted log-ins count against an attack, \
                   and spraying counts only with verdicts.",
            false_positives: "Automation with keys over old or frugal SSH clients, seen as flow records only (file \
                              synchronisation, repository polling); a job with an outdated key.",
            response: "When Success is yes, take the target for entered: look at what it did since. Otherwise block \
                       the sources and switch the server to keys only.",
        },
    };
    type Params = Params;
    type State = Hunt;

    fn window(params: &Params) -> Window {
        Window::idle_s(params.hole_s.max(engine::IDLE_MIN_S))
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        engine::cells_of_flow(&SERVICE, &params.obscure_ports, flow, cells);
    }

    fn cells_of_transaction(_: &Params, login: &Transaction, cells: &mut Cells) {
        engine::cells_of_login(&SERVICE, login, cells);
    }

    fn on_transaction(params: &Params, hunt: &mut Hunt, cell: &CellKey, login: &Transaction) {
        hunt.login(&params.limits(), cell, login);
    }

    fn breaks(params: &Params, hunt: &Hunt, start: Time) -> bool {
        hunt.breaks(&params.limits(), start)
    }

    fn on_flow(params: &Params, hunt: &mut Hunt, cell: &CellKey, flow: &FlowRecord) {
        hunt.flow(&SERVICE, &params.limits(), cell, flow);
    }

    fn judge(params: &Params, hunt: &Hunt, cell: &CellKey, out: &mut Findings<'_>) {
        hunt.judge(&SERVICE, &params.limits(), cell, out);
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check;

    /// One try every 20 s, as flow records only; then one session that works.
    #[test]
    fn slow_guessing_that_succeeds() {
        check::<SshDictionary>(
            "every 20s x61 203.0.113.2 <> 10.0.0.2:22 tcp APRSF 2025~2%/17 3171/25 dur=12s
             203.0.113.2 <> 10.0.0.2:22 tcp APRSF 30000/300 60000/350 dur=100s",
            expect![[r#"
                SSHDICT.General 99 % after 392 s, 5 findings, 1 targets: 61 SSH log-in tries in 20.2 min by 203.0.113.2 at 10.0.0.2:22, a session that worked followed
                  attempts >= attempts_min and targets >= targets_min and share >= share_min and tries_per_target >= tries_per_target_min; silent at attempts 20, targets 1, share 0.8, tries_per_target 2; src ip 203.0.113.2 and dst ip 10.0.0.2 and proto tcp and dst port 22
            "#]],
        );
    }

    #[test]
    fn one_below_the_limit() {
        check::<SshDictionary>(
            "every 20s x19 203.0.113.2 <> 10.0.0.2:22 tcp APRSF 2025/17 3171/25 dur=12s",
            expect![[""]],
        );
    }

    /// Eleven sessions, thirty refused tries: the dissector tells how many in each.
    #[test]
    fn several_tries_in_a_session() {
        check::<SshDictionary>(
            "@0s tx ssh/login every 6s x11 192.168.56.1 <> 192.168.56.103:22 outcome=refused ssh.attempts={3,2,3}
             @0s every 6s x11 192.168.56.1 <> 192.168.56.103:22 tcp APRSF 4045/22 3334/15 app=ssh refused=1 dur=5s",
            expect![[r#"
                SSHDICT.General 73 % after 42 s, 2 findings, 1 targets: 29 SSH log-in tries in 60 s by 192.168.56.1 at 192.168.56.103:22, no success seen
                  attempts >= attempts_min and targets >= targets_min and share >= share_min and tries_per_target >= tries_per_target_min; silent at attempts 20, targets 1, share 0.8, tries_per_target 2; src ip 192.168.56.1 and dst ip 192.168.56.103 and proto tcp and dst port 22
            "#]],
        );
    }

    /// Four sources below the limit each, together above it.
    #[test]
    fn distributed() {
        check::<SshDictionary>(
            "every 30s x40 203.0.113.{1,2,3,4} <> 10.0.0.2:22 tcp APRSF 2025~2%/17 3171/25 dur=12s",
            expect![[r#"
                SSHDICT.General 68 % after 582 s, 4 findings, 1 targets: 40 SSH log-in tries in 19.7 min by 4 sources (203.0.113.1 most) at 10.0.0.2:22, no success seen
                  sources >= sources_min and attempts >= attempts_min and share >= share_min; silent at sources 3, attempts 20, share 0.8; dst ip 10.0.0.2 and proto tcp and dst port 22
            "#]],
        );
        check::<SshDictionary>(
            "every 30s x38 203.0.113.{1,2} <> 10.0.0.2:22 tcp APRSF 2025~2%/17 3171/25 dur=12s",
            expect![[""]],
        );
    }

    /// Spraying counts with verdicts only.
    #[test]
    fn spraying_over_hours() {
        check::<SshDictionary>(
            "tx ssh/login every 50min x16 203.0.113.2 <> 10.0.0.{1..16}:22 outcome=refused",
            expect![[r#"
                SSHDICT.General 54 % after 42000 s, 3 findings, 16 targets: 16 SSH log-in tries in 12.5 h by 203.0.113.2 at 16 targets, no success seen
                  sprayed >= spray_targets_min and share >= share_min; silent at sprayed 15, share 0.8; src ip 203.0.113.2 and proto tcp and dst port 22
            "#]],
        );
        check::<SshDictionary>(
            "tx ssh/login every 50min x14 203.0.113.2 <> 10.0.0.{1..14}:22 outcome=refused",
            expect![[""]],
        );
    }

    /// An interactive session, a deployment by key to 60 hosts (verdict seen, then as bare flows), copies of files,
    /// a banner check each minute.
    #[test]
    fn ordinary_ssh() {
        check::<SshDictionary>(
            "@0s 10.0.0.5 <> 10.0.0.9:22 tcp APRSF 27000/355 25000/223 dur=102s
             @0s tx ssh/login every 2s x60 10.0.0.6 <> 10.0.1.{1..60}:22 outcome=accepted
             @0s every 2s x60 10.0.0.6 <> 10.0.1.{1..60}:22 tcp APRSF 3900/25 3700/22 app=ssh accepted=1 dur=1s
             @0s every 2s x60 10.0.0.7 <> 10.0.1.{1..60}:22 tcp APRSF 5600~10%/30 7000~20%/30 dur=3s
             @0s every 10s x60 10.0.0.8 <> 10.0.1.9:22 tcp APRSF 900000~60%/700 9000~60%/300 dur=5s
             @0s every 60s x90 10.0.0.10 <> 10.0.1.9:22 tcp APRSF 320/5 420/5 dur=1s",
            expect![[""]],
        );
    }
}
