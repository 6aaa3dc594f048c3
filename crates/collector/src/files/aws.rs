//! Flow logs of AWS VPCs (versions 2 to 5, any choice of fields by their header line; the default fields without one).
//! Each record tells one direction at one interface in one interval. TCP flags are the union without lone ACKs.

use weir_model::{ConnState, FlowRecord, Time, proto, tcp_flags};

use super::columns::{Columns, Place};
use super::twice::Twice;
use super::{Bad, FileCounts, Format, told};

/// Fields of version 2, the default where a log has no header line (CloudWatch).
const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
                       action log-status";

/// Is this the first line of such a log?
pub(super) fn is_one(line: &str) -> bool {
    let columns = Columns::new(line.split_whitespace());
    let header = columns.has("srcaddr") && columns.has("dstaddr") && columns.has("start");
    header || default_cells(line).is_some()
}

/// Cells of a line in the default layout; CloudWatch's exports put a time of their own before it.
fn default_cells(line: &str) -> Option<Vec<&str>> {
    let mut cells: Vec<&str> = line.split_whitespace().collect();
    if cells.len() == 15 && cells.first().is_some_and(|cell| cell.ends_with('Z')) {
        cells.remove(0);
    }
    let status = cells.get(13)?;
    let sound = cells.len() == 14 && cells.first() == Some(&"2");
    (sound && matches!(*status, "OK" | "NODATA" | "SKIPDATA")).then_some(cells)
}

/// Where the fields that are read stand.
#[derive(Default)]
struct Places {
    src: Place,
    dst: Place,
    /// The packet's own addresses, which differ from the interface's behind gateways.
    packet_src: Place,
    packet_dst: Place,
    src_port: Place,
    dst_port: Place,
    protocol: Place,
    packets: Place,
    bytes: Place,
    start: Place,
    end: Place,
    action: Place,
    status: Place,
    flags: Place,
    interface: Place,
}

impl Places {
    fn of(columns: &Columns) -> Self {
        let at = |name| columns.place(&[name]);
        Self {
            src: at("srcaddr"),
            dst: at("dstaddr"),
            packet_src: at("pkt-srcaddr"),
            packet_dst: at("pkt-dstaddr"),
            src_port: at("srcport"),
            dst_port: at("dstport"),
            protocol: at("protocol"),
            packets: at("packets"),
            bytes: at("bytes"),
            start: at("start"),
            end: at("end"),
            action: at("action"),
            status: at("log-status"),
            flags: at("tcp-flags"),
            interface: at("interface-id"),
        }
    }
}

/// Reader of such a log.
#[derive(Default)]
pub(super) struct AwsVpc {
    places: Option<Places>,
    twice: Twice,
}

impl Format for AwsVpc {
    fn take(&mut self, line: &str, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad> {
        let columns = Columns::new(line.split_whitespace());
        if columns.has("srcaddr") {
            self.places = Some(Places::of(&columns));
            return Ok(());
        }
        let headed = self.places.is_some();
        let places = self
            .places
            .get_or_insert_with(|| Places::of(&Columns::new(DEFAULT.split_whitespace())));
        let cells = if headed { None } else { default_cells(line) };
        let cells = cells.unwrap_or_else(|| line.split_whitespace().collect());
        match places.status.of(&cells) {
            Some("NODATA") => {
                counts.others += 1;
                return Ok(());
            }
            Some("SKIPDATA") => {
                counts.lost += 1;
                return Ok(());
            }
            _ => {}
        }
        let cell = |place: Place| place.of(&cells).ok_or(Bad::Field);
        let src = told::address(
            places
                .packet_src
                .of(&cells)
                .map_or_else(|| cell(places.src), Ok)?,
        )?;
        let dst = told::address(
            places
                .packet_dst
                .of(&cells)
                .map_or_else(|| cell(places.dst), Ok)?,
        )?;
        let port = |place: Place| place.of(&cells).map_or(Ok(0), told::number::<u16>);
        let secs = |place| told::number::<u32>(cell(place)?).map(|secs| Time::from_secs(secs.into()));
        let (start, end) = (secs(places.start)?, secs(places.end)?);
        let protocol = told::number(cell(places.protocol)?)?;
        let mut row = told::row(src, dst, protocol, start, end);
        (row.src_port, row.dst_port) = (port(places.src_port)?, port(places.dst_port)?);
        (row.packets, row.bytes) = (
            told::number(cell(places.packets)?)?,
            told::number(cell(places.bytes)?)?,
        );
        if protocol == proto::TCP {
            let told = places.flags.of(&cells).map(told::number).transpose()?;
            row.flags = told.map_or(0, flags);
        }
        let rejected = places.action.of(&cells) == Some("REJECT");
        if rejected {
            told::refused(&mut row);
        }
        let point = places.interface.of(&cells).unwrap_or_default();
        if self
            .twice
            .told_by_other((src, row.src_port), (dst, row.dst_port), protocol, point)
        {
            counts.repeated += 1;
            return Ok(());
        }
        let mut flow = told::flow_without_icmp(&row)?;
        if rejected {
            flow.conn_state = ConnState::S0;
        }
        out.push(flow);
        Ok(())
    }
}

/// The log leaves ACK out except beside SYN: a flow with FIN or with none of the flags is taken to have had it, in doubt
/// against a scan.
fn flags(told: u16) -> u16 {
    let acked = told == 0 || told & tcp_flags::FIN != 0;
    told | if acked { tcp_flags::ACK } else { 0 }
}
