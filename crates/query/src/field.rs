//! The words of the language: one per column, one per pair of columns `src_x` and `dst_x`, the few that are computed,
//! and their other spellings. Grammar, completion, explanation, reference page and SQL all come from this table.

use std::sync::LazyLock;

use crate::column::{self, Column, FLOW_COLUMNS, Kind, Unit};

/// A word that can be compared.
#[derive(Clone, Debug)]
pub struct Field {
    /// Canonical spelling; the column's name where there is one column.
    pub name: &'static str,
    /// What it is, for people.
    pub label: &'static str,
    pub kind: Kind,
    pub reads: Reads,
}

/// Fields are the same when their names are.
impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Which columns a field reads and what it makes of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Reads {
    One(Column),
    /// Either side may fit.
    Either(Column, Column),
    /// Both directions added; unknown counts as zero unless both are.
    Sum(Column, Column),
    /// Bits set in either direction.
    Union(Column, Column),
    /// Nanoseconds from the first to the second, at least zero.
    Span(Column, Column),
    /// A sum times a factor per nanosecond of a span; no value for an empty span.
    PerTime([Column; 2], f64, [Column; 2]),
    /// A sum per another sum; no value when that is zero.
    PerCount([Column; 2], [Column; 2]),
}

impl Field {
    /// Is it read from transactions alone?
    pub fn of_transactions_alone(&self) -> bool {
        self.reads.columns().iter().all(Column::of_transactions_alone)
    }
}

impl Reads {
    /// The columns read.
    pub fn columns(&self) -> Vec<Column> {
        match self {
            Self::One(one) => vec![*one],
            Self::Either(a, b) | Self::Sum(a, b) | Self::Union(a, b) | Self::Span(a, b) => vec![*a, *b],
            Self::PerTime([a, b], _, [c, d]) | Self::PerCount([a, b], [c, d]) => vec![*a, *b, *c, *d],
        }
    }
}

/// Other spellings: nfdump's, tcpdump's, Zeek's. After `src` or `dst` they work as well.
pub(crate) const ALIASES: &[(&str, &str)] = &[
    ("addr", "ip"),
    ("host", "ip"),
    ("net", "ip"),
    ("flags", "tcp_flags"),
    ("state", "conn_state"),
    ("first", "start"),
    ("last", "end"),
    ("dur", "duration"),
    ("pkts", "packets"),
    ("octets", "bytes"),
    ("protocol", "proto"),
    ("as", "asn"),
    ("npm_rtt", "rtt"),
    ("npm_srt", "srt"),
    ("npm_rtr", "retransmitted_packets"),
    ("npm_ooo", "out_of_order_packets"),
    ("rtr", "retransmitted_packets"),
    ("retransmissions", "retransmitted_packets"),
    ("ooo", "out_of_order_packets"),
    ("npm_delay", "delay_avg"),
    ("npm_delay_min", "delay_min"),
    ("npm_delay_avg", "delay_avg"),
    ("npm_delay_max", "delay_max"),
    ("npm_delay_dev", "delay_dev"),
    ("npm_jitter", "jitter_avg"),
    ("npm_jitter_min", "jitter_min"),
    ("npm_jitter_avg", "jitter_avg"),
    ("npm_jitter_max", "jitter_max"),
    ("npm_jitter_dev", "jitter_dev"),
    ("jitter", "jitter_avg"),
    ("delay", "delay_avg"),
];

/// A word that stands for a filter written with other words.
#[derive(Debug)]
pub struct Shorthand {
    pub word: &'static str,
    /// The filter it stands for.
    pub filter: &'static str,
    pub label: &'static str,
}

/// Words that need no operand.
pub const SHORTHANDS: &[Shorthand] = &[
    shorthand("inet", "ethertype 0x0800", "IPv4 traffic"),
    shorthand("ipv4", "ethertype 0x0800", "IPv4 traffic"),
    shorthand("inet6", "ethertype 0x86dd", "IPv6 traffic"),
    shorthand("ipv6", "ethertype 0x86dd", "IPv6 traffic"),
    shorthand(
        "inbound",
        "src_inside no and dst_inside yes",
        "From outside to inside",
    ),
    shorthand(
        "outbound",
        "src_inside yes and dst_inside no",
        "From inside to outside",
    ),
    shorthand(
        "internal",
        "src_inside yes and dst_inside yes",
        "Both sides inside",
    ),
    shorthand(
        "external",
        "src_inside no and dst_inside no",
        "Both sides outside",
    ),
    shorthand("outside", "inside no", "Either side is outside"),
    shorthand("src outside", "src_inside no", "The initiator is outside"),
    shorthand("dst outside", "dst_inside no", "The responder is outside"),
];

const fn shorthand(word: &'static str, filter: &'static str, label: &'static str) -> Shorthand {
    Shorthand { word, filter, label }
}

/// The words one kind of record can be asked by.
#[derive(Clone, Debug)]
pub struct Catalog {
    fields: Vec<Field>,
    /// What the records are called in messages.
    records: &'static str,
    /// Names known only in other records, for a message better than "unknown".
    elsewhere: Vec<&'static str>,
}

impl Catalog {
    /// The words for flow records.
    pub fn flows() -> &'static Self {
        static FLOWS: LazyLock<Catalog> = LazyLock::new(|| Catalog {
            fields: fields(&FLOW_COLUMNS),
            records: "flow records",
            elsewhere: Vec::new(),
        });
        &FLOWS
    }

    /// The words for one end of an event, its source or a target: `ip`, `port`, `mac`. Rules of perspectives are written
    /// with them; only the event database evaluates them.
    pub fn ends() -> &'static Self {
        static ENDS: LazyLock<Catalog> = LazyLock::new(|| {
            let end = |name, label, kind| Field {
                label,
                ..single(Column::derived(name, kind))
            };
            Catalog {
                fields: vec![
                    end("ip", "Address of the source or target", Kind::Address),
                    end("port", "Port of the target", Kind::Number(Unit::Count)),
                    end("mac", "Hardware address of the source or target", Kind::Mac),
                ],
                records: "sources and targets of events",
                elsewhere: Catalog::flows().fields.iter().map(|field| field.name).collect(),
            }
        });
        &ENDS
    }

    /// The words for transactions with these dissector fields; the program passes the fields of its dissectors.
    pub fn transactions(of_dissectors: impl IntoIterator<Item = &'static weir_model::Field>) -> Self {
        let fields = fields(&column::of_transactions(of_dissectors));
        let flows = Self::flows().fields.iter().map(|field| field.name);
        Self {
            elsewhere: flows
                .filter(|name| fields.iter().all(|known| known.name != *name))
                .collect(),
            fields,
            records: "transactions",
        }
    }

    /// The words for flow records together with their transactions. Where a store joins the two, a comparison of a
    /// transaction's field holds for a flow when one of its transactions fits.
    pub fn flows_with_transactions(
        of_dissectors: impl IntoIterator<Item = &'static weir_model::Field>,
    ) -> Self {
        Self {
            fields: fields(&column::of_flows_and_transactions(of_dissectors)),
            records: "flow records and their transactions",
            elsewhere: Vec::new(),
        }
    }

    /// The same words, with a better message for these names, which other records have.
    pub fn knowing(mut self, elsewhere: impl IntoIterator<Item = &'static str>) -> Self {
        let missing = elsewhere
            .into_iter()
            .filter(|name| self.fields.iter().all(|known| known.name != *name));
        self.elsewhere.extend(missing.collect::<Vec<_>>());
        self
    }

    /// All fields, columns first.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// What the records are called.
    pub fn records(&self) -> &'static str {
        self.records
    }

    pub(crate) fn elsewhere(&self, name: &str) -> bool {
        let name = normal(name);
        self.elsewhere.iter().any(|known| *known == name)
    }

    /// The field with this spelling: any case, `-` for `_`, an alias.
    pub fn field(&self, word: &str) -> Option<&Field> {
        let name = unalias(normal(word));
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field of one side: `src` + `port`.
    pub(crate) fn side(&self, side: &str, word: &str) -> Option<&Field> {
        let base = unalias(normal(word));
        let name = format!("{side}_{base}");
        self.fields.iter().find(|field| field.name == name)
    }

    /// Words that may follow `src` or `dst`.
    pub(crate) fn sided(&self) -> impl Iterator<Item = &'static str> {
        self.fields
            .iter()
            .filter_map(|field| field.name.strip_prefix("src_"))
            .filter(|base| self.side("dst", base).is_some())
    }
}

fn normal(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

fn unalias(name: String) -> String {
    match ALIASES.iter().find(|(alias, _)| *alias == name) {
        Some((_, canonical)) => (*canonical).to_owned(),
        None => name,
    }
}

/// One field per column, one per pair, and what is computed from columns that are there.
fn fields(columns: &[Column]) -> Vec<Field> {
    let find = |name: &str| columns.iter().find(|column| column.name == name).copied();
    let mut fields: Vec<Field> = columns.iter().map(|column| single(*column)).collect();
    for column in columns {
        let base = column.name.strip_prefix("src_");
        let other = base.and_then(|base| find(&format!("dst_{base}")));
        if let (Some(base), Some(other)) = (base, other) {
            fields.push(pair(base, *column, other));
        }
    }
    fields.extend(computed(&find).into_iter().flatten());
    fields
}

fn single(column: Column) -> Field {
    Field {
        name: column.name,
        label: column.label,
        kind: column.kind,
        reads: Reads::One(column),
    }
}

/// Counters of the two directions add up, flags unite, everything else may fit on either side.
fn pair(base: &'static str, src: Column, dst: Column) -> Field {
    let counter = base.ends_with("bytes") || base.ends_with("packets");
    let (reads, label) = match src.kind {
        Kind::Number(_) if counter => (Reads::Sum(src, dst), "Both directions added"),
        Kind::TcpFlags => (Reads::Union(src, dst), "TCP flags set by either side"),
        _ => (Reads::Either(src, dst), "Either side (initiator or responder)"),
    };
    Field {
        name: base,
        label,
        kind: src.kind,
        reads,
    }
}

fn computed(find: &impl Fn(&str) -> Option<Column>) -> [Option<Field>; 4] {
    let both = |base: &str| Some([find(&format!("src_{base}"))?, find(&format!("dst_{base}"))?]);
    let own_span = find("start").zip(find("end")).map(|(start, end)| [start, end]);
    let field = |name, label, kind, reads: Option<Reads>| {
        reads.map(|reads| Field {
            name,
            label,
            kind,
            reads,
        })
    };
    let per_time = |base: &str, factor| Some(Reads::PerTime(both(base)?, factor, own_span?));
    let per_packet = || Some(Reads::PerCount(both("bytes")?, both("packets")?));
    let whole = find("flow_start").or(find("start")).zip(find("end"));
    [
        field(
            "duration",
            "Time from the first packet of the flow to the last",
            Kind::Number(Unit::Nanos),
            whole.map(|(start, end)| Reads::Span(start, end)),
        ),
        field(
            "pps",
            "Packets per second of the record",
            Kind::Rate(Unit::Count),
            per_time("packets", 1e9),
        ),
        field(
            "bps",
            "Bits per second of the record",
            Kind::Rate(Unit::Count),
            per_time("bytes", 8e9),
        ),
        field("bpp", "Bytes per packet", Kind::Rate(Unit::Bytes), per_packet()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_other_spellings_are_unique() {
        let flows = Catalog::flows();
        let mut names: Vec<_> = flows.fields().iter().map(|field| field.name).collect();
        names.extend(SHORTHANDS.iter().map(|word| word.word));
        names.extend(ALIASES.iter().map(|(alias, _)| *alias));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn spellings_find_the_field() {
        let flows = Catalog::flows();
        for (word, name) in [
            ("DST-PORT", "dst_port"),
            ("host", "ip"),
            ("Flags", "tcp_flags"),
            ("bps", "bps"),
        ] {
            assert_eq!(flows.field(word).map(|field| field.name), Some(name));
        }
        assert_eq!(flows.side("src", "net").map(|field| field.name), Some("src_ip"));
        assert!(flows.side("src", "duration").is_none());
    }
}
