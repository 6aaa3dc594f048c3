//! Flow logs of Azure: network security groups (version 2; of version 1 only what was denied) and virtual networks
//! (version 4). Tuples tell both directions; begun flows are told at once, their counters with what continues or ends them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use ahash::RandomState;
use serde::Deserialize;
use weir_model::{ConnState, EndReason, FlowRecord, Mac, NANOS_PER_S, Phase, Time, proto};
use weir_wire::export::Row;

use super::twice::Twice;
use super::{Bad, FileCounts, Format, told};

/// Begun flows remembered for their start, some 8 MiB; beyond, a flow starts with its first counters.
const BEGUN_MAX: usize = 65_536;

/// One record: a minute or so of one interface or network.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    properties: Option<Properties<'a>>,
    #[serde(borrow, rename = "flowRecords")]
    flow_records: Option<Properties<'a>>,
    #[serde(borrow, rename = "macAddress")]
    mac: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "targetResourceID")]
    target: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "resourceId")]
    resource: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Properties<'a> {
    #[serde(borrow, default)]
    flows: Vec<Rules<'a>>,
}

/// Flows by rule: `flows` in logs of security groups, `flowGroups` in those of networks.
#[derive(Deserialize)]
struct Rules<'a> {
    #[serde(borrow, default)]
    flows: Vec<Tuples<'a>>,
    #[serde(borrow, default, rename = "flowGroups")]
    groups: Vec<Tuples<'a>>,
}

#[derive(Deserialize)]
struct Tuples<'a> {
    #[serde(borrow)]
    mac: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "flowTuples")]
    tuples: Vec<Cow<'a, str>>,
}

/// Reader of such a log.
#[derive(Default)]
pub(super) struct Azure {
    /// Start of flows that have begun, by addresses, ports and protocol.
    begun: HashMap<Flow, Time, RandomState>,
    twice: Twice,
}

type Flow = ((IpAddr, u16), (IpAddr, u16), u8);

impl Format for Azure {
    fn take(&mut self, object: &str, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad> {
        let record: Record<'_> = serde_json::from_str(object).map_err(|_| Bad::Syntax)?;
        let point = record
            .target
            .as_deref()
            .or(record.resource.as_deref())
            .unwrap_or_default();
        let network = record.flow_records.is_some();
        let Some(properties) = record.flow_records.as_ref().or(record.properties.as_ref()) else {
            counts.others += 1;
            return Ok(());
        };
        for rules in &properties.flows {
            for flow in rules.flows.iter().chain(&rules.groups) {
                let mac = flow.mac.as_deref().or(record.mac.as_deref()).and_then(mac);
                for tuple in &flow.tuples {
                    let told = Tuple::of(tuple, network);
                    let taken = told.and_then(|tuple| self.tuple(&tuple, mac, point, counts, out));
                    counts.judge(taken);
                }
            }
        }
        Ok(())
    }
}

/// A tuple, with its cells understood.
struct Tuple {
    time: Time,
    flow: Flow,
    inbound: bool,
    denied: bool,
    /// `B`, `C`, `E`, `D`; nothing in version 1.
    state: Option<char>,
    /// Packets and bytes there and back.
    counters: Option<[u64; 4]>,
}

impl Tuple {
    fn of(text: &str, network: bool) -> Result<Self, Bad> {
        let cells: Vec<&str> = text.split(',').collect();
        let cell = |at: usize| {
            cells
                .get(at)
                .copied()
                .filter(|cell| !cell.is_empty())
                .ok_or(Bad::Field)
        };
        let number = |at: usize| told::number::<u64>(cell(at)?);
        let clock = i64::try_from(number(0)?).map_err(|_| Bad::Time)?;
        let unit = if network { NANOS_PER_S / 1_000 } else { NANOS_PER_S };
        let time = Time(clock.checked_mul(unit).ok_or(Bad::Time)?);
        let protocol = match cell(5)? {
            "T" => proto::TCP,
            "U" => proto::UDP,
            word => told::number(word).map_err(|_| Bad::Protocol)?,
        };
        let port = |at: usize| told::number::<u16>(cell(at)?);
        let (src, dst) = (told::address(cell(1)?)?, told::address(cell(2)?)?);
        let flow = ((src, port(3)?), (dst, port(4)?), protocol);
        // The state stands behind the decision, or, where denying is a state, in its place.
        let denied = cell(7)? == "D";
        let state = cells.get(if network { 7 } else { 8 });
        let state = state.and_then(|state| state.chars().next());
        let counters = match cells.get(9..13) {
            Some(counters) if counters.iter().any(|cell| !matches!(*cell, "" | "0")) => {
                let mut numbers = [0; 4];
                for (number, cell) in numbers.iter_mut().zip(counters) {
                    *number = if cell.is_empty() { 0 } else { told::number(cell)? };
                }
                Some(numbers)
            }
            _ => None,
        };
        Ok(Self {
            time,
            flow,
            inbound: cell(6)? == "I",
            denied,
            state,
            counters,
        })
    }
}

impl Azure {
    fn tuple(
        &mut self,
        tuple: &Tuple,
        mac: Option<Mac>,
        point: &str,
        counts: &mut FileCounts,
        out: &mut Vec<FlowRecord>,
    ) -> Result<(), Bad> {
        let ((src, src_port), (dst, dst_port), protocol) = tuple.flow;
        if self
            .twice
            .told_by_other(tuple.flow.0, tuple.flow.1, protocol, point)
        {
            counts.repeated += 1;
            return Ok(());
        }
        let start = match (tuple.denied, tuple.state) {
            (false, Some('B')) => {
                if self.begun.len() < BEGUN_MAX {
                    self.begun.insert(tuple.flow, tuple.time);
                }
                return Ok(());
            }
            (false, Some('E')) => self.begun.remove(&tuple.flow),
            (false, Some('C')) => self.begun.insert(tuple.flow, tuple.time),
            _ => None,
        };
        let mut row = told::row(src, dst, protocol, start.unwrap_or(tuple.time), tuple.time);
        (row.src_port, row.dst_port) = (src_port, dst_port);
        self.count(tuple, &mut row, counts);
        if row.packets == 0 && row.reverse_packets.is_none() {
            counts.others += 1;
            return Ok(());
        }
        *(if tuple.inbound {
            &mut row.dst_mac
        } else {
            &mut row.src_mac
        }) = mac;
        let mut flow = told::flow_without_icmp(&row)?;
        (flow.phase, flow.end_reason) = match tuple.state {
            Some('C') => (Phase::Update, EndReason::Active),
            _ => (Phase::End, EndReason::Idle),
        };
        if tuple.denied {
            flow.conn_state = ConnState::S0;
        }
        out.push(flow);
        Ok(())
    }

    fn count(&self, tuple: &Tuple, row: &mut Row, counts: &mut FileCounts) {
        match tuple.counters {
            Some([packets, bytes, back_packets, back_bytes]) => {
                (row.packets, row.bytes) = (packets, bytes);
                (row.reverse_packets, row.reverse_bytes) = (Some(back_packets), Some(back_bytes));
            }
            // A denied flow had one packet at least, and no answer: it reached nobody.
            None if tuple.denied => {
                counts.estimated += 1;
                row.packets = 1;
                told::refused(row);
            }
            None => {}
        }
    }
}

/// An address without separators, as Azure writes it.
fn mac(text: &str) -> Option<Mac> {
    let number = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 12)?;
    let [_, _, bytes @ ..] = number.to_be_bytes();
    Some(Mac(bytes))
}
