//! A batch of the flow table as the filter language sees it: columns by the names people use, made from the physical
//! ones when first asked for. The batch may hold any projection; what it lacks has no values.

use std::cell::OnceCell;
use std::sync::LazyLock;

use arrow_array::types::{Int32Type, UInt8Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use weir_model::{FlowKey, FlowRecord, Time, community_id};
use weir_query::{Columns, FLOW_COLUMNS, Kind, Selection, Slice};

use super::batch::{Numbers, to_records};
use super::row::Moment;
use super::schema::{COLUMNS, Form, physical};

/// A batch seen as columns of flow records.
pub struct ArrowColumns<'a> {
    batch: &'a RecordBatch,
    built: Vec<OnceCell<Built>>,
}

/// A column, made.
pub(super) enum Built {
    Missing,
    Numbers(ScalarBuffer<u64>, Selection),
    Times(Vec<i64>, Selection),
    Addresses(Vec<u128>, Selection),
    Texts(Vec<u32>, Vec<Box<str>>, Selection),
    Lists(Vec<u32>, Vec<Vec<Box<str>>>, Selection),
}

impl Built {
    /// The column as the filter language reads it.
    pub(super) fn slice(&self) -> Slice<'_> {
        match self {
            Self::Missing => Slice::Missing,
            Self::Numbers(values, valid) => Slice::Numbers(values, valid),
            Self::Times(values, valid) => Slice::Times(values, valid),
            Self::Addresses(values, valid) => Slice::Addresses(values, valid),
            Self::Texts(codes, texts, valid) => Slice::Texts(codes, texts, valid),
            Self::Lists(codes, lists, valid) => Slice::Lists(codes, lists, valid),
        }
    }
}

impl<'a> ArrowColumns<'a> {
    /// Sees the batch as columns.
    pub fn new(batch: &'a RecordBatch) -> Self {
        Self {
            batch,
            built: FLOW_COLUMNS.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    fn build(&self, name: &str, kind: Kind) -> Option<Built> {
        let rows = self.batch.num_rows();
        match (name, kind) {
            ("start", _) => {
                let (start, _) = self.moment(["start", "start_us", "start_ns"])?;
                Some(times(start.into_iter().map(|moment| moment.time())))
            }
            ("end", _) => {
                let (start, _) = self.numbers("start")?;
                let (duration, _) = self.numbers("duration_ms")?;
                let (us, _) = self.numbers("end_us")?;
                let (ns, _) = self.numbers("end_ns")?;
                Some(times((0..rows).map(|row| {
                    let millis = (start[row] as i64).wrapping_add(duration[row] as i64);
                    let (us, ns) = (us[row] as u16, ns[row] as u16);
                    Moment { millis, us, ns }.time()
                })))
            }
            ("flow_start" | "flow_id" | "community_id", _) => self.derived(name),
            ("icmp_error", _) => {
                let (kinds, valid) = self.numbers("icmp_error_type")?;
                let (codes, _) = self.numbers("icmp_error_code")?;
                let valid = selection(rows, valid);
                let texts = (0..rows).map(|row| format!("{}/{}", kinds[row], codes[row]));
                Some(dictionary(texts, valid))
            }
            (_, Kind::Address) => {
                let (high, valid) = self.numbers(physical(name)[0])?;
                let (low, _) = self.numbers(physical(name)[1])?;
                let whole = high.iter().zip(low.iter());
                let whole = whole.map(|(high, low)| u128::from(*high) << 64 | u128::from(*low));
                Some(Built::Addresses(whole.collect(), selection(rows, valid)))
            }
            (_, Kind::Text | Kind::Texts) => Some(own_dictionary(self.batch.column_by_name(name)?)),
            (_, Kind::TcpFlags) => {
                let (values, valid) = self.numbers(name)?;
                let low = values.iter().map(|flags| flags & 0xff).collect();
                Some(Built::Numbers(low, selection(rows, valid)))
            }
            (_, Kind::Number(_) | Kind::Rate(_) | Kind::Mac | Kind::Flag) => {
                let (values, valid) = self.numbers(name)?;
                Some(Built::Numbers(values, selection(rows, valid)))
            }
            (_, Kind::Time) => None,
        }
    }

    fn numbers(&self, name: &str) -> Option<(ScalarBuffer<u64>, Option<NullBuffer>)> {
        let form = form_of(name)?;
        let array = self.batch.column_by_name(name)?;
        Some(Numbers::of(array, form).into_parts())
    }

    fn moment(&self, [millis, us, ns]: [&str; 3]) -> Option<(Vec<Moment>, Option<NullBuffer>)> {
        let (millis, valid) = self.numbers(millis)?;
        let (us, _) = self.numbers(us)?;
        let (ns, _) = self.numbers(ns)?;
        let parts = millis.iter().zip(us.iter()).zip(ns.iter());
        let moments = parts.map(|((millis, us), ns)| Moment {
            millis: *millis as i64,
            us: *us as u16,
            ns: *ns as u16,
        });
        Some((moments.collect(), valid))
    }

    /// The number of each row's flow id; `None` when the batch lacks what it follows from.
    pub(super) fn flow_numbers(&self) -> Option<Vec<u64>> {
        let flows = self.whole_flows("flow_id")?;
        Some(flows.iter().map(|flow| flow.id.0).collect())
    }

    /// Columns that are not stored but follow from the key and the start: they cost a record each, so ask last.
    fn derived(&self, name: &str) -> Option<Built> {
        let flows = self.whole_flows(name)?;
        let all = Selection::all(flows.len());
        Some(match name {
            "flow_start" => times(flows.iter().map(|flow| flow.flow_start)),
            "flow_id" => dictionary(flows.iter().map(|flow| flow.id.to_string()), all),
            _ => {
                let id = |flow: &FlowRecord| community(&flow.key);
                let valid = all.keep(|row| flows[row].key.is_ip());
                dictionary(flows.iter().map(|flow| id(flow).unwrap_or_default()), valid)
            }
        })
    }
}

impl ArrowColumns<'_> {
    /// Records with what this column follows from.
    fn whole_flows(&self, name: &str) -> Option<Vec<FlowRecord>> {
        let columns = physical(name);
        let indices = columns
            .iter()
            .map(|column| self.batch.schema_ref().index_of(column).ok());
        let indices: Vec<usize> = indices.collect::<Option<_>>()?;
        to_records(&self.batch.project(&indices).ok()?).ok()
    }
}

fn community(key: &FlowKey) -> Option<String> {
    community_id::of(key, 0)
}

/// The form of a physical column.
fn form_of(name: &str) -> Option<Form> {
    static FORMS: LazyLock<std::collections::HashMap<&'static str, Form>> =
        LazyLock::new(|| COLUMNS.iter().map(|column| (column.name, column.form)).collect());
    FORMS.get(name).copied()
}

fn times(times: impl Iterator<Item = Time>) -> Built {
    let nanos: Vec<i64> = times.map(|time| time.0).collect();
    let all = Selection::all(nanos.len());
    Built::Times(nanos, all)
}

pub(super) fn selection(rows: usize, valid: Option<NullBuffer>) -> Selection {
    match valid.filter(|valid| valid.null_count() > 0) {
        None => Selection::all(rows),
        Some(valid) => Selection::of_words(valid.inner().bit_chunks().iter_padded(), rows),
    }
}

/// Distinct texts in the order met; only rows in `valid` count.
pub(super) fn dictionary(texts: impl Iterator<Item = String>, valid: Selection) -> Built {
    let mut known = std::collections::HashMap::<Box<str>, u32>::new();
    let mut distinct: Vec<Box<str>> = Vec::new();
    let codes = texts.enumerate().map(|(row, text)| {
        if !valid.contains(row) {
            return 0;
        }
        *known.entry(text.as_str().into()).or_insert_with(|| {
            distinct.push(text.into());
            distinct.len() as u32 - 1
        })
    });
    let codes = codes.collect();
    Built::Texts(codes, distinct, valid)
}

/// A dictionary column as it lies in the batch.
pub(super) fn own_dictionary(array: &ArrayRef) -> Built {
    let any = array.as_any();
    let (keys, values): (Vec<u32>, &ArrayRef) =
        if let Some(words) = any.downcast_ref::<DictionaryArray<UInt8Type>>() {
            let keys = words.keys().values().iter();
            (keys.map(|key| u32::from(*key)).collect(), words.values())
        } else if let Some(texts) = any.downcast_ref::<DictionaryArray<Int32Type>>() {
            let keys = texts.keys().values().iter();
            (keys.map(|key| *key as u32).collect(), texts.values())
        } else {
            return Built::Missing;
        };
    let Some(texts) = values.as_any().downcast_ref::<StringArray>() else {
        return Built::Missing;
    };
    let texts = texts.iter().map(|text| text.unwrap_or_default().into()).collect();
    Built::Texts(keys, texts, selection(array.len(), array.nulls().cloned()))
}

impl Columns for ArrowColumns<'_> {
    fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    fn column(&self, name: &str) -> Slice<'_> {
        let Some(at) = FLOW_COLUMNS.iter().position(|column| column.name == name) else {
            return Slice::Missing;
        };
        let built = self.built[at].get_or_init(|| {
            let built = self.build(name, FLOW_COLUMNS[at].kind);
            built.unwrap_or(Built::Missing)
        });
        built.slice()
    }
}
