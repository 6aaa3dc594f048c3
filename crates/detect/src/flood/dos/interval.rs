//! What a victim received in one interval, and how much it usually receives for what it sends.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use weir_model::tcp_flags::{ACK, FIN, RST, SYN};
use weir_model::{Counters, FlowRecord, Time, proto};

use crate::address::OneWay;
use crate::baseline::{Distinct, Spread, Top};

/// Attackers listed in an event; with forged sources more are of no use.
const ATTACKERS_LISTED_MAX: usize = 32;
/// Half-closed connections of an interval that nobody is named for.
const HALF_CLOSED_USUAL: u32 = 8;
/// Received packets per sent packet from which a flow counts its sender as an attacker.
const LOPSIDED: u64 = 10;
/// Length of the bins in which a burst is looked for, seconds.
const BURST_S: i64 = 10;
/// Least share of the mean taken for the standard deviation: a host that does the same every day is not attacked by a
/// tenth more.
const SIGMA_FLOOR: f64 = 0.25;

/// Services that answer with much for little (CISA TA14-017A and later finds), by source port.
const AMPLIFIERS: &[(u16, &str)] = &[
    (17, "QOTD"),
    (19, "CharGEN"),
    (53, "DNS"),
    (69, "TFTP"),
    (111, "portmap"),
    (123, "NTP"),
    (137, "NetBIOS"),
    (161, "SNMP"),
    (389, "CLDAP"),
    (427, "SLP"),
    (500, "ISAKMP"),
    (1900, "SSDP"),
    (3283, "ARMS"),
    (3702, "WS-Discovery"),
    (4500, "ISAKMP"),
    (5353, "mDNS"),
    (5683, "CoAP"),
    (11211, "memcached"),
];

/// Name of an amplifying service.
pub(super) fn service(port: u16) -> &'static str {
    let known = AMPLIFIERS.iter().find(|(known, _)| *known == port);
    known.map_or("other", |(_, name)| name)
}

/// The most flows that began within one bin.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Burst {
    bin: i64,
    flows: u32,
    pub(super) peak: u32,
}

impl Burst {
    fn add(&mut self, start: Time) {
        let bin = start.bin(BURST_S);
        if bin > self.bin || self.flows == 0 {
            (self.bin, self.flows) = (bin, 0);
        }
        // Late flows count for the running bin; the error is at most what one bin holds.
        self.flows += 1;
        self.peak = self.peak.max(self.flows);
    }
}

/// Counters of one victim in one interval. Most hosts are never attacked, so what tells of attackers stands apart.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Interval {
    pub(super) packets_in: u64,
    packets_out: u64,
    pub(super) flows: u32,
    /// TCP: tries, completed ones, and those only the victim closed.
    pub(super) tries: u32,
    pub(super) completed: u32,
    pub(super) half_closed: u32,
    attack: Option<Box<Attack>>,
}

/// What looked like an attack in an interval.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Attack {
    pub(super) span: Option<(Time, Time)>,
    pub(super) unanswered: u32,
    pub(super) burst: Burst,
    pub(super) attackers: Distinct,
    pub(super) attackers_listed: Vec<IpAddr>,
    /// Unasked answers of amplifying services.
    pub(super) reflected: Counters,
    pub(super) reflectors: Distinct,
    /// TCP tries never completed, with their packets and ports.
    pub(super) half_open: u32,
    pub(super) half_open_packets: u64,
    pub(super) half_open_ports: Distinct,
    /// The victim's ports, protocols, and the senders' service ports, by flows that count as attack.
    pub(super) ports: Top<u16, 8>,
    pub(super) protos: Top<u8, 4>,
    pub(super) services: Top<u16, 4>,
}

/// An interval without anything of the kind.
static QUIET: LazyLock<Attack> = LazyLock::new(Attack::default);

impl Interval {
    /// Received per sent packets; `None` while nothing was received.
    pub(super) fn ratio(&self) -> Option<f64> {
        (self.packets_in > 0).then(|| (self.packets_in + 1) as f64 / (self.packets_out + 1) as f64)
    }

    /// Counts the packets of a record's interval, updates of long flows included.
    pub(super) fn count_packets(&mut self, flow: &FlowRecord, victim: IpAddr) {
        let (mut received, mut sent) = (flow.forward.packets, flow.reverse_or_zero().packets);
        let sender = if flow.key.responder_ip == victim {
            flow.key.initiator_ip
        } else {
            (received, sent) = (sent, received);
            flow.key.responder_ip
        };
        self.packets_in += received;
        self.packets_out += sent;
        if received >= LOPSIDED * (sent + 1) {
            self.attack_mut().attacker(sender, flow);
        }
    }

    /// Counts a flow that has ended, by its whole life.
    pub(super) fn count_flow(&mut self, flow: &FlowRecord) {
        self.flows += 1;
        if let Some(one_way) = OneWay::of(flow) {
            self.attack_mut().unanswered(&one_way, flow);
        }
        if flow.key.proto == proto::TCP {
            self.count_tcp(flow);
        }
    }

    /// What looked like an attack.
    pub(super) fn attack(&self) -> &Attack {
        self.attack.as_deref().unwrap_or(&QUIET)
    }

    fn attack_mut(&mut self) -> &mut Attack {
        self.attack.get_or_insert_default()
    }

    fn count_tcp(&mut self, flow: &FlowRecord) {
        let (forward, reverse) = (flow.forward_flags, flow.reverse_flags);
        if forward & SYN == 0 {
            return;
        }
        self.tries += 1;
        if forward & ACK != 0 {
            self.completed += 1;
            if is_half_closed(flow) {
                self.half_closed += 1;
                // Every server has a few; only many of them want names.
                if self.half_closed > HALF_CLOSED_USUAL {
                    self.attack_mut().half_closed(flow);
                }
            }
        } else if reverse & RST == 0 {
            // A refusal costs the victim nothing; only what it must remember counts.
            self.attack_mut().half_open(flow);
        }
    }
}

/// Only the responder closed the connection.
fn is_half_closed(flow: &FlowRecord) -> bool {
    let (forward, reverse) = (flow.forward_flags, flow.reverse_flags);
    reverse & FIN != 0 && forward & (FIN | RST) == 0 && reverse & RST == 0
}

/// A connection that costs the responder more than the initiator: never completed, or left half closed.
pub(super) fn is_left(flow: &FlowRecord) -> bool {
    flow.key.proto == proto::TCP && (flow.forward_flags & ACK == 0 || is_half_closed(flow))
}

impl Attack {
    fn unanswered(&mut self, one_way: &OneWay, flow: &FlowRecord) {
        self.unanswered += 1;
        self.burst.add(flow.flow_start);
        self.attacker(one_way.speaker, flow);
        self.ports.add(one_way.silent_port, 1);
        self.protos.add(flow.key.proto, 1);
        if flow.key.proto == proto::UDP {
            self.reflected(one_way);
        }
    }

    /// Ports of 0 are later fragments, which carry no ports: amplified answers are mostly fragments.
    fn reflected(&mut self, one_way: &OneWay) {
        let port = one_way.speaker_port;
        if port == 0 || AMPLIFIERS.iter().any(|(known, _)| *known == port) {
            self.reflected.add(one_way.sent);
            self.reflectors.add(one_way.speaker);
            if port != 0 {
                self.services.add(port, one_way.sent.packets);
            }
        }
    }

    fn half_open(&mut self, flow: &FlowRecord) {
        self.half_open += 1;
        self.half_open_packets += flow.forward_total.packets;
        self.half_open_ports.add(flow.key.responder_port);
        self.attacker(flow.key.initiator_ip, flow);
        if flow.reverse_flags != 0 {
            self.ports.add(flow.key.responder_port, 1);
            self.protos.add(proto::TCP, 1);
        }
    }

    fn half_closed(&mut self, flow: &FlowRecord) {
        self.attacker(flow.key.initiator_ip, flow);
        self.ports.add(flow.key.responder_port, 1);
        self.protos.add(proto::TCP, 1);
    }

    fn attacker(&mut self, sender: IpAddr, flow: &FlowRecord) {
        if self.attackers.add(sender) && self.attackers_listed.len() < ATTACKERS_LISTED_MAX {
            self.attackers_listed.push(sender);
        }
        let (first, last) = self.span.unwrap_or((flow.flow_start, flow.end));
        self.span = Some((first.min(flow.flow_start), last.max(flow.end)));
    }
}

/// Ratios of past intervals without an attack.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Usual {
    ratios: VecDeque<f32>,
}

impl Usual {
    /// Remembers an interval's ratio; the oldest leaves.
    pub(super) fn learn(&mut self, ratio: Option<f64>, intervals_max: usize) {
        let Some(ratio) = ratio else { return };
        if self.ratios.len() >= intervals_max.max(1) {
            self.ratios.pop_front();
        }
        self.ratios.push_back(ratio as f32);
    }

    pub(super) fn len(&self) -> usize {
        self.ratios.len()
    }

    pub(super) fn mean(&self) -> f64 {
        self.spread().mean()
    }

    /// Standard deviation, with a floor.
    pub(super) fn sigma(&self) -> f64 {
        let spread = self.spread();
        spread.deviation().max(SIGMA_FLOOR * spread.mean())
    }

    fn spread(&self) -> Spread {
        let mut spread = Spread::default();
        self.ratios.iter().for_each(|ratio| spread.add(f64::from(*ratio)));
        spread
    }
}
