//! TELNET: terminal sessions in clear text. Sessions that were really held count, knocks and banner checks do not, so
//! that a scan is left to SCANS.

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, NANOS_PER_S, Priority, Protocol,
    Quantity, Reads, Scope, SubmethodMeta, Target, Technique, Time, proto,
};

use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Telnet connections of one source within an hour's chain before they are reported, however small.
    flows_min: u32 = 5, 1..=100_000;
    /// Connections that nobody answered do not count.
    ignore_scans: bool = true;
    /// A single session is reported when the client sent this much, bytes, and `download_min` came back.
    upload_min: u64 = 1_024, 0..=1_000_000_000;
    /// See `upload_min`, bytes. Both together keep banner checks out.
    download_min: u64 = 1_024, 0..=1_000_000_000;
    /// Accepted log-ins that are reported whatever the amounts.
    logins_min: u32 = 1, 1..=1_000;
    /// Hosts (either end) for which telnet is allowed, as prefixes: consoles of old devices.
    allowed: Vec<IpNet> = Vec::new();
}

const PORT: u16 = 23;
/// Silence that ends a chain of connections, seconds.
const GAP_S: u32 = 3_600;
/// Targets kept by name; more are only counted.
const LISTED_MAX: usize = 32;

/// Telnet.
pub struct Telnet;

/// Telnet of one source.
#[derive(Default)]
pub struct State {
    flows: u32,
    logins: u32,
    uploaded: u64,
    downloaded: u64,
    /// Largest session: client's and server's bytes of the same flow.
    session: (u64, u64),
    targets: Distinct,
    listed: Vec<Target>,
    first: Time,
    last: Time,
}

impl Method for Telnet {
    const META: MethodMeta = MethodMeta {
        code: "TELNET",
        slug: "telnet",
        family: "policy",
        title: "Telnet in use",
        submethods: &[SubmethodMeta {
            name: "PortBased",
            about: "A host holds telnet sessions.",
            rules: &[
                &[Clause::at_least("flows", "flows_min")],
                &[Clause::at_least("logins", "logins_min")],
                &[
                    Clause::at_least("session_up", "upload_min"),
                    Clause::at_least("session_down", "download_min"),
                ],
            ],
            reason: "telnet from {source} to {targets} in {span}, connections: {flows}, {UploadedData} sent, \
                     {DownloadedData} received",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0008",
                technique: "T1021",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads::ENDED_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "Somebody uses telnet: names, passwords and all that is typed pass in the clear, and worms live on \
                   it.",
            basis: "Ended TCP flows to port 23, or recognised as telnet by content, per source. One session with \
                    enough bytes both ways or an accepted log-in is reported, or several smaller ones.",
            bias: "Counts established sessions only, unless ignore_scans is off; another protocol seen on port 23 \
                   does not count; telnet on other ports counts only where content is seen.",
            false_positives: "Consoles of old devices for which there is nothing else: put them into `allowed`.",
            response: "Replace telnet by SSH. A source outside, or a client that is no administrator's, is an attack.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(GAP_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let is_telnet = match flow.protocol {
            Some(protocol) if flow.protocol_by_content => protocol == Protocol::Telnet,
            _ => flow.key.responder_port == PORT,
        };
        let allowed = |ip| params.allowed.iter().any(|prefix| prefix.contains(&ip));
        if is_telnet
            && flow.key.proto == proto::TCP
            && (flow.established() || !params.ignore_scans)
            && !allowed(flow.key.initiator_ip)
            && !allowed(flow.key.responder_ip)
        {
            cells.add(CellKey::initiator(&flow.key));
        }
    }

    fn breaks(_: &Params, state: &State, start: Time) -> bool {
        state.flows > 0 && start.since(state.last) > i64::from(GAP_S) * NANOS_PER_S
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        if state.flows == 0 {
            (state.first, state.last) = (flow.flow_start, flow.end);
        }
        let session = (flow.forward_total.bytes, flow.reverse_total_or_zero().bytes);
        state.flows += 1;
        state.logins += u32::from(flow.logins.accepted);
        state.uploaded += session.0;
        state.downloaded += session.1;
        if session.0.min(session.1) >= state.session.0.min(state.session.1) {
            state.session = session;
        }
        state.first = state.first.min(flow.flow_start);
        state.last = state.last.max(flow.end);
        if state.targets.add(flow.key.responder_ip) && state.listed.len() < LISTED_MAX {
            state
                .listed
                .push(Target::service(flow.key.responder_ip, flow.key.responder_port));
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        if !out.due("PortBased") {
            return;
        }
        let facts = Facts::new()
            .input("flows", Quantity::Count(state.flows.into()))
            .input("logins", Quantity::Count(state.logins.into()))
            .input("session_up", Quantity::Bytes(state.session.0))
            .input("session_down", Quantity::Bytes(state.session.1))
            .limit("flows_min", Quantity::Count(params.flows_min.into()))
            .limit("logins_min", Quantity::Count(params.logins_min.into()))
            .limit("upload_min", Quantity::Bytes(params.upload_min))
            .limit("download_min", Quantity::Bytes(params.download_min));
        if let Some(verdict) = out.judge("PortBased", facts) {
            let one = state.listed.first().filter(|_| state.targets.count() == 1);
            verdict
                .targets(state.listed.clone(), state.targets.count())
                .span(state.first, state.last)
                .detail("FlowCount", Quantity::Count(state.flows.into()))
                .detail("TargetCount", Quantity::Count(state.targets.count()))
                .detail("UploadedData", Quantity::Bytes(state.uploaded))
                .detail("DownloadedData", Quantity::Bytes(state.downloaded))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    responder: one.and_then(|target| target.ip),
                    responder_port: Some(one.and_then(|target| target.port).unwrap_or(PORT)),
                    proto: Some(proto::TCP),
                    ..FlowFilter::default()
                });
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    #[test]
    fn one_session() {
        check::<Telnet>(
            "192.168.1.140 <> 192.168.1.194:23 tcp APRSF 3637/67 2591/46 app=telnet dur=14s",
            expect![[r#"
                TELNET.PortBased 100 % after 14 s, 2 findings, 1 targets: telnet from 192.168.1.140 to 192.168.1.194:23 in 14 s, connections: 1, 3.55 KiB sent, 2.53 KiB received
                  session_up >= upload_min and session_down >= download_min; silent at session_up 1 KiB, session_down 1 KiB; src ip 192.168.1.140 and dst ip 192.168.1.194 and proto tcp and dst port 23
            "#]],
        );
    }

    #[test]
    fn several_small_ones_and_a_log_in() {
        check::<Telnet>(
            "@0s every 60s x5 10.0.0.5 <> 10.0.0.{1..5}:23 tcp APRSF 400/8 500/7
             @0s 10.0.0.6 <> 10.0.0.9:2323 tcp APRSF 700/8 900/7 app=telnet accepted=1",
            expect![[r#"
                TELNET.PortBased 50 % after 0 s, 2 findings, 1 targets: telnet from 10.0.0.6 to 10.0.0.9:2323 in 0 s, connections: 1, 700 B sent, 900 B received
                  logins >= logins_min; silent at logins 1; src ip 10.0.0.6 and dst ip 10.0.0.9 and proto tcp and dst port 2323
                TELNET.PortBased 50 % after 240 s, 2 findings, 5 targets: telnet from 10.0.0.5 to 5 targets in 4 min, connections: 5, 1.95 KiB sent, 2.44 KiB received
                  flows >= flows_min; silent at flows 5; src ip 10.0.0.5 and proto tcp and dst port 23
            "#]],
        );
    }

    /// Four banner checks, a scan, four again after an hour and a half.
    #[test]
    fn below_the_limits() {
        check::<Telnet>(
            "@0s every 60s x4 10.0.0.5 <> 10.0.0.{1..5}:23 tcp APRSF 1023/8 5000/7
             @0s every 1s x200 10.0.0.6 > 10.0.1.{1..200}:23 tcp S 60/1
             @0s every 1s x200 10.0.0.6 <> 10.0.2.{1..200}:23 tcp S/RA 60/1 40/1
             @90min every 60s x4 10.0.0.5 <> 10.0.0.{1..5}:23 tcp APRSF 400/8 500/7",
            expect![[""]],
        );
    }

    /// SSH that was put on port 23, and a console that is allowed.
    #[test]
    fn not_telnet_or_allowed() {
        check_with::<Telnet>(
            r#"{"allowed": ["10.0.0.9/32"]}"#,
            "@0s every 60s x9 10.0.0.5 <> 10.0.0.8:23 tcp APRSF 9000/80 9000/70 app=ssh
             @0s every 60s x9 10.0.0.5 <> 10.0.0.9:23 tcp APRSF 9000/80 9000/70 app=telnet",
            expect![[""]],
        );
    }
}
