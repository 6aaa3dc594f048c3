//! RDPDICT: password guessing over RDP that takes its time, from one source or many; RDP hides its verdicts, so session
//! sizes decide. In doubt (health checks, sessions with a desktop) it stays silent.

use weir_model::{
    FlowRecord, Manual, Maturity, MethodMeta, Priority, Protocol, Reads, Scope, SubmethodMeta, Technique,
    Time,
};

use super::engine::{self, Hunt, Limits, Service};
use super::service::RDP_SHAPE;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Tries before anything is said. More makes it quieter and later.
    attempts_min: u32 = 15, 3..=100_000;
    /// Longest pause within one hunt, seconds. Longer catches slower guessing and joins more chance failures.
    hole_s: u32 = 1_800, 60..=86_400;
    /// Targets a source must have tried, besides the number of tries. 1 reports attacks on a single host.
    targets_min: u32 = 1, 1..=10_000;
    /// Sources on one target that make the attack distributed; then their tries count together.
    sources_min: u32 = 3, 2..=10_000;
    /// Spraying: targets that one source tried within a day.
    spray_targets_min: u32 = 15, 3..=10_000;
    /// Share of sessions that must be tries; sessions with real work and accepted log-ins lower it.
    share_min: f64 = 0.8, 0.0..=1.0;
    /// Tries per target where sessions are told by size alone. One session each is what inventories and key scans hold.
    tries_per_target_min: f64 = 1.0, 1.0..=1000.0;
}

const SERVICE: Service = Service {
    protocol: Protocol::Rdp,
    port: 3389,
    shape: &RDP_SHAPE,
    spray_by_shape: true,
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

/// RDP password guessing.
pub struct RdpDictionary;

impl Method for RdpDictionary {
    const META: MethodMeta = MethodMeta {
        code: "RDPDICT",
        slug: "rdpdict",
        family: "brute",
        title: "RDP password guessing",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "Passwords are guessed over RDP with patience, by one source or by several.",
            rules: &[
                engine::SPRAYED,
                engine::DISTRIBUTED,
                engine::PERSISTENT,
                engine::REFUSED,
            ],
            reason: "{attempts} RDP log-in tries in {span} by {By} at {targets}, {Outcome}",
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
        reads: Reads::ENDED_FLOWS,
        needs: &[],
        same_as: &["DICTATTACK.RDPProtocol"],
        manual: Manual {
            what: "A host guesses Windows passwords over Remote Desktop, at one server for hours or at many servers \
                   through a day, or several hosts guess at one server together.",
            basis: "A try is an established session of the size of a refused log-in: more than a connection request or \
                    health check, less than a desktop. Tries are counted per source and per target until half an hour \
                    passes without one; for spraying the targets of one source are counted over a day.",
            bias: "Silent in doubt: sessions with a desktop count against an attack, unanswered and refused \
                   connections count for nothing (SCANS sees those).",
            false_positives: "A broker or thin client with an outdated password that keeps trying; monitoring that \
                              completes the TLS handshake and aborts.",
            response: "Look for a large session of the source after the tries (detail Success). Close RDP to the \
                       outside, lock the accounts tried.",
        },
    };
    type Params = Params;
    type State = Hunt;

    fn window(params: &Params) -> Window {
        Window::idle_s(params.hole_s.max(engine::IDLE_MIN_S))
    }

    fn cells_of_flow(_: &Params, flow: &FlowRecord, cells: &mut Cells) {
        engine::cells_of_flow(&SERVICE, &[], flow, cells);
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

    /// One try in a minute and a half, for hours.
    #[test]
    fn patient_guessing() {
        check::<RdpDictionary>(
            "every 94s x304 203.0.113.2 <> 10.0.0.2:3389 tcp APRSF 1624~4%/12 1875/7 app=rdp dur=5s",
            expect![[r#"
                RDPDICT.General 100 % after 1321 s, 74 findings, 1 targets: 304 RDP log-in tries in 7.91 h by 203.0.113.2 at 10.0.0.2:3389, no success seen
                  attempts >= attempts_min and targets >= targets_min and share >= share_min and tries_per_target >= tries_per_target_min; silent at attempts 15, targets 1, share 0.8, tries_per_target 1; src ip 203.0.113.2 and dst ip 10.0.0.2 and proto tcp and dst port 3389
            "#]],
        );
    }

    #[test]
    fn one_below_the_limit() {
        check::<RdpDictionary>(
            "every 94s x14 203.0.113.2 <> 10.0.0.2:3389 tcp APRSF 1624/12 1875/7 dur=5s
             @1d every 40min x40 203.0.113.3 <> 10.0.0.2:3389 tcp APRSF 1624/12 1875/7 dur=5s",
            expect![[""]],
        );
    }

    /// One try on each of many hosts, with pauses longer than the hole.
    #[test]
    fn spraying_over_a_day() {
        check::<RdpDictionary>(
            "every 50min x25 203.0.113.2 <> 10.0.0.{1..21}:3389 tcp APRSF 1700~5%/12 2000/9 app=rdp dur=8s",
            expect![[r#"
                RDPDICT.General 71 % after 42008 s, 12 findings, 21 targets: 25 RDP log-in tries in 20 h by 203.0.113.2 at 21 targets, no success seen
                  sprayed >= spray_targets_min and share >= share_min; silent at sprayed 15, share 0.8; src ip 203.0.113.2 and proto tcp and dst port 3389
            "#]],
        );
    }

    #[test]
    fn distributed() {
        check::<RdpDictionary>(
            "every 2min x40 203.0.113.{1,2,3,4} <> 10.0.0.2:3389 tcp APRSF 1700~5%/12 2000/9 dur=8s",
            expect![[r#"
                RDPDICT.General 68 % after 1688 s, 10 findings, 1 targets: 40 RDP log-in tries in 78.1 min by 4 sources (203.0.113.1 most) at 10.0.0.2:3389, no success seen
                  sources >= sources_min and attempts >= attempts_min and share >= share_min; silent at sources 3, attempts 15, share 0.8; dst ip 10.0.0.2 and proto tcp and dst port 3389
            "#]],
        );
    }

    /// One short session; a help desk that visits 30 desktops; health checks each minute; knocks without an answer.
    #[test]
    fn ordinary_rdp() {
        check::<RdpDictionary>(
            "@0s 172.16.2.185 <> 192.168.2.142:3389 tcp APRSF 1495/13 1883/7 dur=371ms
             @0s every 10min x30 10.0.0.5 <> 10.0.1.{1..30}:3389 tcp APRSF 300000~50%/900 4MiB~50%/5000 dur=8min
             @0s every 60s x600 10.0.0.6 <> 10.0.1.9:3389 tcp APRSF 420/6 300/5 dur=1s
             @0s every 60s x60 10.0.0.7 > 10.0.1.{1..60}:3389 tcp S 180/3",
            expect![[""]],
        );
    }
}
