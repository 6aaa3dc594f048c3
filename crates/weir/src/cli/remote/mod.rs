//! Commands that ask a `weir serve` elsewhere in the place of a store of this machine: `--remote URL` with a token. What they
//! print looks as it does for a store; what only a store can answer is refused.

pub(super) mod events;
pub(super) mod exporters;
pub(super) mod flows;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use crate::fetch::server::Server;

/// Where to ask.
#[derive(Args)]
#[command(next_help_heading = "A server elsewhere")]
pub(super) struct RemoteArgs {
    /// Ask this `weir serve`, for example https://weir.example:8844; the environment's WEIR_REMOTE.
    #[arg(long, value_name = "URL", global = true)]
    remote: Option<String>,
    /// File with an API token of it; the environment's WEIR_TOKEN_FILE when absent.
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) trusted beside the system's: of a server that made its own.
    #[arg(long, value_name = "FILE", global = true)]
    remote_ca: Option<PathBuf>,
}

impl RemoteArgs {
    /// The server, where one is meant. `local`: something of this machine was named, which the environment does not outdo.
    pub(super) fn server(&self, local: bool, site: Option<&str>) -> Result<Option<Server>> {
        let named = self.remote.clone();
        let Some(remote) = named.or_else(|| (!local).then(|| std::env::var("WEIR_REMOTE").ok()).flatten())
        else {
            return Ok(None);
        };
        let token = self.token_file.clone();
        let token = token.or_else(|| std::env::var_os("WEIR_TOKEN_FILE").map(PathBuf::from));
        let token = token.context("say where the token is: --token-file FILE, or WEIR_TOKEN_FILE")?;
        Server::new(&remote, &token, site, self.remote_ca.as_deref()).map(Some)
    }
}

/// A cell as people and CSV have it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Columns of equal width; numbers to the right.
fn table(columns: &[String], rows: &[Vec<Value>]) -> String {
    let width = |at: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(at))
            .map(|value| cell(value).chars().count());
        cells.max().unwrap_or(0).max(columns[at].chars().count())
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: Vec<(String, bool)>| {
        let cells = cells
            .iter()
            .zip(&widths)
            .map(|((cell, right), width)| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    };
    let numbers: Vec<bool> = (0..columns.len())
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .all(|value| value.is_number() || value.is_null())
        })
        .collect();
    line(columns.iter().cloned().zip(numbers.iter().copied()).collect());
    for row in rows {
        // What strangers wrote must not move the cursor.
        let cells = row.iter().map(|value| {
            cell(value)
                .escape_debug()
                .to_string()
                .replace("\\'", "'")
                .replace("\\\"", "\"")
        });
        line(cells.zip(numbers.iter().copied()).collect());
    }
    text
}

/// The same as comma-separated values.
fn csv(columns: &[String], rows: &[Vec<Value>]) -> String {
    let line = |cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| weir_output::csv::cell(cell)).collect();
        cells.join(",") + "\n"
    };
    let body = rows.iter().map(|row| line(row.iter().map(cell).collect()));
    std::iter::once(line(columns.to_vec())).chain(body).collect()
}

/// The same as one object a line; what is absent is left out.
fn objects(columns: &[String], rows: &[Vec<Value>]) -> String {
    let object = |row: &Vec<Value>| {
        let pairs = columns.iter().cloned().zip(row.iter().cloned());
        Value::Object(pairs.filter(|(_, value)| !value.is_null()).collect()).to_string() + "\n"
    };
    rows.iter().map(object).collect()
}
