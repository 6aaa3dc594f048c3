//! `weir flows --remote`: records, groups and series as the interface answers them.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{csv, objects, table};
use crate::fetch::server::Server;

/// Columns of a list of records, for people and as CSV; JSON has all.
const COLUMNS: [&str; 11] = [
    "start",
    "proto",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "src_packets",
    "src_bytes",
    "dst_packets",
    "dst_bytes",
    "conn_state",
];

/// How answers are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    Csv,
}

/// What is asked.
pub(crate) enum Question {
    List,
    Groups,
    Series,
}

/// Asks, and prints the answer.
pub(crate) fn run(
    server: &Server,
    question: &Question,
    words: &[(&str, String)],
    form: Form,
) -> Result<String> {
    let path = match question {
        Question::List => "flows",
        Question::Groups => "flows/groups",
        Question::Series => "flows/series",
    };
    let answer = server.get(path, words)?;
    let list = |name: &str| {
        answer[name]
            .as_array()
            .with_context(|| format!("the server's answer has no {name}"))
    };
    if matches!(question, Question::List) {
        let flows = list("flows")?;
        if form == Form::Json {
            return Ok(flows.iter().map(|flow| format!("{flow}\n")).collect());
        }
        let rows: Vec<Vec<Value>> = flows
            .iter()
            .map(|flow| COLUMNS.iter().map(|name| flow[*name].clone()).collect())
            .collect();
        return Ok(shown(&COLUMNS.map(str::to_owned), &rows, form));
    }
    let columns: Vec<String> = list("columns")?
        .iter()
        .filter_map(|column| column["name"].as_str().map(str::to_owned))
        .collect();
    let rows: Vec<Vec<Value>> = list("rows")?
        .iter()
        .filter_map(Value::as_array)
        .cloned()
        .collect();
    Ok(shown(&columns, &rows, form))
}

fn shown(columns: &[String], rows: &[Vec<Value>], form: Form) -> String {
    match form {
        Form::Text => table(columns, rows),
        Form::Json => objects(columns, rows),
        Form::Csv => csv(columns, rows),
    }
}
