//! What the tests of dissectors share: a dialogue or turns of bytes in, transactions as text out.
//! The checks hold the contract of [`Dissector`]: no panic on any bytes, and the same result however a stream is cut.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use expect_test::Expect;
use proptest::test_runner::{Config, TestRunner};
use weir_model::{AnomalyCounts, FlowId, FlowKey, Protocol, Time, Transaction, Value, ethertype, proto};

use crate::{Dissector, Input, Side, Sink, Want};

/// What one side sends at once.
pub(crate) type Part<'a> = (Side, &'a [u8]);

/// What one side sends at once, built by the test.
pub(crate) type Turn = (Side, Vec<u8>);

/// A client's turn.
pub(crate) fn client(bytes: impl Into<Vec<u8>>) -> Turn {
    (Side::Initiator, bytes.into())
}

/// A server's turn.
pub(crate) fn server(bytes: impl Into<Vec<u8>>) -> Turn {
    (Side::Responder, bytes.into())
}

/// Turns of a text dialogue of `C: ` and `S: ` lines; each ends with CR LF on the wire.
pub(crate) fn turns(dialogue: &str) -> Vec<Turn> {
    let lines = dialogue
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (who, said) = line.split_at(3.min(line.len()));
            let said = format!("{said}\r\n");
            if who == "C: " { client(said) } else { server(said) }
        })
        .collect()
}

/// The turns as parts.
pub(crate) fn parts(turns: &[Turn]) -> Vec<Part<'_>> {
    turns
        .iter()
        .map(|(side, bytes)| (*side, bytes.as_slice()))
        .collect()
}

/// A flow from 10.0.0.5:40000 to 10.0.0.9.
pub(crate) fn key(proto: u8, port: u16) -> FlowKey {
    FlowKey {
        initiator_ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5)),
        responder_ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)),
        initiator_port: 40000,
        responder_port: port,
        proto,
        ethertype: ethertype::IPV4,
        vlan: None,
    }
}

/// A TCP flow to this port.
pub(crate) fn tcp(port: u16) -> FlowKey {
    key(proto::TCP, port)
}

/// A UDP flow to this port.
pub(crate) fn udp(port: u16) -> FlowKey {
    key(proto::UDP, port)
}

/// What came out of a dissection.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Output {
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) anomalies: AnomalyCounts,
    pub(crate) want: Option<Want>,
}

/// Feeds inputs until the dissector wants no more.
pub(crate) fn feed<D: Dissector>(key: &FlowKey, inputs: &[Input<'_>]) -> Output {
    let (mut dissector, mut output) = (D::default(), Output::default());
    for &input in inputs {
        let mut sink = Sink {
            flow: FlowId(1),
            key,
            transactions: &mut output.transactions,
            anomalies: &mut output.anomalies,
        };
        let want = dissector.feed(input, &mut sink);
        output.want = Some(want);
        if want != Want::More {
            break;
        }
    }
    output
}

/// Feeds parts one second apart, then the end.
pub(crate) fn run<D: Dissector>(key: &FlowKey, parts: &[Part<'_>]) -> Output {
    feed::<D>(key, &inputs(parts))
}

/// The parts as inputs one second apart, then the end.
pub(crate) fn inputs<'a>(parts: &[Part<'a>]) -> Vec<Input<'a>> {
    let mut inputs = Vec::new();
    for (&(from, data), second) in parts.iter().zip(0..) {
        let time = Time::from_secs(second);
        inputs.push(Input::Bytes { from, time, data });
    }
    let time = Time::from_secs(parts.len().try_into().unwrap());
    inputs.push(Input::End { time });
    inputs
}

/// The output as text: one line per transaction, one per value, then what was odd.
pub(crate) fn text(output: &Output) -> String {
    let mut text = String::new();
    for transaction in &output.transactions {
        let (kind, outcome) = (transaction.kind.word(), transaction.outcome.word());
        let duration_s = transaction.end.secs_since(transaction.start);
        writeln!(text, "{kind} {} {duration_s}s", outcome.unwrap_or("unknown")).unwrap();
        for (field, value) in &transaction.fields {
            writeln!(text, "  {} {}", field.name, show(value)).unwrap();
        }
    }
    for (anomaly, times) in output.anomalies.seen() {
        writeln!(text, "odd {anomaly} x{times}").unwrap();
    }
    text
}

fn show(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::Ip(ip) => ip.to_string(),
        Value::Mac(mac) => mac.to_string(),
        Value::Texts(texts) => texts.join(" | "),
    }
}

/// What a dissector makes of the turns, on a TCP flow to its first port; ends with what it wants, when not more.
pub(crate) fn render<D: Dissector>(turns: &[Turn]) -> String {
    render_parts::<D>(&tcp(D::META.ports[0]), &parts(turns))
}

fn render_parts<D: Dissector>(key: &FlowKey, parts: &[Part<'_>]) -> String {
    let output = run::<D>(key, parts);
    let mut shown = text(&output);
    if let Some(want) = output.want.filter(|want| *want != Want::More) {
        writeln!(shown, "want {want:?}").unwrap();
    }
    shown
}

/// Checks what a text dialogue gives, on a TCP flow to the dissector's first port, and holds the contract.
#[track_caller]
pub(crate) fn check<D: Dissector>(dialogue: &str, expected: &Expect) {
    check_turns::<D>(&turns(dialogue), expected);
}

/// As [`check`], of turns of bytes.
#[track_caller]
pub(crate) fn check_turns<D: Dissector>(turns: &[Turn], expected: &Expect) {
    expected.assert_eq(&render::<D>(turns));
    check_stream::<D>(&tcp(D::META.ports[0]), &parts(turns));
}

/// The contract on a TCP stream: however cut, the same transactions; however damaged, no panic.
#[track_caller]
pub(crate) fn check_stream<D: Dissector>(key: &FlowKey, parts: &[Part<'_>]) {
    check_segments::<D>(key, parts);
    check_datagrams::<D>(key, parts);
}

/// The contract on datagrams or frames: however damaged, no panic, and only declared fields.
#[track_caller]
pub(crate) fn check_datagrams<D: Dissector>(key: &FlowKey, parts: &[Part<'_>]) {
    check_prefixes::<D>(key, parts);
    check_hostile::<D>(key, parts);
}

/// Every prefix of every part, with and without what follows: nothing may panic, every field must be declared.
fn check_prefixes<D: Dissector>(key: &FlowKey, parts: &[Part<'_>]) {
    for (index, &(from, data)) in parts.iter().enumerate() {
        for end in 0..data.len() {
            let mut cut = parts.to_vec();
            cut[index] = (from, &data[..end]);
            D::probe(&data[..end], from, (key.initiator_port, key.responder_port));
            check_fields::<D>(&run::<D>(key, &cut));
            check_fields::<D>(&run::<D>(key, &cut[..=index]));
        }
    }
}

/// However each part is cut into segments, the transactions are the same.
fn check_segments<D: Dissector>(key: &FlowKey, parts: &[Part<'_>]) {
    let whole = run::<D>(key, parts);
    for size in [1, 2, 3, 5, 7, 11, 64, 200] {
        let mut inputs = Vec::new();
        for (&(from, data), second) in parts.iter().zip(0..) {
            let time = Time::from_secs(second);
            inputs.extend(data.chunks(size).map(|data| Input::Bytes { from, time, data }));
        }
        let time = Time::from_secs(parts.len().try_into().unwrap());
        inputs.push(Input::End { time });
        let cut = feed::<D>(key, &inputs);
        assert_eq!(cut.transactions, whole.transactions, "in segments of {size}");
    }
}

/// Arbitrary bytes, and a sample with arbitrary bytes written over it: nothing may panic.
pub(crate) fn check_hostile<D: Dissector>(key: &FlowKey, parts: &[Part<'_>]) {
    let bytes = proptest::collection::vec(proptest::num::u8::ANY, 0..600);
    let places = proptest::collection::vec((proptest::num::usize::ANY, proptest::num::u8::ANY), 1..8);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&(bytes, places), |(bytes, places)| {
        for from in [Side::Initiator, Side::Responder] {
            D::probe(&bytes, from, (key.initiator_port, key.responder_port));
            check_fields::<D>(&run::<D>(key, &[(from, &bytes), (from.other(), &bytes)]));
        }
        let mut owned: Vec<(Side, Vec<u8>)> =
            parts.iter().map(|&(from, data)| (from, data.to_vec())).collect();
        for (place, byte) in places {
            let part = place % owned.len().max(1);
            if let Some((_, data)) = owned.get_mut(part) {
                let at = place / 8 % data.len().max(1);
                data[at] = byte;
            }
        }
        let damaged: Vec<Part<'_>> = owned
            .iter()
            .map(|(from, data)| (*from, data.as_slice()))
            .collect();
        check_fields::<D>(&run::<D>(key, &damaged));
        Ok(())
    });
    outcome.unwrap();
}

/// Fields are declared, set once, and of this protocol.
fn check_fields<D: Dissector>(output: &Output) {
    let protocol: Protocol = D::META.protocol;
    for transaction in &output.transactions {
        assert_eq!(transaction.protocol, protocol);
        for (index, (field, _)) in transaction.fields.iter().enumerate() {
            assert!(D::META.fields.contains(field), "{} is not declared", field.name);
            let again = transaction.fields[..index]
                .iter()
                .any(|(known, _)| known.name == field.name);
            assert!(!again, "{} is set twice", field.name);
        }
    }
}
