//! The spool against a disk that fails and forgets: every row has a number; whatever happens, each row that was
//! acknowledged comes to the other end, and under one token only.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

use weir_model::{Batch, Time};

use super::definition::{Layout, definition};
use super::rows::Reader;
use super::spool::{Block, Feed, Spool, SpoolLimits};
use super::table::record;
use crate::disk::Disk;
use crate::flow::StoreError;
use crate::flow::tests::fault_disk::{FaultDisk, Seeded};
use crate::flow::tests::records::plain;

/// 2026-11-22T00:00:00Z
const NOW: i64 = 1_795_305_600_000_000_000;

fn batch(numbers: impl IntoIterator<Item = u32>) -> Batch {
    Batch {
        flows: numbers.into_iter().map(plain).collect(),
        ..Batch::default()
    }
}

/// Days and ports of initiators (which `plain` numbers) in a block.
fn content(disk: &dyn Disk, block: &Block) -> Option<Vec<(u64, u16)>> {
    let zstd = disk.open(&block.path).ok()?.read_all().ok()?;
    (crc32fast::hash(&zstd) == block.crc).then_some(())?;
    let bytes = zstd::decode_all(&zstd[..]).unwrap();
    let mut reader = Reader::new(&bytes);
    let mut rows = Vec::new();
    while !reader.is_empty() {
        assert_eq!(reader.text(), Some("default"));
        let (day, _hour) = (reader.number(2).unwrap(), reader.number(4).unwrap());
        rows.push((day, record(&mut reader).unwrap().key.initiator_port));
    }
    Some(rows)
}

fn open(disk: &FaultDisk, limits: &SpoolLimits) -> Result<(Arc<Spool>, Feed), StoreError> {
    let spool = Arc::new(Spool::on(Arc::new(disk.clone()), limits.clone())?);
    let feed = Feed::new(spool.clone(), "default")?;
    Ok((spool, feed))
}

#[test]
fn what_was_acknowledged_arrives_once() {
    let limits = SpoolLimits {
        block_rows: 3,
        bytes_max: 1 << 20,
    };
    for seed in 0..300 {
        let mut random = Seeded(seed);
        let mut disk = FaultDisk::default();
        let mut arrived = BTreeMap::<String, Vec<u16>>::new();
        let (mut next, mut acknowledged, mut dropped) = (0_u32, 0, 0);
        for _life in 0..4 {
            disk.fail_every(None, ErrorKind::Other);
            let (spool, mut feed) = open(&disk, &limits).unwrap();
            let every = random.below(12);
            disk.fail_every((every > 2).then_some(every), ErrorKind::Other);
            for step in 0..1 + random.below(12) {
                let many = random.below(5) as u32;
                let now = Time(NOW + step as i64 * 400_000_000);
                let _ = feed.append(&batch(next..next + many), now);
                next += many;
                if random.below(3) == 0
                    && let Some((sequence, block)) = spool.first()
                    && let Some(rows) = content(&disk, &block)
                {
                    let ports = rows.into_iter().map(|(_, port)| port).collect();
                    arrived.insert(block.token().to_owned(), ports);
                    spool.sent(sequence, &block);
                }
            }
            let spooled = feed.spooled();
            assert!(spooled.rows_acknowledged + spooled.rows_dropped <= spooled.rows_offered);
            acknowledged += spooled.rows_acknowledged;
            dropped += spooled.rows_dropped;
            disk = disk.crashed(&mut random);
        }
        let (spool, _feed) = open(&disk, &limits).unwrap();
        while let Some((sequence, block)) = spool.first() {
            let rows = content(&disk, &block).expect("an acknowledged block is whole");
            arrived.insert(
                block.token().to_owned(),
                rows.into_iter().map(|(_, port)| port).collect(),
            );
            spool.sent(sequence, &block);
        }
        let mut ports: Vec<u16> = arrived.into_values().flatten().collect();
        let all = ports.len();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), all, "seed {seed}: a row came under two tokens");
        // A block whose folder's sync failed was not acknowledged and may be there all the same.
        assert!(
            all as u64 >= acknowledged,
            "seed {seed}: {all} of {acknowledged} arrived"
        );
        assert!(all as u64 <= acknowledged + dropped, "seed {seed}: {all} arrived");
    }
}

#[test]
fn a_full_spool_refuses_and_keeps_what_it_has() {
    let disk = FaultDisk::default();
    let limits = SpoolLimits {
        block_rows: 1,
        bytes_max: 900,
    };
    let (spool, mut feed) = open(&disk, &limits).unwrap();
    let mut refused = 0;
    for number in 0..20 {
        refused += u64::from(matches!(
            feed.append(&batch([number]), Time(NOW)),
            Err(StoreError::Full)
        ));
    }
    let spooled = feed.spooled();
    assert!(refused > 10 && spooled.rows_dropped == refused, "{spooled:?}");
    assert_eq!(spooled.rows_waiting, 20 - refused);
    assert!(spooled.bytes_waiting <= 900);
    assert!(matches!(feed.health(), crate::flow::Health::Full(_)));
    let (sequence, block) = spool.first().unwrap();
    spool.sent(sequence, &block);
    feed.append(&batch([99]), Time(NOW)).unwrap();
    assert_eq!(feed.health(), crate::flow::Health::Writing);
}

/// Stamps are hostile: a block has few days, and none that ClickHouse does not have.
#[test]
fn days_of_a_block_are_few() {
    let disk = FaultDisk::default();
    let (spool, mut feed) = open(&disk, &SpoolLimits::default()).unwrap();
    let mut batch = batch(0..200);
    for (at, flow) in batch.flows.iter_mut().enumerate() {
        flow.start = Time(match at {
            0..100 => NOW,
            100 => i64::MIN,
            101 => i64::MAX,
            _ => at as i64 * 86_400_000_000_000,
        });
    }
    feed.append(&batch, Time(NOW)).unwrap();
    feed.finish(Time(NOW)).unwrap();
    let (_, block) = spool.first().unwrap();
    let mut days: Vec<u64> = content(&disk, &block)
        .unwrap()
        .iter()
        .map(|(day, _)| *day)
        .collect();
    let today = (NOW / 86_400_000_000_000) as u64;
    assert!(days.iter().filter(|day| **day == today).count() > 100);
    days.sort_unstable();
    days.dedup();
    assert_eq!(days.len(), 16, "{days:?}");
}

#[test]
fn definitions_name_every_column() {
    let server = definition("weir", &Layout::Server, Some(30)).join("\n");
    let cluster = definition("weir", &Layout::Cluster("big".to_owned()), None).join("\n");
    for name in [
        "\"site\"",
        "\"src_ip\"",
        "\"end\"",
        "\"community_id\"",
        "\"fields\"",
        "\"app\"",
    ] {
        assert!(server.contains(name) && cluster.contains(name), "{name}");
    }
    assert!(server.contains("TTL day + toIntervalDay(30)") && !cluster.contains("TTL"));
    assert!(cluster.contains("ReplicatedMergeTree") && cluster.contains("Distributed('big'"));
}
