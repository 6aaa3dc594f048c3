//! UPLOAD: an inside host pushes far more to an outside host than it gets back, or pushes very much at all. Amounts say
//! nothing of intent, so the priority is low; in doubt (who opened the conversation, which way it flowed) it is silent.

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{
    Clause, Counters, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, NANOS_PER_S, Phase,
    Priority, Quantity, Reads, Scope, SubmethodMeta, Target, Technique, Time,
};

use crate::baseline::Sliding;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Sent by one inside host to one outside host within 24 h that is reported whatever came back, MiB.
    absolute_mib: u64 = 500, 1..=10_000_000;
    /// Sent bytes divided by received bytes above which a smaller amount is reported too.
    ratio_min: f64 = 5.0, 1.0..=1_000_000.0;
    /// The amount that goes with the ratio, MiB.
    ratio_mib: u64 = 50, 1..=10_000_000;
    /// Also count what inside servers send to outside clients that contacted them. Finds data drawn out by a visitor,
    /// and reports every busy server.
    served: bool = false;
    /// Inside hosts that are never reported, as prefixes: mail and backup servers.
    exclude_hosts: Vec<IpNet> = Vec::new();
    /// Outside hosts that may receive anything, as prefixes: the backup provider.
    exclude_servers: Vec<IpNet> = Vec::new();
}

const MIB: u64 = 1 << 20;
/// The day is kept in intervals of two hours, so the window is 22 to 24 h.
const BIN_S: i64 = 7_200;
const BINS: usize = 12;
const DAY: i64 = BINS as i64 * BIN_S * NANOS_PER_S;
/// Silence after which a pair is forgotten: nothing of its day is left then.
const IDLE_S: u32 = 86_400;
/// Sent in one record before a pair is followed: most pairs only ever exchange a request, and need no state.
const OPENING_BYTES: u64 = 64 << 10;
/// The same where less came back, as it does when something is taken away bit by bit.
const OPENING_LOPSIDED_BYTES: u64 = 4096;
/// Ports remembered per pair.
const PORTS_MAX: usize = 8;
/// What outside clients draw from inside servers.
const SERVED: u8 = 1;

/// Upload.
pub struct Upload;

/// The first ports of a pair. They lie in the cell: there are more pairs than anything else.
#[derive(Default)]
struct Ports {
    list: [u16; PORTS_MAX],
    len: u8,
}

impl Ports {
    fn add(&mut self, port: u16) {
        if !self.as_slice().contains(&port)
            && let Some(free) = self.list.get_mut(usize::from(self.len))
        {
            *free = port;
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[u16] {
        &self.list[..usize::from(self.len)]
    }
}

/// A day of one inside host with one outside host.
#[derive(Default)]
pub struct State {
    sent: Sliding<BINS>,
    received: Sliding<BINS>,
    first: Time,
    last: Time,
    flows: u32,
    ports: Ports,
    /// A record came without its other direction: no ratio can be told.
    one_way: bool,
}

impl Method for Upload {
    const META: MethodMeta = MethodMeta {
        code: "UPLOAD",
        slug: "upload",
        family: "exfil",
        title: "Upload of much data",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "An inside host sends an unusual amount to one outside host.",
            rules: &[
                &[Clause::at_least("sent", "absolute_max")],
                &[
                    Clause::at_least("sent", "ratio_floor"),
                    Clause::at_least("ratio", "ratio_min"),
                ],
            ],
            reason: "{sent} sent from {source} to {target} in {span}, {received} received",
            needs: &[],
            techniques: &[
                Technique {
                    tactic: "TA0010",
                    technique: "T1048",
                },
                Technique {
                    tactic: "TA0010",
                    technique: "T1567.002",
                },
            ],
        }],
        priority: Priority::Low,
        maturity: Maturity::Stable,
        scope: Scope::Pair,
        reads: Reads::ALL_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "Much data leaves from one inside host to one outside host. It matters when nobody planned it.",
            basis: "Bytes each way are added up per pair over a day, from running and ended flows that the inside host \
                    opened. Either the amount alone is large, or a smaller amount goes out while little comes back.",
            bias: "Silent in doubt: conversations opened from outside (our own servers) count only with `served`, and \
                   no ratio is told where only one direction was exported. A pair is followed from the first \
                   record on that sends 64 KiB, or 4 KiB and more than came back. Multicast is left out. Inside means the \
                   configured or guessed networks: when those are wrong, so is this.",
            false_positives: "Backups and file synchronisation to the cloud, video calls, mail relays, release uploads.",
            response: "Find who and what: the names asked for before, the protocol, the hour. Add planned receivers to \
                       exclude_servers.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let (cell, sent, received) = match (flow.initiator_inside, flow.responder_inside) {
            (true, false) => (CellKey::pair(key), flow.forward, flow.reverse_or_zero()),
            (false, true) if params.served => (
                CellKey {
                    peer: Some(key.initiator_ip),
                    ..CellKey::responder(key)
                }
                .role(SERVED),
                flow.reverse_or_zero(),
                flow.forward,
            ),
            _ => return,
        };
        let counts = sent.bytes > 0
            && key.is_ip()
            && !cell.peer.is_none_or(everybody)
            && !within(&params.exclude_hosts, cell.host)
            && !cell
                .peer
                .is_some_and(|peer| within(&params.exclude_servers, peer));
        let lopsided = sent.bytes >= OPENING_LOPSIDED_BYTES && sent.bytes > received.bytes;
        if counts && (lopsided || sent.bytes >= OPENING_BYTES) {
            cells.add(cell);
        } else if counts {
            cells.add_known(cell);
        }
    }

    fn on_flow(_: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let reverse = flow.reverse_or_zero();
        let (sent, received): (Counters, Counters) = if cell.role == SERVED {
            (reverse, flow.forward)
        } else {
            (flow.forward, reverse)
        };
        state.sent.advance(flow.end, BIN_S);
        if state.sent.sum() == 0 {
            (state.first, state.one_way) = (flow.start, false);
        }
        state.sent.add(flow.end, BIN_S, sent.bytes);
        state.received.add(flow.end, BIN_S, received.bytes);
        state.first = state.first.min(flow.start);
        state.last = state.last.max(flow.end);
        state.one_way |= flow.reverse.is_none();
        state.flows += u32::from(flow.phase == Phase::End);
        state.ports.add(flow.key.responder_port);
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let sent = state.sent.sum();
        if sent < params.ratio_mib.min(params.absolute_mib) * MIB || !out.due("General") {
            return;
        }
        let received = state.received.sum();
        let ratio = if state.one_way {
            0.0
        } else {
            sent as f64 / received.max(1) as f64
        };
        let facts = Facts::new()
            .input("sent", Quantity::Bytes(sent))
            .input("received", Quantity::Bytes(received))
            .input("ratio", Quantity::Ratio(ratio))
            .limit("absolute_max", Quantity::Bytes(params.absolute_mib * MIB))
            .limit("ratio_floor", Quantity::Bytes(params.ratio_mib * MIB))
            .limit("ratio_min", Quantity::Ratio(params.ratio_min));
        let (Some(verdict), Some(peer)) = (out.judge("General", facts), cell.peer) else {
            return;
        };
        let one_port = match state.ports.as_slice() {
            [port] if cell.role != SERVED => Some(*port),
            _ => None,
        };
        let mut ports: Vec<u64> = state.ports.as_slice().iter().copied().map(u64::from).collect();
        ports.sort_unstable();
        let (initiator, responder) = if cell.role == SERVED {
            (peer, cell.host)
        } else {
            (cell.host, peer)
        };
        verdict
            .target(Target {
                port: one_port,
                ..Target::ip(peer)
            })
            .span(state.first.max(state.last - DAY), state.last)
            .detail("UploadedData", Quantity::Bytes(sent))
            .detail("DownloadedData", Quantity::Bytes(received))
            .detail("PortList", Quantity::Counts(ports))
            .detail("FlowCount", Quantity::Count(state.flows.max(1).into()))
            .evidence(FlowFilter {
                initiator: Some(initiator),
                responder: Some(responder),
                responder_port: one_port,
                ..FlowFilter::default()
            });
    }
}

/// Not one receiver: multicast, broadcast, unspecified.
fn everybody(ip: IpAddr) -> bool {
    ip.is_multicast() || ip.is_unspecified() || matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

fn within(prefixes: &[IpNet], ip: IpAddr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(&ip))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    /// The shipped incident: one PUT of 60 MiB.
    #[test]
    fn one_large_put() {
        check::<Upload>(
            "10.0.0.5 <> 203.0.113.80:443 tcp APRSF 62MiB/44167 84000/1274 dur=60s",
            expect![[r#"
                UPLOAD.General 63 % after 60 s, 2 findings, 1 targets: 62 MiB sent from 10.0.0.5 to 203.0.113.80:443 in 60 s, 82 KiB received
                  sent >= ratio_floor and ratio >= ratio_min; silent at sent 50 MiB, ratio 5; src ip 10.0.0.5 and dst ip 203.0.113.80 and dst port 443
            "#]],
        );
    }

    /// A long flow is reported while it goes on, not when it ends.
    #[test]
    fn many_small_pieces() {
        check::<Upload>(
            "every 5min x20 10.0.0.5:50000 <> 203.0.113.80:443 tcp APRS 10MiB/9000 1MiB/5000 phase=update dur=5min",
            expect![[r#"
                UPLOAD.General 100 % after 1500 s, 17 findings, 1 targets: 200 MiB sent from 10.0.0.5 to 203.0.113.80:443 in 100 min, 20 MiB received
                  sent >= ratio_floor and ratio >= ratio_min; silent at sent 50 MiB, ratio 5; src ip 10.0.0.5 and dst ip 203.0.113.80 and dst port 443
            "#]],
        );
        check::<Upload>(
            "every 1h x60 10.0.0.5 <> 203.0.113.80:443 tcp APRSF 20MiB/9000 20MiB/9000 dur=5min",
            expect![[""]],
        );
        check::<Upload>(
            "every 30min x60 10.0.0.5 <> 203.0.113.80:443 tcp APRSF 20MiB/9000 20MiB/9000 dur=5min",
            expect![[r#"
                UPLOAD.General 88 % after 43500 s, 37 findings, 1 targets: 960 MiB sent from 10.0.0.5 to 203.0.113.80:443 in 24 h, 960 MiB received
                  sent >= absolute_max; silent at sent 500 MiB; src ip 10.0.0.5 and dst ip 203.0.113.80 and dst port 443
            "#]],
        );
    }

    #[test]
    fn below_the_limits() {
        check::<Upload>(
            "@0s 10.0.0.5 <> 203.0.113.80:443 tcp APRSF 49MiB/44167 84000/1274 dur=60s
             @0s 10.0.0.6 <> 203.0.113.80:443 tcp APRSF 499MiB/44167 100MiB/12740 dur=60s
             @0s 10.0.0.7 > 203.0.113.80:443 tcp S 60/1",
            expect![[""]],
        );
    }

    /// Browsing, a large download, a move between inside hosts, a video stream to a multicast group, our web server.
    #[test]
    fn ordinary_traffic() {
        let text = "@0s every 1s x500 10.0.0.5 <> 203.0.113.{1..50}:443 tcp APRSF 30000~50%/60 900000~50%/700
             @0s 10.0.0.5 <> 203.0.113.80:443 tcp APRSF 30MiB/40000 2GiB/1500000 dur=300s
             @0s 10.0.0.5 <> 10.0.0.9:445 tcp APRSF 2GiB/1500000 30MiB/40000 dur=300s
             @0s 10.0.0.5 > 239.1.2.3:5000 udp 2GiB/1500000
             @0s 198.51.100.7 <> 10.0.0.8:443 tcp APRSF 5MiB/40000 2GiB/1500000 dur=300s";
        check::<Upload>(text, expect![[""]]);
        check_with::<Upload>(
            r#"{"served": true}"#,
            text,
            expect![[r#"
            UPLOAD.General 100 % after 300 s, 2 findings, 1 targets: 2 GiB sent from 10.0.0.8 to 198.51.100.7 in 5 min, 5 MiB received
              sent >= absolute_max; silent at sent 500 MiB; src ip 198.51.100.7 and dst ip 10.0.0.8
        "#]],
        );
    }
}
