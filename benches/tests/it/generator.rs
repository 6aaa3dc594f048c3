//! The generated file is what it claims to be: deterministic, valid to the last checksum, and exactly as its truth says.

use std::collections::HashSet;

use weir_benches::mix::truth::{Kind, NameTally, Truth};
use weir_benches::mix::{Settings, generate};

use crate::reader::{self, Parsed, turned};

const SMALL: Settings = Settings {
    seed: 42,
    flows: 200,
    seconds: 20,
};

pub(crate) fn mix(settings: Settings) -> (Vec<u8>, Truth, Vec<(Kind, String)>) {
    let (mut file, mut names) = (Vec::new(), Vec::new());
    let truth = generate(settings, &mut file, &mut |kind, name| {
        names.push((kind, name.to_owned()));
        Ok(())
    });
    (file, truth.expect("generates"), names)
}

fn parsed(settings: Settings) -> (Parsed, Truth) {
    let (file, truth, _) = mix(settings);
    (reader::parse(&file), truth)
}

fn tally<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> weir_benches::mix::truth::NameSummary {
    let mut tally = NameTally::default();
    names.into_iter().for_each(|name| tally.add(name.as_ref()));
    tally.summary()
}

#[test]
fn one_seed_one_file() {
    let (file, truth, names) = mix(SMALL);
    assert!((file, truth, names) == mix(SMALL), "same seed, same bytes");
    assert!(
        mix(Settings { seed: 43, ..SMALL }).0 != mix(SMALL).0,
        "another seed, other bytes"
    );
}

#[test]
fn shares_are_exact() {
    for flows in [1, 20, 200, 333] {
        let (_, truth, names) = mix(Settings { flows, ..SMALL });
        let count = |kind| names.iter().filter(|(found, _)| *found == kind).count() as u64;
        assert_eq!(truth.flows.total, flows);
        assert_eq!(truth.flows.tls, flows * 55 / 100);
        assert_eq!(truth.flows.dns, flows * 30 / 100);
        assert_eq!(truth.flows.http, flows - truth.flows.tls - truth.flows.dns);
        assert_eq!(
            [truth.flows.tls, truth.flows.dns, truth.flows.http],
            Kind::ALL.map(count)
        );
        assert_eq!(truth.flows.ipv4 + truth.flows.ipv6, flows);
    }
    assert!(
        generate(
            Settings { flows: 0, ..SMALL },
            &mut Vec::new(),
            &mut |_, _| Ok(())
        )
        .is_err()
    );
}

#[test]
fn every_packet_is_valid() {
    let (parsed, truth) = parsed(Settings {
        flows: 1_000,
        ..SMALL
    });
    assert!(
        parsed.faults.is_empty(),
        "{} faults, first {:?}",
        parsed.faults.len(),
        parsed.faults.first()
    );
    assert_eq!((parsed.packets, parsed.bytes), (truth.packets, truth.bytes));
    assert!(
        truth.last_packet_us <= 20_000_000,
        "ends within its time: {} us",
        truth.last_packet_us
    );
    for (tuple, stream) in &parsed.streams {
        assert!(stream.syn && stream.fin, "{tuple:?} opens and closes");
        assert!(
            parsed.streams.contains_key(&turned(*tuple)),
            "{tuple:?} is answered"
        );
        assert!(!stream.payload.is_empty(), "{tuple:?} carries payload");
    }
}

#[test]
fn truth_is_what_an_independent_reader_finds() {
    let (parsed, truth) = parsed(Settings {
        flows: 2_000,
        ..SMALL
    });
    assert_eq!(tally(parsed.server_names()), truth.tls_sni);
    assert_eq!(tally(parsed.hosts()), truth.http_host);
    assert_eq!(
        tally(
            parsed
                .questions
                .iter()
                .map(|(_, message)| reader::question(message))
        ),
        truth.dns_query
    );
    let tuples: HashSet<_> = parsed.questions.iter().map(|(tuple, _)| *tuple).collect();
    assert_eq!(tuples.len() as u64, truth.flows.dns, "one question per 5-tuple");
    assert_eq!(
        (tuples.len() + parsed.streams.len() / 2) as u64,
        truth.flows.total
    );
    let ipv6 = tuples
        .iter()
        .chain(parsed.requests(443).map(|(tuple, _)| tuple))
        .filter(|tuple| tuple.1.is_ipv6());
    assert_eq!(
        ipv6.count() + parsed.requests(80).filter(|(t, _)| t.1.is_ipv6()).count(),
        truth.flows.ipv6 as usize
    );
}

#[test]
fn questions_are_answered_and_ids_differ() {
    let (parsed, truth) = parsed(SMALL);
    let mut ids = HashSet::new();
    for (tuple, question) in &parsed.questions {
        let answer = &parsed.answers[&turned(*tuple)];
        assert_eq!(question[..2], answer[..2], "id");
        assert!(ids.insert([question[0], question[1]]));
        assert!(
            answer[2] & 0x80 != 0 && answer[3] & 0x0f == 0,
            "a response without error"
        );
        assert!(answer[7] >= 1, "at least one answer record");
        assert_eq!(reader::question(question), reader::question(answer));
    }
    assert_eq!(parsed.answers.len() as u64, truth.flows.dns);
}

/// The figures the bars were set with: change them together with the bars or not at all.
#[test]
fn the_mix_has_its_proportions() {
    let (_, truth, _) = mix(Settings {
        flows: 10_000,
        ..Settings::default()
    });
    let packets_per_flow = truth.packets as f64 / truth.flows.total as f64;
    let mean = truth.bytes as f64 / truth.packets as f64;
    assert!(
        (10.8..11.5).contains(&packets_per_flow),
        "{packets_per_flow} packets per flow"
    );
    assert!((520.0..550.0).contains(&mean), "mean packet {mean} B");
    assert!(
        (900..1_100).contains(&truth.flows.ipv6),
        "{} IPv6 flows",
        truth.flows.ipv6
    );
}
