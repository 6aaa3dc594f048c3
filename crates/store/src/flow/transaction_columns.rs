//! A batch of the transaction table as the filter language sees it. Key, moments and protocol are the columns they are
//! of flow records; the values of dissectors lie in one JSON text a row, and each distinct text is read once.

use std::cell::OnceCell;
use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{Array, DictionaryArray, RecordBatch, StringArray};
use serde_json::{Map, Value as Json};
use weir_model::{FlowId, Mac};
use weir_query::{Column, Columns, Kind, Selection, Slice, Unit, address, mac_number};

use super::ArrowColumns;
use super::columns::{Built, dictionary, own_dictionary, selection};

/// The number of the flow a transaction belongs to, for joining; people see `flow_id`, which is its text.
pub(super) const FLOW_NUMBER: Column = Column::derived("flow number", Kind::Number(Unit::Count));

/// A batch seen as columns of transactions.
pub(super) struct TransactionColumns<'a> {
    batch: &'a RecordBatch,
    shared: ArrowColumns<'a>,
    own: Vec<(Column, OnceCell<Built>)>,
    flow_number: OnceCell<Built>,
    flow_id: OnceCell<Built>,
    objects: OnceCell<Objects>,
}

/// The distinct objects of named values, and which one a row has.
struct Objects {
    codes: Vec<u32>,
    distinct: Vec<Map<String, Json>>,
    valid: Selection,
}

impl<'a> TransactionColumns<'a> {
    /// Sees the batch as columns; `own` are those beside the ones flow records have.
    pub(super) fn new(batch: &'a RecordBatch, own: &[Column]) -> Self {
        Self {
            batch,
            shared: ArrowColumns::new(batch),
            own: own.iter().map(|column| (*column, OnceCell::new())).collect(),
            flow_number: OnceCell::new(),
            flow_id: OnceCell::new(),
            objects: OnceCell::new(),
        }
    }

    fn flow_ids(&self) -> Option<&[u64]> {
        let column = self.batch.column_by_name("flow_id")?;
        Some(column.as_primitive_opt::<UInt64Type>()?.values())
    }

    fn objects(&self) -> &Objects {
        self.objects.get_or_init(|| objects(self.batch))
    }

    fn build(&self, column: &Column) -> Built {
        if matches!(column.name, "kind" | "outcome") {
            let found = self.batch.column_by_name(column.name);
            return found.map_or(Built::Missing, own_dictionary);
        }
        let objects = self.objects();
        let values: Vec<Option<&Json>> = objects
            .distinct
            .iter()
            .map(|object| object.get(column.name))
            .collect();
        match column.kind {
            Kind::Number(_) => objects.numbers(&values, Json::as_u64),
            Kind::Flag => objects.numbers(&values, |json| json.as_bool().map(u64::from)),
            Kind::Mac => objects.numbers(&values, |json| {
                let mac: Mac = json.as_str()?.parse().ok()?;
                Some(mac_number(mac))
            }),
            Kind::Address => {
                let addresses = |json: &Json| Some(address(json.as_str()?.parse().ok()?));
                let (found, valid) = objects.each(&values, addresses);
                Built::Addresses(found, valid)
            }
            Kind::Text => objects.texts(&values),
            Kind::Texts => objects.lists(&values),
            Kind::Rate(_) | Kind::Time | Kind::TcpFlags => Built::Missing,
        }
    }
}

fn objects(batch: &RecordBatch) -> Objects {
    let none = || Objects {
        codes: vec![0; batch.num_rows()],
        distinct: vec![Map::new()],
        valid: Selection::none(batch.num_rows()),
    };
    let Some(array) = batch.column_by_name("fields") else {
        return none();
    };
    let Some(texts) = array.as_any().downcast_ref::<DictionaryArray<Int32Type>>() else {
        return none();
    };
    let Some(distinct) = texts.values().as_any().downcast_ref::<StringArray>() else {
        return none();
    };
    let read = |text: Option<&str>| match serde_json::from_str(text.unwrap_or_default()) {
        Ok(Json::Object(object)) => object,
        _ => Map::new(),
    };
    Objects {
        codes: texts.keys().values().iter().map(|key| *key as u32).collect(),
        distinct: distinct.iter().map(read).collect(),
        valid: selection(array.len(), array.nulls().cloned()),
    }
}

impl Objects {
    /// The code of a row that has an object.
    fn code(&self, row: usize) -> Option<usize> {
        self.valid.contains(row).then(|| self.codes[row] as usize)
    }

    /// A value each row, and which rows have one.
    fn each<T: Copy + Default>(
        &self,
        values: &[Option<&Json>],
        read: impl Fn(&Json) -> Option<T>,
    ) -> (Vec<T>, Selection) {
        let read: Vec<Option<T>> = values.iter().map(|json| json.and_then(&read)).collect();
        let rows = self.codes.len();
        let found = |row: usize| self.code(row).and_then(|code| read[code]);
        let valid = Selection::from_fn(rows, |row| found(row).is_some());
        (
            (0..rows).map(|row| found(row).unwrap_or_default()).collect(),
            valid,
        )
    }

    fn numbers(&self, values: &[Option<&Json>], read: impl Fn(&Json) -> Option<u64>) -> Built {
        let (numbers, valid) = self.each(values, read);
        Built::Numbers(numbers.into(), valid)
    }

    fn texts(&self, values: &[Option<&Json>]) -> Built {
        let text = |row: usize| self.code(row).and_then(|code| values[code]?.as_str());
        let valid = Selection::from_fn(self.codes.len(), |row| text(row).is_some());
        let texts = (0..self.codes.len()).map(|row| text(row).unwrap_or_default().to_owned());
        dictionary(texts, valid)
    }

    fn lists(&self, values: &[Option<&Json>]) -> Built {
        let mut known = HashMap::<Vec<Box<str>>, u32>::new();
        let mut distinct = Vec::new();
        let of_object: Vec<Option<u32>> = values
            .iter()
            .map(|json| {
                let texts = json.as_ref()?.as_array()?.iter().filter_map(Json::as_str);
                let list: Vec<Box<str>> = texts.map(Box::from).collect();
                // An empty list is no value.
                list.first()?;
                let next = distinct.len() as u32;
                Some(*known.entry(list.clone()).or_insert_with(|| {
                    distinct.push(list);
                    next
                }))
            })
            .collect();
        let code = |row: usize| self.code(row).and_then(|code| of_object[code]);
        let valid = Selection::from_fn(self.codes.len(), |row| code(row).is_some());
        let codes = (0..self.codes.len()).map(|row| code(row).unwrap_or(0));
        Built::Lists(codes.collect(), distinct, valid)
    }
}

impl Columns for TransactionColumns<'_> {
    fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    fn column(&self, name: &str) -> Slice<'_> {
        let all = || Selection::all(self.batch.num_rows());
        if name == FLOW_NUMBER.name {
            let built = self.flow_number.get_or_init(|| match self.flow_ids() {
                Some(ids) => Built::Numbers(ids.to_vec().into(), all()),
                None => Built::Missing,
            });
            return built.slice();
        }
        if name == "flow_id" {
            let built = self.flow_id.get_or_init(|| match self.flow_ids() {
                Some(ids) => dictionary(ids.iter().map(|id| FlowId(*id).to_string()), all()),
                None => Built::Missing,
            });
            return built.slice();
        }
        match self.own.iter().find(|(column, _)| column.name == name) {
            Some((column, cell)) => cell.get_or_init(|| self.build(column)).slice(),
            None => self.shared.column(name),
        }
    }
}
