//! GEODIST: a host's partners lie in more countries, and more evenly spread, than ever before. The spread is one number
//! (Shannon 1948) per five minutes, judged against the host's own past.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, Country, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Need, Priority, Quantity,
    Reads, Scope, SubmethodMeta, Target, Technique, Time,
};

use crate::baseline::Spread;
use crate::{CellKey, Cells, Findings, Learned, Method, Window};

crate::params! {
    /// Hours of activity a host is compared with. Intervals in which it had no partner outside do not count.
    window_length_h: u32 = 24, 4..=168;
    /// Hours of activity to learn before anything is said.
    learn_h: u32 = 8, 1..=168;
    /// Standard deviations above the mean of past intervals.
    increase: f64 = 3.0, 1.0..=100.0;
    /// KiB exchanged with a partner within five minutes before it counts.
    minimal_transfer_kib: u64 = 100, 1..=10_000_000;
    /// Countries below which no spread is reported.
    countries_min: u32 = 4, 2..=200;
    /// Countries that are left out, as two letters.
    exclude_countries: Vec<Country> = Vec::new();
}

const BIN_S: u32 = 300;
const BINS_PER_HOUR: u32 = 3_600 / BIN_S;
/// A host that was away for longer starts to learn anew, seconds.
const IDLE_S: u32 = 259_200;
/// Partners of one interval; more do not count, and their number is told: 8 KiB.
const PARTNERS_MAX: usize = 256;
/// Least standard deviation, bits: what one country more or less among a handful does.
const SIGMA_FLOOR: f64 = 0.25;
const TARGETS_LISTED_MAX: usize = 32;

/// See the file.
pub struct GeoDistribution;

#[derive(Serialize, Deserialize)]
struct Partner {
    country: Country,
    bytes: u64,
}

/// A host's interval and its past ones.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    partners: BTreeMap<IpAddr, Partner>,
    /// Records of partners that found no place.
    crowded_out: u64,
    span: Option<(Time, Time)>,
    /// Bits of past intervals with partners, oldest first; at most the window.
    past: VecDeque<f32>,
}

impl Method for GeoDistribution {
    const META: MethodMeta = MethodMeta {
        code: "GEODIST",
        slug: "geodist",
        family: "behaviour",
        title: "Partners spread over unusual countries",
        submethods: &[SubmethodMeta {
            name: "EntropyChange",
            about: "The countries of a host's partners are spread more evenly than at any time before.",
            rules: &[&[
                Clause::above("entropy", "usual_max"),
                Clause::above("entropy", "peak"),
                Clause::at_least("countries", "countries_min"),
                Clause::at_least("learned", "learn_min"),
            ]],
            reason: "{partners} partners of {source} lie in {countries} countries ({listed}), {entropy} bits; over {learned} \
                     intervals before it had {mean} with sigma {sigma}, at most {peak}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0010",
                technique: "T1030",
            }],
        }],
        priority: Priority::Low,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads::ALL_FLOWS,
        needs: &[Need::Countries],
        same_as: &["PEERS", "BITTORRENT"],
        manual: Manual {
            what: "A host that served and asked hosts of two countries now exchanges data with many: part of a swarm, \
                   of a proxy network, or in somebody else's hands.",
            basis: "Outside partners with which an inside host exchanged at least minimal_transfer_kib within five \
                    minutes; the entropy of their countries in bits (0: one country; 2: four countries in equal parts) \
                    against mean, sigma and the highest interval of the host's own past.",
            bias: "Silent without a country database and until learn_h hours of activity are learned. The highest past \
                   interval must be exceeded as well. What was reported is not learned.",
            false_positives: "A new public service, a video conference with guests from everywhere, a change of the \
                              content networks a site uses.",
            response: "Look at the partners and ports; see whether BITTORRENT, TOR or PEERS name the same host.",
        },
    };
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(BIN_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        if let Some((host, _, _)) = partner(params, flow) {
            cells.add(CellKey::host(host));
        }
    }

    fn on_flow(params: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let Some((_, ip, country)) = partner(params, flow) else {
            return;
        };
        let (first, last) = state.span.unwrap_or((flow.start, flow.end));
        state.span = Some((first.min(flow.start), last.max(flow.end)));
        if state.partners.len() >= PARTNERS_MAX && !state.partners.contains_key(&ip) {
            state.crowded_out += 1;
            return;
        }
        let bytes = flow.forward.bytes.saturating_add(flow.reverse_or_zero().bytes);
        let partner = state.partners.entry(ip).or_insert(Partner { country, bytes: 0 });
        partner.bytes = partner.bytes.saturating_add(bytes);
    }

    fn on_tick(params: &Params, state: &mut State, _: &CellKey, _: Time) {
        let counts = counts(params, state);
        let reported = facts(params, state, &counts).is_some_and(|facts| {
            let mut rules = Self::META.submethods.iter();
            rules.any(|one| one.holds(&facts).is_some())
        });
        if !reported && !counts.is_empty() {
            while state.past.len() >= (params.window_length_h * BINS_PER_HOUR) as usize {
                state.past.pop_front();
            }
            state.past.push_back(entropy(&counts) as f32);
        }
        (state.partners, state.span) = (BTreeMap::new(), None);
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        if state.partners.len() < params.countries_min as usize || !out.due("EntropyChange") {
            return;
        }
        let Some((first, last)) = state.span else { return };
        let counts = counts(params, state);
        let Some(facts) = facts(params, state, &counts) else {
            return;
        };
        let (current, mean) = (facts.input_number("entropy"), facts.limit_number("mean"));
        if let Some(verdict) = out.judge("EntropyChange", facts) {
            let heavy = counted(params, state).map(|(ip, _)| Target::ip(*ip));
            let number = counted(params, state).count() as u64;
            verdict
                .targets(heavy.take(TARGETS_LISTED_MAX), number)
                .span(first, last)
                .detail("CurrentValue", Quantity::Ratio(current.unwrap_or_default()))
                .detail("ComparedValue", Quantity::Ratio(mean.unwrap_or_default()))
                .detail("Measure", Quantity::Text("entropy of countries, bits".into()))
                .evidence(FlowFilter {
                    host: Some(cell.host),
                    ..FlowFilter::default()
                });
        }
    }
}

/// Inside host, outside partner and its country.
fn partner(params: &Params, flow: &FlowRecord) -> Option<(IpAddr, IpAddr, Country)> {
    let key = &flow.key;
    let (host, ip, place) = match (flow.initiator_inside, flow.responder_inside) {
        (true, false) => (key.initiator_ip, key.responder_ip, flow.responder_place),
        (false, true) => (key.responder_ip, key.initiator_ip, flow.initiator_place),
        _ => return None,
    };
    let country = place.country?;
    (!params.exclude_countries.contains(&country)).then_some((host, ip, country))
}

/// Partners with enough exchanged.
fn counted<'a>(params: &Params, state: &'a State) -> impl Iterator<Item = (&'a IpAddr, &'a Partner)> {
    let least = params.minimal_transfer_kib << 10;
    state
        .partners
        .iter()
        .filter(move |(_, partner)| partner.bytes >= least)
}

/// Such partners by country.
fn counts(params: &Params, state: &State) -> BTreeMap<Country, u32> {
    let mut counts = BTreeMap::new();
    for (_, partner) in counted(params, state) {
        *counts.entry(partner.country).or_insert(0) += 1;
    }
    counts
}

/// Shannon entropy, bits.
fn entropy(counts: &BTreeMap<Country, u32>) -> f64 {
    let all: f64 = counts.values().map(|count| f64::from(*count)).sum();
    let part = |count: &u32| {
        let share = f64::from(*count) / all;
        -share * share.log2()
    };
    counts.values().map(part).sum::<f64>().max(0.0)
}

/// The interval beside the past; nothing while the rule cannot hold.
fn facts(params: &Params, state: &State, counts: &BTreeMap<Country, u32>) -> Option<Facts> {
    let learn_min = params.learn_h.min(params.window_length_h) * BINS_PER_HOUR;
    if counts.len() < params.countries_min as usize || state.past.len() < learn_min as usize {
        return None;
    }
    let mut spread = Spread::default();
    state.past.iter().for_each(|bits| spread.add(f64::from(*bits)));
    let sigma = spread.deviation().max(SIGMA_FLOOR);
    let peak = state.past.iter().copied().fold(0.0, f32::max);
    let partners: u32 = counts.values().sum();
    let listed = counts.keys().map(|country| country.to_string().into());
    Some(
        Facts::new()
            .input("entropy", Quantity::Ratio(entropy(counts)))
            .input("countries", Quantity::Count(counts.len() as u64))
            .input("partners", Quantity::Count(partners.into()))
            .input("listed", Quantity::Texts(listed.collect()))
            .input("learned", Quantity::Count(state.past.len() as u64))
            .limit("countries_min", Quantity::Count(params.countries_min.into()))
            .limit("learn_min", Quantity::Count(learn_min.into()))
            .baseline("mean", Quantity::Ratio(spread.mean()))
            .baseline("sigma", Quantity::Ratio(sigma))
            .baseline("peak", Quantity::Ratio(peak.into()))
            .baseline(
                "usual_max",
                Quantity::Ratio(spread.mean() + params.increase * sigma),
            ),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    /// Nine hours with partners in two countries, then `then`.
    fn usual_then(then: &str) -> String {
        format!(
            "@1s every 50s x648 10.0.0.5 <> 198.51.100.{{1..6}}:443 tcp APRSF 20KiB/90 1MiB/900 country={{US,DE}}\n@9h {then}"
        )
    }

    #[test]
    fn everywhere_at_once() {
        check::<GeoDistribution>(
            &usual_then(
                "every 1s x60 10.0.0.5 <> 203.0.113.{1..60}:6881 tcp APRSF 1MiB/90 1MiB/900 country={BR,CZ,JP,FR,PL,KR,ZA,IN}",
            ),
            expect![[r#"
                GEODIST.EntropyChange 83 % after 32403 s, 2 findings, 60 targets: 60 partners of 10.0.0.5 lie in 8 countries (BR, CZ, FR, IN, JP and 3 more), 3 bits; over 108 intervals before it had 1 with sigma 0.25, at most 1
                  entropy > usual_max and entropy > peak and countries >= countries_min and learned >= learn_min; silent at entropy 1.75, entropy 1, countries 4, learned 96; ip 10.0.0.5
            "#]],
        );
    }

    #[test]
    fn begun_outside() {
        check::<GeoDistribution>(
            &usual_then(
                "every 1s x60 203.0.113.{1..60} <> 10.0.0.5:443 tcp APRSF 1MiB/90 1MiB/900 icountry={BR,CZ,JP,FR,PL,KR,ZA,IN}",
            ),
            expect![[r#"
                GEODIST.EntropyChange 83 % after 32403 s, 2 findings, 60 targets: 60 partners of 10.0.0.5 lie in 8 countries (BR, CZ, FR, IN, JP and 3 more), 3 bits; over 108 intervals before it had 1 with sigma 0.25, at most 1
                  entropy > usual_max and entropy > peak and countries >= countries_min and learned >= learn_min; silent at entropy 1.75, entropy 1, countries 4, learned 96; ip 10.0.0.5
            "#]],
        );
    }

    /// Three countries; little exchanged with each; not learned yet; left out; no country known.
    #[test]
    fn below_the_limits() {
        let many = "every 1s x60 10.0.0.5 <> 203.0.113.{1..60}:6881 tcp APRSF 1MiB/90 1MiB/900 country={BR,CZ,JP,FR}";
        check::<GeoDistribution>(&usual_then(&many.replace(",FR", "")), expect![[""]]);
        check::<GeoDistribution>(&usual_then(&many.replace("1MiB", "40KiB")), expect![[""]]);
        check::<GeoDistribution>(&usual_then(many).replace("x648", "x500"), expect![[""]]);
        check_with::<GeoDistribution>(
            r#"{"exclude_countries":["BR"]}"#,
            &usual_then(many),
            expect![[""]],
        );
        check::<GeoDistribution>(
            &usual_then(&many.replace(" country={BR,CZ,JP,FR}", "")),
            expect![[""]],
        );
    }

    /// A host that always had partners everywhere.
    #[test]
    fn always_so() {
        check::<GeoDistribution>(
            "@1s every 5s x6480 10.0.0.5 <> 198.51.100.{1..60}:443 tcp APRSF 20KiB/90 1MiB/900 country={US,DE,CZ,JP,FR,PL}
             every 5s x60 10.0.0.5 <> 198.51.100.{1..60}:443 tcp APRSF 20KiB/90 1MiB/900 country={US,DE,CZ,JP,FR,PL}",
            expect![[""]],
        );
    }
}
