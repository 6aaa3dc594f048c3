//! Random records with many equal values, random filters over them, and sources of every kind that hold them.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use weir_model::{
    Counters, FlowKey, FlowRecord, Mac, Measured, Performance, Protocol, Time, ethertype, proto,
};
use weir_query::{Catalog, Expr, NoLists, parse};

use crate::disk::LocalDisk;
use crate::flow::search::Source;
use crate::flow::{MIXED, Part, to_batch};

/// Splitmix: the same records in every run.
pub(super) struct Dice(pub u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    fn counters(&mut self) -> Counters {
        let packets = self.below(20);
        Counters {
            packets,
            bytes: packets * (40 + self.below(1400)),
            payload_bytes: packets * self.below(1400),
        }
    }
}

/// 2026-11-22T00:00:00Z
pub(super) const DAY: i64 = 1_795_305_600_000_000_000;

fn ip(dice: &mut Dice, six: bool) -> IpAddr {
    let host = dice.below(12) as u8;
    if six {
        Ipv6Addr::new(0x2001, 0xdb8, 0, dice.below(3) as u16, 0, 0, 0, host.into()).into()
    } else {
        Ipv4Addr::new(10, dice.below(2) as u8, dice.below(3) as u8, host).into()
    }
}

fn record(dice: &mut Dice, sorted: u64) -> FlowRecord {
    let six = dice.below(5) == 0;
    let protocol = *dice.pick(&[proto::TCP, proto::TCP, proto::UDP, proto::ICMP]);
    let ports = matches!(protocol, proto::TCP | proto::UDP);
    let key = FlowKey {
        initiator_ip: ip(dice, six),
        responder_ip: ip(dice, six),
        initiator_port: if ports { 1024 + dice.below(50) as u16 } else { 8 },
        responder_port: if ports {
            *dice.pick(&[22, 53, 80, 443, 445])
        } else {
            0
        },
        proto: protocol,
        ethertype: if six { ethertype::IPV6 } else { ethertype::IPV4 },
        vlan: (dice.below(4) == 0).then(|| dice.below(3) as u16 + 1),
    };
    let start = Time(DAY + (sorted * 7_000_000_000 + dice.below(600_000_000_000)) as i64);
    let mut flow = FlowRecord::new(key, start);
    flow.end = Time(start.0 + dice.below(90_000_000_000) as i64);
    flow.forward = dice.counters();
    flow.forward.packets += 1;
    flow.forward_total = flow.forward;
    flow.reverse = (dice.below(4) > 0).then(|| dice.counters());
    flow.reverse_total = flow.reverse;
    if protocol == proto::TCP {
        flow.forward_flags = dice.below(64) as u16;
        flow.reverse_flags = if flow.answered() { dice.below(64) as u16 } else { 0 };
    }
    (flow.forward_ttl, flow.reverse_ttl) = (64, if flow.answered() { 128 } else { 0 });
    flow.initiator_mac = (dice.below(3) > 0).then(|| Mac([2, 0, 0, 0, 0, dice.below(5) as u8]));
    flow.icmp = (!ports).then_some((8, 0));
    flow.protocol = *dice.pick(&[
        None,
        Some(Protocol::Dns),
        Some(Protocol::Tls),
        Some(Protocol::Smb),
    ]);
    flow.performance = performance(dice).boxed();
    flow.initiator_inside = dice.below(2) == 0;
    flow.exporter = (dice.below(3) == 0).then(|| Ipv4Addr::new(192, 0, 2, dice.below(2) as u8).into());
    flow
}

/// Figures that are there now and then.
fn performance(dice: &mut Dice) -> Performance {
    let mut told = Performance::default();
    if dice.below(3) == 0 {
        return told;
    }
    let mut figure = |most: u64| {
        let number = dice.below(most + most / 2);
        Measured::from((number < most).then_some(number as u32))
    };
    (told.rtt_us, told.rtt_server_us) = (figure(90_000), figure(60_000));
    (told.srt_us, told.srt_max_us) = (figure(2_000_000), figure(3_000_000));
    for way in [&mut told.forward, &mut told.reverse] {
        (way.retransmitted, way.out_of_order) = (figure(4), figure(3));
        way.jitter.avg_us = figure(5_000);
    }
    told
}

/// So many records, roughly in order of time.
pub(super) fn records(seed: u64, many: u64) -> Vec<FlowRecord> {
    let mut dice = Dice(seed);
    (0..many).map(|at| record(&mut dice, at)).collect()
}

const TESTS: &[&str] = &[
    "any",
    "src ip 10.0.1.3",
    "ip 10.1.2.4",
    "dst net 10.1.0.0/16",
    "not ip 2001:db8::/48",
    "ip in [10.0.0.1 10.0.0.2 2001:db8::5]",
    "src ip 172.16.0.1",
    "dst port 443",
    "port in [22 1030-1040]",
    "port 8",
    "proto tcp",
    "proto icmp",
    "bytes > 5k",
    "src bytes < 100",
    "dst packets 0",
    "exists dst_bytes",
    "packets >= 20",
    "duration > 45s",
    "bps > 1000",
    "bpp < 200",
    "flags SA",
    "dst flags A",
    "flags S/SAF",
    "dst flags S/S",
    "vlan 2",
    "exists vlan",
    "src mac 02:00:00:00:00:03",
    "app dns",
    "app in [tls smb]",
    "inbound",
    "inet6",
    "exporter 192.0.2.1",
    "conn_state S0",
    "first > 2026-11-22T00:20",
    "last < 2026-11-22T00:10",
    "phase end",
    "src ttl 64",
    "dst ttl 128",
    "rtt > 20",
    "npm-srt < 1.5s and npm-srt > 300us",
    "exists rtt_server",
    "retransmissions > 1",
    "src retransmitted_packets 0",
    "not exists dst_out_of_order_packets",
    "jitter < 2ms",
    "dst jitter_avg > 3",
];

/// A random filter.
pub(super) fn filter(dice: &mut Dice) -> (String, Expr) {
    let mut text = (*dice.pick(TESTS)).to_owned();
    for _ in 0..dice.below(3) {
        let other = *dice.pick(TESTS);
        text = match dice.below(4) {
            0 => format!("({text}) or {other}"),
            1 => format!("not ({text}) and {other}"),
            _ => format!("({text}) and {other}"),
        };
    }
    let expr = parse(&text, Catalog::flows(), &NoLists).unwrap_or_else(|error| panic!("{text}: {error}"));
    (text, expr)
}

pub(super) fn parsed(text: &str) -> Expr {
    parse(text, Catalog::flows(), &NoLists).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A folder that goes away with the test.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let own = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("weir-search-{}-{own}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A part of flow records.
pub(super) fn part(folder: &Folder, name: &str, flows: &[FlowRecord], rows_per_group: usize) -> Source {
    part_of(folder, name, &to_batch(flows).unwrap(), rows_per_group)
}

/// A part with small pages and row groups, page statistics and bloom filters.
pub(super) fn part_of(folder: &Folder, name: &str, batch: &RecordBatch, rows_per_group: usize) -> Source {
    let mut properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_per_group))
        .set_data_page_row_count_limit(16)
        .set_write_batch_size(16)
        .set_statistics_enabled(EnabledStatistics::Page);
    for column in ["src_ip_lo", "dst_ip_lo"] {
        properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(column), true);
    }
    let path = folder.0.join(name);
    let file = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    let mut own = Part::for_test(MIXED, (0, 0), batch.num_rows() as u64);
    own.path = name.to_owned();
    Source::Part {
        disk: Arc::new(LocalDisk::reading(&folder.0)),
        part: Arc::new(own),
    }
}

/// The records in parts sorted by source, in a part as they are, and in memory.
pub(super) fn sources(folder: &Folder, flows: &[FlowRecord]) -> Vec<Source> {
    let (first, rest) = flows.split_at(flows.len() / 2);
    let (second, last) = rest.split_at(rest.len() / 2);
    let mut sorted = first.to_vec();
    sorted.sort_by_key(|flow| (flow.key.initiator_ip, flow.start));
    vec![
        part(folder, "a.parquet", &sorted, 100),
        part(folder, "b.parquet", second, 64),
        Source::Batch(to_batch(last).unwrap()),
        Source::Batch(to_batch(&[]).unwrap()),
    ]
}

/// The records in the order of [`sources`].
pub(super) fn stored(flows: &[FlowRecord]) -> Vec<FlowRecord> {
    let mut stored = flows.to_vec();
    stored[..flows.len() / 2].sort_by_key(|flow| (flow.key.initiator_ip, flow.start));
    stored
}
