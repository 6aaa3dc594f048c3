//! The columns a filter can read: every row of `model::elements::ELEMENTS`, and of a transaction its dissector's
//! fields. Types are read off a specimen record, so a new row there is a new word here without another line.

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use weir_model::elements::{Cell, ELEMENTS, Element};
use weir_model::{
    Country, FieldKind, FlowKey, FlowRecord, Mac, Measured, Performance, Place, Protocol, Spread, Time,
    Transaction, Value, WayPerformance, ethertype, proto, tcp_flags,
};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number(Unit),
    /// A quotient of two numbers.
    Rate(Unit),
    Time,
    Address,
    Mac,
    /// Bits as in the TCP header.
    TcpFlags,
    Flag,
    Text,
    /// Several texts; a comparison holds when it holds for one of them.
    Texts,
}

/// Which suffixes a number takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Bytes,
    /// Nanoseconds inside; milliseconds where the filter gives no unit, as nfdump has it.
    Nanos,
    /// Microseconds inside; milliseconds where the filter gives no unit, as Flowmon has it.
    Micros,
}

/// One value of a column, as the back ends compare it.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Numbers and TCP flags.
    Number(u64),
    Rate(f64),
    /// Nanoseconds since 1970.
    Time(i64),
    /// IPv6 number; IPv4 in `::ffff:0:0/96`.
    Address(u128),
    Mac(u64),
    Flag(bool),
    Text(Cow<'a, str>),
    Texts(&'a [Box<str>]),
}

/// A column: where its values come from and what they are.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in outputs, stores and SQL.
    pub name: &'static str,
    /// Label for people.
    pub label: &'static str,
    pub kind: Kind,
    /// May a record lack the value? Then SQL has to say what becomes of NULL.
    pub nullable: bool,
    source: Source,
    fast: Option<Fast>,
}

type Fast = fn(&FlowRecord) -> Option<Scalar<'static>>;

#[derive(Clone, Copy, Debug)]
enum Source {
    Element(&'static Element),
    Field,
    Kind,
    Outcome,
    /// Made by a store for its own use.
    Derived,
}

/// Columns are the same when their names are: a name has one meaning.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The columns of flow records, in the order of outputs.
pub static FLOW_COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let (full, bare) = (specimen(), bare());
    ELEMENTS
        .iter()
        .filter_map(|element| of_element(element, &full, &bare))
        .collect()
});

/// Flow columns that a transaction has too: what its key, its moments and its protocol say.
const OF_TRANSACTIONS: &[&str] = &[
    "flow_id",
    "start",
    "end",
    "ethertype",
    "vlan",
    "proto",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "community_id",
    "app",
    "src_inside",
    "dst_inside",
];

/// Columns of transactions that no dissector owns.
const TRANSACTION_OWN: [Column; 2] = [
    own("kind", "Kind of exchange", false, Source::Kind),
    own("outcome", "Verdict of the protocol", true, Source::Outcome),
];

const fn own(name: &'static str, label: &'static str, nullable: bool, source: Source) -> Column {
    Column {
        name,
        label,
        kind: Kind::Text,
        nullable,
        source,
        fast: None,
    }
}

/// The columns of flow records, and those that their transactions have beside them.
pub(crate) fn of_flows_and_transactions(
    fields: impl IntoIterator<Item = &'static weir_model::Field>,
) -> Vec<Column> {
    let of_transactions = of_transactions(fields).into_iter();
    let own = of_transactions.filter(Column::of_transactions_alone);
    FLOW_COLUMNS.iter().copied().chain(own).collect()
}

/// The columns of transactions with these dissector fields.
pub(crate) fn of_transactions(fields: impl IntoIterator<Item = &'static weir_model::Field>) -> Vec<Column> {
    let shared = FLOW_COLUMNS
        .iter()
        .filter(|column| OF_TRANSACTIONS.contains(&column.name));
    let mut columns: Vec<Column> = shared.copied().chain(TRANSACTION_OWN).collect();
    for field in fields {
        if columns.iter().all(|known| known.name != field.name) {
            columns.push(of_field(field));
        }
    }
    columns
}

fn of_field(field: &'static weir_model::Field) -> Column {
    Column {
        name: field.name,
        label: field.label,
        kind: match field.kind {
            FieldKind::Number => Kind::Number(unit(field.name)),
            FieldKind::Text => Kind::Text,
            FieldKind::Flag => Kind::Flag,
            FieldKind::Ip => Kind::Address,
            FieldKind::Mac => Kind::Mac,
            FieldKind::Texts => Kind::Texts,
        },
        nullable: true,
        source: Source::Field,
        fast: None,
    }
}

/// The column of an element; `None` for a row that gives nothing even on the specimen, which a test forbids.
fn of_element(element: &'static Element, full: &FlowRecord, bare: &FlowRecord) -> Option<Column> {
    let fast = fast(element.name);
    let kind = match (element.cell)(full)? {
        _ if element.name.ends_with("tcp_flags") => Kind::TcpFlags,
        Cell::Number(_) => Kind::Number(unit(element.name)),
        Cell::Ip(_) => Kind::Address,
        Cell::Mac(_) => Kind::Mac,
        Cell::Time(_) => Kind::Time,
        Cell::Text(_) => Kind::Text,
        Cell::Flag(_) => Kind::Flag,
    };
    Some(Column {
        name: element.name,
        label: element.label,
        kind,
        nullable: (element.cell)(bare).is_none(),
        source: Source::Element(element),
        fast,
    })
}

/// What is measured in microseconds; the names of its columns begin so, behind the side.
const TIMES: [&str; 4] = ["rtt", "srt", "delay", "jitter"];

fn is_time(name: &str) -> bool {
    let base = name
        .strip_prefix("src_")
        .or(name.strip_prefix("dst_"))
        .unwrap_or(name);
    let first = base.split('_').next().unwrap_or(base);
    TIMES.contains(&first) && !name.ends_with("count")
}

fn unit(name: &str) -> Unit {
    if name.ends_with("bytes") {
        Unit::Bytes
    } else if is_time(name) {
        Unit::Micros
    } else {
        Unit::Count
    }
}

/// Readers that spare the text of the element's cell; a test holds them equal to it.
fn fast(name: &str) -> Option<Fast> {
    fn flags(flow: &FlowRecord, bits: u16) -> Option<Scalar<'static>> {
        (flow.key.proto == proto::TCP).then(|| Scalar::Number(u64::from(bits & 0xff)))
    }
    match name {
        "src_tcp_flags" => Some(|flow| flags(flow, flow.forward_flags)),
        "dst_tcp_flags" => Some(|flow| flags(flow, flow.reverse_flags)),
        "app" => Some(|flow| flow.protocol.map(|app| Scalar::Text(app.word().into()))),
        "conn_state" => Some(|flow| {
            flow.key
                .is_ip()
                .then(|| Scalar::Text(flow.conn_state.word().into()))
        }),
        _ => None,
    }
}

impl Column {
    /// The value in a flow record.
    pub fn of_flow(&self, flow: &FlowRecord) -> Option<Scalar<'static>> {
        if let Some(fast) = self.fast {
            return fast(flow);
        }
        match self.source {
            Source::Element(element) => (element.cell)(flow).map(|cell| from_cell(cell, self.kind)),
            Source::Field | Source::Kind | Source::Outcome | Source::Derived => None,
        }
    }

    /// The value in a transaction; `flow` is its [`stand_in`].
    pub(crate) fn of_transaction<'a>(
        &self,
        transaction: &'a Transaction,
        flow: &FlowRecord,
    ) -> Option<Scalar<'a>> {
        match self.source {
            Source::Element(_) => self.of_flow(flow),
            Source::Field => transaction.get(self.name).map(from_value),
            Source::Kind => Some(Scalar::Text(transaction.kind.word().into())),
            Source::Outcome => transaction.outcome.word().map(|word| Scalar::Text(word.into())),
            Source::Derived => None,
        }
    }

    /// Do only transactions have it: a field of a dissector, the kind, the outcome?
    pub fn of_transactions_alone(&self) -> bool {
        matches!(self.source, Source::Field | Source::Kind | Source::Outcome)
    }

    /// A column that a store makes for its own use; no record has it, and every row of the store does.
    pub const fn derived(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            label: "",
            kind,
            nullable: false,
            source: Source::Derived,
            fast: None,
        }
    }
}

/// A flow record that knows what the transaction knows, so that shared columns have one reader.
pub(crate) fn stand_in(transaction: &Transaction) -> FlowRecord {
    let mut flow = FlowRecord::new(transaction.key, transaction.start);
    flow.id = transaction.flow;
    flow.end = transaction.end;
    flow.protocol = Some(transaction.protocol);
    flow.initiator_inside = transaction.initiator_inside;
    flow.responder_inside = transaction.responder_inside;
    flow
}

fn from_cell(cell: Cell, kind: Kind) -> Scalar<'static> {
    match cell {
        Cell::Text(letters) if kind == Kind::TcpFlags => Scalar::Number(flag_bits(&letters).unwrap_or(0)),
        Cell::Number(number) => Scalar::Number(number),
        Cell::Ip(ip) => Scalar::Address(address(ip)),
        Cell::Mac(mac) => Scalar::Mac(mac_number(mac)),
        Cell::Time(time) => Scalar::Time(time.0),
        Cell::Text(text) => Scalar::Text(text.into()),
        Cell::Flag(flag) => Scalar::Flag(flag),
    }
}

fn from_value(value: &Value) -> Scalar<'_> {
    match value {
        Value::Number(number) => Scalar::Number(*number),
        Value::Text(text) => Scalar::Text(Cow::Borrowed(text)),
        Value::Flag(flag) => Scalar::Flag(*flag),
        Value::Ip(ip) => Scalar::Address(address(*ip)),
        Value::Mac(mac) => Scalar::Mac(mac_number(*mac)),
        Value::Texts(all) => Scalar::Texts(all),
    }
}

/// An address as one number; IPv4 in `::ffff:0:0/96`, as stores keep it.
pub fn address(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// A hardware address as one number.
pub fn mac_number(mac: Mac) -> u64 {
    mac.0
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Letters of TCP flags in the order they are written, with their bits.
pub(crate) const FLAG_LETTERS: [(char, u16); 8] = [
    ('C', tcp_flags::CWR),
    ('E', tcp_flags::ECE),
    ('U', tcp_flags::URG),
    ('A', tcp_flags::ACK),
    ('P', tcp_flags::PSH),
    ('R', tcp_flags::RST),
    ('S', tcp_flags::SYN),
    ('F', tcp_flags::FIN),
];

/// Bits of letters such as `SA` or `.A..S.`; `X` is FIN, PSH and URG.
pub(crate) fn flag_bits(letters: &str) -> Option<u64> {
    letters.chars().try_fold(0, |bits, letter| {
        let upper = letter.to_ascii_uppercase();
        let known = FLAG_LETTERS.iter().find(|(known, _)| *known == upper);
        match (known, upper) {
            (Some((_, bit)), _) => Some(bits | u64::from(*bit)),
            (None, 'X') => Some(bits | u64::from(tcp_flags::XMAS)),
            (None, '.') => Some(bits),
            (None, _) => None,
        }
    })
}

/// A record that has a value in every column.
fn specimen() -> FlowRecord {
    let local = IpAddr::from([10, 0, 0, 1]);
    let mut flow = FlowRecord::new(
        FlowKey {
            initiator_ip: local,
            responder_ip: local,
            initiator_port: 1,
            responder_port: 1,
            proto: proto::TCP,
            ethertype: ethertype::IPV4,
            vlan: Some(1),
        },
        Time(0),
    );
    let counters = weir_model::Counters {
        packets: 1,
        bytes: 1,
        payload_bytes: 1,
    };
    (flow.reverse, flow.reverse_total) = (Some(counters), Some(counters));
    (flow.initiator_mac, flow.responder_mac) = (Some(Mac::BROADCAST), Some(Mac::BROADCAST));
    (flow.syn_bytes, flow.syn_window) = (1, 1);
    (flow.icmp, flow.icmp_error) = (Some((1, 1)), Some((1, 1)));
    flow.history.push(b'S');
    flow.protocol = Some(Protocol::Dns);
    (flow.logins.refused, flow.logins.accepted) = (1, 1);
    (flow.sampling, flow.exporter) = (10, Some(local));
    flow.unnamed = Some(Arc::default());
    flow.performance = Some(Box::new(measured()));
    let place = Place {
        country: Country::from_code("CZ"),
        as_number: NonZeroU32::new(1),
    };
    (flow.initiator_place, flow.responder_place) = (place, place);
    flow
}

/// Performance that has every figure.
fn measured() -> Performance {
    let one = Measured::of(1);
    let spread = Spread {
        min_us: one,
        avg_us: one,
        max_us: one,
        dev_us: one,
    };
    let way = WayPerformance {
        retransmitted: one,
        out_of_order: one,
        delay: spread,
        jitter: spread,
    };
    Performance {
        rtt_us: one,
        rtt_client_us: one,
        rtt_server_us: one,
        srt_us: one,
        srt_min_us: one,
        srt_max_us: one,
        srt_count: one,
        forward: way,
        reverse: way,
    }
}

/// A record that has a value only where every record has one.
fn bare() -> FlowRecord {
    let mut flow = specimen();
    flow.key.ethertype = 0;
    flow.key.proto = 0;
    FlowRecord::new(
        FlowKey {
            vlan: None,
            ..flow.key
        },
        Time(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new element that the specimen has no value for would be missing from the language: extend [`specimen`].
    #[test]
    fn every_element_is_a_column() {
        let names: Vec<_> = FLOW_COLUMNS.iter().map(|column| column.name).collect();
        let all: Vec<_> = ELEMENTS.iter().map(|element| element.name).collect();
        assert_eq!(
            names, all,
            "give the specimen in this file a value for the new element"
        );
    }

    #[test]
    fn fast_readers_read_what_the_element_says() {
        let mut flow = specimen();
        flow.forward_flags = 0x12;
        for column in FLOW_COLUMNS.iter().filter(|column| column.fast.is_some()) {
            let Source::Element(element) = column.source else {
                continue;
            };
            for record in [&flow, &bare()] {
                let slow = (element.cell)(record).map(|cell| from_cell(cell, column.kind));
                assert_eq!(column.of_flow(record), slow, "{}", column.name);
            }
        }
    }

    #[test]
    fn flags_as_people_write_them() {
        assert_eq!(flag_bits("SA"), Some(0x12));
        assert_eq!(flag_bits(".a..s."), Some(0x12));
        assert_eq!(flag_bits("X"), Some(0x29));
        assert_eq!(flag_bits("SQ"), None);
    }
}
