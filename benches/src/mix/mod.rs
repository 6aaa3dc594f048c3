//! Generator of the benchmark's traffic mix: whole flows of TLS 1.3, DNS and HTTP, merged by time into one capture with
//! a truth beside it. A flow is built when it starts and kept until its last frame is written, so memory is bounded by
//! the flows active at one moment, whatever the size of the file.

mod dns;
mod frame;
mod http;
mod names;
mod network;
pub mod pcap;
pub(crate) mod random;
mod tcp;
mod tls;
pub mod truth;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

pub use network::FLOWS_MAX;

use frame::Frames;
use network::Network;
use random::Random;
use tcp::{Connection, Side};
use truth::{FlowCounts, Kind, NameTally, Truth};

/// Share of TLS and DNS flows in percent; the rest is HTTP.
pub const TLS_PERCENT: u64 = 55;
pub const DNS_PERCENT: u64 = 30;
const IPV6_PERCENT: u64 = 10;
/// Flows that idle before their last exchange, and the longest idle time, microseconds.
const IDLE_PERCENT: u64 = 30;
const IDLE_MAX_US: u64 = 4_000_000;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub seed: u64,
    /// Number of flows, at most [`FLOWS_MAX`].
    pub flows: u64,
    /// Time over which flows start and, but for a short tail of small mixes, end; seconds, at least 1.
    pub seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            flows: 200_000,
            seconds: 120,
        }
    }
}

/// Writes the mix to `out` and reports each flow's name to `on_name`, in the order in which the flows start.
pub fn generate(
    settings: Settings,
    out: &mut dyn Write,
    on_name: &mut dyn FnMut(Kind, &str) -> io::Result<()>,
) -> io::Result<Truth> {
    if !(1..=FLOWS_MAX).contains(&settings.flows) || settings.seconds == 0 {
        return Err(io::Error::other(format!(
            "flows must be 1 to {FLOWS_MAX}, seconds at least 1"
        )));
    }
    pcap::write_header(out)?;
    let mut flows = Flows::new(settings);
    let mut merge = Merge::default();
    while let Some((start_us, kind)) = flows.next_start() {
        merge.write_until(start_us, out)?;
        let mut frames = merge.spare.pop().unwrap_or_default();
        flows.build(kind, start_us, &mut frames);
        on_name(kind, &flows.name)?;
        merge.insert(frames);
    }
    merge.write_until(u64::MAX, out)?;
    out.flush()?;
    let [tls_sni, dns_query, http_host] = flows.names.map(|tally| tally.summary());
    Ok(Truth {
        seed: settings.seed,
        seconds: settings.seconds,
        last_packet_us: merge.last_us,
        packets: merge.packets,
        bytes: merge.bytes,
        flows: flows.counts,
        tls_sni,
        dns_query,
        http_host,
    })
}

/// The plan of all flows: when each starts, of which kind it is, what it says.
struct Flows {
    settings: Settings,
    random: Random,
    network: Network,
    counts: FlowCounts,
    names: [NameTally; 3],
    name: String,
}

impl Flows {
    fn new(settings: Settings) -> Self {
        Self {
            random: Random::new(settings.seed),
            network: Network::default(),
            counts: FlowCounts::default(),
            names: Default::default(),
            name: String::new(),
            settings,
        }
    }

    /// Start and kind of the next flow. Starts are evenly spread with jitter; kinds are drawn without replacement, which
    /// makes their shares exact.
    fn next_start(&mut self) -> Option<(u64, Kind)> {
        let Settings { flows, seconds, .. } = self.settings;
        let ordinal = self.counts.total;
        if ordinal == flows {
            return None;
        }
        // The last twentieth is left for flows to end.
        let window_us = u64::from(seconds) * 950_000;
        let slot_us = (window_us / flows).clamp(1, u64::from(u32::MAX));
        let start_us = ordinal * window_us / flows + self.random.below(slot_us);
        let tls = flows * TLS_PERCENT / 100 - self.counts.tls;
        let dns = flows * DNS_PERCENT / 100 - self.counts.dns;
        let draw = self.random.below(flows - ordinal);
        let kind = match draw {
            _ if draw < tls => Kind::Tls,
            _ if draw < tls + dns => Kind::Dns,
            _ => Kind::Http,
        };
        Some((start_us, kind))
    }

    /// Builds the flow into `frames` and its name into `self.name`.
    fn build(&mut self, kind: Kind, start_us: u64, frames: &mut Frames) {
        let random = &mut self.random;
        let ipv6 = random.chance(IPV6_PERCENT);
        names::host_name(random, &mut self.name);
        self.names[kind as usize].add(&self.name);
        match kind {
            Kind::Dns => {
                dns::exchange(
                    random,
                    &mut self.network,
                    frames,
                    start_us,
                    self.counts.dns,
                    &self.name,
                    ipv6,
                );
            }
            Kind::Tls | Kind::Http => {
                let client = self.network.client(random, ipv6);
                let server = network::server(&self.name, ipv6, if kind == Kind::Tls { 443 } else { 80 });
                let mut connection = Connection::open(frames, random, start_us, client, server);
                let idle_us = IDLE_MAX_US.min(u64::from(self.settings.seconds) * 30_000);
                let pause_us = if random.chance(IDLE_PERCENT) {
                    random.below(idle_us)
                } else {
                    0
                };
                match kind {
                    Kind::Tls => tls::exchange(&mut connection, random, &self.name, pause_us),
                    _ => http::exchange(&mut connection, random, &self.name, pause_us),
                }
                connection.close(if random.chance(70) {
                    Side::Client
                } else {
                    Side::Server
                });
            }
        }
        self.counts.total += 1;
        *match kind {
            Kind::Tls => &mut self.counts.tls,
            Kind::Dns => &mut self.counts.dns,
            Kind::Http => &mut self.counts.http,
        } += 1;
        *if ipv6 {
            &mut self.counts.ipv6
        } else {
            &mut self.counts.ipv4
        } += 1;
    }
}

/// The active flows, merged by the time of their next frame; ties go to the flow that started first.
#[derive(Default)]
struct Merge {
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    active: Vec<(Frames, usize)>,
    free: Vec<usize>,
    spare: Vec<Frames>,
    inserted: u64,
    packets: u64,
    bytes: u64,
    last_us: u64,
}

impl Merge {
    fn insert(&mut self, frames: Frames) {
        let Some((time_us, _)) = frames.get(0) else { return };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.active.push((Frames::default(), 0));
            self.active.len() - 1
        });
        self.active[slot] = (frames, 0);
        self.queue.push(Reverse((time_us, self.inserted, slot)));
        self.inserted += 1;
    }

    /// Writes every frame before `limit_us`.
    fn write_until(&mut self, limit_us: u64, out: &mut dyn Write) -> io::Result<()> {
        while let Some(mut top) = self.queue.peek_mut() {
            let Reverse((time_us, _, slot)) = &mut *top;
            if *time_us >= limit_us {
                break;
            }
            let (frames, position) = &mut self.active[*slot];
            if let Some((_, frame)) = frames.get(*position) {
                pcap::write_packet(out, *time_us, frame)?;
                self.packets += 1;
                self.bytes += frame.len() as u64;
                self.last_us = *time_us;
            }
            *position += 1;
            if let Some((next_us, _)) = frames.get(*position) {
                *time_us = next_us;
                continue;
            }
            let slot = *slot;
            std::collections::binary_heap::PeekMut::pop(top);
            let mut frames = std::mem::take(&mut self.active[slot].0);
            frames.clear();
            self.spare.push(frames);
            self.free.push(slot);
        }
        Ok(())
    }
}
