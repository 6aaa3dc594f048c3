//! What exporters can do to the collector: floods of templates, domains and addresses, bytes of any kind, and the rate
//! at which honest records come through.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures and skips are for whoever runs the tests"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;
use weir_collector::{Collector, Limits};
use weir_model::{FlowRecord, InitiatorReason, Time, tcp_flags};
use weir_wire::export::{Field, Plan, Reading, Template};

fn from(address: u32, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(address)), port)
}

fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn v9(domain: u32, sequence: u32, sets: &[u8]) -> Vec<u8> {
    let mut bytes = words(&[9, 1]);
    for value in [3_600_000, 1_700_000_000, sequence, domain] {
        bytes.extend(u32::to_be_bytes(value));
    }
    bytes.extend(sets);
    bytes
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = words(&[id, body.len() as u16 + 4]);
    bytes.extend(body);
    bytes
}

/// Template 256: what softflowd sends.
const FIELDS: [(u16, u16); 12] = [
    (8, 4),
    (12, 4),
    (22, 4),
    (21, 4),
    (1, 4),
    (2, 4),
    (10, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (5, 1),
];

fn template(id: u16) -> Vec<u8> {
    let mut body = words(&[id, FIELDS.len() as u16]);
    for (field, width) in FIELDS {
        body.extend(words(&[field, width]));
    }
    set(0, &body)
}

struct OneWay {
    src: u32,
    dst: u32,
    ports: (u16, u16),
    span_ms: (u32, u32),
    flags: u8,
}

fn record(one: &OneWay) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in [one.src, one.dst, one.span_ms.0, one.span_ms.1, 4_000, 10, 3] {
        bytes.extend(value.to_be_bytes());
    }
    bytes.extend(words(&[one.ports.0, one.ports.1]));
    bytes.extend([6, one.flags, 0]);
    bytes
}

/// The flows that come of one-way records in one datagram.
fn flows(records: &[OneWay]) -> Vec<FlowRecord> {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    let mut sets = template(256);
    sets.extend(set(256, &records.iter().flat_map(record).collect::<Vec<_>>()));
    collector.datagram(from(1, 2055), Time(0), &v9(0, 1, &sets), &mut out);
    collector.finish(&mut out);
    out
}

fn there(flags: u8, start_ms: u32) -> OneWay {
    OneWay {
        src: 0x0a00_0001,
        dst: 0x0a00_0002,
        ports: (40_000, 443),
        span_ms: (start_ms, 3_500_000),
        flags,
    }
}

fn back(flags: u8, start_ms: u32) -> OneWay {
    OneWay {
        src: 0x0a00_0002,
        dst: 0x0a00_0001,
        ports: (443, 40_000),
        span_ms: (start_ms, 3_500_000),
        flags,
    }
}

#[test]
fn pairs_in_either_order() {
    for swapped in [false, true] {
        let mut records = vec![there(0x1b, 3_490_000), back(0x1b, 3_490_004)];
        if swapped {
            records.reverse();
        }
        let found = flows(&records);
        let [flow] = &found[..] else { panic!("{found:?}") };
        assert_eq!(flow.key.initiator_port, 40_000);
        assert_eq!(flow.initiator_reason, InitiatorReason::FirstPacket);
        assert_eq!(flow.reverse.map(|reverse| reverse.packets), Some(10));
        assert_eq!(flow.start, Time(1_699_999_890_000_000_000));
        assert!(flow.established());
    }
}

#[test]
fn initiator_by_flags_then_time_then_ports() {
    let reason = |records: [OneWay; 2]| {
        (
            flows(&records)[0].key.initiator_port,
            flows(&records)[0].initiator_reason,
        )
    };
    assert_eq!(
        reason([back(0x14, 3_490_000), there(0x02, 3_490_000)]),
        (40_000, InitiatorReason::Syn)
    );
    assert_eq!(
        reason([there(0x1b, 3_490_009), back(0x1b, 3_490_000)]),
        (443, InitiatorReason::FirstPacket)
    );
    assert_eq!(
        reason([back(0x1b, 3_490_000), there(0x1b, 3_490_000)]),
        (40_000, InitiatorReason::Port)
    );
}

#[test]
fn unanswered_is_unknown_and_a_lone_answer_is_turned() {
    let lone = flows(&[there(0x02, 3_490_000)]);
    assert_eq!((lone[0].reverse, lone[0].first_flags), (None, tcp_flags::SYN));
    let answer = flows(&[back(0x1b, 3_490_000)]);
    assert_eq!(answer[0].key.initiator_port, 40_000);
    assert_eq!(answer[0].initiator_reason, InitiatorReason::Port);
    let apart = flows(&[
        there(0x1b, 3_490_000),
        OneWay {
            span_ms: (3_000_000, 3_000_001),
            ..back(0x1b, 0)
        },
    ]);
    assert_eq!(apart.len(), 2);
}

#[test]
fn uptime_wraps_between_flow_and_export() {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    let mut one = there(0x02, u32::MAX - 999);
    one.span_ms.1 = u32::MAX - 999;
    let mut sets = template(256);
    sets.extend(set(256, &record(&one)));
    collector.datagram(from(1, 2055), Time(0), &v9(0, 1, &sets), &mut out);
    collector.finish(&mut out);
    assert_eq!(out[0].start, Time::from_secs(1_700_000_000 - 3_601));
}

#[test]
fn clocks_that_are_off_are_measured_and_corrected_on_request() {
    const BEHIND_NS: i64 = 90_000_000_000;
    let start = |correct| {
        let (mut collector, mut out) = (Collector::default(), Vec::new());
        collector.correct_clocks(correct);
        let mut sets = template(256);
        sets.extend(set(256, &record(&there(0x02, 3_490_000))));
        let arrival = Time::from_secs(1_700_000_000) + BEHIND_NS;
        collector.datagram(from(1, 2055), arrival, &v9(0, 1, &sets), &mut out);
        collector.finish(&mut out);
        (out[0].start, collector.exporters()[0].skew_ns)
    };
    let told = Time::from_secs(1_699_999_890);
    assert_eq!(start(false), (told, BEHIND_NS));
    assert_eq!(start(true), (told + BEHIND_NS, BEHIND_NS));
}

#[test]
fn floods_stay_bounded_and_the_honest_exporter_loses_nothing() {
    let limits = Limits {
        exporters: 64,
        held_bytes: 4 << 20,
    };
    let (mut collector, mut out) = (Collector::new(limits), Vec::new());
    let honest = from(0x0a00_0001, 2055);
    collector.datagram(honest, Time(0), &v9(0, 0, &template(256)), &mut out);
    let data = set(256, &record(&there(0x02, 3_490_000)));
    for round in 0..20_000u32 {
        // Spoofed senders, each with templates and data without templates; one with ever new domains.
        let spoofed = from(0xc000_0000 + round, 9_999);
        let sets = [template(300 + (round % 700) as u16), set(1_999, &[0; 64])].concat();
        collector.datagram(spoofed, Time(0), &v9(round, 0, &sets), &mut out);
        collector.datagram(from(0xc100_0000, 1), Time(0), &v9(round, 0, &sets), &mut out);
        if round % 50 == 0 {
            collector.datagram(honest, Time(0), &v9(0, 1 + round / 50, &data), &mut out);
        }
        assert!(collector.held_bytes() <= limits.held_bytes + 65_536);
    }
    collector.finish(&mut out);
    assert_eq!(out.len(), 400);
    let counts = collector.counts();
    assert!(counts.exporters_evicted > 19_000 && counts.domains_evicted > 19_000);
    assert_eq!(counts.messages, 40_401);
    assert_eq!((counts.lost, counts.late), (0, 0));
    assert!(collector.exporters().len() <= limits.exporters);
}

/// Bytes of memory this process has now.
fn memory_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}

/// One exporter with 65,536 domains of 1,000 templates each, then a million spoofed senders; an honest one sends all the
/// while. Minutes of work, so only with `WEIR_SLOW=1` (and --release).
#[test]
fn floods_of_full_size() {
    if std::env::var_os("WEIR_SLOW").is_none() {
        eprintln!("skipped: set WEIR_SLOW=1 (and --release)");
        return;
    }
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    let honest = from(0x0a00_0001, 2055);
    collector.datagram(honest, Time(0), &v9(0, 0, &template(256)), &mut out);
    let data = set(256, &record(&there(0x02, 3_490_000)));
    // 1,000 templates of one field.
    let thousand: Vec<u8> = (256..1_256).flat_map(|id| words(&[id, 1, 8, 4])).collect();
    let thousand = set(0, &thousand);
    let before = memory_bytes();
    let (mut most, mut sent, mut got) = (0, 0, 0);
    let mut step = |collector: &mut Collector, round: u32| {
        if round.is_multiple_of(100) {
            sent += 1;
            collector.datagram(honest, Time(0), &v9(0, sent, &data), &mut out);
            got += out.len();
            out.clear();
            most = most.max(memory_bytes());
        }
    };
    for domain in 0..65_536 {
        let bytes = v9(domain, 0, &thousand);
        collector.datagram(from(0xc100_0000, 1), Time(0), &bytes, &mut Vec::new());
        step(&mut collector, domain);
    }
    for spoofed in 0..1_000_000 {
        let sets = [template(300), set(1_999, &[0; 64])].concat();
        collector.datagram(
            from(0xc000_0000 + spoofed, 9),
            Time(0),
            &v9(0, 0, &sets),
            &mut Vec::new(),
        );
        step(&mut collector, spoofed);
    }
    let held = collector.held_bytes();
    collector.finish(&mut out);
    got += out.len();
    println!(
        "{} MiB more at the most; {} B held",
        most.saturating_sub(before) >> 20,
        held
    );
    assert_eq!(got as u32, sent);
    assert_eq!((collector.counts().lost, collector.counts().late), (0, 0));
    assert!(most - before < 256 << 20 && held <= Limits::default().held_bytes + 65_536);
}

#[test]
fn templates_of_one_domain_are_capped() {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    for id in 256..5_000 {
        collector.datagram(
            from(1, 1),
            Time(0),
            &v9(0, u32::from(id), &template(id)),
            &mut out,
        );
    }
    let counts = collector.counts();
    assert_eq!(
        (counts.templates, counts.templates_refused),
        (1_024, 5_000 - 256 - 1_024)
    );
}

proptest! {
    /// State and harm: a template, then mutated datagrams of every format.
    #[test]
    fn hostile_datagrams(datagrams in prop::collection::vec((prop::sample::select(vec![1u16, 5, 7, 9, 10, 0]), prop::collection::vec(any::<u8>(), 0..300)), 1..20)) {
        let (mut collector, mut out) = (Collector::default(), Vec::new());
        collector.datagram(from(1, 1), Time(0), &v9(0, 0, &template(256)), &mut out);
        for (version, body) in &datagrams {
            let bytes = [&version.to_be_bytes()[..], body].concat();
            collector.datagram(from(1, 1), Time(0), &bytes, &mut out);
            let sets = set(256, body);
            collector.datagram(from(1, 1), Time(i64::MAX), &v9(0, 0, &sets), &mut out);
        }
        collector.finish(&mut out);
        prop_assert_eq!(collector.counts().messages, 1 + 2 * datagrams.len() as u64);
    }
}

/// CPU seconds of this thread, so that a busy machine does not spoil the figure.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1e9
}

/// Records per second of one core, decoded, made flow records and paired. A figure, not a bound: `WEIR_SLOW=1`.
#[test]
fn rate() {
    if std::env::var_os("WEIR_SLOW").is_none() {
        eprintln!("skipped: set WEIR_SLOW=1 (and --release)");
        return;
    }
    decoding_rate();
    for (exporters, templates) in [(1, 1), (1_000, 20), (1, 1), (1_000, 20)] {
        let rate = rate_of_many(exporters, templates);
        println!("{exporters} exporters x {templates} templates: {rate:.2} M records per CPU second");
    }
    for (name, answered) in [("one-way", false), ("pairs", true)] {
        let (mut collector, mut out) = (Collector::default(), Vec::new());
        collector.datagram(from(1, 1), Time(0), &v9(0, 0, &template(256)), &mut out);
        let datagrams: Vec<_> = (0..20_000u32)
            .map(|at| {
                let records = (0..30).flat_map(|nth| {
                    let mut one = if answered && nth % 2 == 1 {
                        back(0x1b, 3_490_000)
                    } else {
                        there(0x1b, 3_490_000)
                    };
                    let port = ((at * 15 + nth / 2) % 60_000 + 1_024) as u16;
                    one.ports = if one.ports.0 == 443 {
                        (443, port)
                    } else {
                        (port, 443)
                    };
                    record(&one)
                });
                v9(0, at + 1, &set(256, &records.collect::<Vec<_>>()))
            })
            .collect();
        let started = cpu_s();
        for (at, bytes) in datagrams.iter().enumerate() {
            collector.datagram(from(1, 1), Time(at as i64 * 10_000_000), bytes, &mut out);
            out.clear();
        }
        let took = cpu_s() - started;
        println!("{name}: {:.2} M records per CPU second", 0.6 / took);
    }
}

/// Pairs of so many exporters in turn, each with so many templates: records per second of one core.
fn rate_of_many(exporters: u32, templates: u16) -> f64 {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    for exporter in 0..exporters {
        let sets: Vec<u8> = (0..templates).flat_map(|id| template(256 + id)).collect();
        collector.datagram(from(exporter, 1), Time(0), &v9(0, 0, &sets), &mut out);
    }
    // Every exporter tells of flows of its own, 15 in a datagram.
    let datagram = |at: u32| {
        let records = (0..15u32).flat_map(|nth| {
            let (mut one, mut other) = (there(0x1b, 3_490_000), back(0x1b, 3_490_000));
            one.src = 0x0a00_0000 + at * 15 + nth;
            other.dst = one.src;
            [record(&one), record(&other)].concat()
        });
        let id = 256 + (at / exporters % u32::from(templates)) as u16;
        v9(0, 1 + at / exporters, &set(id, &records.collect::<Vec<_>>()))
    };
    let mut took = 0.0;
    for stretch in 0..50u32 {
        let datagrams: Vec<_> = (stretch * 1_000..(stretch + 1) * 1_000)
            .map(|at| (at, datagram(at)))
            .collect();
        let started = cpu_s();
        for (at, bytes) in &datagrams {
            let now = Time(i64::from(*at) * 75_000);
            collector.datagram(from(at % exporters, 1), now, bytes, &mut out);
            out.clear();
        }
        took += cpu_s() - started;
    }
    let (counts, pairing) = (collector.counts(), collector.pairing());
    assert_eq!(
        (counts.records, counts.lost, pairing.pairs),
        (1_500_000, 0, 750_000)
    );
    1.5 / took
}

/// Decoding alone: sets to rows.
fn decoding_rate() {
    let field = |(id, width): (u16, u16)| Field { pen: 0, id, width };
    let plan = Plan::new(&Template {
        id: 256,
        scope_fields: 0,
        fields: FIELDS.map(field).to_vec(),
    });
    let body = record(&there(0x1b, 3_490_000)).repeat(30);
    let mut rows = Vec::new();
    let started = cpu_s();
    for _ in 0..100_000 {
        rows.clear();
        let reading = &mut Reading {
            rows: &mut rows,
            unnamed: &mut String::new(),
            unknown: &mut Vec::new(),
            plans: &|_| None,
        };
        plan.read(&body, reading);
        assert_eq!(std::hint::black_box(&rows).len(), 30);
    }
    println!(
        "decoding: {:.2} M records per CPU second",
        3.0 / (cpu_s() - started)
    );
}
