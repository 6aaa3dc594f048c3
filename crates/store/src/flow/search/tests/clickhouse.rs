//! The same questions to the embedded engine and to ClickHouse, over the same random records: the answers are equal.
//! ClickHouse is the real engine (PyPI's chdb-core) behind `tests/clickhouse.py`; `make test-outer` installs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use weir_model::{Batch, FlowRecord, Time, Transaction};
use weir_query::{Catalog, FLOW_COLUMNS, Scalar};

use super::model::Cell;
use super::records::{DAY, Dice, Folder, filter, parsed, records};
use super::shapes::{field, key, keys, measures, view};
use super::transactions as exchange;
use crate::Delivery;
use crate::flow::clickhouse::{Client, Feed, Layout, Place, Sender, SpoolLimits, definition, held};
use crate::flow::search::{
    Answer, Control, Cut, Figure, Found, Groups, Key, Measure, RowOrder, Search, Shape, Source,
    TransactionRows, View, run, run_in_clickhouse, run_with_transactions,
};
use crate::flow::{to_batch, to_transaction_batch};

/// The engine's process.
struct Server {
    child: Child,
    _stdin: ChildStdin,
    port: u16,
    folder: Folder,
}

impl Server {
    /// Starts one; `None` (and a line that says so) where the engine is not installed.
    #[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
    fn start() -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        let python = target.join("python-outer/bin/python");
        if !python.exists() {
            eprintln!("SKIPPED: no {}: make test-outer installs it", python.display());
            return None;
        }
        let folder = Folder::new();
        let mut child = Command::new(python)
            .arg(root.join("tests/clickhouse.py"))
            .arg(&folder.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        Some(Self {
            child,
            _stdin: stdin,
            port: line.trim().parse().expect("the engine tells its port"),
            folder,
        })
    }

    fn client(&self, database: &str) -> Client {
        let url = format!("clickhouse://127.0.0.1:{}/{database}", self.port);
        Client::new(Place::parse(&url).unwrap())
    }

    /// The next requests are carried out and not answered.
    fn fail(&self, requests: u32) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET /fail?{requests} HTTP/1.0\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }

    fn spool(&self, client: Client, name: &str, limits: SpoolLimits) -> (Feed, Sender) {
        Sender::open(client, &self.folder.0.join(name), "default", limits).unwrap()
    }

    /// Sends records the way the program does.
    fn fill(&self, database: &str, flows: &[FlowRecord]) -> Client {
        self.fill_with(database, flows, &[])
    }

    fn fill_with(&self, database: &str, flows: &[FlowRecord], transactions: &[Transaction]) -> Client {
        let client = self.client(database);
        let (mut feed, mut sender) = self.spool(client.clone(), database, SpoolLimits::default());
        for flows in flows.chunks(200) {
            let batch = Batch {
                flows: flows.to_vec(),
                ..Batch::default()
            };
            feed.append(&batch, Time(DAY)).unwrap();
        }
        let batch = Batch {
            transactions: transactions.to_vec(),
            ..Batch::default()
        };
        feed.append(&batch, Time(DAY)).unwrap();
        feed.finish(Time(DAY)).unwrap();
        sender.prepare().unwrap();
        while sender.step() == Delivery::Moved {}
        let spooled = sender.spooled();
        let rows = flows.len() + transactions.len();
        assert_eq!(spooled.rows_sent, rows as u64, "{spooled:?}");
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn both(search: &Search, sources: &[Source], client: &Client) -> (Answer, Answer) {
    let control = || Control::new(1, 64 << 20);
    let here = run(search, sources, &control()).unwrap();
    let there = run_in_clickhouse(search, client, "default", &control());
    (here, there.unwrap_or_else(|error| panic!("{error}: {search:?}")))
}

/// The shapes that flows and their transactions are asked for in turn.
fn shape_of(dice: &mut Dice, catalog: &Catalog, own: &[&str], transactions: bool) -> Shape {
    let mut names: Vec<&str> = (0..1 + dice.below(2)).map(|_| *dice.pick(own)).collect();
    names.dedup();
    let keys: Vec<Key> = names.iter().map(|name| exchange::key(catalog, name)).collect();
    let mut measures = vec![
        Measure::new("rows", Figure::Records),
        Measure::new("hosts", Figure::Distinct(exchange::key(catalog, "t.host"))),
        Measure::new("names", Figure::Distinct(exchange::key(catalog, "t.names"))),
    ];
    let number = match transactions {
        true => "t.status",
        false => "bytes",
    };
    let number = catalog.field(number).unwrap().clone();
    measures.push(Measure::new("sum", Figure::Sum(number.clone())));
    let groups = Groups {
        keys,
        measures,
        order: (dice.below(2) == 0).then_some(0),
        limit: (dice.below(2) == 0).then(|| 1 + dice.below(5) as usize),
    };
    let bucket_ns = 60_000_000_000;
    match dice.below(6) {
        0 => Shape::Exists,
        1 => Shape::Series {
            bucket_ns,
            measures: groups.measures,
        },
        2 => Shape::TopOverTime { groups, bucket_ns },
        3 => Shape::List {
            order: match dice.below(2) {
                0 => RowOrder::Stored,
                _ => RowOrder::By {
                    value: number,
                    descending: true,
                },
            },
            limit: None,
        },
        _ => Shape::Groups(groups),
    }
}

/// So many questions to transactions themselves, and to flows about their transactions.
fn ask_about_transactions(
    dice: &mut Dice,
    cases: u64,
    (flows, all): (&[FlowRecord], &[Transaction]),
    client: &Client,
) {
    let own = [
        "t.host", "t.status", "t.names", "t.cached", "t.mac", "kind", "outcome", "src_ip", "dst_port",
    ];
    let flow_sources = [Source::Batch(to_batch(flows).unwrap())];
    let transaction_sources = [Source::Batch(to_transaction_batch(all).unwrap())];
    let of_flows = Catalog::flows_with_transactions(exchange::FIELDS);
    let of_transactions = Catalog::transactions(exchange::FIELDS);
    for _ in 0..cases {
        let view = *dice.pick(&[View::Biflow, View::OneWay, View::Transactions]);
        let (catalog, sources) = match view {
            View::Transactions => (&of_transactions, &transaction_sources),
            View::Biflow | View::OneWay => (&of_flows, &flow_sources),
        };
        let (text, filter) = exchange::filter(dice, catalog);
        let search = Search {
            filter,
            view,
            shape: shape_of(dice, catalog, &own, view == View::Transactions),
        };
        let story = format!("{text}, {view:?}, {:?}", search.shape);
        let control = || Control::new(1, 64 << 20);
        let here = run_with_transactions(&search, sources, &transaction_sources, &control()).unwrap();
        let there = run_in_clickhouse(&search, client, "default", &control());
        let there = there.unwrap_or_else(|error| panic!("{error}: {story}"));
        same(&here, &there, &story);
    }
}

#[test]
fn transactions_are_asked_alike() {
    let Some(server) = Server::start() else { return };
    let cases = std::env::var("WEIR_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok()).unwrap_or(60);
    for seed in 0..2 {
        let mut dice = Dice(seed * 104_729 + 3);
        let flows = records(seed, [150, 20][seed as usize]);
        let all = exchange::transactions(&mut dice, &flows);
        let client = server.fill_with(&format!("asked{seed}"), &flows, &all);
        ask_about_transactions(&mut dice, cases, (&flows, &all), &client);
    }
}

fn same_cell(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        // Sums are whole numbers on both sides; their quotients may be rounded once more.
        (Some(Scalar::Rate(a)), Some(Scalar::Rate(b))) => (a - b).abs() <= b.abs() * 1e-12,
        (a, b) => a == b,
    }
}

fn same(here: &Answer, there: &Answer, story: &str) {
    match (&here.found, &there.found) {
        (Found::Table(here), Found::Table(there)) => {
            assert_eq!(here.columns, there.columns, "{story}");
            assert_eq!(here.rows.len(), there.rows.len(), "{story}\n{here:?}\n{there:?}");
            for (a, b) in here.rows.iter().zip(&there.rows) {
                let equal = a.iter().zip(b).all(|(a, b)| same_cell(a, b));
                assert!(equal, "{story}\n{a:?}\n{b:?}");
            }
            assert_eq!(here.groups, there.groups, "{story}");
        }
        (Found::Exists(here), Found::Exists(there)) => assert_eq!(here, there, "{story}"),
        (Found::Records(here), Found::Records(there)) => {
            let sorted = |records: &[FlowRecord]| {
                let mut lines: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(here), sorted(there), "{story}");
        }
        (Found::Transactions(here), Found::Transactions(there)) => {
            let sorted = |rows: &TransactionRows| {
                let all = rows.transactions(exchange::known).unwrap();
                let mut lines: Vec<String> = all.iter().map(|one| format!("{one:?}")).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(here), sorted(there), "{story}");
        }
        other => panic!("{story}: {other:?}"),
    }
}

fn shape(dice: &mut Dice) -> Shape {
    let groups = |dice: &mut Dice| {
        let quantile = |measure: &Measure| matches!(measure.what, Figure::Quantile(..));
        let mut measures = measures(dice);
        // Sketches of quantiles are compared in a test of their own.
        measures.retain(|measure| !quantile(measure));
        measures.push(Measure::new("flows", Figure::Records));
        let order = (dice.below(3) > 0).then(|| dice.below(measures.len() as u64) as usize);
        Groups {
            keys: keys(dice),
            measures,
            order,
            limit: (dice.below(2) == 0).then(|| 1 + dice.below(9) as usize),
        }
    };
    let bucket_ns = 60_000_000_000;
    match dice.below(5) {
        0 => Shape::List {
            order: match dice.below(2) {
                0 => RowOrder::Stored,
                _ => RowOrder::By {
                    value: field("bytes"),
                    descending: true,
                },
            },
            limit: None,
        },
        1 => Shape::Groups(groups(dice)),
        2 => Shape::Series {
            bucket_ns,
            measures: groups(dice).measures,
        },
        3 => Shape::TopOverTime {
            groups: groups(dice),
            bucket_ns,
        },
        _ => Shape::Exists,
    }
}

#[test]
fn answers_are_the_embedded_engines() {
    let Some(server) = Server::start() else { return };
    let cases = std::env::var("WEIR_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    for seed in 0..3 {
        let flows = records(seed, [300, 40, 0][seed as usize]);
        let sources = [Source::Batch(to_batch(&flows).unwrap())];
        let client = server.fill(&format!("case{seed}"), &flows);
        let mut dice = Dice(seed * 7919 + 1);
        for _ in 0..cases.unwrap_or(60) {
            let (text, filter) = filter(&mut dice);
            let search = Search {
                filter,
                view: view(&mut dice),
                shape: shape(&mut dice),
            };
            let story = format!("seed {seed}, {text}, {:?}, {:?}", search.view, search.shape);
            let (here, there) = both(&search, &sources, &client);
            same(&here, &there, &story);
        }
    }
}

#[test]
fn every_column_says_the_same() {
    let Some(server) = Server::start() else { return };
    let flows = records(11, 120);
    let sources = [Source::Batch(to_batch(&flows).unwrap())];
    let client = server.fill("columns", &flows);
    for column in FLOW_COLUMNS.iter() {
        let Some(key) = Key::of(Catalog::flows().field(column.name).unwrap()) else {
            continue;
        };
        for view in [View::Biflow, View::OneWay] {
            let search = Search {
                filter: parsed("any"),
                view,
                shape: Shape::Groups(Groups {
                    keys: vec![key.clone()],
                    measures: vec![Measure::new("flows", Figure::Records)],
                    order: None,
                    limit: None,
                }),
            };
            let (here, there) = both(&search, &sources, &client);
            same(&here, &there, column.name);
        }
    }
    let search = Search {
        filter: parsed("bytes > 100"),
        view: View::Biflow,
        shape: Shape::List {
            order: RowOrder::By {
                value: field("start"),
                descending: false,
            },
            limit: Some(7),
        },
    };
    let (here, there) = both(&search, &sources, &client);
    let (Found::Records(here), Found::Records(there)) = (here.found, there.found) else {
        panic!("lists");
    };
    assert_eq!(here, there, "a list with an order and a limit");
}

#[test]
fn quantiles_are_within_their_error() {
    let Some(server) = Server::start() else { return };
    let flows = records(5, 300);
    let client = server.fill("quantiles", &flows);
    let mut bytes: Vec<u64> = flows.iter().map(|flow| flow.forward.bytes).collect();
    bytes.sort_unstable();
    for share in [0.0, 0.5, 0.95, 1.0] {
        let search = Search {
            filter: parsed("any"),
            view: View::Biflow,
            shape: Shape::Groups(Groups {
                keys: Vec::new(),
                measures: vec![Measure::new("q", Figure::Quantile(field("src_bytes"), share))],
                order: None,
                limit: None,
            }),
        };
        let answer = run_in_clickhouse(&search, &client, "default", &Control::default()).unwrap();
        let Found::Table(table) = answer.found else {
            panic!("a table")
        };
        let Some(Scalar::Rate(found)) = table.rows[0][0] else {
            panic!("{table:?}")
        };
        let place = share * (bytes.len() - 1) as f64;
        let (low, high) = (
            bytes[place.floor() as usize] as f64,
            bytes[place.ceil() as usize] as f64,
        );
        assert!(
            low * 0.99 - 1.0 <= found && found <= high * 1.01 + 1.0,
            "{share}: {found} of {low}..{high}"
        );
    }
}

/// A block whose answer was lost is sent again and counts once; one that ClickHouse did not get waits.
#[test]
fn blocks_sent_twice_count_once() {
    let Some(server) = Server::start() else { return };
    let flows = records(3, 90);
    let client = server.client("twice");
    let limits = SpoolLimits {
        block_rows: 30,
        ..SpoolLimits::default()
    };
    let (mut feed, mut sender) = server.spool(client.clone(), "twice", limits.clone());
    for flows in flows.chunks(30) {
        let batch = Batch {
            flows: flows.to_vec(),
            ..Batch::default()
        };
        feed.append(&batch, Time(DAY)).unwrap();
    }
    sender.prepare().unwrap();
    server.fail(2);
    assert!(matches!(sender.step(), Delivery::Wait(_)), "the answer was lost");
    assert_eq!(sender.spooled().rows_waiting, 90);
    assert!(sender.spooled().trouble.is_some());
    // The program stops here, and starts again.
    drop((feed, sender));
    let (_feed, mut sender) = server.spool(client.clone(), "twice", limits);
    assert_eq!(sender.spooled().rows_recovered, 90);
    assert!(
        matches!(sender.step(), Delivery::Wait(_)),
        "the tables' answer was lost"
    );
    while sender.step() == Delivery::Moved {}
    assert_eq!(
        (sender.spooled().rows_sent, sender.spooled().rows_waiting),
        (90, 0)
    );
    let search = Search {
        filter: parsed("any"),
        view: View::Biflow,
        shape: Shape::List {
            order: RowOrder::Stored,
            limit: None,
        },
    };
    let answer = run_in_clickhouse(&search, &client, "default", &Control::default()).unwrap();
    let Found::Records(found) = answer.found else {
        panic!("records")
    };
    assert_eq!(found.len(), 90);
    let elsewhere = run_in_clickhouse(&search, &client, "other", &Control::default()).unwrap();
    let Found::Records(none) = elsewhere.found else {
        panic!("records")
    };
    assert!(none.is_empty(), "another site has its own records");
}

/// The layout for several servers. Every statement is one that the engine reads as it stands; replicated tables and `ON
/// CLUSTER` need a Keeper, so the tables that are filled and asked are the same without these two.
#[test]
fn a_cluster_gives_the_same_answers() {
    let Some(server) = Server::start() else { return };
    let admin = server.client("default");
    let run = |sql: &str| admin.ask(sql, &[], 1 << 20).map(|answer| answer.bytes).unwrap();
    for statement in definition("spread", &Layout::Cluster("weir".to_owned()), Some(30)) {
        let read = String::from_utf8(run(&format!("EXPLAIN AST {statement} FORMAT TSVRaw"))).unwrap();
        assert!(read.starts_with("Create"), "{read}");
        let (before, replicated) = statement
            .split_once("ReplicatedMergeTree(")
            .unwrap_or((&statement, ""));
        let behind = replicated.split_once(')').map_or("", |(_, behind)| behind);
        let engine = if replicated.is_empty() { "" } else { "MergeTree" };
        let plain = format!("{before}{engine}{behind}").replace(" ON CLUSTER 'weir'", "");
        run(&plain.replace(
            "replicated_deduplication_window",
            "non_replicated_deduplication_window",
        ));
    }
    let mut dice = Dice(11);
    let flows = records(7, 200);
    let all = exchange::transactions(&mut dice, &flows);
    let url = format!("clickhouse://127.0.0.1:{}/spread?migrate=false", server.port);
    let client = Client::new(Place::parse(&url).unwrap());
    let (mut feed, mut sender) = server.spool(client.clone(), "spread", SpoolLimits::default());
    let batch = Batch {
        flows: flows.clone(),
        transactions: all.clone(),
        ..Batch::default()
    };
    feed.append(&batch, Time(DAY)).unwrap();
    feed.finish(Time(DAY)).unwrap();
    while sender.step() == Delivery::Moved {}
    let rows = 200 + all.len() as u64;
    assert_eq!(sender.spooled().rows_sent, rows, "{:?}", sender.spooled());
    let local = run("SELECT count() FROM spread.flows_local FORMAT TSV");
    assert_eq!(local, b"200\n", "acknowledged rows lie on their shard");
    let sources = [Source::Batch(to_batch(&flows).unwrap())];
    ask_about_transactions(&mut dice, 30, (&flows, &all), &client);
    for _ in 0..40 {
        let (text, filter) = filter(&mut dice);
        let search = Search {
            filter,
            view: view(&mut dice),
            shape: shape(&mut dice),
        };
        let (here, there) = both(&search, &sources, &client);
        same(&here, &there, &format!("{text}: {search:?}"));
    }
}

#[test]
fn its_books_tell_what_it_holds() {
    let Some(server) = Server::start() else { return };
    let flows = records(3, 120);
    let client = server.fill("books", &flows);
    let [held, none] = held(&client).unwrap();
    assert_eq!(held.rows, 120);
    assert!(
        held.parts > 0 && held.bytes > 1000 && held.free > Some(0),
        "{held:?}"
    );
    let days = || {
        flows
            .iter()
            .map(|flow| flow.start.0.div_euclid(86_400_000_000_000))
    };
    let inside =
        |day: u64| days().min() <= Some(day.cast_signed()) && Some(day.cast_signed()) <= days().max();
    let (first, last) = held.days.unwrap();
    assert!(first <= last && inside(first) && inside(last), "{held:?}");
    assert!(
        held.bytes_per_day > Some(0.0) && held.days_left() > Some(0.0),
        "{held:?}"
    );
    assert_eq!((none.rows, none.days, none.days_left()), (0, None, None));
}

#[test]
fn transactions_lie_beside_the_flows() {
    use weir_model::{Kind, Protocol};
    static NAME: weir_model::Field = weir_model::Field::text("dns.name", "");
    let Some(server) = Server::start() else { return };
    let client = server.client("exchanges");
    let (mut feed, mut sender) = server.spool(client.clone(), "exchanges", SpoolLimits::default());
    let flow = &records(1, 1)[0];
    let mut one = Transaction::new(flow.id, flow.key, Protocol::Dns, Kind::Query, flow.start);
    one.set(&NAME, weir_model::Value::Text("it's.example".into()));
    let batch = Batch {
        transactions: vec![one],
        ..Batch::default()
    };
    feed.append(&batch, Time(DAY)).unwrap();
    feed.finish(Time(DAY)).unwrap();
    while sender.step() == Delivery::Moved {}
    let sql = "SELECT flow_id, app, kind, fields FROM exchanges.transactions FORMAT TSVRaw";
    let answer = client.ask(sql, &[], 1 << 20).unwrap();
    assert_eq!(
        String::from_utf8(answer.bytes).unwrap().trim(),
        format!("{}\tdns\tquery\t{{\"dns.name\":\"it's.example\"}}", flow.id)
    );
}

#[test]
fn tables_of_others_are_refused_and_columns_added() {
    let Some(server) = Server::start() else { return };
    let client = server.client("grown");
    let open = |name: &str, client: &Client| server.spool(client.clone(), name, SpoolLimits::default()).1;
    open("grown", &client).prepare().unwrap();
    let run = |sql: &str| client.ask(sql, &[], 1 << 20).map(|answer| answer.bytes).unwrap();
    run("ALTER TABLE grown.flows DROP COLUMN tos");
    run("ALTER TABLE grown.flows DROP COLUMN icmp_error");
    open("grown", &client).prepare().unwrap();
    let columns = run(
        "SELECT count() FROM system.columns WHERE database = 'grown' AND name IN ('tos', 'icmp_error') FORMAT TSV",
    );
    assert_eq!(columns, b"2\n");
    let url = format!("clickhouse://127.0.0.1:{}/grown?days=30", server.port);
    let kept = Client::new(Place::parse(&url).unwrap());
    open("grown", &kept).prepare().unwrap();
    let ttl = run(
        "SELECT count() FROM system.tables WHERE database = 'grown' AND engine_full LIKE '%toIntervalDay(30)%' FORMAT TSV",
    );
    assert_eq!(ttl, b"2\n");
    run("ALTER TABLE grown.flows MODIFY COMMENT 'weir schema 99'");
    let error = open("grown", &client).prepare().unwrap_err().to_string();
    assert!(error.contains("written by a newer Weir"), "{error}");
    run("CREATE DATABASE foreign_one");
    run("CREATE TABLE foreign_one.flows (n UInt64) ENGINE = MergeTree ORDER BY n");
    let foreign = server.client("foreign_one");
    let error = open("foreign", &foreign).prepare().unwrap_err().to_string();
    assert!(error.contains("not Weir's"), "{error}");
}

#[test]
fn figures_that_cannot_be_made_are_refused_alike() {
    let nowhere = Client::new(Place::parse("clickhouse://127.0.0.1:1").unwrap());
    let search = Search {
        filter: parsed("any"),
        view: View::Biflow,
        shape: Shape::Groups(Groups {
            keys: vec![Key {
                cut: Cut::Prefix { v4: 99, v6: 64 },
                ..key("src_ip", Cut::Whole)
            }],
            measures: vec![Measure::new("app", Figure::Sum(field("app")))],
            order: None,
            limit: None,
        }),
    };
    let here = run(&search, &[], &Control::default()).unwrap_err().to_string();
    let there = run_in_clickhouse(&search, &nowhere, "default", &Control::default()).unwrap_err();
    assert_eq!(here, there.to_string());
    let list = Search {
        shape: Shape::Exists,
        ..search
    };
    let there = run_in_clickhouse(&list, &nowhere, "default", &Control::default()).unwrap_err();
    assert!(there.to_string().contains("cannot be reached"), "{there}");
}
