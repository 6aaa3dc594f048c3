//! What the targets share: a dialogue for one dissector, and a run of packets for everything behind the decoder.
//! Bytes of the engine become structure here, so that few mutations are wasted on headers that no code would accept.

use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr};

use weir_collector::files::{FileKind, FlowFile, HEAD_BYTES};
use weir_dissect::{Dissector, Input, Session, Side, Sink, Want};
use weir_model::{Anomaly, AnomalyCounts, FlowId, FlowKey, Time, Transport, ethertype, proto};

pub mod packets;

/// Any bytes through one dissector, past its probe. A turn is a control byte (side, gap, several bytes or few),
/// a length and that many bytes.
pub fn dialogue<D: Dissector>(data: &[u8]) {
    let transport = D::META.transports.first().copied().unwrap_or(Transport::Tcp);
    let key = key(transport, D::META.ports.first().copied().unwrap_or_default());
    D::probe(data, Side::Initiator, (key.initiator_port, key.responder_port));
    let mut dissector = D::default();
    run(&key, data, |input, sink| {
        dissector.feed(input, sink) == Want::More
    });
}

/// Any bytes as a list of indicators; what was taken is made ready to be looked up.
pub fn indicators(format: weir_enrich::indicator::Format, bytes: &[u8]) {
    let mut builder = weir_enrich::indicator::Builder::new();
    let spec = weir_enrich::indicator::ListSpec::new("fuzz");
    let report = builder.list(spec, format, [bytes]);
    assert!(report.faults.len() <= report.bad);
    let counts = builder.finish().counts();
    let kinds = counts.addresses + counts.services + counts.domains + counts.urls + counts.fingerprints;
    assert!(kinds <= report.taken, "{counts:?} of {}", report.taken);
}

/// Any bytes as a file of flow records: reading ends, and everything made is counted.
pub fn flow_file(kind: FileKind, bytes: &[u8]) {
    let _ = FileKind::of(bytes.get(..HEAD_BYTES).unwrap_or(bytes));
    let mut file = FlowFile::new(kind, bytes, Box::new(Cursor::new(bytes.to_vec())));
    let (mut flows, mut records) = (Vec::new(), 0);
    while file.step(&mut flows) {
        records += flows.len() as u64;
        flows.clear();
    }
    records += flows.len() as u64;
    assert_eq!(file.counts().records, records);
}

/// The way of the meter: probed, then fed. The first byte picks the transport.
pub fn session(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    let transport = [Transport::Tcp, Transport::Udp][usize::from(choice) % 2];
    let key = key(transport, 0);
    let mut session = Session::new(transport);
    run(&key, rest, |input, sink| {
        session.feed(input, sink);
        session.wants_input()
    });
}

fn run(key: &FlowKey, mut data: &[u8], mut feed: impl FnMut(Input<'_>, &mut Sink<'_>) -> bool) {
    let (mut transactions, mut anomalies) = (Vec::new(), AnomalyCounts::default());
    let mut sink = Sink {
        flow: FlowId(1),
        key,
        transactions: &mut transactions,
        anomalies: &mut anomalies,
    };
    let time = Time(0);
    while let [control, len, rest @ ..] = data {
        let from = if control & 1 == 0 {
            Side::Initiator
        } else {
            Side::Responder
        };
        let scale = if control & 2 == 0 { 1 } else { 16 };
        let (part, behind) = rest.split_at(rest.len().min(usize::from(*len) * scale));
        data = behind;
        let input = match control & 0x1c {
            0x1c => Input::Gap {
                from,
                time,
                len: part.len() as u64,
            },
            _ => Input::Bytes {
                from,
                time,
                data: part,
            },
        };
        if !feed(input, &mut sink) {
            break;
        }
    }
    feed(Input::End { time }, &mut sink);
    // A session catches panics and counts them; here they are findings.
    assert_eq!(anomalies.of(Anomaly::PluginPanic), 0);
    for transaction in &transactions {
        let line = weir_output::json::transaction(transaction);
        assert!(!line.contains('\n'));
    }
}

fn key(transport: Transport, port: u16) -> FlowKey {
    FlowKey {
        initiator_ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5)),
        responder_ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)),
        initiator_port: 40000,
        responder_port: port,
        proto: match transport {
            Transport::Tcp => proto::TCP,
            Transport::Udp => proto::UDP,
            Transport::Icmp6 => proto::ICMP6,
            Transport::Link => 0,
        },
        ethertype: ethertype::IPV4,
        vlan: None,
    }
}

#[cfg(test)]
mod tests {
    /// A dissector without a target is one nobody attacks.
    #[test]
    fn every_dissector_has_a_target() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz_targets");
        for entry in weir_dissect::REGISTRY {
            let word = entry.meta.protocol.word();
            let file = format!("{folder}/dissect_{word}.rs");
            assert!(std::path::Path::new(&file).exists(), "{file} is missing");
        }
    }
}
