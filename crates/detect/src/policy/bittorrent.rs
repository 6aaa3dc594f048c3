//! BITTORRENT: a host takes part in file sharing between equals. Where packets are seen, the protocol's own words are
//! proof; where they are hidden, no single trait is, so five traits vote and the share that agrees is the probability.

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowKey, FlowRecord, Kind, Manual, Maturity, MethodMeta, NANOS_PER_S, Need,
    Priority, Protocol, Quantity, Reads, Scope, SubmethodMeta, Target, Technique, Time, Transaction, proto,
};

use crate::address::is_group;
use crate::baseline::{Distinct, Top};
use crate::names::is_within;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Hosts that are watched, as prefixes. Empty: all inside hosts.
    lan_filter: Vec<IpNet> = Vec::new();
    /// Outside peers from which "many peers" and "one port for all" agree.
    min_seeds: u32 = 15, 2..=100_000;
    /// Different ports above 10240 at the peers from which "many ports" agrees.
    min_high_ports: u32 = 20, 2..=60_000;
    /// Outside hosts that come to the host's own high port from which "it is asked" agrees.
    min_askers: u32 = 5, 1..=100_000;
    /// Share of the five traits that must agree, per cent.
    minimal_probability_pct: f64 = 60.0, 20.0..=100.0;
    /// Flows with peers or the distributed table whose content is BitTorrent's, from which no vote is needed.
    recognised_min: u32 = 3, 1..=100_000;
    /// Time in which the traits of a host are looked at together, minutes.
    window_min: u32 = 30, 1..=1_440;
}

/// Ports below belong to services; programs of this kind choose higher ones by lot.
const HIGH_PORT: u16 = 10_240;
/// Default ports of the programs, of their trackers too.
const USUAL: &[u16] = &[
    2710, 6881, 6882, 6883, 6884, 6885, 6886, 6887, 6888, 6889, 6969, 51413,
];
/// Hosts that programs ask for their first peers (BEP 5 and the programs' sources).
const BOOTSTRAP: &[&str] = &[
    "router.bittorrent.com",
    "router.utorrent.com",
    "dht.transmissionbt.com",
    "dht.libtorrent.org",
    "dht.aelitis.com",
];
/// Flows on usual ports that make the trait; a single one is chance.
const USUAL_MIN: u32 = 3;
const TRAITS: f64 = 5.0;
const TARGETS_LISTED_MAX: usize = 16;
/// Peers and ports told one by one before they are estimated.
const EXACT: usize = 32;

/// See the file.
pub struct BitTorrent;

/// What a host did with peers on high ports.
#[derive(Default)]
pub struct State {
    peers: Distinct<EXACT>,
    ports: Distinct<EXACT>,
    askers: Distinct<EXACT>,
    /// New peers per own UDP port.
    own_ports: Top<u16, 4>,
    usual: u32,
    /// Flows whose content is BitTorrent's.
    recognised: u32,
    /// It asked for a bootstrap host or told a tracker of a file.
    named: bool,
    listed: Vec<Target>,
    span: Option<(Time, Time)>,
}

/// A flow as seen from the watched host: its own port, the peer, and whether the peer came to it.
struct Contact {
    host: IpAddr,
    own_port: u16,
    peer: IpAddr,
    peer_port: u16,
    asked: bool,
    recognised: bool,
}

impl Method for BitTorrent {
    const META: MethodMeta = MethodMeta {
        code: "BITTORRENT",
        slug: "bittorrent",
        family: "policy",
        title: "File sharing between equals",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "Conversations of BitTorrent are seen at a host, or most of its traits",
            rules: &[
                &[Clause::at_least("recognised", "recognised_min")],
                &[Clause::at_least("agreeing", "minimal_probability")],
            ],
            reason: "{source} shares files with {targets} in {span}; flows known by content: {recognised}, agreeing traits: {agreeing} %; ports at peers: {ports}, peers over one own port: {one_port}, hosts that came to it: {askers}, flows on usual ports: {usual}, tracker or bootstrap host asked: {named}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0040",
                technique: "T1496",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[(Protocol::Dns, Kind::Query), (Protocol::Http, Kind::Request)],
            fields: &["dns.query", "http.uri"],
            ..Reads::ENDED_FLOWS
        },
        needs: &[Need::BothDirections],
        same_as: &["DIVCOM", "PEERS"],
        manual: Manual {
            what: "A host shares files with strangers: bandwidth goes, works of others may be spread in your name, and malware comes this way.",
            basis: "Answered flows with outside peers that begin with BitTorrent's handshake, its distributed table or uTP: recognised_min of them are enough. Else answered flows with outside peers on ports above 10240, and a name or a request that gives it away. Traits: many peers; many different ports at them; one own UDP port for many peers; outside hosts that come to a high port of the host; usual ports, a tracker or a bootstrap host.",
            bias: "Flow records without content, and peers that encrypt their handshake, leave only the traits. Unanswered flows and flows whose content is another protocol do not count. A program that is allowed to use one relay or a private network only is not recognised.",
            false_positives: "Other programs between equals: block chains, some games, updates that are passed from neighbour to neighbour over the Internet.",
            response: "Ask the user; nothing of this kind runs by itself on a server.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(params: &Params) -> Window {
        Window::idle_s(params.window_min * 60)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        if let Some(contact) = contact(flow)
            && watched(params, contact.host, true)
        {
            cells.add(CellKey::host(contact.host));
        }
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        let key = &transaction.key;
        if watched(params, key.initiator_ip, transaction.initiator_inside) && gives_away(transaction) {
            cells.add(CellKey::initiator(key));
        }
    }

    fn breaks(params: &Params, state: &State, start: Time) -> bool {
        state
            .span
            .is_some_and(|(first, _)| start.since(first) > i64::from(params.window_min) * 60 * NANOS_PER_S)
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let Some(contact) = contact(flow) else { return };
        state.reach(flow.start, flow.end);
        if contact.asked {
            state.askers.add(contact.peer);
        } else if contact.peer_port > HIGH_PORT {
            state.ports.add(contact.peer_port);
        }
        state.usual = state.usual.saturating_add(is_usual(&flow.key).into());
        state.recognised = state.recognised.saturating_add(contact.recognised.into());
        if state.peers.add(contact.peer) {
            if state.listed.len() < TARGETS_LISTED_MAX {
                state.listed.push(Target::ip(contact.peer));
            }
            if flow.key.proto == proto::UDP {
                state.own_ports.add(contact.own_port, 1);
            }
        }
    }

    fn on_transaction(_: &Params, state: &mut State, _: &CellKey, transaction: &Transaction) {
        state.reach(transaction.start, transaction.end);
        state.named = true;
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let least = u64::from(params.min_seeds.min(params.min_high_ports));
        let enough = state.peers.count() >= least || state.recognised >= params.recognised_min;
        let Some((first, last)) = state.span.filter(|_| enough) else {
            return;
        };
        if !out.due("General") {
            return;
        }
        let count = |number: u32| Quantity::Count(number.into());
        let one_port = state.own_ports.heaviest().first().map_or(0, |(_, peers)| *peers);
        let agree = [
            state.peers.count() >= params.min_seeds.into(),
            state.ports.count() >= params.min_high_ports.into(),
            one_port >= params.min_seeds.into(),
            state.askers.count() >= params.min_askers.into(),
            state.named || state.usual >= USUAL_MIN,
        ];
        let agreeing = agree.iter().filter(|agrees| **agrees).count() as f64 / TRAITS * 100.0;
        let facts = Facts::new()
            .input("recognised", count(state.recognised))
            .input("agreeing", Quantity::Ratio(agreeing))
            .input("ports", Quantity::Count(state.ports.count()))
            .input("one_port", Quantity::Count(one_port))
            .input("askers", Quantity::Count(state.askers.count()))
            .input("usual", count(state.usual))
            .input("named", Quantity::Flag(state.named))
            .limit("recognised_min", count(params.recognised_min))
            .limit(
                "minimal_probability",
                Quantity::Ratio(params.minimal_probability_pct),
            )
            .limit("min_seeds", count(params.min_seeds))
            .limit("min_high_ports", count(params.min_high_ports))
            .limit("min_askers", count(params.min_askers));
        if let Some(verdict) = out.judge("General", facts) {
            verdict
                .targets(state.listed.clone(), state.peers.count())
                .span(first, last)
                .detail("TargetCount", Quantity::Count(state.peers.count()))
                .detail("Probability", Quantity::Ratio(agreeing))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    ..FlowFilter::default()
                });
        }
    }
}

impl State {
    fn reach(&mut self, start: Time, end: Time) {
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
    }
}

fn watched(params: &Params, host: IpAddr, inside: bool) -> bool {
    inside && (params.lan_filter.is_empty() || params.lan_filter.iter().any(|prefix| prefix.contains(&host)))
}

fn is_usual(key: &FlowKey) -> bool {
    USUAL.contains(&key.responder_port)
}

/// An answered flow between an inside and an outside host whose content is BitTorrent's, or is not known and on a high
/// or usual port.
fn contact(flow: &FlowRecord) -> Option<Contact> {
    let key = &flow.key;
    let known = flow.protocol.filter(|_| flow.protocol_by_content);
    let recognised = known == Some(Protocol::BitTorrent);
    let could_be = known.is_none()
        && (key.responder_port > HIGH_PORT || is_usual(key))
        && (key.proto == proto::UDP || flow.established());
    let fits = (recognised || could_be)
        && key.initiator_port > 1_023
        && matches!(key.proto, proto::TCP | proto::UDP)
        && flow.initiator_inside != flow.responder_inside
        && flow.forward_total.packets > 0
        && flow.answered()
        && !is_group(key.responder_ip);
    let own_first = (
        (key.initiator_ip, key.initiator_port),
        (key.responder_ip, key.responder_port),
    );
    let ((host, own_port), (peer, peer_port)) = if flow.initiator_inside {
        own_first
    } else {
        (own_first.1, own_first.0)
    };
    fits.then_some(Contact {
        host,
        own_port,
        peer,
        peer_port,
        asked: !flow.initiator_inside,
        recognised,
    })
}

/// A question for a bootstrap host, or a word to a tracker (BEP 3).
fn gives_away(transaction: &Transaction) -> bool {
    let asks = |name: &str| BOOTSTRAP.iter().any(|host| is_within(name, host));
    transaction.text("dns.query").is_some_and(asks)
        || transaction
            .text("http.uri")
            .is_some_and(|uri| uri.contains("info_hash="))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    /// UDP from one port to many peers on many ports: three of five.
    const SWARM: &str =
        "@0s every 1s x20 10.0.0.8:50123 <> 203.0.113.{1..20}:{20001..20020} udp 130/1 300/1\n";

    #[test]
    fn three_traits() {
        check::<BitTorrent>(
            SWARM,
            expect![[r#"
                BITTORRENT.General 50 % after 19 s, 2 findings, 20 targets: 10.0.0.8 shares files with 20 targets in 19 s; flows known by content: 0, agreeing traits: 60 %; ports at peers: 20, peers over one own port: 20, hosts that came to it: 0, flows on usual ports: 0, tracker or bootstrap host asked: no
                  agreeing >= minimal_probability; silent at agreeing 60; src ip 10.0.0.8
            "#]],
        );
    }

    /// TCP only: many peers, many ports, strangers that come, a tracker.
    #[test]
    fn four_traits_without_udp() {
        check::<BitTorrent>(
            "@0s tx http/request 10.0.0.8 <> 203.0.113.99:80 http.uri=/announce?info_hash=%12%34
             @1s every 1s x20 10.0.0.8 <> 203.0.113.{1..20}:{20001..20020} tcp APSF 9000/60 90000/90
             @1s every 1s x5 198.51.100.{1..5} <> 10.0.0.8:50123 tcp APSF 9000/60 90000/90",
            expect![[r#"
                BITTORRENT.General 68 % after 10 s, 2 findings, 25 targets: 10.0.0.8 shares files with 25 targets in 20 s; flows known by content: 0, agreeing traits: 80 %; ports at peers: 20, peers over one own port: 0, hosts that came to it: 5, flows on usual ports: 0, tracker or bootstrap host asked: yes
                  agreeing >= minimal_probability; silent at agreeing 60; src ip 10.0.0.8
            "#]],
        );
    }

    /// Three conversations are proof enough, on any port and whoever began; two are not, nor are three inside.
    #[test]
    fn known_by_content() {
        let text = "@0s 10.0.0.8 <> 203.0.113.7:443 tcp APSF 900/6 900/6 app=bittorrent
             @1s 203.0.113.8 <> 10.0.0.8:6881 udp 900/6 900/6 app=bittorrent
             @2s 10.0.0.8 <> 203.0.113.9:9999 udp 900/6 900/6 app=bittorrent";
        check::<BitTorrent>(
            text,
            expect![[r#"
            BITTORRENT.General 50 % after 2 s, 2 findings, 3 targets: 10.0.0.8 shares files with 3 targets in 2 s; flows known by content: 3, agreeing traits: 0 %; ports at peers: 0, peers over one own port: 1, hosts that came to it: 1, flows on usual ports: 1, tracker or bootstrap host asked: no
              recognised >= recognised_min; silent at recognised 3; src ip 10.0.0.8
        "#]],
        );
        check::<BitTorrent>(&text[..text.rfind('@').unwrap()], expect![[""]]);
        check::<BitTorrent>(&text.replace("203.0.113", "10.0.1"), expect![[""]]);
    }

    /// A peer less, a port less; unanswered; a game's servers; a web crawler; a scan that is answered by resets.
    #[test]
    fn below_the_limits() {
        for text in [
            SWARM.replace("x20", "x19"),
            SWARM.replace("<>", ">").replace(" 300/1", ""),
            SWARM.replace("{20001..20020}", "{27015..27030}"),
            "every 1s x300 10.0.0.8 <> 203.0.113.{1..250}:{80,443,8080,8443} tcp APSF 900/9 9000/9"
                .to_owned(),
            "every 1s x300 10.0.0.8 <> 203.0.113.{1..250}:{20001..20300} tcp S/RA".to_owned(),
            SWARM.replace("300/1", "300/1 app=dns"),
            SWARM.replace("every 1s", "every 10min"),
        ] {
            check::<BitTorrent>(&text, expect![[""]]);
        }
        check_with::<BitTorrent>(r#"{"lan_filter": ["10.9.0.0/16"]}"#, SWARM, expect![[""]]);
    }
}
