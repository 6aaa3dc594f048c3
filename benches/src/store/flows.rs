//! Flow records for the store's benchmark, as a NetFlow v9 exporter of a busy edge sends them: one-way, milliseconds,
//! no link layer. The same seed gives the same records.
//!
//! - Sources: 1,050,000 addresses spread at random over IPv4, all equally likely: hard to compress.
//! - Destinations: up to 200,000 such addresses, popular by a power law (half of the flows go to a sixteenth of them).
//! - Ports: 50 % 443, 25 % 53, 10 % 80, the rest other services; sources ephemeral.
//! - Packets, sizes and durations by heavy-tailed quantiles; 45 % of the flows are one packet and last 0 ms.
//! - Flows end one after another at an even pace over `seconds`; records come in that order.

use std::net::{IpAddr, Ipv4Addr};

use weir_model::{Counters, EndReason, FlowId, FlowKey, FlowRecord, InitiatorReason, Time, ethertype, proto};

use crate::mix::random::{Random, spread};

const SOURCES: u64 = 1_050_000;
const DESTINATIONS: u64 = 200_000;
/// 2026-11-01T08:00 UTC.
const START_S: i64 = 1_793_520_000;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub seed: u64,
    pub flows: u64,
    /// Time the flows are spread over.
    pub seconds: u32,
}

/// The records, in the order of their ends.
pub struct Flows {
    random: Random,
    settings: Settings,
    made: u64,
}

impl Flows {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            random: Random::new(settings.seed),
            settings,
            made: 0,
        }
    }

    fn address(kind: u64, number: u64) -> IpAddr {
        // 1.0.0.0 to 191.0.0.0.
        let bits = spread(kind << 32 | number) as u32;
        Ipv4Addr::from(0x0100_0000 + bits % 0x7e00_0000 + (bits >> 31) * 0x4000_0000).into()
    }

    fn destination(&mut self) -> IpAddr {
        // The fourth power of an even number in 0..1 crowds towards 0.
        const ONE: u64 = 1 << 16;
        let square = |value: u64| value * value / ONE;
        let fourth = square(square(self.random.below(ONE)));
        let rank = fourth * DESTINATIONS / ONE;
        Self::address(2, rank + self.random.below(1 + DESTINATIONS / ONE))
    }

    fn record(&mut self) -> FlowRecord {
        let random = &mut self.random;
        let (port, proto) = match random.below(100) {
            0..=49 => (443, proto::TCP),
            50..=74 => (53, proto::UDP),
            75..=84 => (80, proto::TCP),
            85..=89 => (443, proto::UDP),
            90..=95 => (random.pick(&[22, 25, 110, 143, 445, 993, 3389, 8080]), proto::TCP),
            _ => (
                1024 + random.below(64_000) as u16,
                random.pick(&[proto::TCP, proto::UDP]),
            ),
        };
        let single = port == 53 || random.chance(25);
        let packets = if single {
            1
        } else {
            random.quantile(&[2, 6, 12, 30, 20_000])
        };
        let size = random.quantile(&[40, 52, 90, 600, 1500]);
        let duration_ms = if single {
            0
        } else {
            random.quantile(&[1, 40, 300, 5_000, 120_000])
        };
        let span_ms = u64::from(self.settings.seconds) * 1000;
        let end_ms = START_S * 1000 + (self.made * span_ms / self.settings.flows.max(1)) as i64;
        let start = Time((end_ms - duration_ms as i64) * 1_000_000);
        let source_port = random.quantile(&[1024, 32_768, 60_999]) as u16;
        let source = Self::address(1, random.below(SOURCES));
        let key = FlowKey {
            initiator_ip: source,
            responder_ip: self.destination(),
            initiator_port: source_port,
            responder_port: port,
            proto,
            ethertype: ethertype::IPV4,
            vlan: None,
        };
        let random = &mut self.random;
        let mut flow = FlowRecord::new(key, start);
        flow.id = FlowId::derive(&key, start);
        flow.end = Time(end_ms * 1_000_000);
        flow.end_reason = EndReason::Finished;
        flow.initiator_reason = InitiatorReason::Port;
        flow.forward = Counters {
            packets,
            bytes: packets * size,
            payload_bytes: 0,
        };
        flow.forward_total = flow.forward;
        if proto == proto::TCP {
            flow.forward_flags = random.pick(&[0x02, 0x12, 0x18, 0x1a, 0x1b, 0x1b, 0x1b, 0x1b, 0x1e, 0x06]);
        }
        flow.tos = random.pick(&[0, 0, 0, 0, 0, 0, 0, 0x28, 0x48, 0xb8]);
        flow.exporter = Some(Ipv4Addr::new(192, 0, 2, 1 + random.below(4) as u8).into());
        flow
    }
}

impl Iterator for Flows {
    type Item = FlowRecord;

    fn next(&mut self) -> Option<FlowRecord> {
        if self.made == self.settings.flows {
            return None;
        }
        let flow = self.record();
        self.made += 1;
        Some(flow)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn as_documented() {
        let settings = Settings {
            seed: 1,
            flows: 20_000,
            seconds: 60,
        };
        let flows: Vec<FlowRecord> = Flows::new(settings).collect();
        assert!(
            Flows::new(settings).eq(flows.iter().cloned()),
            "one seed, one set of records"
        );
        let sources: HashSet<IpAddr> = flows.iter().map(|flow| flow.key.initiator_ip).collect();
        let destinations: HashSet<IpAddr> = flows.iter().map(|flow| flow.key.responder_ip).collect();
        assert!(sources.len() > 19_000, "{}", sources.len());
        assert!(
            (5_000..15_000).contains(&destinations.len()),
            "{}",
            destinations.len()
        );
        let single = flows.iter().filter(|flow| flow.forward.packets == 1).count();
        assert!((8_000..10_000).contains(&single), "{single}");
        let ends: Vec<Time> = flows.iter().map(|flow| flow.end).collect();
        assert!(ends.is_sorted());
        assert_eq!(ends[19_999].since(ends[0]) / 1_000_000_000, 59);
    }
}
