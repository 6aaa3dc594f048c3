//! A store that an earlier version wrote, as its files were: every version of the program opens it, reads the same records, goes
//! on writing, and counts on. `tests/old/VERSION` is committed once and never changed; a new version of the tables adds a
//! folder: `cargo test -p weir-store --test old_store -- --ignored` writes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_model::{
    Batch, Counters, Field, FieldKind, FlowKey, FlowRecord, Kind, Measured, Outcome, Performance, Protocol,
    Time, Transaction, Value, WayPerformance, ethertype, proto,
};
use weir_query::Expr;
use weir_store::LocalDisk;
use weir_store::flow::profile::{ALL, Channel, Class, Profile, STEPS, Series, View, series};
use weir_store::flow::schema::VERSION;
use weir_store::flow::{FlowStore, Limits, Past, Pins};

/// Records in parts, and behind them records in the log alone.
const IN_PARTS: u32 = 60;
const IN_LOG: u32 = 20;

static NAME: Field = Field {
    name: "dns.query",
    label: "Name asked for",
    kind: FieldKind::Text,
};

fn folder(version: u32) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old");
    tests.join(format!("v{version}"))
}

/// A record with this number in it: of two hours, both versions of IP, three protocols, with and without an answer.
fn record(number: u32) -> FlowRecord {
    let low = u8::try_from(number % 200).unwrap_or(0);
    let six = number.is_multiple_of(7);
    let key = FlowKey {
        initiator_ip: if six {
            [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(low)].into()
        } else {
            [10, 0, 0, low].into()
        },
        responder_ip: if six {
            [0x2001, 0xdb8, 0, 0, 0, 0, 1, 1].into()
        } else {
            [192, 0, 2, 1].into()
        },
        initiator_port: 1024 + number as u16,
        responder_port: [53, 443, 22][number as usize % 3],
        proto: [proto::UDP, proto::TCP, proto::TCP][number as usize % 3],
        ethertype: if six { ethertype::IPV6 } else { ethertype::IPV4 },
        vlan: number.is_multiple_of(5).then_some(7),
    };
    let start = Time(1_790_000_000_123_456_789 + i64::from(number) * 90_000_000_001);
    let mut flow = FlowRecord::new(key, start);
    flow.end = start + i64::from(number) * 1_000_003;
    let counters = |packets: u64| Counters {
        packets,
        bytes: packets * 101,
        payload_bytes: packets * 40,
    };
    flow.forward = counters(u64::from(number) + 1);
    flow.forward_total = flow.forward;
    if !number.is_multiple_of(4) {
        flow.reverse = Some(counters(u64::from(number) * 3));
        flow.reverse_total = flow.reverse;
    }
    if flow.key.proto == proto::TCP {
        flow.forward_flags = (number % 64) as u16;
        flow.performance = performance(number).boxed();
    }
    flow.initiator_inside = true;
    flow.tos = (number % 3) as u8 * 8;
    flow
}

/// What was measured of some records; version 1 did not keep it.
fn performance(number: u32) -> Performance {
    if number.is_multiple_of(4) {
        return Performance::default();
    }
    let figure = |times: u64| Measured::of(u64::from(number) * times);
    Performance {
        rtt_us: figure(300),
        rtt_server_us: figure(200),
        rtt_client_us: figure(100),
        srt_us: figure(1_000),
        srt_count: Measured::of(1),
        forward: WayPerformance {
            retransmitted: figure(1),
            ..WayPerformance::default()
        },
        ..Performance::default()
    }
}

fn transaction(number: u32) -> Transaction {
    let flow = record(number * 3);
    let mut one = Transaction::new(flow.id, flow.key, Protocol::Dns, Kind::Query, flow.start);
    one.end = flow.end;
    one.outcome = Outcome::Accepted;
    one.initiator_inside = true;
    one.fields = vec![(&NAME, Value::Text(format!("host{number}.example").into()))];
    one
}

fn batch(numbers: std::ops::Range<u32>) -> Batch {
    Batch {
        transactions: numbers
            .clone()
            .filter(|number| number % 3 == 0)
            .map(|number| transaction(number / 3))
            .collect(),
        flows: numbers.map(record).collect(),
        ..Batch::default()
    }
}

fn servers() -> Profile {
    Profile {
        name: "servers".to_owned(),
        title: "Servers".to_owned(),
        filter: Expr::Any,
        channels: vec![Channel {
            name: "ssh".to_owned(),
            filter: weir_store::flow::profile::filter("dst port 22", &weir_query::NoLists).expect("a filter"),
        }],
        lists: std::collections::BTreeMap::new(),
    }
}

#[test]
#[ignore = "writes the store of this version, once"]
fn write_the_store_of_today() {
    let folder = folder(VERSION);
    assert!(
        !folder.exists(),
        "{} is there already, and never changed",
        folder.display()
    );
    let mut store = FlowStore::open(&folder, "default", &Limits::default()).expect("a new store");
    store.set_profiles(&[servers()]).expect("profiles");
    let mut pins = Pins::default();
    pins.pin("event", record(0).start, record(1).start);
    store.set_pins(&pins).expect("pins");
    for at in [0, 30] {
        store.append(&batch(at..at + 30), Time(0)).expect("rows");
        store.finish(Time(0)).expect("parts");
    }
    store
        .append(&batch(IN_PARTS..IN_PARTS + IN_LOG), Time(0))
        .expect("rows");
    store.tick(Time(2_000_000_000)).expect("the log");
    drop(store);
    fs::remove_file(folder.join("lock")).expect("its lock");
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the fixture") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// Everything that is stored, by start.
fn stored(folder: &Path) -> (Vec<FlowRecord>, Vec<Transaction>) {
    let past = Past::open(Arc::new(LocalDisk::reading(folder)), "default").expect("the store can be read");
    let (mut flows, mut transactions) = (Vec::new(), Vec::new());
    for piece in past.pieces(Time::MIN, Time::MAX).expect("its hours") {
        let (more, said) = past
            .read(piece, |name| (name == NAME.name).then_some(&NAME))
            .expect("its records");
        flows.extend(more);
        transactions.extend(said);
    }
    flows.sort_by_key(|flow| flow.start);
    transactions.sort_by_key(|one| one.start);
    (flows, transactions)
}

/// Flows and bytes that a channel counts at each step.
fn counted(folder: &Path, profile: &str, channel: &str) -> Vec<(u64, u64)> {
    let view = View::read(Arc::new(LocalDisk::reading(folder)), "default").expect("the store can be read");
    let sums = STEPS.map(|step| {
        let asked = Series {
            profile,
            channel,
            step_ms: step.millis(),
            from_ms: i64::MIN,
            to_ms: i64::MAX,
        };
        let points = series(&asked, &view).expect("its numbers");
        let each = points.iter().map(|point| point.counts(Class::All));
        each.fold((0, 0), |(flows, bytes), own| {
            (flows + own.flows, bytes + own.bytes)
        })
    });
    sums.to_vec()
}

fn check(folder: &Path, version: u32, numbers: u32) {
    let mut wanted = batch(0..numbers);
    for flow in wanted.flows.iter_mut().take((IN_PARTS + IN_LOG) as usize) {
        flow.performance = flow.performance.take().filter(|_| version > 1);
    }
    let (flows, transactions) = stored(folder);
    assert_eq!(
        (flows.len(), transactions.len()),
        (wanted.flows.len(), wanted.transactions.len())
    );
    for (flow, wanted) in flows.iter().zip(&wanted.flows) {
        assert_eq!(flow, wanted);
    }
    for (one, wanted) in transactions.iter().zip(&wanted.transactions) {
        assert_eq!(one, wanted);
    }
    let sum = |ports: &dyn Fn(u16) -> bool| {
        let own = wanted.flows.iter().filter(|flow| ports(flow.key.responder_port));
        own.fold((0, 0), |(flows, bytes), flow| {
            let back = flow.reverse.map_or(0, |back| back.bytes);
            (flows + 1, bytes + flow.forward.bytes + back)
        })
    };
    assert_eq!(counted(folder, ALL, ALL), [sum(&|_| true); 3]);
    assert_eq!(counted(folder, "servers", "ssh"), [sum(&|port| port == 22); 3]);
}

#[test]
fn stores_of_every_version_open_and_go_on() {
    for version in 1..=VERSION {
        let original = folder(version);
        assert!(
            original.is_dir(),
            "no store of version {version} is kept in {}",
            original.display()
        );
        let folder = std::env::temp_dir().join(format!("weir-old-{version}-{}", std::process::id()));
        copied(&original, &folder);
        check(&folder, version, IN_PARTS + IN_LOG);
        let mut store = FlowStore::open(&folder, "default", &Limits::default()).expect("it opens");
        assert_eq!(store.stored().flows.rows_recovered, u64::from(IN_LOG));
        assert_eq!(store.pins().names().collect::<Vec<_>>(), ["event"]);
        store.append(&batch(80..110), Time(0)).expect("it takes records");
        store.finish(Time(0)).expect("it makes parts");
        assert_eq!(
            store.stored().flows.parts_damaged + store.stored().flows.log_damaged,
            0
        );
        drop(store);
        check(&folder, version, 110);
        fs::remove_dir_all(&folder).expect("the test's own folder");
    }
}
