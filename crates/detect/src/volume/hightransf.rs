//! HIGHTRANSF: an inside host moves more in a day than hosts of its kind should, both ways added. A plain limit: it is
//! only as good as the list of servers that may exceed it.

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, NANOS_PER_S, Priority, Quantity,
    Reads, Scope, SubmethodMeta, Target, Time,
};

use crate::baseline::{Sliding, Top};
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Sent and received by one inside host within 24 h before it is reported, MiB.
    transfer_mib: u64 = 10_240, 1..=1_000_000_000;
    /// Peers are named as targets when they moved at least this share of what the busiest peer moved, percent.
    target_percentile: f64 = 10.0, 0.0..=100.0;
    /// Inside hosts that are never reported, as prefixes: file, backup and update servers.
    exclude_servers: Vec<IpNet> = Vec::new();
    /// Peers whose traffic does not count, as prefixes: servers with which large transfers are expected.
    legal_servers: Vec<IpNet> = Vec::new();
}

const MIB: u64 = 1 << 20;
/// The day is kept in hours, so the window is 23 to 24 h.
const BIN_S: i64 = 3_600;
const BINS: usize = 24;
const DAY: i64 = BINS as i64 * BIN_S * NANOS_PER_S;
/// Silence after which a host is forgotten: nothing of its day is left then.
const IDLE_S: u32 = 86_400;
/// Bytes of a record, both ways, from which a host is followed: those with nothing but small exchanges stay without state.
const OPENING_BYTES: u64 = 64 << 10;
/// Part of the limit after which peers are remembered; before it there is nothing to tell.
const FOLLOWED_PART: u64 = 100;
/// Peers remembered per host, the busiest (any peer above 1/16 of the host's traffic is among them).
const PEERS_MAX: usize = 16;

/// High transfers.
pub struct HighTransfers;

/// A day of one host.
#[derive(Default)]
pub struct State {
    moved: Sliding<BINS>,
    peers: Top<IpAddr, PEERS_MAX>,
    /// When the weights of peers were last halved; each day, so that yesterday's peers fade.
    faded: Time,
    first: Time,
    last: Time,
}

impl Method for HighTransfers {
    const META: MethodMeta = MethodMeta {
        code: "HIGHTRANSF",
        slug: "hightransf",
        family: "volume",
        title: "High transfers",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "An inside host moves very much data within a day.",
            rules: &[&[Clause::at_least("moved", "transfer_max")]],
            reason: "{moved} moved by {source} in {span}, mostly with {targets}",
            needs: &[],
            // A volume is no technique; context (direction, peer, what else the host did) decides.
            techniques: &[],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads::ALL_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "A host moves more data in a day than clients do: collecting before theft, a backup gone wrong, \
                   file sharing.",
            basis: "Bytes sent and received by each inside host over 24 hours, from running and ended flows, whoever \
                    opened them, against a fixed limit. The peers that moved most are named.",
            bias: "Counts everything that is not excluded; a fixed limit knows no habits (OVERFLOW learns them). A \
                   long flow counts where its exporter reports it: at its updates. A host is followed from its first \
                   exchange of 64 KiB on.",
            false_positives: "Servers and backups that are not in exclude_servers; operating system upgrades; video \
                              work.",
            response: "Look at the named peers and ports. Exclude servers, raise the limit for networks that work with \
                       large files by an instance of their own.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let (from, to) = (flow.key.initiator_ip, flow.key.responder_ip);
        if !flow.key.is_ip() || from == to {
            return;
        }
        let sides = [
            (flow.initiator_inside, from, to),
            (flow.responder_inside, to, from),
        ];
        for (inside, host, peer) in sides {
            if !inside || !counts(params, host, peer) {
                continue;
            }
            if moved(flow) >= OPENING_BYTES {
                cells.add(CellKey::host(host));
            } else {
                cells.add_known(CellKey::host(host));
            }
        }
    }

    fn on_flow(params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let bytes = moved(flow);
        let peer = if cell.host == flow.key.initiator_ip {
            flow.key.responder_ip
        } else {
            flow.key.initiator_ip
        };
        state.moved.advance(flow.end, BIN_S);
        if state.moved.sum() == 0 {
            (state.first, state.faded) = (flow.start, flow.end);
            state.peers = Top::default();
        }
        if flow.end.since(state.faded) >= DAY {
            state.peers.halve();
            state.faded = flow.end;
        }
        state.moved.add(flow.end, BIN_S, bytes);
        if state.moved.sum() >= params.transfer_mib * MIB / FOLLOWED_PART {
            state.peers.add(peer, bytes);
        }
        state.first = state.first.min(flow.start);
        state.last = state.last.max(flow.end);
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let (moved, limit) = (state.moved.sum(), params.transfer_mib * MIB);
        if moved < limit || !out.due("General") {
            return;
        }
        let peers = state.peers.heaviest();
        let busiest = peers.first().map_or(0, |(_, bytes)| *bytes) as f64;
        let floor = busiest * params.target_percentile / 100.0;
        let named: Vec<_> = peers.iter().filter(|(_, bytes)| *bytes as f64 >= floor).collect();
        let with_named = named.iter().map(|(_, bytes)| *bytes).sum();
        let facts = Facts::new()
            .input("moved", Quantity::Bytes(moved))
            .limit("transfer_max", Quantity::Bytes(limit));
        if let Some(verdict) = out.judge("General", facts) {
            let count = named.len() as u64;
            verdict
                .targets(named.iter().map(|(peer, _)| Target::ip(*peer)), count)
                .span(state.first.max(state.last - DAY), state.last)
                .detail("TransferredData", Quantity::Bytes(moved.min(with_named)))
                .detail("DeviceValue", Quantity::Bytes(moved))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    ..FlowFilter::default()
                });
        }
    }
}

/// Bytes of a record, both ways.
fn moved(flow: &FlowRecord) -> u64 {
    flow.forward.bytes + flow.reverse_or_zero().bytes
}

fn counts(params: &Params, host: IpAddr, peer: IpAddr) -> bool {
    let within = |prefixes: &[IpNet], ip: IpAddr| prefixes.iter().any(|prefix| prefix.contains(&ip));
    !within(&params.exclude_servers, host) && !within(&params.legal_servers, peer)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    /// A mirror of a server's files; small talk with others is not named.
    #[test]
    fn a_great_copy() {
        check::<HighTransfers>(
            "@0s every 5min x22 10.0.0.5:40000 <> 198.51.100.9:443 tcp APRS 10MiB/9000 500MiB/400000 phase=update dur=5min
             @0s every 60s x60 10.0.0.5 <> 203.0.113.{1..60}:443 tcp APRSF 30000/60 900000/700",
            expect![[r#"
                HIGHTRANSF.General 56 % after 6000 s, 4 findings, 1 targets: 11 GiB moved by 10.0.0.5 in 110 min, mostly with 198.51.100.9
                  moved >= transfer_max; silent at moved 10 GiB; src ip 10.0.0.5
            "#]],
        );
    }

    /// Just below the limit in a day; twice as much over a longer time.
    #[test]
    fn below_the_limit() {
        check::<HighTransfers>(
            "@0s every 1h x10 10.0.0.5 <> 198.51.100.9:443 tcp APRSF 20MiB/9000 1000MiB/800000 dur=5min
             @2d every 3h x20 10.0.0.6 <> 198.51.100.9:443 tcp APRSF 20MiB/9000 1000MiB/800000 dur=5min",
            expect![[""]],
        );
    }

    /// A day of an office, and a backup server that is known.
    #[test]
    fn ordinary_days() {
        check_with::<HighTransfers>(
            r#"{"exclude_servers": ["10.0.9.0/24"], "legal_servers": ["10.0.9.0/24"]}"#,
            "@0s every 20s x2000 10.0.0.{5..40} <> 203.0.113.{1..60}:443 tcp APRSF 30000~50%/60 3MiB~50%/2500
             @0s every 10min x20 10.0.0.5 <> 10.0.9.9:445 tcp APRSF 2GiB/1500000 10MiB/9000 dur=5min",
            expect![[""]],
        );
    }
}
