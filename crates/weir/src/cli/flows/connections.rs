//! `-b`: a connection is one line, also where its directions came as records that nobody paired.

use std::collections::HashMap;

use weir_query::Scalar;
use weir_store::flow::search::Table;

use super::ask::FIVE_TUPLE;

type Row = Vec<Option<Scalar<'static>>>;

/// Connections whose two directions are lines of their own (records that were never paired) become one line: the one
/// seen first keeps its direction.
pub(super) fn one_line_each(table: &mut Table) {
    let at = |name: &str| table.columns.iter().position(|column| column.name == name);
    let keys: Vec<usize> = FIVE_TUPLE.iter().filter_map(|name| at(name)).collect();
    let [proto, src, src_port, dst, dst_port] = keys[..] else {
        return;
    };
    let added: Vec<usize> = ["flows", "packets", "bytes"]
        .iter()
        .filter_map(|name| at(name))
        .collect();
    let (Some(first), Some(last)) = (at("first"), at("last")) else {
        return;
    };
    let key =
        |row: &[Option<Scalar<'static>>], order: [usize; 5]| format!("{:?}", order.map(|at| row[at].clone()));
    let mut seen = HashMap::<String, usize>::new();
    let mut merged: Vec<Row> = Vec::new();
    for mut row in std::mem::take(&mut table.rows) {
        let mirrored = key(&row, [proto, dst, dst_port, src, src_port]);
        let Some(known) = seen.get(&mirrored) else {
            seen.insert(key(&row, [proto, src, src_port, dst, dst_port]), merged.len());
            merged.push(row);
            continue;
        };
        let other = &mut merged[*known];
        if moment(&row[first]) < moment(&other[first]) {
            std::mem::swap(&mut row, other);
        }
        for at in &added {
            if let (Some(Scalar::Number(own)), Some(Scalar::Number(more))) = (&mut other[*at], &row[*at]) {
                *own = own.saturating_add(*more);
            }
        }
        if moment(&row[last]) > moment(&other[last]) {
            other[last] = row[last].clone();
        }
    }
    for row in &mut merged {
        rates(row, at);
    }
    table.rows = merged;
}

fn moment(cell: &Option<Scalar<'static>>) -> Option<i64> {
    match cell {
        Some(Scalar::Time(time)) => Some(*time),
        _ => None,
    }
}

/// Works the quotients out anew after counts were added.
fn rates(row: &mut [Option<Scalar<'static>>], at: impl Fn(&str) -> Option<usize>) {
    let number = |row: &[Option<Scalar<'static>>], name: &str| match at(name).map(|at| &row[at]) {
        Some(Some(Scalar::Number(number))) => *number as f64,
        _ => 0.0,
    };
    let time =
        |row: &[Option<Scalar<'static>>], name: &str| at(name).and_then(|at| moment(&row[at])).unwrap_or(0);
    let nanos = time(row, "last").saturating_sub(time(row, "first")) as f64;
    let (packets, bytes) = (number(row, "packets"), number(row, "bytes"));
    let quotients = [
        ("pps", packets * 1e9, nanos),
        ("bps", bytes * 8e9, nanos),
        ("bpp", bytes, packets),
    ];
    for (name, part, whole) in quotients {
        if let Some(at) = at(name) {
            row[at] = (whole > 0.0).then(|| Scalar::Rate(part / whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_query::{Kind, Unit};
    use weir_store::flow::search::AnswerColumn;

    use super::*;

    #[test]
    fn two_directions_are_one_line() {
        let count = Kind::Number(Unit::Count);
        let columns = FIVE_TUPLE.map(|name| {
            (
                name,
                if name.ends_with("ip") {
                    Kind::Address
                } else {
                    count
                },
            )
        });
        let figures = [
            ("flows", count),
            ("packets", count),
            ("bytes", count),
            ("first", Kind::Time),
            ("last", Kind::Time),
            ("pps", Kind::Rate(Unit::Count)),
            ("bpp", Kind::Rate(Unit::Count)),
        ];
        let all = columns.into_iter().chain(figures);
        let number = |number| Some(Scalar::Number(number));
        let row = |[src, src_port, dst, dst_port]: [u64; 4], packets, first: i64, last: i64| {
            vec![
                number(6),
                Some(Scalar::Address(src.into())),
                number(src_port),
                Some(Scalar::Address(dst.into())),
                number(dst_port),
                number(1),
                number(packets),
                number(packets * 100),
                Some(Scalar::Time(first)),
                Some(Scalar::Time(last)),
                None,
                None,
            ]
        };
        let mut table = Table {
            columns: all
                .map(|(name, kind)| AnswerColumn {
                    name: name.to_owned(),
                    kind,
                })
                .collect(),
            rows: vec![
                row([9, 443, 5, 1024], 3, 2_000, 1_000_000_000),
                row([5, 1024, 9, 443], 2, 0, 900),
                row([5, 1025, 9, 443], 1, 0, 0),
            ],
            groups: 3,
            rest: Vec::new(),
        };
        one_line_each(&mut table);
        let mut joined = row([5, 1024, 9, 443], 5, 0, 1_000_000_000);
        joined[5] = number(2);
        joined[10] = Some(Scalar::Rate(5.0));
        joined[11] = Some(Scalar::Rate(100.0));
        let mut alone = row([5, 1025, 9, 443], 1, 0, 0);
        alone[11] = Some(Scalar::Rate(100.0));
        assert_eq!(table.rows, vec![joined, alone]);
    }
}
