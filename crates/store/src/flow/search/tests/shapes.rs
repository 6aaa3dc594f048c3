//! Every shape against the model, over random records, filters, views, keys, measures and thread counts.

use weir_model::FlowRecord;
use weir_query::{Catalog, Field, Scalar};

use super::model::{self, Cell};
use super::records::{Dice, Folder, filter, records, sources, stored};
use crate::flow::search::{
    Answer, Control, Cut, Figure, Found, Groups, Key, Measure, RowOrder, Search, Shape, Source, View, run,
};

const SEEDS: u64 = 25;

pub(super) fn field(name: &str) -> Field {
    Catalog::flows().field(name).unwrap().clone()
}

pub(super) fn key(name: &str, cut: Cut) -> Key {
    Key {
        cut,
        ..Key::of(&field(name)).unwrap()
    }
}

pub(super) fn keys(dice: &mut Dice) -> Vec<Key> {
    const MINUTE: i64 = 60_000_000_000;
    let all = [
        key("src_ip", Cut::Whole),
        key("dst_ip", Cut::Whole),
        key("ip", Cut::Whole),
        key("ip", Cut::Prefix { v4: 24, v6: 64 }),
        key("src_ip", Cut::Prefix { v4: 16, v6: 48 }),
        key("dst_ip", Cut::Prefix { v4: 0, v6: 0 }),
        key("port", Cut::Whole),
        key("dst_port", Cut::Whole),
        key("proto", Cut::Whole),
        key("vlan", Cut::Whole),
        key("app", Cut::Whole),
        key("conn_state", Cut::Whole),
        key("src_mac", Cut::Whole),
        key("src_inside", Cut::Whole),
        key("src_tcp_flags", Cut::Whole),
        key("exporter", Cut::Whole),
        key("start", Cut::Span(MINUTE)),
    ];
    let many = dice.below(4);
    (0..many).map(|_| dice.pick(&all).clone()).collect()
}

pub(super) fn measures(dice: &mut Dice) -> Vec<Measure> {
    let all = [
        Figure::Records,
        Figure::Sum(field("bytes")),
        Figure::Sum(field("dst_bytes")),
        Figure::Sum(field("packets")),
        Figure::Mean(field("dst_packets")),
        Figure::Mean(field("duration")),
        Figure::Least(field("start")),
        Figure::Greatest(field("end")),
        Figure::Greatest(field("bytes")),
        Figure::Least(field("vlan")),
        Figure::Flags(field("tcp_flags")),
        Figure::Flags(field("dst_tcp_flags")),
        Figure::Distinct(key("dst_ip", Cut::Whole)),
        Figure::Distinct(key("ip", Cut::Prefix { v4: 24, v6: 64 })),
        Figure::Distinct(key("app", Cut::Whole)),
        Figure::Distinct(key("vlan", Cut::Whole)),
        Figure::Quantile(field("bytes"), 0.9),
        Figure::Mean(field("rtt")),
        Figure::Greatest(field("srt_max")),
        Figure::Least(field("srt")),
        Figure::Sum(field("retransmitted_packets")),
        Figure::Mean(field("dst_out_of_order_packets")),
        Figure::Quotient(field("retransmitted_packets"), field("packets")),
        Figure::Rate(field("bytes"), 8e9),
        Figure::Quotient(field("bytes"), field("packets")),
    ];
    (0..1 + dice.below(4))
        .map(|at| Measure::new(format!("m{at}"), dice.pick(&all).clone()))
        .collect()
}

pub(super) fn view(dice: &mut Dice) -> View {
    *dice.pick(&[View::Biflow, View::OneWay])
}

/// Asks on one and on three threads and holds the answers equal.
fn ask(search: &Search, sources: &[Source]) -> Answer {
    let one = run(search, sources, &Control::new(1, 64 << 20)).unwrap();
    let three = run(search, sources, &Control::new(3, 64 << 20)).unwrap();
    match (&one.found, &three.found) {
        (Found::Records(a), Found::Records(b)) => assert_eq!(a, b),
        (Found::Table(a), Found::Table(b)) => assert_eq!(a, b),
        (Found::Exists(a), Found::Exists(b)) => assert_eq!(a, b),
        other => panic!("{other:?}"),
    }
    one
}

pub(super) fn same_lines(found: &[Vec<Cell>], wanted: &[Vec<Cell>], story: &str) {
    assert_eq!(found.len(), wanted.len(), "{story}\n{found:?}\n{wanted:?}");
    for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
        let near = match (found, wanted) {
            // Quantiles are within a hundredth.
            (Some(Scalar::Rate(a)), Some(Scalar::Rate(b))) => (a - b).abs() <= b.abs() * 0.01 + 1e-9,
            (a, b) => a == b,
        };
        assert!(near, "{story}: {found:?} for {wanted:?}");
    }
}

fn each_case(mut check: impl FnMut(&mut Dice, &[FlowRecord], &[Source], &Search, &str)) {
    for seed in 0..SEEDS {
        let mut dice = Dice(seed * 1000);
        let many = *dice.pick(&[0, 1, 40, 300, 300]);
        let flows = stored(&records(seed, many));
        let folder = Folder::new();
        let sources = sources(&folder, &records(seed, many));
        for _ in 0..3 {
            let (text, filter) = filter(&mut dice);
            let search = Search {
                filter,
                view: view(&mut dice),
                shape: Shape::Exists,
            };
            let story = format!("seed {seed}, {:?}, {text}", search.view);
            check(&mut dice, &flows, &sources, &search, &story);
        }
    }
}

#[test]
fn groups_are_the_models() {
    each_case(|dice, flows, sources, search, story| {
        let measures = measures(dice);
        // A quantile is no exact figure to be ordered by.
        let exact = |at: usize| !matches!(measures[at].what, Figure::Quantile(..));
        let groups = Groups {
            keys: keys(dice),
            order: Some(dice.below(measures.len() as u64) as usize).filter(|at| exact(*at)),
            limit: *dice.pick(&[None, Some(1), Some(5), Some(1000)]),
            measures,
        };
        let search = Search {
            shape: Shape::Groups(groups.clone()),
            ..search.clone()
        };
        let rows = model::rows(flows, search.view, &search.filter);
        let wanted = model::lines(&rows, &groups);
        let answer = ask(&search, sources);
        let Found::Table(found) = &answer.found else {
            panic!("{answer:?}");
        };
        same_lines(&found.rows, &wanted, &format!("{story}: {groups:?}"));
        assert_eq!(answer.cost.rows_fitting, rows.len() as u64, "{story}");
    });
}

#[test]
fn lists_are_the_models() {
    each_case(|dice, flows, sources, search, story| {
        let by = *dice.pick(&["start", "end", "bytes", "dst_packets", "duration", "vlan"]);
        let descending = dice.below(2) == 0;
        let limit = *dice.pick(&[None, Some(0), Some(1), Some(7), Some(1000)]);
        let mut wanted = model::rows(flows, search.view, &search.filter);
        let order = if dice.below(4) == 0 {
            RowOrder::Stored
        } else {
            wanted.sort_by_key(|row| {
                let one = model::figure(&[row], &Figure::Least(field(by)));
                let number = match model::sortable(&one) {
                    model::Sortable::Number(number) => number as i128,
                    _ => return i128::MAX,
                };
                if descending { -number } else { number }
            });
            RowOrder::By {
                value: field(by),
                descending,
            }
        };
        wanted.truncate(limit.unwrap_or(usize::MAX));
        let search = Search {
            shape: Shape::List { order, limit },
            ..search.clone()
        };
        let Found::Records(found) = ask(&search, sources).found else {
            panic!("{story}");
        };
        let story = format!("{story}: by {by}, {limit:?}");
        assert_eq!(found.len(), wanted.len(), "{story}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(shown(found), shown(wanted), "{story}");
        }
    });
}

/// What outputs show of a record.
fn shown(flow: &FlowRecord) -> Vec<Cell> {
    weir_query::FLOW_COLUMNS
        .iter()
        .map(|column| column.of_flow(flow))
        .collect()
}

#[test]
fn existence_is_the_models() {
    each_case(|_, flows, sources, search, story| {
        let wanted = !model::rows(flows, search.view, &search.filter).is_empty();
        let answer = ask(search, sources);
        assert!(
            matches!(answer.found, Found::Exists(found) if found == wanted),
            "{story}"
        );
    });
}

#[test]
fn series_are_the_models_without_gaps() {
    each_case(|dice, flows, sources, search, story| {
        let bucket_ns = *dice.pick(&[60_000_000_000, 1_000_000_000, 3_600_000_000_000]);
        let measures = vec![
            Measure::new("flows", Figure::Records),
            Measure::new("bytes", Figure::Sum(field("bytes"))),
            Measure::new("peak", Figure::Greatest(field("packets"))),
        ];
        let rows = model::rows(flows, search.view, &search.filter);
        let groups = Groups {
            keys: vec![key("start", Cut::Span(bucket_ns))],
            measures: measures.clone(),
            order: None,
            limit: None,
        };
        let search = Search {
            shape: Shape::Series { bucket_ns, measures },
            ..search.clone()
        };
        let Found::Table(found) = ask(&search, sources).found else {
            panic!("{story}");
        };
        let begins = found.rows.iter().map(|row| match row[0] {
            Some(Scalar::Time(begin)) => begin,
            _ => panic!("{story}"),
        });
        let begins: Vec<i64> = begins.collect();
        assert!(
            begins.windows(2).all(|pair| pair[1] - pair[0] == bucket_ns),
            "{story}"
        );
        let filled = found.rows.iter().filter(|row| row[1] != Some(Scalar::Number(0)));
        let filled: Vec<Vec<Cell>> = filled.cloned().collect();
        let mut wanted = model::lines(&rows, &groups);
        wanted.sort_by_key(|line| model::sortable(&line[0]));
        same_lines(&filled, &wanted, story);
        let gaps = found.rows.iter().filter(|row| row[1] == Some(Scalar::Number(0)));
        gaps.for_each(|row| assert_eq!(row[2..], [Some(Scalar::Number(0)), None], "{story}"));
    });
}

/// Lines of the top groups, by time and rank.
fn over_time(rows: &[FlowRecord], groups: &Groups, top: &[Cell], bucket_ns: i64) -> Vec<Vec<Cell>> {
    let mut timed = groups.keys.clone();
    timed.insert(0, key("start", Cut::Span(bucket_ns)));
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    for (keys, rows) in model::grouped(rows, &timed) {
        if top.contains(&keys[1]) {
            let measures = groups.measures.iter();
            let figures = measures.map(|measure| model::figure(&rows, &measure.what));
            lines.push(keys.into_iter().chain(figures).collect());
        }
    }
    let rank = |line: &Vec<Cell>| top.iter().position(|key| *key == line[1]);
    lines.sort_by_key(|line| (model::sortable(&line[0]), rank(line)));
    lines
}

/// The records counted in these lines.
fn counted<'a>(lines: impl IntoIterator<Item = &'a Vec<Cell>>) -> u64 {
    lines.into_iter().fold(0, |sum, line| match line[3] {
        Some(Scalar::Number(flows)) => sum + flows,
        _ => sum,
    })
}

#[test]
fn top_over_time_is_the_models() {
    each_case(|dice, flows, sources, search, story| {
        let bucket_ns = 300_000_000_000;
        let keys = ["src_ip", "ip", "app", "dst_port"];
        let groups = Groups {
            keys: vec![key(dice.pick::<&str>(&keys), Cut::Whole)],
            measures: vec![
                Measure::new("bytes", Figure::Sum(field("bytes"))),
                Measure::new("flows", Figure::Records),
            ],
            order: Some(0),
            limit: Some(3),
        };
        let rows = model::rows(flows, search.view, &search.filter);
        let lines = model::lines(&rows, &groups);
        let top: Vec<Cell> = lines.into_iter().map(|line| line[0].clone()).collect();
        let wanted = over_time(&rows, &groups, &top, bucket_ns);
        let search = Search {
            shape: Shape::TopOverTime {
                groups: groups.clone(),
                bucket_ns,
            },
            ..search.clone()
        };
        let Found::Table(found) = ask(&search, sources).found else {
            panic!("{story}");
        };
        // The rest of each span counts what is left, also beside a named group without a value.
        let in_groups = model::grouped(&rows, &groups.keys);
        let all: u64 = in_groups.iter().map(|(_, rows)| rows.len() as u64).sum();
        assert_eq!(counted(&found.rows), all, "{story}");
        assert!(
            found.rest.iter().all(|at| found.rows[*at][1].is_none()),
            "{story}"
        );
        let rest: u64 = counted(found.rest.iter().map(|at| &found.rows[*at]));
        assert_eq!(rest, all - counted(&wanted), "{story}");
        let named = found.rows.into_iter().enumerate();
        let named: Vec<_> = named
            .filter(|(at, _)| !found.rest.contains(at))
            .map(|(_, line)| line)
            .collect();
        same_lines(&named, &wanted, story);
    });
}
