//! DNSQUERY: a station asks far more names in an hour than its equals. Compares stations with each other, so it needs
//! several that ask at all, and leaves out those that answer questions themselves.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Kind, Manual, Maturity, MethodMeta, NANOS_PER_S, Priority,
    Protocol, Quantity, Reads, Scope, SubmethodMeta, Technique, Time, Transaction, proto,
};

use crate::baseline::Sliding;
use crate::{CellKey, Cells, Findings, Learned, Method, Window};

crate::params! {
    /// A station is reported when it asks this many times the mean of the others in an hour. More makes it quieter.
    multiplicator: f64 = 10.0, 1.5..=10_000.0;
    /// Questions per hour from which a station takes part, in the mean and as a suspect.
    minimal_query_limit: u32 = 200, 1..=10_000_000;
    /// Other stations that must take part, so that a mean says something.
    stations_min: u32 = 4, 2..=10_000;
    /// Stations that are left out, as prefixes: resolvers, mail filters, monitoring.
    exclude_dns: Vec<IpNet> = Vec::new();
}

const PORT: u16 = 53;
/// The hour is kept in intervals of five minutes.
const BIN_S: i64 = 300;
const BINS: usize = 12;
/// Stations compared with each other. Past it new ones are counted, not compared: about 2.5 MiB.
const STATIONS_MAX: usize = 16_384;
/// The table is forgotten after this silence of the whole feed.
const IDLE_S: u32 = 86_400;

/// DNS query counts.
pub struct DnsQuery;

/// One station's last hour.
#[derive(Default, Serialize, Deserialize)]
struct Station {
    asked: Sliding<BINS>,
    /// It answers questions: a resolver, not a station.
    answers: bool,
    /// What it gave to the mean at the last tick.
    given: u64,
    first: Time,
    last: Time,
}

/// All stations of the feed.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    stations: BTreeMap<IpAddr, Station>,
    /// Stations that found no place.
    crowded_out: u64,
    /// Sum and number of what stations gave to the mean at the last tick.
    sum: u64,
    count: u64,
    /// Who asked last: the only one that can have come over the limit.
    newest: Option<IpAddr>,
}

impl State {
    fn station(&mut self, ip: IpAddr) -> Option<&mut Station> {
        if self.stations.len() >= STATIONS_MAX && !self.stations.contains_key(&ip) {
            self.crowded_out += 1;
            return None;
        }
        Some(self.stations.entry(ip).or_default())
    }

    fn ask(&mut self, client: IpAddr, server: IpAddr, answered: bool, start: Time, end: Time) {
        self.newest = Some(client);
        if let Some(station) = self.station(client) {
            station.asked.advance(end, BIN_S);
            if station.asked.sum() == 0 {
                (station.first, station.last) = (start, end);
            }
            station.asked.add(end, BIN_S, 1);
            station.first = station.first.min(start);
            station.last = station.last.max(end);
        }
        if answered && let Some(station) = self.station(server) {
            station.answers = true;
        }
    }

    fn facts(&self, params: &Params, station: &Station) -> Facts {
        let (others, number) = match station.given {
            0 => (self.sum, self.count),
            given => (self.sum - given, self.count - 1),
        };
        let mean = others as f64 / number.max(1) as f64;
        Facts::new()
            .input("queries", Quantity::Count(station.asked.sum()))
            .input("stations", Quantity::Count(number))
            .limit(
                "queries_max",
                Quantity::Ratio((mean * params.multiplicator).round()),
            )
            .limit("stations_min", Quantity::Count(params.stations_min.into()))
            .baseline("mean_of_others", Quantity::Ratio(mean))
    }
}

impl Method for DnsQuery {
    const META: MethodMeta = MethodMeta {
        code: "DNSQUERY",
        slug: "dnsquery",
        family: "dns",
        title: "Too many DNS questions",
        submethods: &[SubmethodMeta {
            name: "QueriesCount",
            about: "A station asks many times more names in an hour than the other stations.",
            rules: &[&[
                Clause::above("queries", "queries_max"),
                Clause::at_least("stations", "stations_min"),
            ]],
            reason: "{queries} DNS questions of {source} in {span}; the mean of {stations} others is {mean_of_others} \
                     in an hour",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0011",
                technique: "T1071.004",
            }],
        }],
        priority: Priority::Low,
        maturity: Maturity::Preview,
        scope: Scope::Network,
        reads: Reads {
            transactions: &[(Protocol::Dns, Kind::Query)],
            fields: &["dns.rcode"],
            ..Reads::ENDED_FLOWS
        },
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "A station asks far more names than its equals: malware that looks for its masters, a tunnel, a \
                   scanner of names, or a broken program.",
            basis: "Questions to port 53 per station over the last hour, from DNS messages where content is seen, else \
                    from flows. The limit is a multiple of the mean of all other stations that ask at least \
                    minimal_query_limit; it is taken anew every five minutes.",
            bias: "Silent in doubt: with fewer than stations_min others there is no mean, the first five minutes have \
                   none either, and whoever answers questions itself is taken for a resolver. Flow records without \
                   content count several questions of one source port as one.",
            false_positives: "Resolvers whose answering side is not seen, mail filters, monitoring, address gateways \
                              with many stations behind them: put them into exclude_dns.",
            response: "Look at the names: one domain speaks for a tunnel, many that do not exist for malware.",
        },
    };
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(BIN_S as u32)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        // Where content is seen, messages are counted instead.
        if key.responder_port == PORT
            && matches!(key.proto, proto::TCP | proto::UDP)
            && !flow.protocol_by_content
            && !excluded(params, key.initiator_ip)
        {
            cells.add(CellKey::network());
        }
    }

    fn cells_of_transaction(params: &Params, query: &Transaction, cells: &mut Cells) {
        if query.key.responder_port == PORT && !excluded(params, query.key.initiator_ip) {
            cells.add(CellKey::network());
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let key = &flow.key;
        state.ask(
            key.initiator_ip,
            key.responder_ip,
            flow.answered(),
            flow.start,
            flow.end,
        );
    }

    fn on_transaction(_: &Params, state: &mut State, _: &CellKey, query: &Transaction) {
        let key = &query.key;
        state.ask(
            key.initiator_ip,
            key.responder_ip,
            query.get("dns.rcode").is_some(),
            query.start,
            query.end,
        );
    }

    fn on_tick(params: &Params, state: &mut State, _: &CellKey, now: Time) {
        (state.sum, state.count) = (0, 0);
        let limit = u64::from(params.minimal_query_limit);
        state.stations.retain(|_, station| {
            station.asked.advance(now, BIN_S);
            let asked = station.asked.sum();
            station.given = if station.answers || asked < limit {
                0
            } else {
                asked
            };
            state.sum += station.given;
            state.count += u64::from(station.given > 0);
            asked > 0 || station.answers
        });
    }

    fn judge(params: &Params, state: &State, _: &CellKey, out: &mut Findings<'_>) {
        let Some((ip, station)) = state.newest.and_then(|ip| Some((ip, state.stations.get(&ip)?))) else {
            return;
        };
        let asked = station.asked.sum();
        if station.answers
            || asked <= u64::from(params.minimal_query_limit)
            || !out.due_about(Some(ip), "QueriesCount")
        {
            return;
        }
        let facts = state.facts(params, station);
        let mean = facts.limit_number("mean_of_others").unwrap_or_default();
        let hour = BINS as i64 * BIN_S * NANOS_PER_S;
        if let Some(verdict) = out.judge_about(Some(ip), "QueriesCount", facts) {
            verdict
                .source(ip)
                .span(station.first.max(station.last - hour), station.last)
                .detail("CurrentValue", Quantity::Count(asked))
                .detail("ComparedValue", Quantity::Ratio(mean))
                .detail("Duration", Quantity::Count(60))
                .detail("Measure", Quantity::Text("questions".into()))
                .evidence(FlowFilter {
                    initiator: Some(ip),
                    responder_port: Some(PORT),
                    ..FlowFilter::default()
                });
        }
    }
}

fn excluded(params: &Params, ip: IpAddr) -> bool {
    params.exclude_dns.iter().any(|prefix| prefix.contains(&ip))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check;

    const OFFICE: &str = "@0s tx dns/query every 2s x1800 10.0.0.{11..16} <> 10.0.0.1:53 dns.query=a.example dns.rcode=NOERROR\n";

    /// Six stations with 300 questions an hour each; one asks four thousand.
    #[test]
    fn one_asks_too_much() {
        check::<DnsQuery>(
            &format!("{OFFICE}@0s tx dns/query every 900ms x4000 10.0.0.5 <> 10.0.0.1:53 dns.rcode=NOERROR"),
            expect![[r#"
                DNSQUERY.QueriesCount 73 % after 2400 s, 5 findings, 0 targets: 4000 DNS questions of 10.0.0.5 in 60 min; the mean of 6 others is 275 in an hour
                  queries > queries_max and stations >= stations_min; silent at queries 2750, stations 4; src ip 10.0.0.5 and dst port 53
            "#]],
        );
    }

    /// The same from flow records alone.
    #[test]
    fn from_flow_records() {
        check::<DnsQuery>(
            "@0s every 2s x1800 10.0.0.{11..16} <> 10.0.0.1:53 udp 60/1 120/1
             @0s every 900ms x4000 10.0.0.5 <> 10.0.0.1:53 udp 60/1 120/1",
            expect![[r#"
                DNSQUERY.QueriesCount 73 % after 2400 s, 5 findings, 0 targets: 4000 DNS questions of 10.0.0.5 in 60 min; the mean of 6 others is 275 in an hour
                  queries > queries_max and stations >= stations_min; silent at queries 2750, stations 4; src ip 10.0.0.5 and dst port 53
            "#]],
        );
    }

    /// Nine times the mean; as much as you like where there are few to compare with; a resolver.
    #[test]
    fn below_the_limits() {
        check::<DnsQuery>(
            &format!("{OFFICE}@0s tx dns/query every 1400ms x2500 10.0.0.5 <> 10.0.0.1:53 dns.rcode=NOERROR"),
            expect![[""]],
        );
        check::<DnsQuery>(
            "@0s tx dns/query every 100ms x15000 10.0.0.5 <> 10.0.0.1:53 dns.rcode=NOERROR
             @0s tx dns/query every 2s x900 10.0.0.{11..13} <> 10.0.0.1:53 dns.rcode=NOERROR",
            expect![[""]],
        );
        check::<DnsQuery>(
            &format!(
                "{OFFICE}@0s tx dns/query every 300ms x9000 10.0.0.1 <> 198.51.100.53:53 dns.rcode=NOERROR"
            ),
            expect![[""]],
        );
    }
}
