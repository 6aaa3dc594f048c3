//! Any bytes through any dissector, past its probe: the first byte picks the dissector, the rest is a dialogue.
//! A turn is a control byte (side, gap, several bytes or few), a length and that many bytes; nothing may panic.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use libfuzzer_sys::fuzz_target;
use weir_dissect::{Dissector, Input, Session, Side, Sink, Want};
use weir_model::{Anomaly, AnomalyCounts, FlowId, FlowKey, Time, Transport, ethertype, proto};

/// A new dissector of bytes is one line here.
const TARGETS: &[fn(&[u8])] = &[
    dialogue::<weir_dissect::arp::Arp>,
    dialogue::<weir_dissect::dhcp::Dhcp>,
    dialogue::<weir_dissect::dns::Dns>,
    dialogue::<weir_dissect::ftp::Ftp>,
    dialogue::<weir_dissect::http::Http>,
    dialogue::<weir_dissect::imap::Imap>,
    dialogue::<weir_dissect::kerberos::Kerberos>,
    dialogue::<weir_dissect::nd::Nd>,
    dialogue::<weir_dissect::pop3::Pop3>,
    dialogue::<weir_dissect::rdp::Rdp>,
    dialogue::<weir_dissect::smb::Smb>,
    dialogue::<weir_dissect::smtp::Smtp>,
    dialogue::<weir_dissect::ssh::Ssh>,
    dialogue::<weir_dissect::telnet::Telnet>,
    dialogue::<weir_dissect::tls::Tls>,
    dialogue::<weir_dissect::vnc::Vnc>,
    session,
];

fuzz_target!(|data: &[u8]| {
    if let Some((&choice, rest)) = data.split_first() {
        TARGETS[usize::from(choice) % TARGETS.len()](rest);
    }
});

fn dialogue<D: Dissector>(data: &[u8]) {
    let transport = D::META.transports.first().copied().unwrap_or(Transport::Tcp);
    let key = key(transport, D::META.ports.first().copied().unwrap_or_default());
    D::probe(data, Side::Initiator, (key.initiator_port, key.responder_port));
    let mut dissector = D::default();
    run(&key, data, |input, sink| {
        dissector.feed(input, sink) == Want::More
    });
}

/// The way of the meter: probed, then fed.
fn session(data: &[u8]) {
    let key = key(Transport::Tcp, 0);
    let mut session = Session::new(Transport::Tcp);
    run(&key, data, |input, sink| {
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
