//! Counted profiles against a plain model: whatever is stored, merged, lost to a crash and opened again, every channel's
//! series is what its records come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use weir_model::{Batch, FlowRecord, NANOS_PER_S, Time};
use weir_query::NoLists;

use super::table::{Counts, Quality};
use super::*;
use crate::disk::Disk;
use crate::flow::search::quantile::Quantiles;
use crate::flow::tests::fault_disk::{FaultDisk, Seeded};
use crate::flow::tests::records;
use crate::flow::{FlowStore, Limits, Retention, StoreError, Table};

/// A profile by its filters.
fn profile(name: &str, of: &str, channels: &[(&str, &str)]) -> Profile {
    let channel = |(name, text): &(&str, &str)| Channel {
        name: (*name).to_owned(),
        filter: filter(text, &NoLists).unwrap(),
    };
    Profile {
        name: name.to_owned(),
        title: format!("The {name}"),
        filter: filter(of, &NoLists).unwrap(),
        channels: channels.iter().map(channel).collect(),
        lists: BTreeMap::new(),
    }
}

fn web() -> Profile {
    profile(
        "web",
        "port 443 or port 80",
        &[
            ("large", "bytes > 1M"),
            ("small", "not bytes > 1M"),
            ("every", "any"),
        ],
    )
}

fn limits() -> Limits {
    Limits {
        frame_rows: 4,
        generation_rows: 12,
        generation_age_s: 30,
        ..Limits::default()
    }
}

fn batch(flows: &[FlowRecord]) -> Batch {
    Batch {
        flows: flows.to_vec(),
        ..Batch::default()
    }
}

/// What a step of a channel comes to, counted record by record.
#[derive(Clone, Debug, Default, PartialEq)]
struct Expected {
    counts: BTreeMap<&'static str, Counts>,
    duration: Quantiles,
    record_bytes: Quantiles,
    packet_bytes: Quantiles,
    rtt: Quantiles,
    srt: Quantiles,
}

fn quality(flow: &FlowRecord, packets: u64) -> Quality {
    let mut quality = Quality::default();
    let Some(told) = &flow.performance else {
        return quality;
    };
    if let Some(rtt_us) = told.rtt_us.get() {
        (quality.rtt_us, quality.rtt_flows) = (rtt_us.into(), 1);
    }
    if let Some(srt_us) = told.srt_us.get() {
        (quality.srt_us, quality.srt_flows) = (srt_us.into(), 1);
    }
    for way in [told.forward, told.reverse] {
        if let Some(again) = way.retransmitted.get() {
            (quality.judged_flows, quality.judged_packets) = (1, packets);
            quality.retransmitted_packets += u64::from(again);
        }
        quality.out_of_order_packets += way.out_of_order.get().map_or(0, u64::from);
    }
    quality
}

fn expected(flows: &[FlowRecord], profile: &Profile, channel: &str, step_ms: i64) -> BTreeMap<i64, Expected> {
    let filter = &profile
        .channels
        .iter()
        .find(|own| own.name == channel)
        .unwrap()
        .filter;
    let mut steps = BTreeMap::<i64, Expected>::new();
    for flow in flows
        .iter()
        .filter(|flow| profile.filter.matches(flow) && filter.matches(flow))
    {
        let millis = flow.start.0.div_euclid(1_000_000);
        let step = steps
            .entry(millis.div_euclid(step_ms).saturating_mul(step_ms))
            .or_default();
        let back = flow.reverse.unwrap_or_default();
        let packets = flow.forward.packets.saturating_add(back.packets);
        let bytes = flow.forward.bytes.saturating_add(back.bytes);
        let class = match flow.key.proto {
            _ if !flow.key.is_ip() => "other",
            6 => "tcp",
            17 => "udp",
            1 | 58 => "icmp",
            _ => "other",
        };
        for class in ["all", class] {
            let counts = step.counts.entry(class).or_default();
            counts.add(Counts {
                flows: 1,
                packets,
                bytes,
                quality: quality(flow, packets),
            });
        }
        if let Some(told) = &flow.performance {
            let times = [(&mut step.rtt, told.rtt_us), (&mut step.srt, told.srt_us)];
            for (sketch, time) in times {
                if let Some(time) = time.get() {
                    sketch.add(time.into());
                }
            }
        }
        step.duration
            .add(flow.end.0.saturating_sub(flow.start.0).max(0).cast_unsigned());
        step.record_bytes.add(bytes);
        if let Some(mean) = bytes.checked_div(packets) {
            step.packet_bytes.count(mean, packets);
        }
    }
    steps
}

/// All that is known of a channel, in the form of [`expected`].
fn told(view: &View, profile: &str, channel: &str, step_ms: i64) -> BTreeMap<i64, Expected> {
    let asked = Series {
        profile,
        channel,
        step_ms,
        from_ms: i64::MIN,
        to_ms: i64::MAX,
    };
    let points = series(&asked, view).unwrap().into_iter().map(|point| {
        let counts = CLASSES
            .into_iter()
            .map(|class| (class.word(), point.counts(class)));
        let expected = Expected {
            counts: counts
                .filter(|(_, counts)| *counts != Counts::default())
                .collect(),
            duration: point.sketches.duration.clone(),
            record_bytes: point.sketches.record_bytes.clone(),
            packet_bytes: point.sketches.packet_bytes.clone(),
            rtt: point.sketches.rtt.clone(),
            srt: point.sketches.srt.clone(),
        };
        (point.start_ms, expected)
    });
    points.collect()
}

fn on_disk(disk: &FaultDisk) -> View {
    View::read(Arc::new(disk.clone()), "default").unwrap()
}

fn live(store: &FlowStore, disk: &FaultDisk) -> View {
    View::shared(
        Arc::new(disk.clone()),
        &store.shared().0,
        &store.profiles().shared(),
    )
    .unwrap()
}

const STEPS_ASKED: [i64; 5] = [30_000, 60_000, 300_000, 3_600_000, 86_400_000];

/// Compares every channel at every step.
fn check(view: &View, flows: &[FlowRecord], profiles: &[Profile]) {
    for profile in profiles {
        for channel in &profile.channels {
            for step_ms in STEPS_ASKED {
                let name = &channel.name;
                let (told, wanted) = (
                    told(view, &profile.name, name, step_ms),
                    expected(flows, profile, name, step_ms),
                );
                let starts: BTreeSet<&i64> = told.keys().chain(wanted.keys()).collect();
                for start in starts {
                    let at = format!("{}/{name} at {start} in steps of {step_ms} ms", profile.name);
                    assert_eq!(told.get(start), wanted.get(start), "{at}");
                }
            }
        }
    }
}

fn open(disk: &FaultDisk) -> FlowStore {
    FlowStore::on(Arc::new(disk.clone()), "default", &limits()).unwrap()
}

/// A run of appends, seconds that pass, crashes and restarts.
fn run(seed: u64, flows: &[FlowRecord]) {
    let profiles = [Profile::all(), web()];
    let mut random = Seeded(seed);
    let mut disk = FaultDisk::default();
    let mut store = open(&disk);
    store.set_profiles(&profiles[1..]).unwrap();
    let (mut now, mut stored) = (Time(0), Vec::new());
    let mut rest = flows;
    while !rest.is_empty() {
        match random.below(8) {
            0..=3 => {
                let (some, left) = rest.split_at(rest.len().min(1 + random.below(7) as usize));
                store.append(&batch(some), now).unwrap();
                stored.extend_from_slice(some);
                rest = left;
            }
            4 | 5 => {
                now = now + (1_000_000_000 + random.below(20_000_000_000) as i64);
                store.tick(now).unwrap();
                check(&live(&store, &disk), &stored, &profiles);
            }
            6 => {
                // Everything is durable, then the power goes.
                now = now + 2 * NANOS_PER_S;
                store.tick(now).unwrap();
                drop(store);
                disk = disk.crashed(&mut random);
                check(&on_disk(&disk), &stored, &profiles);
                store = open(&disk);
            }
            _ => {
                now = now + 2 * NANOS_PER_S;
                store.tick(now).unwrap();
                check(&on_disk(&disk), &stored, &profiles);
            }
        }
    }
    store.finish(now).unwrap();
    check(&live(&store, &disk), &stored, &profiles);
    check(&on_disk(&disk), &stored, &profiles);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    #[test]
    fn series_are_what_the_records_come_to(flows in records::flows(40), seed in any::<u64>()) {
        run(seed, &flows);
    }
}

/// Hundreds of records of an hour, in order of time and not, over many merges and restarts.
#[test]
fn many_parts() {
    let flows: Vec<FlowRecord> = (0..120)
        .map(|number| records::plain(number * 7919 % 120))
        .collect();
    run(7, &flows);
}

/// The disk fails and forgets at any call; what is acknowledged is counted once.
#[test]
fn failing_disks_lose_and_double_nothing() {
    let mut failures = 0;
    for seed in 0..6 {
        let mut random = Seeded(seed);
        let mut disk = FaultDisk::default();
        let mut store = open(&disk);
        store.set_profiles(&[web()]).unwrap();
        let (mut now, mut number) = (Time(0), 0);
        for _ in 0..80 {
            now = now + random.below(4_000_000_000) as i64;
            match random.below(12) {
                0..=5 => {
                    let flows: Vec<FlowRecord> = (number..number + 5).map(records::plain).collect();
                    failures += u32::from(store.append(&batch(&flows), now).is_err());
                    number += 5;
                }
                6..=8 => failures += u32::from(store.tick(now).is_err()),
                9 => {
                    let every = [None, Some(1), Some(2), Some(5), Some(13)][random.below(5) as usize];
                    let kind = [std::io::ErrorKind::Other, std::io::ErrorKind::StorageFull];
                    disk.fail_every(every, kind[random.below(2) as usize]);
                }
                _ => {
                    disk.fail_every(None, std::io::ErrorKind::Other);
                    drop(store);
                    disk = disk.crashed(&mut random);
                    store = open(&disk);
                }
            }
        }
        disk.fail_every(None, std::io::ErrorKind::Other);
        now = now + 60 * NANOS_PER_S;
        store.finish(now).unwrap();
        assert_eq!(store.profiles().counters(), RollupCounters::default());
        let flows = stored(&disk);
        check(&on_disk(&disk), &flows, &[Profile::all(), web()]);
        check(
            &on_disk(&disk.crashed(&mut random)),
            &flows,
            &[Profile::all(), web()],
        );
    }
    assert!(failures > 12, "{failures} failures");
}

/// All records of the flow table.
fn stored(disk: &FaultDisk) -> Vec<FlowRecord> {
    let snapshot = crate::flow::Snapshot::read(disk, Table::flows(), "default").unwrap();
    let parts = snapshot.parts.iter().flat_map(|part| part.read(disk).unwrap());
    let batches = parts.chain(snapshot.memory.iter().cloned());
    batches
        .flat_map(|batch| crate::flow::to_records(&batch).unwrap())
        .collect()
}

/// Before and after: what was counted early by another filter is counted anew, once, and goes on.
#[test]
fn the_past_is_filled_in() {
    let disk = FaultDisk::default();
    let flows: Vec<FlowRecord> = (0..400).map(records::plain).collect();
    let mut store = open(&disk);
    let now = Time(0);
    for some in flows[..100].chunks(9) {
        store.append(&batch(some), now).unwrap();
    }
    let wrong = profile("web", "port 80", &[("every", "any")]);
    store.set_profiles(&[wrong]).unwrap();
    for some in flows[100..200].chunks(9) {
        store.append(&batch(some), now).unwrap();
    }
    store.set_profiles(&[web()]).unwrap();
    for some in flows[200..300].chunks(9) {
        store.append(&batch(some), now).unwrap();
    }
    store.finish(now).unwrap();
    assert_ne!(
        told(&on_disk(&disk), "web", "every", 30_000),
        expected(&flows[..300], &web(), "every", 30_000)
    );
    // Cut off in the midst: the old numbers stay.
    let before = told(&on_disk(&disk), "web", "every", 30_000);
    assert!(!store.fill_profile("web", now, &mut |done, _| done < 1).unwrap());
    assert_eq!(told(&on_disk(&disk), "web", "every", 30_000), before);
    let mut heard = (0, 0);
    let tell = &mut |done, all| {
        heard = (done, all);
        true
    };
    assert!(store.fill_profile("web", now, tell).unwrap());
    assert!(heard.0 == heard.1 && heard.1 > 0, "{heard:?}");
    check(&live(&store, &disk), &flows[..300], &[Profile::all(), web()]);
    drop(store);
    let mut store = open(&disk);
    for some in flows[300..].chunks(9) {
        store.append(&batch(some), now).unwrap();
    }
    store.finish(now).unwrap();
    check(&on_disk(&disk), &flows, &[Profile::all(), web()]);
    assert!(matches!(
        store.fill_profile("none", now, &mut |_, _| true),
        Err(StoreError::Profile(_))
    ));
}

/// Records may go, what was counted of them stays: for what is counted anew behind them, and for numbers of segments.
#[test]
fn numbers_outlive_the_records() {
    let disk = FaultDisk::default();
    let limits = Limits {
        retention: Retention {
            age_s: Some(36 * 3600),
            ..Retention::default()
        },
        ..limits()
    };
    let open = || FlowStore::on(Arc::new(disk.clone()), "default", &limits).unwrap();
    // A record every twelve minutes, four days long.
    let flows: Vec<FlowRecord> = (0..50_000).step_by(100).map(records::plain).collect();
    let mut store = open();
    store.set_profiles(&[web()]).unwrap();
    for some in flows.chunks(100) {
        let mut now = some[0].start;
        while now < some[some.len() - 1].start {
            now = now + 1800 * NANOS_PER_S;
            store.tick(now).unwrap();
        }
        store.append(&batch(some), now).unwrap();
        store.finish(now).unwrap();
    }
    let left = stored(&disk);
    assert!(left.len() < 350 && left.len() > 50, "{} are left", left.len());
    check(&on_disk(&disk), &flows, &[Profile::all(), web()]);
    let now = flows[flows.len() - 1].start;
    assert!(store.fill_profile("web", now, &mut |_, _| true).unwrap());
    check(&on_disk(&disk), &flows, &[Profile::all(), web()]);
    // Nothing is left but what was counted; new records are counted all the same.
    drop(store);
    for path in disk.paths() {
        if path.starts_with("flows/") || path.starts_with("transactions/") {
            disk.remove(&path).unwrap();
        }
    }
    let mut store = open();
    let later: Vec<FlowRecord> = (50_000..50_040).map(records::plain).collect();
    store.append(&batch(&later), now).unwrap();
    store.finish(now).unwrap();
    check(
        &on_disk(&disk),
        &[flows, later].concat(),
        &[Profile::all(), web()],
    );
}

#[test]
fn profiles_end_and_are_forgotten() {
    let disk = FaultDisk::default();
    let mut store = open(&disk);
    store.set_profiles(&[web()]).unwrap();
    let flows: Vec<FlowRecord> = (0..100).map(records::plain).collect();
    store.append(&batch(&flows), Time(0)).unwrap();
    store.finish(Time(0)).unwrap();
    let counted = told(&on_disk(&disk), "web", "every", 30_000);
    assert_eq!(counted, expected(&flows, &web(), "every", 30_000));
    assert!(!store.forget_profile("web").unwrap(), "it is counted");
    store.set_profiles(&[]).unwrap();
    store.append(&batch(&flows), Time(0)).unwrap();
    store.tick(Time(NANOS_PER_S)).unwrap();
    assert_eq!(
        told(&live(&store, &disk), "web", "every", 30_000),
        counted,
        "what has ended stays as it was"
    );
    assert!(store.forget_profile("web").unwrap());
    let asked = Series {
        profile: "web",
        channel: "every",
        step_ms: 30_000,
        from_ms: 0,
        to_ms: 1,
    };
    let gone = series(&asked, &on_disk(&disk)).unwrap_err();
    assert_eq!(gone.to_string(), "there is no profile \"web\"");
    // Another of the same name begins with nothing, whether the rows of the first are merged away or not.
    store.set_profiles(&[web()]).unwrap();
    assert_eq!(
        told(&live(&store, &disk), "web", "large", 30_000),
        BTreeMap::new()
    );
    assert_eq!(told(&on_disk(&disk), "web", "every", 86_400_000), BTreeMap::new());
    let other = Series {
        profile: "all",
        channel: "every",
        ..asked.clone()
    };
    let slip = series(&other, &on_disk(&disk)).unwrap_err();
    assert_eq!(
        slip.to_string(),
        "the profile \"all\" has no channel \"every\"; it has all"
    );
    let odd = Series {
        profile: "all",
        channel: "all",
        step_ms: 45_000,
        ..asked
    };
    assert_eq!(
        series(&odd, &on_disk(&disk)).unwrap_err().to_string(),
        "a step has to be a multiple of 30 seconds"
    );
}

#[test]
fn definitions_are_bounded_and_checked() {
    let disk = FaultDisk::default();
    let mut store = open(&disk);
    let named: Vec<(String, &str)> = (0..CHANNELS_MAX).map(|at| (format!("c{at}"), "any")).collect();
    let channels: Vec<(&str, &str)> = named.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let refused = store
        .set_profiles(&[profile("many", "any", &channels)])
        .unwrap_err();
    assert!(
        refused.to_string().contains("257 channels are wanted and 256"),
        "{refused}"
    );
    store
        .set_profiles(&[profile("many", "any", &channels[1..])])
        .unwrap();
    let refused = store
        .set_profiles(&[profile("no way", "any", &[("a", "any")])])
        .unwrap_err();
    assert!(
        refused.to_string().contains("\"no way\" cannot be a name"),
        "{refused}"
    );
    for at in 2..PROFILES_MAX {
        store
            .set_profiles(&[profile(&format!("p{at}"), "any", &[("a", "any")])])
            .unwrap();
    }
    let refused = store
        .set_profiles(&[profile("more", "any", &[("a", "any")])])
        .unwrap_err();
    assert!(refused.to_string().contains("forget one"), "{refused}");
    assert_eq!(Known::read(&disk).unwrap().profiles.len(), PROFILES_MAX);
    drop(store);
    disk.damage("profiles", |bytes| bytes[20] ^= 1);
    assert!(matches!(Known::read(&disk), Err(StoreError::Damaged(_))));
}

/// Records of more moments than there is room for are left out and counted; the store goes on.
#[test]
fn scattered_stamps_are_bounded() {
    let (room, extra) = (1000, 10);
    let mut rolled = roll::Rolled::within(room);
    let plan = roll::Plan::of(&Known::default());
    let flows = (0..room + extra).map(|number| {
        let mut flow = records::plain(1);
        flow.start = Time(number as i64 * 30 * NANOS_PER_S);
        flow.end = flow.start;
        flow
    });
    let flows: Vec<FlowRecord> = flows.collect();
    for some in flows.chunks(100) {
        rolled.count(&plan, &crate::flow::to_batch(some).unwrap(), &|_| true);
    }
    assert_eq!(rolled.left_out, extra as u64);
    let rows = rolled.rows(&plan, Step::Day);
    let counted: u64 = rows
        .iter()
        .filter(|row| row.class == Class::All)
        .map(|row| row.counts.flows)
        .sum();
    assert_eq!(counted, room as u64);
}

/// Segments and merges: parts become few, and others can read them by their columns.
#[test]
fn parts_are_merged_and_small() {
    let disk = FaultDisk::default();
    let mut store = open(&disk);
    let flows: Vec<FlowRecord> = (0..600).map(records::plain).collect();
    for some in flows.chunks(10) {
        store.append(&batch(some), Time(0)).unwrap();
    }
    store.finish(Time(0)).unwrap();
    let parts: Vec<usize> = store
        .profiles()
        .shared()
        .iter()
        .map(|shared| shared.latest().parts.len())
        .collect();
    assert!(parts.iter().all(|parts| *parts < 10), "{parts:?}");
    let written = store.profiles().written();
    assert!(
        written
            .iter()
            .all(|own| own.parts_written >= 30 && own.parts_merged > 20),
        "{written:?}"
    );
    let rows = |step: usize| store.profiles().shared()[step].latest().rows();
    // 4,200 s: 140 half minutes and a day or two, of TCP and of all.
    assert!(
        (280..330).contains(&rows(0)) && rows(2) <= 8,
        "{} {}",
        rows(0),
        rows(2)
    );
    assert!(store.profiles().bytes() > 1000);
}
