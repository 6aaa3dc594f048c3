//! Transactions in print: one line each for people, one JSON object each for programs, or rows of the store's own layout.

use std::io::Write;

use anyhow::Result;
use weir_model::{Transaction, Value};
use weir_output::escape::shown;
use weir_output::{csv, json, stamp};
use weir_store::flow::search::TransactionRows;

use super::Form;
use super::ask::dissected;

/// Prints the rows of a list.
pub(super) fn show(form: Form, rows: &TransactionRows, out: &mut impl Write) -> Result<()> {
    if form == Form::Parquet {
        return Ok(out.write_all(&rows.to_parquet()?)?);
    }
    let field = |name: &str| dissected().find(|field| field.name == name);
    let all = rows.transactions(field)?;
    if form == Form::Csv {
        writeln!(
            out,
            "start,end,flow_id,app,kind,outcome,src_ip,src_port,dst_ip,dst_port,fields"
        )?;
    }
    for one in &all {
        let line = match form {
            Form::Json => json::transaction(one),
            Form::Csv => comma_separated(one),
            _ => readable(one),
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// `dns.query=example.com dns.type=A`.
fn values(one: &Transaction) -> String {
    let fields = one
        .fields
        .iter()
        .map(|(field, value)| format!("{}={}", field.name, text(value)));
    fields.collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::Ip(ip) => ip.to_string(),
        Value::Mac(mac) => mac.to_string(),
        Value::Texts(all) => all.join(","),
    }
}

fn readable(one: &Transaction) -> String {
    let key = &one.key;
    format!(
        "{}  {:<8} {:<9} {:<8}  {} -> {}  {}",
        stamp::rfc3339(one.start),
        one.protocol.word(),
        one.kind.word(),
        one.outcome.word().unwrap_or("-"),
        std::net::SocketAddr::new(key.initiator_ip, key.initiator_port),
        std::net::SocketAddr::new(key.responder_ip, key.responder_port),
        shown(&values(one)),
    )
}

fn comma_separated(one: &Transaction) -> String {
    let key = &one.key;
    let cells = [
        stamp::rfc3339(one.start),
        stamp::rfc3339(one.end),
        one.flow.to_string(),
        one.protocol.word().to_owned(),
        one.kind.word().to_owned(),
        one.outcome.word().unwrap_or_default().to_owned(),
        key.initiator_ip.to_string(),
        key.initiator_port.to_string(),
        key.responder_ip.to_string(),
        key.responder_port.to_string(),
        values(one),
    ];
    cells.map(|cell| csv::cell(&cell)).join(",")
}
