//! The tables of counted profiles, one a step: a row says what one class of a channel's records came to in one step. Rows
//! of the same step, profile, channel and class add up. Other tools read them as they read flow records.

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt32Type, UInt64Type};
use arrow_array::{
    Array, BinaryArray, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::{STEPS, Step};
use crate::flow::schema::{self, Codec};
use crate::flow::search::quantile::Quantiles;
use crate::flow::{StoreError, Table};

/// Which records of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    All,
    Tcp,
    Udp,
    /// ICMP of either version of IP.
    Icmp,
    /// Everything else, frames without IP too.
    Other,
}

/// All classes.
pub const CLASSES: [Class; 5] = [Class::All, Class::Tcp, Class::Udp, Class::Icmp, Class::Other];

impl Class {
    /// Its name in tables and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Other => "other",
        }
    }

    /// The class of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        CLASSES.into_iter().find(|class| class.word() == word)
    }

    pub(super) fn of_proto(proto: Option<u64>) -> Self {
        match proto {
            Some(6) => Self::Tcp,
            Some(17) => Self::Udp,
            Some(1 | 58) => Self::Icmp,
            _ => Self::Other,
        }
    }

    pub(super) fn at(self) -> usize {
        match self {
            Self::All => 0,
            Self::Tcp => 1,
            Self::Udp => 2,
            Self::Icmp => 3,
            Self::Other => 4,
        }
    }
}

/// What is counted. Sums stop at the greatest number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub flows: u64,
    pub packets: u64,
    pub bytes: u64,
    pub quality: Quality,
}

/// Network performance of the records that have it. Means are sums by the records that gave to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Round trips, microseconds, and records that have one.
    pub rtt_us: u64,
    pub rtt_flows: u64,
    /// Server response times.
    pub srt_us: u64,
    pub srt_flows: u64,
    /// Records that count retransmissions, and their packets.
    pub judged_flows: u64,
    pub judged_packets: u64,
    pub retransmitted_packets: u64,
    pub out_of_order_packets: u64,
}

impl Quality {
    fn numbers(&mut self) -> [&mut u64; QUALITY.len()] {
        [
            &mut self.rtt_us,
            &mut self.rtt_flows,
            &mut self.srt_us,
            &mut self.srt_flows,
            &mut self.judged_flows,
            &mut self.judged_packets,
            &mut self.retransmitted_packets,
            &mut self.out_of_order_packets,
        ]
    }
}

/// Columns of [`Quality`], in the order of its numbers. Tables of version 1 lack them.
const QUALITY: [&str; 8] = [
    "rtt_us",
    "rtt_flows",
    "srt_us",
    "srt_flows",
    "judged_flows",
    "judged_packets",
    "retransmitted_packets",
    "out_of_order_packets",
];

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        let mut theirs = other.quality;
        for (own, other) in self.quality.numbers().into_iter().zip(theirs.numbers()) {
            *own = own.saturating_add(*other);
        }
    }
}

/// How durations (nanoseconds), bytes of a record, bytes of a packet, round trips and response times are spread over the records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketches {
    pub duration: Quantiles,
    pub record_bytes: Quantiles,
    /// The mean of each record, once for every packet.
    pub packet_bytes: Quantiles,
    /// Microseconds, of the records that have them.
    pub rtt: Quantiles,
    pub srt: Quantiles,
}

impl Sketches {
    pub(super) fn merge(&mut self, other: &Self) {
        self.duration.merge(&other.duration);
        self.record_bytes.merge(&other.record_bytes);
        self.packet_bytes.merge(&other.packet_bytes);
        self.rtt.merge(&other.rtt);
        self.srt.merge(&other.srt);
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Where the step begins, milliseconds since 1970.
    pub(super) start: i64,
    pub(super) epoch: u32,
    pub(super) profile: Arc<str>,
    pub(super) channel: Arc<str>,
    pub(super) class: Class,
    pub(super) counts: Counts,
    /// Of all records of the channel, with [`Class::All`].
    pub(super) sketches: Option<Sketches>,
}

impl Table {
    /// The table of a step of profiles.
    pub fn profiles(step: Step) -> &'static Self {
        static TABLES: LazyLock<[Table; 3]> = LazyLock::new(|| STEPS.map(table));
        &TABLES[step.at()]
    }
}

fn table(step: Step) -> Table {
    let (name, hours) = match step {
        Step::HalfMinute => ("profiles-30s", 24),
        Step::FiveMinutes => ("profiles-5min", 7 * 24),
        Step::Day => ("profiles-1day", 365 * 24),
    };
    let own = [
        ("start", Codec::Delta),
        ("epoch", Codec::Dictionary),
        ("profile", Codec::Dictionary),
        ("channel", Codec::Dictionary),
        ("class", Codec::Dictionary),
        ("flows", Codec::Split),
        ("packets", Codec::Split),
        ("bytes", Codec::Split),
    ];
    let quality = QUALITY.map(|name| (name, Codec::Dictionary));
    Table {
        name,
        schema: schema_of(name),
        hours,
        codecs: own.into_iter().chain(quality).collect(),
        bloom: &[],
    }
}

fn schema_of(name: &str) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let fields = [
        ("start", time, false),
        ("epoch", DataType::UInt32, false),
        ("profile", DataType::Utf8, false),
        ("channel", DataType::Utf8, false),
        ("class", DataType::Utf8, false),
        ("flows", DataType::UInt64, false),
        ("packets", DataType::UInt64, false),
        ("bytes", DataType::UInt64, false),
        ("duration_sketch", DataType::Binary, true),
        ("record_bytes_sketch", DataType::Binary, true),
        ("packet_bytes_sketch", DataType::Binary, true),
    ];
    let quality = QUALITY.map(|name| (name, DataType::UInt64, true));
    let sketches = ["rtt_sketch", "srt_sketch"].map(|name| (name, DataType::Binary, true));
    let fields: Vec<Field> = fields
        .into_iter()
        .chain(quality)
        .chain(sketches)
        .map(|(name, kind, nullable)| Field::new(name, kind, nullable))
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema::metadata(name)))
}

/// Rows as a batch of the step's table.
pub(super) fn to_batch(step: Step, rows: &[Row]) -> Result<RecordBatch, StoreError> {
    let numbers =
        |of: fn(&Counts) -> u64| -> UInt64Array { rows.iter().map(|row| of(&row.counts)).collect() };
    let sketch = |of: fn(&Sketches) -> &Quantiles| -> BinaryArray {
        let each = rows
            .iter()
            .map(|row| row.sketches.as_ref().map(|own| of(own).to_bytes()));
        each.collect()
    };
    let starts: TimestampMillisecondArray = rows.iter().map(|row| row.start).collect::<Vec<i64>>().into();
    let texts = |of: fn(&Row) -> &str| StringArray::from_iter_values(rows.iter().map(of));
    let epochs: UInt32Array = rows.iter().map(|row| row.epoch).collect();
    let quality = (0..QUALITY.len()).map(|at| -> arrow_array::ArrayRef {
        let each = rows.iter().map(|row| {
            let mut quality = row.counts.quality;
            *quality.numbers()[at]
        });
        Arc::new(each.collect::<UInt64Array>())
    });
    let columns: [arrow_array::ArrayRef; 11] = [
        Arc::new(starts.with_timezone("UTC")),
        Arc::new(epochs),
        Arc::new(texts(|row| &row.profile)),
        Arc::new(texts(|row| &row.channel)),
        Arc::new(texts(|row| row.class.word())),
        Arc::new(numbers(|counts| counts.flows)),
        Arc::new(numbers(|counts| counts.packets)),
        Arc::new(numbers(|counts| counts.bytes)),
        Arc::new(sketch(|own| &own.duration)),
        Arc::new(sketch(|own| &own.record_bytes)),
        Arc::new(sketch(|own| &own.packet_bytes)),
    ];
    let sketches: [arrow_array::ArrayRef; 2] =
        [Arc::new(sketch(|own| &own.rtt)), Arc::new(sketch(|own| &own.srt))];
    Ok(RecordBatch::try_new(
        Table::profiles(step).schema.clone(),
        columns.into_iter().chain(quality).chain(sketches).collect(),
    )?)
}

/// The columns of a batch, row by row. Names of profiles and channels come as the batch's own text.
pub(super) struct Rows<'a> {
    starts: &'a [i64],
    epochs: &'a [u32],
    profiles: &'a StringArray,
    channels: &'a StringArray,
    classes: &'a StringArray,
    numbers: [&'a [u64]; 3],
    sketches: [&'a BinaryArray; 3],
    /// Since version 2.
    quality: [Option<&'a UInt64Array>; QUALITY.len()],
    times: [Option<&'a BinaryArray>; 2],
}

impl<'a> Rows<'a> {
    /// `None`: the batch is not of such a table.
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name);
        let text = |name: &str| column(name)?.as_string_opt::<i32>();
        let number = |name: &str| Some(&**column(name)?.as_primitive_opt::<UInt64Type>()?.values());
        let sketch = |name: &str| column(name)?.as_binary_opt::<i32>();
        Some(Self {
            starts: column("start")?
                .as_primitive_opt::<TimestampMillisecondType>()?
                .values(),
            epochs: column("epoch")?.as_primitive_opt::<UInt32Type>()?.values(),
            profiles: text("profile")?,
            channels: text("channel")?,
            classes: text("class")?,
            numbers: [number("flows")?, number("packets")?, number("bytes")?],
            sketches: [
                sketch("duration_sketch")?,
                sketch("record_bytes_sketch")?,
                sketch("packet_bytes_sketch")?,
            ],
            quality: QUALITY.map(|name| column(name)?.as_primitive_opt()),
            times: ["rtt_sketch", "srt_sketch"].map(sketch),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn start(&self, row: usize) -> i64 {
        self.starts[row]
    }

    pub(super) fn epoch(&self, row: usize) -> u32 {
        self.epochs[row]
    }

    pub(super) fn profile(&self, row: usize) -> &'a str {
        self.profiles.value(row)
    }

    pub(super) fn channel(&self, row: usize) -> &'a str {
        self.channels.value(row)
    }

    /// `None` for a class of a later version.
    pub(super) fn class(&self, row: usize) -> Option<Class> {
        Class::from_word(self.classes.value(row))
    }

    pub(super) fn counts(&self, row: usize) -> Counts {
        let [flows, packets, bytes] = self.numbers.map(|column| column[row]);
        let mut quality = Quality::default();
        for (number, column) in quality.numbers().into_iter().zip(self.quality) {
            *number = column
                .filter(|own| own.is_valid(row))
                .map_or(0, |own| own.value(row));
        }
        Counts {
            flows,
            packets,
            bytes,
            quality,
        }
    }

    /// `None` where there is none, or none that this version can read.
    pub(super) fn sketches(&self, row: usize) -> Option<Sketches> {
        let read = |column: &BinaryArray| {
            column
                .is_valid(row)
                .then(|| Quantiles::from_bytes(column.value(row)))?
        };
        let sketch = |at: usize| read(self.sketches[at]);
        let times = |at: usize| self.times[at].and_then(read).unwrap_or_default();
        Some(Sketches {
            duration: sketch(0)?,
            record_bytes: sketch(1)?,
            packet_bytes: sketch(2)?,
            rtt: times(0),
            srt: times(1),
        })
    }
}
