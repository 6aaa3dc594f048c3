//! `weir exporters --remote`.

use std::net::IpAddr;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::table;
use crate::fetch::server::Server;

/// What is told of each.
const COLUMNS: [&str; 9] = [
    "address",
    "state",
    "formats",
    "records_per_s",
    "records",
    "lost",
    "skew_s",
    "templates",
    "last",
];

/// The exporters of the server's site as text, or everything of them as JSON.
pub(crate) fn run(server: &Server, address: Option<IpAddr>, as_json: bool) -> Result<String> {
    let all = server.get("exporters", &[])?;
    let mut all = all.as_array().cloned().unwrap_or_default();
    if let Some(address) = address {
        all.retain(|one| one["address"] == address.to_string());
        if all.is_empty() {
            bail!("no exporter {address} is known there; without an address all are listed");
        }
    }
    if as_json {
        return Ok(all.iter().map(|one| format!("{one}\n")).collect());
    }
    let rows: Vec<Vec<Value>> = all.iter().map(row).collect();
    let columns = COLUMNS.map(str::to_owned);
    let mut text = table(&columns, &rows);
    text.push_str(&format!(
        "{} exporters; --output json has everything, by what the methods can see\n",
        rows.len()
    ));
    Ok(text)
}

fn row(one: &Value) -> Vec<Value> {
    let cell = |name: &&str| match &one[*name] {
        Value::Array(words) => json!(
            words
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join("+")
        ),
        Value::Number(number) if number.is_f64() => json!(number.as_f64().unwrap_or_default().round()),
        other => other.clone(),
    };
    COLUMNS.iter().map(cell).collect()
}
