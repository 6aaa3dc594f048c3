//! Flow records as IPFIX messages (RFC 7011), biflows with reverse elements (RFC 5103): Weir's own export, to files
//! (RFC 5655) and to collectors. Times go as nanoseconds, so that a record comes back as it went, and as milliseconds,
//! because many collectors (nfcapd) read nothing else.

use std::net::IpAddr;

use weir_model::{FlowRecord, Mac, Measured, NANOS_PER_S, Performance, Spread, Time, ethertype, proto};

use super::elements::PEN_REVERSE;
use super::targets::{PEN_FLOWMON, PEN_NTOP};
use super::time;

/// Bytes after which a message is sent; fits every collector's buffer, and a file's messages are few.
const MESSAGE_BYTES: usize = 16 << 10;
/// Ends of records in one message lie no further apart.
const APART_MAX_NS: i64 = 86_400 * NANOS_PER_S;
/// Message header; set header.
const HEADER_BYTES: usize = 16;
const SET_BYTES: usize = 4;
/// Id of the set that holds templates, and of the first template.
const TEMPLATE_SET: u16 = 2;
const TEMPLATE_MIN: u16 = 256;
/// Enterprise number of CERT, whose element tells the first packet's flags apart.
const PEN_CERT: u32 = 6871;

/// A column of every record: element, width in bytes, and where its value comes from.
struct Column {
    pen: u32,
    id: u16,
    width: u8,
    value: fn(&FlowRecord) -> u64,
}

const fn column(pen: u32, id: u16, width: u8, value: fn(&FlowRecord) -> u64) -> Column {
    Column {
        pen,
        id,
        width,
        value,
    }
}

/// Columns of all templates, behind the addresses.
const COMMON: &[Column] = &[
    // Whoever reads both takes what comes last.
    column(0, 152, 8, |flow| millis(flow.start)),
    column(0, 153, 8, |flow| millis(flow.end)),
    column(0, 156, 8, |flow| time::to_ntp(flow.start)),
    column(0, 157, 8, |flow| time::to_ntp(flow.end)),
    column(0, 7, 2, |flow| ports(flow).0.into()),
    column(0, 11, 2, |flow| ports(flow).1.into()),
    column(0, 4, 1, |flow| flow.key.proto.into()),
    column(0, 32, 2, icmp),
    column(0, 2, 8, |flow| flow.forward.packets),
    column(0, 1, 8, |flow| flow.forward.bytes),
    column(0, 6, 2, |flow| flow.forward_flags.into()),
    column(PEN_CERT, 14, 1, |flow| flow.first_flags.into()),
    column(0, 5, 1, |flow| flow.tos.into()),
    column(0, 52, 1, |flow| flow.forward_ttl.into()),
    column(0, 58, 2, |flow| flow.key.vlan.unwrap_or(0).into()),
    column(0, 56, 6, |flow| mac(flow.initiator_mac)),
    column(0, 80, 6, |flow| mac(flow.responder_mac)),
    column(0, 34, 4, |flow| flow.sampling.into()),
    column(0, 136, 1, |flow| flow.end_reason.code().into()),
    // The source of our records is the initiator.
    column(0, 239, 1, |_| 1),
];

/// Further columns where the reverse direction is known. They come first: nfcapd takes reverse flags for forward ones, and
/// then those that come last.
const REVERSE: &[Column] = &[
    column(PEN_REVERSE, 2, 8, |flow| flow.reverse_or_zero().packets),
    column(PEN_REVERSE, 1, 8, |flow| flow.reverse_or_zero().bytes),
    column(PEN_REVERSE, 6, 2, |flow| flow.reverse_flags.into()),
    column(PEN_REVERSE, 52, 1, |flow| flow.reverse_ttl.into()),
];

/// Network performance, of records that have any: Flowmon's elements, in microseconds. Zero says that nothing was measured.
const MEASURED: &[Column] = &[
    column(PEN_FLOWMON, 69, 4, |flow| time_of(flow, |told| told.rtt_us)),
    column(PEN_FLOWMON, 70, 4, |flow| time_of(flow, |told| told.srt_us)),
    column(PEN_FLOWMON, 71, 4, |flow| {
        count_of(flow, |told| told.forward.retransmitted)
    }),
    column(PEN_FLOWMON, 72, 4, |flow| {
        count_of(flow, |told| told.forward.out_of_order)
    }),
    column(PEN_FLOWMON, 63, 4, |flow| jitter(flow, |of| of.min_us)),
    column(PEN_FLOWMON, 62, 4, |flow| jitter(flow, |of| of.avg_us)),
    column(PEN_FLOWMON, 64, 4, |flow| jitter(flow, |of| of.max_us)),
    column(PEN_FLOWMON, 61, 4, |flow| jitter(flow, |of| of.dev_us)),
    column(PEN_FLOWMON, 67, 4, |flow| delay(flow, |of| of.min_us)),
    column(PEN_FLOWMON, 66, 4, |flow| delay(flow, |of| of.avg_us)),
    column(PEN_FLOWMON, 68, 4, |flow| delay(flow, |of| of.max_us)),
    column(PEN_FLOWMON, 65, 4, |flow| delay(flow, |of| of.dev_us)),
];

/// The same of the reverse direction; Flowmon has no elements for it, nProbe has.
const MEASURED_REVERSE: &[Column] = &[
    column(PEN_NTOP, 110, 4, |flow| {
        count_of(flow, |told| told.reverse.retransmitted)
    }),
    column(PEN_NTOP, 112, 4, |flow| {
        count_of(flow, |told| told.reverse.out_of_order)
    }),
];

fn figure(flow: &FlowRecord, of: impl Fn(&Performance) -> Measured) -> Option<u32> {
    of(flow.performance.as_deref()?).get()
}

/// A time; what took less than a microsecond is told as one.
fn time_of(flow: &FlowRecord, of: fn(&Performance) -> Measured) -> u64 {
    figure(flow, of).map_or(0, |micros| micros.max(1).into())
}

fn count_of(flow: &FlowRecord, of: fn(&Performance) -> Measured) -> u64 {
    figure(flow, of).unwrap_or(0).into()
}

fn delay(flow: &FlowRecord, of: fn(&Spread) -> Measured) -> u64 {
    figure(flow, |told| of(&told.forward.delay)).unwrap_or(0).into()
}

fn jitter(flow: &FlowRecord, of: fn(&Spread) -> Measured) -> u64 {
    figure(flow, |told| of(&told.forward.jitter)).unwrap_or(0).into()
}

fn millis(time: Time) -> u64 {
    u64::try_from(time.0 / 1_000_000).unwrap_or(0)
}

/// Ports; those of ICMP are type and code, which have an element of their own.
fn ports(flow: &FlowRecord) -> (u16, u16) {
    match flow.key.proto {
        proto::ICMP | proto::ICMP6 => (0, 0),
        _ => (flow.key.initiator_port, flow.key.responder_port),
    }
}

fn icmp(flow: &FlowRecord) -> u64 {
    flow.icmp
        .map_or(0, |(kind, code)| u16::from_be_bytes([kind, code]).into())
}

fn mac(mac: Option<Mac>) -> u64 {
    let [a, b, c, d, e, f] = mac.unwrap_or_default().0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// Which columns a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    ip6: bool,
    both: bool,
    measured: bool,
}

impl Shape {
    /// Every shape.
    fn all() -> impl Iterator<Item = Self> {
        (0..8_u16).map(|bits| Self {
            ip6: bits & 1 != 0,
            both: bits & 2 != 0,
            measured: bits & 4 != 0,
        })
    }

    fn of(flow: &FlowRecord) -> Self {
        Self {
            ip6: flow.key.ethertype == ethertype::IPV6,
            both: flow.reverse.is_some(),
            measured: flow.performance.is_some(),
        }
    }

    fn template(self) -> u16 {
        TEMPLATE_MIN + u16::from(self.ip6) + 2 * u16::from(self.both) + 4 * u16::from(self.measured)
    }

    /// Elements and width of source and destination address.
    const fn addresses(self) -> ([u16; 2], u16) {
        if self.ip6 { ([27, 28], 16) } else { ([8, 12], 4) }
    }

    fn columns(self) -> impl Iterator<Item = &'static Column> {
        let reverse = if self.both { REVERSE } else { &[] };
        let measured = if self.measured { MEASURED } else { &[] };
        let measured_reverse = if self.measured && self.both {
            MEASURED_REVERSE
        } else {
            &[]
        };
        reverse
            .iter()
            .chain(COMMON)
            .chain(measured)
            .chain(measured_reverse)
    }

    /// The template record.
    fn define(self, out: &mut Vec<u8>) {
        let (addresses, width) = self.addresses();
        out.extend(self.template().to_be_bytes());
        out.extend((2 + self.columns().count() as u16).to_be_bytes());
        for id in addresses {
            out.extend(id.to_be_bytes());
            out.extend(width.to_be_bytes());
        }
        for column in self.columns() {
            let enterprise = if column.pen == 0 { 0 } else { 0x8000 };
            // ICMPv6 has an element of its own.
            let id = if self.ip6 && column.id == 32 {
                139
            } else {
                column.id
            };
            out.extend((id | enterprise).to_be_bytes());
            out.extend(u16::from(column.width).to_be_bytes());
            if column.pen != 0 {
                out.extend(column.pen.to_be_bytes());
            }
        }
    }

    /// The data record.
    fn record(self, flow: &FlowRecord, out: &mut Vec<u8>) {
        for ip in [flow.key.initiator_ip, flow.key.responder_ip] {
            match ip {
                IpAddr::V4(ip) => out.extend(ip.octets()),
                IpAddr::V6(ip) => out.extend(ip.octets()),
            }
        }
        for column in self.columns() {
            let bytes = (column.value)(flow).to_be_bytes();
            out.extend(bytes.iter().skip(8 - usize::from(column.width)));
        }
    }
}

/// Turns flow records into IPFIX messages of one observation domain.
#[derive(Debug)]
pub struct Encoder {
    domain: u32,
    /// Data records in the messages before this one.
    sequence: u32,
    /// The message being filled, header first.
    message: Vec<u8>,
    /// Template of the set being filled, and where it begins.
    set: Option<(u16, usize)>,
    records: u32,
    /// Latest end in this message: its export time, for a record is known when it has ended.
    latest: Time,
    defined: bool,
    not_ip: u64,
}

impl Encoder {
    /// An encoder that has sent nothing; its first message begins with the templates.
    pub const fn new(domain: u32) -> Self {
        Self {
            domain,
            sequence: 0,
            message: Vec::new(),
            set: None,
            records: 0,
            latest: Time::MIN,
            defined: false,
            not_ip: 0,
        }
    }

    /// Takes a record; returns a message when one is full. Flows that are not IP have no elements and are counted only.
    pub fn push(&mut self, flow: &FlowRecord) -> Option<Vec<u8>> {
        if !flow.key.is_ip() {
            self.not_ip += 1;
            return None;
        }
        // Collectors judge a record's times by the export time: what lies far apart goes in messages of their own.
        let far = self.records > 0 && flow.end.since(self.latest).abs() > APART_MAX_NS;
        let before = if far { self.finish() } else { None };
        if self.message.is_empty() {
            self.begin();
        }
        let shape = Shape::of(flow);
        let template = shape.template();
        if self.set.is_none_or(|(open, _)| open != template) {
            self.close_set();
            self.set = Some((template, self.message.len()));
            self.message.extend(template.to_be_bytes());
            self.message.extend([0; 2]);
        }
        shape.record(flow, &mut self.message);
        self.records += 1;
        self.latest = self.latest.max(flow.end);
        if self.message.len() >= MESSAGE_BYTES {
            self.finish()
        } else {
            before
        }
    }

    /// The message begun, if there is one.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        if self.message.is_empty() {
            return None;
        }
        self.close_set();
        let mut message = std::mem::take(&mut self.message);
        let secs = u32::try_from(self.latest.bin(1)).unwrap_or(0);
        let length = message.len() as u16;
        put(&mut message, 0, 10_u16.to_be_bytes());
        put(&mut message, 2, length.to_be_bytes());
        put(&mut message, 4, secs.to_be_bytes());
        put(&mut message, 8, self.sequence.to_be_bytes());
        put(&mut message, 12, self.domain.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(self.records);
        (self.records, self.latest) = (0, Time::MIN);
        Some(message)
    }

    /// Records of flows that are not IP, which were left out.
    pub const fn not_ip(&self) -> u64 {
        self.not_ip
    }

    fn begin(&mut self) {
        self.message.extend([0; HEADER_BYTES]);
        if !std::mem::replace(&mut self.defined, true) {
            self.set = Some((TEMPLATE_SET, self.message.len()));
            self.message.extend(TEMPLATE_SET.to_be_bytes());
            self.message.extend([0; SET_BYTES - 2]);
            for shape in Shape::all() {
                shape.define(&mut self.message);
            }
        }
    }

    fn close_set(&mut self) {
        if let Some((_, at)) = self.set.take() {
            let bytes = (self.message.len() - at) as u16;
            put(&mut self.message, at + 2, bytes.to_be_bytes());
        }
    }
}

fn put<const N: usize>(message: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(place) = message.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = bytes;
    }
}
