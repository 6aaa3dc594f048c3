//! `weir flows --remote`: those questions that the interface of a server answers.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use weir_model::Time;
use weir_output::stamp::rfc3339;

use super::{FlowsArgs, Form, TOP_DEFAULT, usage, when, words};
use crate::cli::remote::flows::{self, Question};
use crate::fetch::server::Server;

/// Records of a list when `-c` does not say, and at most.
const LIST_DEFAULT: usize = 100;
const LIST_MAX: usize = 1000;

/// Asks the server and prints what it answers.
pub(super) fn run(args: &FlowsArgs, server: &Server) -> Result<ExitCode> {
    let form = match args.form {
        Form::Text => flows::Form::Text,
        Form::Json => flows::Form::Json,
        Form::Csv => flows::Form::Csv,
        _ => return Err(usage("a server answers as text, json or csv").into()),
    };
    for (asked, flag) in [
        (args.connections, "-a"),
        (args.biflows, "-b"),
        (args.exists, "--exists"),
        (args.info, "--info"),
        (args.one_way, "--one-way"),
        (args.transactions, "--transactions"),
        (args.show.is_some(), "--show"),
        (args.write.is_some(), "-w"),
        (args.statistics.len() > 1, "a second -s"),
    ] {
        if asked {
            let why =
                format!("{flag} is not for --remote: a server answers lists, one -s or -A, and --series");
            return Err(usage(why).into());
        }
    }
    let (question, mut asked) = question(args)?;
    asked.push(("filter", args.filter.join(" ")));
    asked.extend(window(args)?);
    let text = flows::run(server, &question, &asked, form)?;
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What is asked, in the words of the interface.
fn question(args: &FlowsArgs) -> Result<(Question, Vec<(&'static str, String)>)> {
    let (keys, order) = match (&args.aggregate, args.statistics.first()) {
        (Some(fields), _) => (words(args).keys(fields).map_err(usage)?, args.order.clone()),
        (None, Some(statistic)) => {
            let statistic = words(args).statistic(statistic).map_err(usage)?;
            let order = statistic.orders.first().map(|order| order.name.clone());
            (statistic.keys, order)
        }
        (None, None) => return list_or_series(args),
    };
    if args.series.is_some() {
        bail!("groups over time are not for --remote; take --series alone");
    }
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let top = match args.top.unwrap_or(TOP_DEFAULT) {
        0 => LIST_MAX,
        top => top.min(LIST_MAX),
    };
    let mut asked = vec![("by", names.join(",")), ("limit", top.to_string())];
    asked.extend(order.map(|order| ("order", order)));
    Ok((Question::Groups, asked))
}

fn list_or_series(args: &FlowsArgs) -> Result<(Question, Vec<(&'static str, String)>)> {
    if let Some(step) = &args.series {
        let step_ns = when::length(step)
            .ok_or_else(|| usage(format!("{step:?} is no length of time; say 5m or 1h")))?;
        return Ok((
            Question::Series,
            vec![("step", (step_ns / 1_000_000_000).max(1).to_string())],
        ));
    }
    let count = args.count.unwrap_or(LIST_DEFAULT).clamp(1, LIST_MAX);
    let mut asked = vec![("limit", count.to_string())];
    asked.extend(args.order.clone().map(|order| ("sort", order)));
    Ok((Question::List, asked))
}

/// The window of time; without one the server takes the last day.
fn window(args: &FlowsArgs) -> Result<Vec<(&'static str, String)>> {
    let Some(text) = &args.time else {
        return Ok(Vec::new());
    };
    let window = when::window(text, crate::cli::events::now().0).map_err(usage)?;
    let mut asked = vec![("since", rfc3339(Time(window.start.max(0))))];
    if window.end < i64::MAX {
        asked.push(("until", rfc3339(Time(window.end))));
    }
    Ok(asked)
}
