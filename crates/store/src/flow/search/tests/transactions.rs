//! Transactions asked themselves, and flows asked about their transactions, against a model over plain records.

use std::collections::{BTreeMap, BTreeSet};

use weir_model::{Field, FlowRecord, Kind, Mac, Outcome, Protocol, Time, Transaction, Value};
use weir_query::{Catalog, Check, Expr, NoLists, Scalar, parse};

use super::model::{self, Cell, sortable};
use super::records::{Dice, Folder, part_of, records, sources, stored};
use super::shapes::{field as flow_field, same_lines};
use crate::flow::search::{
    Control, Cut, Figure, Found, Groups, Key, Measure, RowOrder, Search, SearchError, Shape, Source, View,
    run, run_with_transactions,
};
use crate::flow::to_transaction_batch;

static HOST: Field = Field::text("t.host", "");
static STATUS: Field = Field::number("t.status", "");
static NAMES: Field = Field::texts("t.names", "");
static ADDRESS: Field = Field::ip("t.address", "");
static CACHED: Field = Field::flag("t.cached", "");
static MAC: Field = Field::mac("t.mac", "");
pub(super) static FIELDS: [&Field; 6] = [&HOST, &STATUS, &NAMES, &ADDRESS, &CACHED, &MAC];

const TESTS: &[&str] = &[
    "t.host a.example",
    "t.host in [a.example b.example]",
    "t.host ~ \"*.example\"",
    "t.status >= 400",
    "t.status 200",
    "exists t.names",
    "t.names n1",
    "t.names contains n",
    "t.address 10.0.0.2",
    "t.cached yes",
    "t.mac 02:00:00:00:00:01",
    "kind request",
    "outcome refused",
    "app http",
    "dst port 443",
    "proto tcp",
    "src net 10.0.0.0/16",
    "start > 2026-11-22T00:20",
];

pub(super) fn known(name: &str) -> Option<&'static Field> {
    FIELDS.into_iter().find(|field| field.name == name)
}

/// Up to three transactions of most flows.
pub(super) fn transactions(dice: &mut Dice, flows: &[FlowRecord]) -> Vec<Transaction> {
    let mut all = Vec::new();
    for flow in flows {
        for _ in 0..dice.below(4) {
            let kind = *dice.pick(&[Kind::Request, Kind::Query]);
            let start = Time(flow.start.0 + dice.below(1_000_000_000) as i64);
            let mut one = Transaction::new(flow.id, flow.key, Protocol::Http, kind, start);
            one.end = Time(start.0 + dice.below(5_000_000) as i64);
            one.outcome = *dice.pick(&[Outcome::Unknown, Outcome::Accepted, Outcome::Refused]);
            if dice.below(3) > 0 {
                one.set(
                    &HOST,
                    Value::Text((*dice.pick(&["a.example", "b.example", "c.other"])).into()),
                );
            }
            if dice.below(2) == 0 {
                one.set(&STATUS, Value::Number(*dice.pick(&[200, 404, 500])));
            }
            if dice.below(3) == 0 {
                let names = (0..dice.below(3)).map(|at| format!("n{at}").into());
                one.set(&NAMES, Value::Texts(names.collect()));
            }
            if dice.below(3) == 0 {
                one.set(&ADDRESS, Value::Ip([10, 0, 0, dice.below(4) as u8].into()));
            }
            if dice.below(3) == 0 {
                one.set(&CACHED, Value::Flag(dice.below(2) == 0));
            }
            if dice.below(3) == 0 {
                one.set(&MAC, Value::Mac(Mac([2, 0, 0, 0, 0, dice.below(3) as u8])));
            }
            all.push(one);
        }
    }
    all
}

/// In a part and in memory.
fn transaction_sources(folder: &Folder, all: &[Transaction]) -> Vec<Source> {
    let (first, rest) = all.split_at(all.len() / 2);
    vec![
        part_of(folder, "t.parquet", &to_transaction_batch(first).unwrap(), 50),
        Source::Batch(to_transaction_batch(rest).unwrap()),
    ]
}

pub(super) fn filter(dice: &mut Dice, catalog: &Catalog) -> (String, Expr) {
    let mut text = (*dice.pick(TESTS)).to_owned();
    for _ in 0..dice.below(4) {
        let other = *dice.pick(TESTS);
        text = match dice.below(5) {
            0 => format!("({text}) or {other}"),
            1 => format!("not ({text}) and {other}"),
            2 => format!("({text}) and not {other}"),
            _ => format!("({text}) and {other}"),
        };
    }
    let expr = parse(&text, catalog, &NoLists).unwrap_or_else(|error| panic!("{text}: {error}"));
    (text, expr)
}

/// Is it about transactions alone, without a `not`?
fn whole(expr: &Expr) -> bool {
    match expr {
        Expr::Any | Expr::Not(_) => false,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(whole),
        Expr::Test(test) => test.field.of_transactions_alone(),
    }
}

/// Does a flow with these transactions fit?
fn fits(expr: &Expr, flow: &FlowRecord, own: &[&Transaction]) -> bool {
    match expr {
        Expr::Any => true,
        Expr::And(parts) => {
            let of_one: Vec<&Expr> = parts.iter().filter(|part| whole(part)).collect();
            let one = |one: &&Transaction| of_one.iter().all(|part| part.matches_transaction(one));
            (of_one.is_empty() || own.iter().any(one))
                && parts
                    .iter()
                    .filter(|part| !whole(part))
                    .all(|part| fits(part, flow, own))
        }
        Expr::Or(parts) => parts.iter().any(|part| fits(part, flow, own)),
        Expr::Not(inner) => !fits(inner, flow, own),
        Expr::Test(test) if test.field.of_transactions_alone() => {
            own.iter().any(|one| expr.matches_transaction(one))
        }
        Expr::Test(_) => expr.matches(flow),
    }
}

fn text_of(one: &Transaction, name: &str) -> Cell {
    match one.get(name)? {
        Value::Text(text) => Some(Scalar::Text(text.to_string().into())),
        Value::Texts(all) => Some(Scalar::Text(all.join(", ").into())),
        Value::Number(number) => Some(Scalar::Number(*number)),
        _ => None,
    }
}

pub(super) fn key(catalog: &Catalog, name: &str) -> Key {
    Key::of(catalog.field(name).unwrap()).unwrap()
}

struct Case {
    flows: Vec<FlowRecord>,
    all: Vec<Transaction>,
    flow_sources: Vec<Source>,
    transaction_sources: Vec<Source>,
    _folder: Folder,
}

fn case(dice: &mut Dice, seed: u64) -> Case {
    let many = *dice.pick(&[0, 1, 40, 200]);
    let flows = stored(&records(seed, many));
    let folder = Folder::new();
    let flow_sources = sources(&folder, &records(seed, many));
    let all = transactions(dice, &flows);
    let transaction_sources = transaction_sources(&folder, &all);
    Case {
        flows,
        all,
        flow_sources,
        transaction_sources,
        _folder: folder,
    }
}

impl Case {
    fn ask(&self, search: &Search, threads: usize) -> Found {
        let control = Control::new(threads, 64 << 20);
        let flows = &self.flow_sources;
        let answer = match search.view {
            View::Transactions => run(search, &self.transaction_sources, &control),
            _ => run_with_transactions(search, flows, &self.transaction_sources, &control),
        };
        answer.unwrap().found
    }

    fn of_flow(&self) -> BTreeMap<u64, Vec<&Transaction>> {
        let mut by_flow = BTreeMap::<u64, Vec<&Transaction>>::new();
        for one in &self.all {
            by_flow.entry(one.flow.0).or_default().push(one);
        }
        by_flow
    }
}

pub(super) fn groups(keys: Vec<Key>, measures: Vec<Measure>) -> Groups {
    Groups {
        keys,
        measures,
        order: None,
        limit: None,
    }
}

/// Groups of flows by what their transactions said, alone and beside a column of their own; existence and lists with
/// such filters.
#[test]
fn flows_are_asked_about_their_transactions() {
    let catalog = Catalog::flows_with_transactions(FIELDS);
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let case = case(&mut dice, seed);
        let by_flow = case.of_flow();
        for _ in 0..4 {
            let (text, filter) = filter(&mut dice, &catalog);
            let names = *dice.pick(&[
                &["t.host"][..],
                &["src_ip", "t.host"],
                &["t.host", "t.status"],
                &["t.names", "dst_port"],
                &["src_ip"],
            ]);
            let story = format!("seed {seed}, {text}, by {names:?}");
            let measures = vec![
                Measure::new("flows", Figure::Records),
                Measure::new("bytes", Figure::Sum(flow_field("bytes"))),
                Measure::new("hosts", Figure::Distinct(key(&catalog, "t.host"))),
            ];
            let keys: Vec<Key> = names.iter().map(|name| key(&catalog, name)).collect();
            let search = |shape| Search {
                filter: filter.clone(),
                view: View::Biflow,
                shape,
            };
            let none = Vec::new();
            let own = |flow: &FlowRecord| by_flow.get(&flow.id.0).unwrap_or(&none);
            let fitting: Vec<&FlowRecord> = case
                .flows
                .iter()
                .filter(|flow| fits(&filter, flow, own(flow)))
                .collect();
            let wanted = modelled(&fitting, names, &own);
            let Found::Table(found) = case.ask(
                &search(Shape::Groups(groups(keys, measures))),
                1 + seed as usize % 3,
            ) else {
                panic!("{story}: no table");
            };
            same_lines(&found.rows, &wanted, &story);
            let Found::Exists(exists) = case.ask(&search(Shape::Exists), 1) else {
                panic!("{story}: no existence");
            };
            assert_eq!(exists, !fitting.is_empty(), "{story}");
            let list = Shape::List {
                order: RowOrder::Stored,
                limit: None,
            };
            let Found::Records(listed) = case.ask(&search(list), 2) else {
                panic!("{story}: no records");
            };
            assert!(listed.iter().eq(fitting.iter().copied()), "{story}");
        }
    }
}

/// Lines of a grouping by these names, in the order of their keys.
fn modelled<'a>(
    flows: &[&FlowRecord],
    names: &[&str],
    own: &impl Fn(&FlowRecord) -> &'a Vec<&'a Transaction>,
) -> Vec<Vec<Cell>> {
    let mut found: BTreeMap<Vec<model::Sortable>, (Vec<Cell>, Vec<&FlowRecord>)> = BTreeMap::new();
    let nested = |name: &&str| name.starts_with("t.");
    for flow in flows {
        let line = |one: Option<&Transaction>| -> Vec<Cell> {
            let cell = |name: &&str| match (nested(name), one) {
                (true, Some(one)) => text_of(one, name),
                (true, None) => None,
                (false, _) => Catalog::flows().field(name).unwrap().reads.columns()[0].of_flow(flow),
            };
            names.iter().map(cell).collect()
        };
        let has = |line: &Vec<Cell>| {
            let cells = line.iter().zip(names);
            cells
                .into_iter()
                .any(|(cell, name)| cell.is_some() && nested(name))
        };
        let mut lines: Vec<Vec<Cell>> = own(flow).iter().map(|one| line(Some(one))).filter(has).collect();
        if lines.is_empty() {
            lines.push(line(None));
        }
        let lines: BTreeMap<Vec<model::Sortable>, Vec<Cell>> = lines
            .into_iter()
            .map(|line| (line.iter().map(sortable).collect(), line))
            .collect();
        for (sorted, line) in lines {
            found
                .entry(sorted)
                .or_insert_with(|| (line, Vec::new()))
                .1
                .push(flow);
        }
    }
    let lines = found.into_values().map(|(mut line, flows)| {
        let hosts: BTreeSet<String> = flows
            .iter()
            .flat_map(|flow| own(flow).iter())
            .filter_map(|one| one.get("t.host").map(|host| format!("{host:?}")))
            .collect();
        line.push(Some(Scalar::Number(flows.len() as u64)));
        line.push(model::figure(&flows, &Figure::Sum(flow_field("bytes"))));
        line.push(Some(Scalar::Number(hosts.len() as u64)));
        line
    });
    lines.collect()
}

/// Lists in the order of a number, cut or whole.
fn lists_are_the_models(
    dice: &mut Dice,
    case: &Case,
    search: &dyn Fn(Shape) -> Search,
    fitting: &[&Transaction],
    status: weir_query::Field,
    story: &str,
) {
    let limit = *dice.pick(&[None, Some(3)]);
    let order = RowOrder::By {
        value: status,
        descending: true,
    };
    let Found::Transactions(rows) = case.ask(&search(Shape::List { order, limit }), 2) else {
        panic!("{story}: no transactions");
    };
    let number = |one: &Transaction| match one.get("t.status") {
        Some(Value::Number(number)) => -(*number as i64),
        _ => 1,
    };
    let mut wanted = fitting.to_vec();
    wanted.sort_by_key(|one| number(one));
    wanted.truncate(limit.unwrap_or(usize::MAX));
    let listed = rows.transactions(known).unwrap();
    assert_eq!(listed.len(), wanted.len(), "{story}");
    for (one, wanted) in listed.iter().zip(wanted) {
        // Values come back in the order of their names.
        assert_eq!(
            (one.flow, one.start, number(one)),
            (wanted.flow, wanted.start, number(wanted)),
            "{story}"
        );
    }
}

/// The table of transactions by itself: groups, lists in an order, spans of time.
#[test]
fn transactions_are_the_models() {
    let catalog = Catalog::transactions(FIELDS);
    for seed in 100..120 {
        let mut dice = Dice(seed);
        let case = case(&mut dice, seed);
        for _ in 0..4 {
            let (text, filter) = filter(&mut dice, &catalog);
            let story = format!("seed {seed}, {text}");
            let search = |shape| Search {
                filter: filter.clone(),
                view: View::Transactions,
                shape,
            };
            let fitting: Vec<&Transaction> = case
                .all
                .iter()
                .filter(|one| filter.matches_transaction(one))
                .collect();
            let status = catalog.field("t.status").unwrap().clone();
            let measures = vec![
                Measure::new("transactions", Figure::Records),
                Measure::new("status", Figure::Sum(status.clone())),
            ];
            let name = *dice.pick(&["t.host", "t.names", "t.status"]);
            let shape = Shape::Groups(groups(vec![key(&catalog, name)], measures.clone()));
            let Found::Table(found) = case.ask(&search(shape), 2) else {
                panic!("{story}: no table");
            };
            let sum = |all: &[&Transaction]| -> Cell {
                let numbers = all.iter().filter_map(|one| match one.get("t.status")? {
                    Value::Number(number) => Some(*number),
                    _ => None,
                });
                numbers.reduce(|a, b| a + b).map(Scalar::Number)
            };
            let mut wanted: BTreeMap<model::Sortable, (Cell, Vec<&Transaction>)> = BTreeMap::new();
            for one in &fitting {
                let cell = text_of(one, name);
                wanted
                    .entry(sortable(&cell))
                    .or_insert_with(|| (cell, Vec::new()))
                    .1
                    .push(one);
            }
            let wanted: Vec<Vec<Cell>> = wanted
                .into_values()
                .map(|(cell, all)| vec![cell, Some(Scalar::Number(all.len() as u64)), sum(&all)])
                .collect();
            same_lines(&found.rows, &wanted, &story);

            lists_are_the_models(&mut dice, &case, &search, &fitting, status, &story);
            let shape = Shape::Series {
                bucket_ns: 60_000_000_000,
                measures,
            };
            let Found::Table(series) = case.ask(&search(shape), 1) else {
                panic!("{story}: no series");
            };
            let counted: u64 = series
                .rows
                .iter()
                .map(|row| match row[1] {
                    Some(Scalar::Number(number)) => number,
                    _ => 0,
                })
                .sum();
            assert_eq!(counted, fitting.len() as u64, "{story}");
        }
    }
}

#[test]
fn questions_that_a_flow_cannot_answer_are_told() {
    let catalog = Catalog::flows_with_transactions(FIELDS);
    let told = |shape: Shape| {
        let search = Search {
            filter: Expr::Any,
            view: View::Biflow,
            shape,
        };
        let error = run_with_transactions(&search, &[], &[], &Control::default()).unwrap_err();
        assert!(matches!(error, SearchError::Field { .. }), "{error}");
        error.to_string()
    };
    let status = catalog.field("t.status").unwrap().clone();
    let sum = vec![Measure::new("s", Figure::Sum(status.clone()))];
    assert!(told(Shape::Groups(groups(Vec::new(), sum))).contains("ask the transactions themselves"));
    let order = RowOrder::By {
        value: status.clone(),
        descending: true,
    };
    assert!(told(Shape::List { order, limit: None }).contains("ask the transactions themselves"));
    let both = vec![key(&catalog, "ip"), key(&catalog, "t.host")];
    assert!(told(Shape::Groups(groups(both, Vec::new()))).contains("take src or dst"));
    let cut = Key {
        cut: Cut::Prefix { v4: 8, v6: 8 },
        ..key(&catalog, "t.host")
    };
    assert!(told(Shape::Groups(groups(vec![cut], Vec::new()))).contains("cannot be cut"));

    // Without the transactions at hand nothing is answered as if there were none.
    let search = Search {
        filter: Expr::test(&status, Check::Present),
        view: View::Biflow,
        shape: Shape::Exists,
    };
    let error = run(&search, &[], &Control::default()).unwrap_err();
    assert!(error.to_string().contains("not at hand"), "{error}");
}

/// What transactions say takes memory, and no more than allowed.
#[test]
fn many_values_are_refused_at_the_budget() {
    let flows = records(7, 3000);
    let mut all = Vec::new();
    for (at, flow) in flows.iter().enumerate() {
        let mut one = Transaction::new(flow.id, flow.key, Protocol::Http, Kind::Request, flow.start);
        one.set(&HOST, Value::Text(format!("host-{at}.example").into()));
        all.push(one);
    }
    let sources = [Source::Batch(to_transaction_batch(&all).unwrap())];
    let catalog = Catalog::flows_with_transactions(FIELDS);
    let shape = Shape::Groups(groups(vec![key(&catalog, "t.host")], Vec::new()));
    let search = Search {
        filter: Expr::Any,
        view: View::Biflow,
        shape,
    };
    let refused = run_with_transactions(&search, &[], &sources, &Control::new(1, 256 << 10)).unwrap_err();
    assert!(matches!(refused, SearchError::Budget { .. }), "{refused}");
}
