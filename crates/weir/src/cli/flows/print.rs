//! Answers on paper: tables for people with nfdump's figures, NDJSON and CSV for programs, and bars over time.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Map, Value, json};
use weir_model::elements::flags_text;
use weir_model::{FlowRecord, Time};
use weir_output::escape::shown;
use weir_output::{csv, stamp};
use weir_query::{Kind, Scalar, Unit};
use weir_store::flow::search::{AnswerColumn, Table};

type Cell = Option<Scalar<'static>>;

/// An address of its number.
fn ip(number: u128) -> IpAddr {
    let six = Ipv6Addr::from_bits(number);
    six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4)
}

fn mac(number: u64) -> String {
    let bytes = number.to_be_bytes();
    let parts: Vec<String> = bytes[2..].iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

/// A cell for programs.
fn exact(cell: &Scalar<'_>, kind: Kind) -> Value {
    match cell {
        Scalar::Number(bits) if kind == Kind::TcpFlags => flags_text(*bits as u16).into(),
        Scalar::Number(number) => (*number).into(),
        Scalar::Rate(rate) => json!(rate),
        Scalar::Time(time) => stamp::rfc3339(Time(*time)).into(),
        Scalar::Address(number) => ip(*number).to_string().into(),
        Scalar::Mac(number) => mac(*number).into(),
        Scalar::Flag(flag) => (*flag).into(),
        Scalar::Text(text) => text.to_string().into(),
        Scalar::Texts(all) => all.iter().map(|text| text.to_string()).collect::<Vec<_>>().into(),
    }
}

/// One JSON object a line; what is absent is left out.
pub(in crate::cli) fn json(table: &Table, out: &mut impl Write) -> io::Result<()> {
    for row in &table.rows {
        let cells = table.columns.iter().zip(row);
        let object: Map<String, Value> = cells
            .filter_map(|(column, cell)| {
                let cell = cell.as_ref()?;
                Some((column.name.clone(), exact(cell, column.kind)))
            })
            .collect();
        writeln!(out, "{}", Value::Object(object))?;
    }
    Ok(())
}

/// RFC 4180 with a header.
pub(in crate::cli) fn csv(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let names = table.columns.iter().map(|column| csv::cell(&column.name));
    writeln!(out, "{}", names.collect::<Vec<_>>().join(","))?;
    for row in &table.rows {
        let cells = table.columns.iter().zip(row).map(|(column, cell)| {
            cell.as_ref()
                .map_or_else(String::new, |cell| match exact(cell, column.kind) {
                    Value::String(text) => csv::cell(&text),
                    other => other.to_string(),
                })
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

/// A number as nfdump scales it: `999999`, `1.2 M`, `3.4 G`.
fn scaled(number: f64) -> String {
    for (unit, factor) in [("T", 1e12), ("G", 1e9), ("M", 1e6)] {
        if number >= factor {
            return format!("{:.1} {unit}", number / factor);
        }
    }
    if number >= 100.0 || number.fract() == 0.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.1}")
    }
}

/// `2026-11-22 03:04:05.678`.
fn moment(time: i64) -> String {
    let millis = time.div_euclid(1_000_000).rem_euclid(1000);
    format!("{}.{millis:03}", stamp::short(Time(time)))
}

fn seconds(nanos: f64) -> String {
    format!("{:.3}", nanos / 1e9)
}

/// Round trips and response times.
fn milliseconds(micros: f64) -> String {
    format!("{:.3} ms", micros / 1e3)
}

/// Name of an IP protocol as people know it.
fn protocol(number: u64) -> String {
    weir_query::protocol_name(number).map_or_else(|| number.to_string(), str::to_uppercase)
}

/// A cell for people.
fn readable(cell: &Cell, column: &AnswerColumn) -> String {
    let Some(cell) = cell else {
        return "-".to_owned();
    };
    match (cell, column.kind) {
        (Scalar::Number(nanos), Kind::Number(Unit::Nanos)) => seconds(*nanos as f64),
        (Scalar::Rate(nanos), Kind::Rate(Unit::Nanos)) => seconds(*nanos),
        (Scalar::Number(micros), Kind::Number(Unit::Micros)) => milliseconds(*micros as f64),
        (Scalar::Rate(micros), Kind::Rate(Unit::Micros)) => milliseconds(*micros),
        (Scalar::Number(bits), Kind::TcpFlags) => flags_text(*bits as u16),
        (Scalar::Number(number), _) if column.name == "proto" => protocol(*number),
        (Scalar::Number(number), _) if is_name(&column.name) => number.to_string(),
        (Scalar::Number(number), _) => scaled(*number as f64),
        (Scalar::Rate(rate), _) => scaled(*rate),
        (Scalar::Time(time), _) => moment(*time),
        (Scalar::Address(number), _) => ip(*number).to_string(),
        (Scalar::Mac(number), _) => mac(*number),
        (Scalar::Flag(flag), _) => if *flag { "yes" } else { "no" }.to_owned(),
        (Scalar::Text(text), _) => shown(text).into_owned(),
        (Scalar::Texts(all), _) => shown(&all.join(" ")).into_owned(),
    }
}

/// Numbers that name something are not scaled.
fn is_name(column: &str) -> bool {
    [
        "port",
        "vlan",
        "ethertype",
        "ttl",
        "tos",
        "type",
        "code",
        "reason",
    ]
    .iter()
    .any(|ending| column.ends_with(ending))
}

/// A table for people. `totals` are the figures of all rows that fit, by name: shares stand behind what they know.
pub(in crate::cli) fn text(table: &Table, totals: &[(String, u64)], out: &mut impl Write) -> io::Result<()> {
    let cells: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| {
            let cells = table.columns.iter().zip(row);
            cells
                .map(|(column, cell)| with_share(cell, column, totals))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let own = cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
            own.max(column.name.len())
        })
        .collect();
    let left =
        |column: &AnswerColumn| matches!(column.kind, Kind::Text | Kind::Time | Kind::Address | Kind::Mac);
    let line = |texts: Vec<&str>, out: &mut dyn Write| {
        let padded = texts.into_iter().zip(&widths).zip(&table.columns);
        let padded = padded.map(|((text, width), column)| {
            if left(column) {
                format!("{text:<width$}")
            } else {
                format!("{text:>width$}")
            }
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", line.trim_end())
    };
    line(
        table.columns.iter().map(|column| column.name.as_str()).collect(),
        out,
    )?;
    for row in &cells {
        line(row.iter().map(String::as_str).collect(), out)?;
    }
    Ok(())
}

fn with_share(cell: &Cell, column: &AnswerColumn, totals: &[(String, u64)]) -> String {
    let text = readable(cell, column);
    let total = totals
        .iter()
        .find(|(name, total)| *name == column.name && *total > 0);
    match (cell, total) {
        (Some(Scalar::Number(number)), Some((_, total))) => {
            format!("{text}({:.1})", *number as f64 * 100.0 / *total as f64)
        }
        _ => text,
    }
}

/// A series with a bar for the figure at `column`.
pub(in crate::cli) fn bars(
    table: &Table,
    column: usize,
    width: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let number = |cell: &Cell| match cell {
        Some(Scalar::Number(number)) => *number as f64,
        Some(Scalar::Rate(rate)) => *rate,
        _ => 0.0,
    };
    let most = table
        .rows
        .iter()
        .map(|row| number(&row[column]))
        .fold(0.0, f64::max);
    let cells: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| {
            row.iter()
                .zip(&table.columns)
                .map(|(cell, column)| readable(cell, column))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|at| {
            let own = cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
            own.max(table.columns[at].name.len())
        })
        .collect();
    let room = width
        .saturating_sub(widths.iter().sum::<usize>() + 2 * widths.len())
        .clamp(10, 120);
    let mut header: Vec<String> = Vec::new();
    for (column, width) in table.columns.iter().zip(&widths) {
        header.push(format!("{:>width$}", column.name));
    }
    writeln!(out, "{}", header.join("  "))?;
    for (row, cells) in table.rows.iter().zip(&cells) {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{text:>width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        let bar = if most > 0.0 {
            bar(number(&row[column]) / most, room)
        } else {
            String::new()
        };
        writeln!(out, "{}", format!("{line}  {bar}").trim_end())?;
    }
    Ok(())
}

/// A bar of eighths of a character.
fn bar(share: f64, room: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * room as f64 * 8.0).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// How records look in text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Both directions on one line.
    Biline,
    /// nfdump's `line`, and `long` with flags and type of service.
    Line,
    Long,
}

/// The header over records.
pub(super) fn heading(look: Look) -> &'static str {
    match look {
        Look::Biline => {
            concat!(
                "Date first seen          Duration Proto  Initiator                    Responder       ",
                "           Flags out Flags in   Out Pkt    In Pkt  Out Byte   In Byte  App",
            )
        }
        Look::Line => {
            concat!(
                "Date first seen          Duration Proto      Src IP Addr:Port          ",
                "Dst IP Addr:Port   Packets    Bytes Flows",
            )
        }
        Look::Long => {
            concat!(
                "Date first seen          Duration Proto      Src IP Addr:Port          ",
                "Dst IP Addr:Port     Flags Tos  Packets    Bytes Flows",
            )
        }
    }
}

/// One record for people.
pub(super) fn record(flow: &FlowRecord, look: Look) -> String {
    let key = &flow.key;
    let side = |ip: IpAddr, port: u16| match ip {
        IpAddr::V6(ip) => format!("{ip}.{port}"),
        IpAddr::V4(ip) => format!("{ip}:{port}"),
    };
    let (src, dst) = (
        side(key.initiator_ip, key.initiator_port),
        side(key.responder_ip, key.responder_port),
    );
    let begin = moment(flow.start.0);
    let length = seconds(flow.end.since(flow.start) as f64);
    let proto = protocol(key.proto.into());
    let flags = |bits: u16| {
        if key.proto == weir_model::proto::TCP {
            flags_text(bits)
        } else {
            "......".to_owned()
        }
    };
    let (packets, bytes) = (
        scaled(flow.forward.packets as f64),
        scaled(flow.forward.bytes as f64),
    );
    match look {
        Look::Line => {
            format!("{begin} {length:>9} {proto:<5} {src:>21} -> {dst:>21} {packets:>8} {bytes:>8}     1")
        }
        Look::Long => format!(
            "{begin} {length:>9} {proto:<5} {src:>21} -> {dst:>21} {} {:>3} {packets:>8} {bytes:>8}     1",
            flags(flow.forward_flags),
            flow.tos
        ),
        Look::Biline => {
            let back = |count: fn(&weir_model::Counters) -> u64| {
                flow.reverse
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |back| scaled(count(back) as f64))
            };
            let arrow = if flow.answered() { "<->" } else { " ->" };
            let app = flow.protocol.map_or("", |app| app.word());
            let line = format!(
                "{begin} {length:>9} {proto:<5} {src:>21} {arrow} {dst:<21} {:>9} {:>9} {packets:>9} {:>9} {bytes:>9} {:>9}  {app}",
                flags(flow.forward_flags),
                flags(flow.reverse_flags),
                back(|back| back.packets),
                back(|back| back.bytes),
            );
            line.trim_end().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_nfdump_scales_them() {
        for (number, text) in [
            (0.0, "0"),
            (999_999.0, "999999"),
            (1_234_567.0, "1.2 M"),
            (7e9, "7.0 G"),
            (3.25, "3.2"),
        ] {
            assert_eq!(scaled(number), text);
        }
        assert_eq!(moment(1_795_321_800_123_456_789), "2026-11-22 04:30:00.123");
        assert_eq!((bar(1.0, 3), bar(0.5, 3)), ("███".to_owned(), "█▌".to_owned()));
    }

    #[test]
    fn a_table_for_everyone() {
        let column = |name: &str, kind| AnswerColumn {
            name: name.to_owned(),
            kind,
        };
        let table = Table {
            columns: vec![
                column("src_ip", Kind::Address),
                column("bytes", Kind::Number(Unit::Bytes)),
                column("app", Kind::Text),
            ],
            rows: vec![
                vec![
                    Some(Scalar::Address(0xffff_0a00_0001)),
                    Some(Scalar::Number(3_000_000)),
                    Some(Scalar::Text("=dns\u{1b}".into())),
                ],
                vec![None, Some(Scalar::Number(5)), None],
            ],
            groups: 2,
            rest: Vec::new(),
        };
        let printed = |print: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
            let mut out = Vec::new();
            print(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let totals = [("bytes".to_owned(), 6_000_000)];
        assert_eq!(
            printed(&|out| text(&table, &totals, out)),
            "src_ip          bytes  app\n10.0.0.1  3.0 M(50.0)  =dns\\u{1b}\n-              5(0.0)  -\n"
        );
        assert_eq!(
            printed(&|out| csv(&table, out)),
            "src_ip,bytes,app\n10.0.0.1,3000000,'=dns\u{1b}\n,5,\n"
        );
        assert_eq!(
            printed(&|out| json(&table, out)),
            "{\"app\":\"=dns\\u001b\",\"bytes\":3000000,\"src_ip\":\"10.0.0.1\"}\n{\"bytes\":5}\n"
        );
    }
}
