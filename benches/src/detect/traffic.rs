//! Flow records for the benchmark of detection: an ordinary day's mix of very many inside hosts, and over it, when asked
//! for, a flood of forged sources with one real scanner hidden in it. The same seed gives the same records.
//!
//! - Clients: `hosts` inside addresses, all equally busy. Servers: up to 20,000 outside ones, popular by a power law,
//!   a resolver and twenty file servers inside.
//! - 50 % TLS, 30 % DNS, 10 % HTTP, 10 % SMB, all answered, with heavy-tailed sizes; one in fifty tries nobody answers.
//! - The flood: one SYN each from ever new outside addresses to one inside web server.
//! - The scanner: one outside host tries port 3389 of ever new inside addresses, ten a second.

use std::net::{IpAddr, Ipv4Addr};

use weir_model::{
    Batch, ConnState, Counters, EndReason, FlowId, FlowKey, FlowRecord, InitiatorReason, NANOS_PER_S,
    Protocol, Tick, Time, ethertype, proto, tcp_flags,
};

use crate::mix::random::{Random, spread};

const SERVERS: u64 = 20_000;
const FILE_SERVERS: u64 = 20;
const SCANS_PER_S: u64 = 10;
/// 2026-11-02T08:00 UTC.
const START_S: i64 = 1_793_606_400;

/// Whom the flood is for.
pub const VICTIM: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 80);
/// Who scans in its shadow.
pub const SCANNER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub seed: u64,
    /// Inside clients, at most 4 million.
    pub hosts: u64,
    /// Records of the ordinary mix.
    pub flows: u64,
    /// Records of the flood, each from another address; 0: neither flood nor scanner.
    pub forged: u64,
    /// Event time everything is spread over.
    pub seconds: u64,
}

/// Full batches with the ticks of every second among them; the last one ends the input.
pub struct Traffic {
    random: Random,
    settings: Settings,
    second: u64,
    /// Records of this second still to come: ordinary, flood, scanner.
    left: [u64; 3],
    forged: u64,
    scanned: u64,
    seq: u64,
    ended: bool,
}

impl Traffic {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            random: Random::new(settings.seed),
            settings,
            second: 0,
            left: [0; 3],
            forged: 0,
            scanned: 0,
            seq: 0,
            ended: false,
        }
    }

    fn now(&self) -> Time {
        Time((START_S + self.second as i64) * NANOS_PER_S)
    }

    fn next_second(&mut self, batch: &mut Batch) {
        self.second += 1;
        let share = |all: u64| {
            let until = |second: u64| all * second / self.settings.seconds.max(1);
            until(self.second) - until(self.second - 1)
        };
        let scans = if self.settings.forged > 0 { SCANS_PER_S } else { 0 };
        self.left = [share(self.settings.flows), share(self.settings.forged), scans];
        let (seq, time) = (self.seq, self.now());
        batch.ticks.push(Tick {
            seq,
            time,
            end: false,
        });
        self.seq += 1;
    }

    fn record(&mut self) -> FlowRecord {
        // By lot among what is left, so that the kinds are mixed evenly.
        let all = self.left.iter().sum::<u64>();
        let lot = self.random.below(all);
        let mut flow = if lot < self.left[0] {
            self.left[0] -= 1;
            self.ordinary()
        } else if lot < self.left[0] + self.left[1] {
            self.left[1] -= 1;
            self.forged += 1;
            let source = outside(3, self.forged);
            self.unanswered(source, VICTIM, 80, false)
        } else {
            self.left[2] -= 1;
            self.scanned += 1;
            let target = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 220, 0, 0)) + self.scanned as u32);
            self.unanswered(SCANNER, target, 3389, false)
        };
        flow.seq = self.seq;
        self.seq += 1;
        flow
    }

    fn ordinary(&mut self) -> FlowRecord {
        let client = inside(self.random.below(self.settings.hosts.max(1)));
        let (server, port, protocol) = match self.random.below(100) {
            0..=49 => (self.server(), 443, Protocol::Tls),
            50..=79 => (Ipv4Addr::new(10, 200, 0, 53), 53, Protocol::Dns),
            80..=89 => (self.server(), 80, Protocol::Http),
            _ => {
                let last = self.random.below(FILE_SERVERS) as u8;
                (Ipv4Addr::new(10, 200, 1, last), 445, Protocol::Smb)
            }
        };
        if port != 53 && self.random.chance(2) {
            return self.unanswered(client, server, port, true);
        }
        let number = if port == 53 { proto::UDP } else { proto::TCP };
        let mut flow = self.flow(client, server, port, number, true);
        flow.responder_inside = server.octets()[0] == 10;
        let (up, down, duration_ms) = if port == 53 {
            (
                datagrams(1, 74),
                datagrams(1, 150),
                self.random.quantile(&[1, 20]),
            )
        } else {
            let packets = self.random.quantile(&[4, 8, 14, 40, 3_000]);
            let size = self.random.quantile(&[200, 600, 1_100, 1_400]);
            let duration_ms = self.random.quantile(&[20, 200, 1_000, 8_000, 60_000]);
            (datagrams(packets, 130), datagrams(packets, size), duration_ms)
        };
        flow.start = Time(flow.end.0 - duration_ms as i64 * 1_000_000);
        flow.flow_start = flow.start;
        (flow.forward, flow.forward_total) = (up, up);
        (flow.reverse, flow.reverse_total) = (Some(down), Some(down));
        (flow.protocol, flow.protocol_by_content) = (Some(protocol), true);
        flow.end_reason = EndReason::Finished;
        flow.conn_state = ConnState::SF;
        if number == proto::TCP {
            use tcp_flags::{ACK, FIN, PSH, SYN};
            flow.first_flags = SYN;
            flow.forward_flags = SYN | ACK | PSH | FIN;
            flow.reverse_flags = SYN | ACK | PSH | FIN;
        }
        flow
    }

    fn unanswered(&mut self, source: Ipv4Addr, target: Ipv4Addr, port: u16, by_inside: bool) -> FlowRecord {
        let mut flow = self.flow(source, target, port, proto::TCP, by_inside);
        flow.responder_inside = target.octets()[0] == 10;
        let tried = datagrams(1, 60);
        (flow.forward, flow.forward_total) = (tried, tried);
        let nothing = Some(Counters::default());
        (flow.reverse, flow.reverse_total) = (nothing, nothing);
        (flow.first_flags, flow.forward_flags) = (tcp_flags::SYN, tcp_flags::SYN);
        flow.conn_state = ConnState::S0;
        flow
    }

    fn flow(
        &mut self,
        source: Ipv4Addr,
        target: Ipv4Addr,
        port: u16,
        number: u8,
        by_inside: bool,
    ) -> FlowRecord {
        let key = FlowKey {
            initiator_ip: IpAddr::V4(source),
            responder_ip: IpAddr::V4(target),
            initiator_port: 32_768 + self.random.below(28_000) as u16,
            responder_port: port,
            proto: number,
            ethertype: ethertype::IPV4,
            vlan: None,
        };
        let end = self.now();
        let mut flow = FlowRecord::new(key, end);
        flow.id = FlowId::derive(&key, end);
        flow.initiator_inside = by_inside;
        flow.initiator_reason = if number == proto::TCP {
            InitiatorReason::Syn
        } else {
            InitiatorReason::Protocol
        };
        (flow.forward_ttl, flow.reverse_ttl) = (64, 57);
        flow
    }

    fn server(&mut self) -> Ipv4Addr {
        // The square of an even number in 0..1 crowds towards 0.
        let even = self.random.below(1 << 16);
        outside(2, (even * even * SERVERS) >> 32)
    }
}

impl Iterator for Traffic {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        while !self.ended && batch.flows.len() < Batch::RECORDS_MAX {
            if self.left != [0; 3] {
                batch.flows.push(self.record());
            } else if self.second < self.settings.seconds {
                self.next_second(&mut batch);
            } else {
                self.ended = true;
                let (seq, time) = (self.seq, self.now());
                batch.ticks.push(Tick { seq, time, end: true });
            }
        }
        (!batch.is_empty()).then_some(batch)
    }
}

fn datagrams(packets: u64, size: u64) -> Counters {
    Counters {
        packets,
        bytes: packets * size,
        payload_bytes: packets * size.saturating_sub(40),
    }
}

/// 10.0.0.0 to 10.63.255.255.
fn inside(number: u64) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + (number as u32 & 0x003f_ffff))
}

/// 16.0.0.0 to 143.255.255.255 in an order without pattern; two numbers of a kind below 2^27 never share an address.
fn outside(kind: u32, number: u64) -> Ipv4Addr {
    const MASK: u32 = (1 << 27) - 1;
    // Multiplying by an odd number and adding one is one to one; the kinds start elsewhere.
    let scattered = (number as u32)
        .wrapping_mul(0x0935_2a65)
        .wrapping_add(spread(kind.into()) as u32)
        & MASK;
    Ipv4Addr::from(0x1000_0000 + scattered)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn as_many_as_asked_for_in_order() {
        let settings = Settings {
            seed: 1,
            hosts: 1_000,
            flows: 20_000,
            forged: 5_000,
            seconds: 30,
        };
        let batches: Vec<Batch> = Traffic::new(settings).collect();
        let flows: Vec<&FlowRecord> = batches.iter().flat_map(|batch| &batch.flows).collect();
        assert_eq!(flows.len() as u64, 20_000 + 5_000 + 30 * SCANS_PER_S);
        let forged: BTreeSet<IpAddr> = flows
            .iter()
            .filter(|flow| flow.key.responder_ip == IpAddr::V4(VICTIM))
            .map(|flow| flow.key.initiator_ip)
            .collect();
        assert_eq!(forged.len(), 5_000, "no address twice");
        let ticks: Vec<Tick> = batches.iter().flat_map(|batch| batch.ticks.clone()).collect();
        assert_eq!(
            (ticks.len(), ticks.iter().filter(|tick| tick.end).count()),
            (31, 1)
        );
        let mut seqs: Vec<u64> = flows
            .iter()
            .map(|flow| flow.seq)
            .chain(ticks.iter().map(|tick| tick.seq))
            .collect();
        seqs.sort_unstable();
        assert!(seqs.iter().copied().eq(0..seqs.len() as u64));
        let again: Vec<Batch> = Traffic::new(settings).collect();
        assert!(
            batches
                .iter()
                .zip(&again)
                .all(|(one, other)| one.flows == other.flows)
        );
    }
}
