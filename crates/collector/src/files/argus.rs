//! Argus flows as `ra` prints them with commas between columns, and the binetflow files that labelled data sets are made
//! of. Argus saw the packets: both directions are told, and what is not split by direction is estimated and counted so.

use weir_model::{ConnState, EndReason, FlowRecord, proto, tcp_flags};
use weir_wire::export::Row;

use super::columns::{Columns, Place};
use super::{Bad, FileCounts, Format, Untold, stamp, told};

/// Argus counts frames; of each packet these bytes are the link's. Links other than Ethernet are not told apart.
const LINK_BYTES: u64 = 14;
/// Bytes of the shortest frame that carries TCP, UDP or ICMP: bounds for sharing packets out.
const FRAME_BYTES_MIN: u64 = 42;

/// Is this a header line of such a file?
fn is_header(columns: &Columns) -> bool {
    ["starttime", "srcaddr", "dstaddr", "proto"]
        .iter()
        .all(|name| columns.has(name))
}

/// Tells such a file by its header line.
///
/// # Errors
/// When its columns cannot be read as flows; the error says how to print them.
pub(super) fn check(text: &str) -> Result<bool, Untold> {
    let mut lines = text.lines();
    let columns = Columns::new(lines.next().unwrap_or_default().split(','));
    if !is_header(&columns) {
        return Ok(false);
    }
    let start = columns.place(&["starttime"]);
    let first = lines.next().map(|line| line.split(',').collect::<Vec<_>>());
    let dated = first.and_then(|cells| start.of(&cells).map(|time| stamp::moment(time).is_ok()));
    let fix = "print it with `ra -nn -u -c , -s stime,dur,proto,saddr,sport,dir,daddr,dport,state,spkts,dpkts,sbytes,dbytes`";
    if dated == Some(false) {
        return Err(Untold(Some(format!(
            "it is an Argus file whose times have no date; {fix}"
        ))));
    }
    let counted = columns.has("totpkts") || columns.has("srcpkts");
    if !counted {
        return Err(Untold(Some(format!(
            "it is an Argus file without counters; {fix}"
        ))));
    }
    Ok(true)
}

/// Where the columns stand.
#[derive(Default)]
struct Places {
    start: Place,
    last: Place,
    duration: Place,
    protocol: Place,
    src: Place,
    src_port: Place,
    dir: Place,
    dst: Place,
    dst_port: Place,
    state: Place,
    tos: Place,
    packets: Place,
    bytes: Place,
    src_packets: Place,
    dst_packets: Place,
    src_bytes: Place,
    dst_bytes: Place,
    src_mac: Place,
    dst_mac: Place,
    src_ttl: Place,
    dst_ttl: Place,
    vlan: Place,
}

impl Places {
    fn of(columns: &Columns) -> Self {
        let at = |name| columns.place(&[name]);
        Self {
            start: at("starttime"),
            last: at("lasttime"),
            duration: at("dur"),
            protocol: at("proto"),
            src: at("srcaddr"),
            src_port: at("sport"),
            dir: at("dir"),
            dst: at("dstaddr"),
            dst_port: at("dport"),
            state: at("state"),
            tos: at("stos"),
            packets: at("totpkts"),
            bytes: at("totbytes"),
            src_packets: at("srcpkts"),
            dst_packets: at("dstpkts"),
            src_bytes: at("srcbytes"),
            dst_bytes: at("dstbytes"),
            src_mac: at("srcmac"),
            dst_mac: at("dstmac"),
            src_ttl: at("sttl"),
            dst_ttl: at("dttl"),
            vlan: at("svid"),
        }
    }
}

/// Reader of such a file.
#[derive(Default)]
pub(super) struct Argus {
    places: Places,
}

impl Format for Argus {
    fn take(&mut self, line: &str, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad> {
        let cells: Vec<&str> = line.split(',').collect();
        if cells.contains(&"SrcAddr") {
            self.places = Places::of(&Columns::new(cells.iter().copied()));
            return Ok(());
        }
        let places = &self.places;
        let cell = |place: Place| place.of(&cells).ok_or(Bad::Field);
        let word = cell(places.protocol)?;
        let frames = ["arp", "rarp", "man", "llc", "ipx/spx", "lldp", "loop"];
        // Protocols of the link are printed as EtherTypes where names are off.
        if frames.contains(&word) || word.parse().is_ok_and(|number: u16| number > 255) {
            counts.others += 1;
            return Ok(());
        }
        let (src, dst) = (
            told::address(cell(places.src)?)?,
            told::address(cell(places.dst)?)?,
        );
        let protocol = told::protocol(word, src.is_ipv6())?;
        let start = stamp::moment(cell(places.start)?)?;
        let end = match (places.last.of(&cells), places.duration.of(&cells)) {
            (Some(last), _) => stamp::moment(last)?,
            (None, duration) => start + duration.map_or(Ok(0), stamp::span)?,
        };
        let mut row = told::row(src, dst, protocol, start, end);
        ports(
            &mut row,
            protocol,
            places.src_port.of(&cells),
            places.dst_port.of(&cells),
        )?;
        counts.estimated += u64::from(counters(&mut row, places, &cells)?);
        let number = |place: Place| place.of(&cells).and_then(|cell| cell.parse().ok());
        (row.tos, row.ttl) = (
            number(places.tos).unwrap_or(0),
            number(places.src_ttl).unwrap_or(0),
        );
        row.reverse_ttl = number(places.dst_ttl).unwrap_or(0);
        row.vlan = places.vlan.of(&cells).and_then(|id| id.parse().ok());
        let mac = |place: Place| place.of(&cells).and_then(|mac| mac.parse().ok());
        (row.src_mac, row.dst_mac) = (mac(places.src_mac), mac(places.dst_mac));
        let word = places.state.of(&cells).unwrap_or_default();
        let state = if protocol == proto::TCP {
            state(word, &mut row)
        } else {
            None
        };
        // An arrow to the left: the destination began.
        if places
            .dir
            .of(&cells)
            .is_some_and(|dir| dir.starts_with('<') && !dir.ends_with('>'))
        {
            row.biflow_direction = 2;
        }
        let mut flow = told::biflow(&row, state).ok_or(Bad::Field)?;
        if matches!(word, "FIN" | "RST" | "CLO") {
            flow.end_reason = EndReason::Finished;
        }
        out.push(flow);
        Ok(())
    }
}

/// Ports in decimal or hexadecimal. ICMP has its type in the low byte of the first and its code in the high one.
fn ports(row: &mut Row, protocol: u8, src: Option<&str>, dst: Option<&str>) -> Result<(), Bad> {
    let number = |text: Option<&str>| match text {
        None => Ok(0),
        Some(text) => match text.strip_prefix("0x") {
            Some(digits) => u16::from_str_radix(digits, 16).map_err(|_| Bad::Number),
            None => told::number(text),
        },
    };
    match protocol {
        proto::ICMP | proto::ICMP6 => {
            let [code, kind] = number(src)?.to_be_bytes();
            row.icmp = Some((kind, code));
        }
        proto::TCP | proto::UDP | proto::SCTP => (row.src_port, row.dst_port) = (number(src)?, number(dst)?),
        _ => {}
    }
    Ok(())
}

/// Counters by direction. True when packets had to be shared out because only their sum is told.
fn counters(row: &mut Row, places: &Places, cells: &[&str]) -> Result<bool, Bad> {
    let number = |place: Place| place.of(cells).map(told::number::<u64>).transpose();
    let (packets, bytes) = (number(places.packets)?, number(places.bytes)?);
    let src_bytes = number(places.src_bytes)?;
    let sum = bytes.unwrap_or(0);
    let (forward, back) = match (src_bytes, number(places.dst_bytes)?) {
        (Some(forward), Some(back)) => (forward, back),
        (Some(forward), None) => (forward, sum.saturating_sub(forward)),
        (None, Some(back)) => (sum.saturating_sub(back), back),
        (None, None) => return Err(Bad::Field),
    };
    let (forward_packets, back_packets, estimated) =
        match (number(places.src_packets)?, number(places.dst_packets)?, packets) {
            (Some(forward), Some(back), _) => (forward, back, false),
            (_, _, Some(all)) if back == 0 => (all, 0, false),
            (_, _, Some(all)) if forward == 0 => (0, all, false),
            (_, _, Some(all)) => {
                // Exchanges have about as many packets either way; neither side has more than its bytes allow.
                let back_packets = (all / 2).max(1).min(back / FRAME_BYTES_MIN);
                let forward_packets = (all - back_packets.min(all)).min((forward / FRAME_BYTES_MIN).max(1));
                (forward_packets, all - forward_packets, true)
            }
            _ => return Err(Bad::Field),
        };
    (row.packets, row.reverse_packets) = (forward_packets, Some(back_packets));
    let network = |bytes: u64, packets: u64| bytes.saturating_sub(packets.saturating_mul(LINK_BYTES));
    (row.bytes, row.reverse_bytes) = (
        network(forward, forward_packets),
        Some(network(back, back_packets)),
    );
    Ok(estimated)
}

/// What a TCP state tells: flags of both sides (`FSPA_FSRPA`), or a word that says how far the connection came.
fn state(word: &str, row: &mut Row) -> Option<ConnState> {
    use tcp_flags::{ACK, SYN};
    match word {
        "REQ" => {
            (row.flags, row.reverse_flags) = (SYN, 0);
            Some(ConnState::S0)
        }
        "ACC" => {
            (row.flags, row.reverse_flags) = (SYN, SYN | ACK);
            Some(ConnState::S1)
        }
        "EST" | "CON" => Some(ConnState::S1),
        "FIN" | "CLO" => Some(ConnState::SF),
        _ => {
            let (src, dst) = word.split_once('_')?;
            (row.flags, row.reverse_flags) = (flags(src), flags(dst));
            None
        }
    }
}

fn flags(letters: &str) -> u16 {
    letters.chars().fold(0, |flags, letter| {
        flags
            | match letter {
                'F' => tcp_flags::FIN,
                'S' => tcp_flags::SYN,
                'R' => tcp_flags::RST,
                'P' => tcp_flags::PSH,
                'A' => tcp_flags::ACK,
                'U' => tcp_flags::URG,
                'E' => tcp_flags::ECE,
                'C' => tcp_flags::CWR,
                _ => 0,
            }
    })
}
