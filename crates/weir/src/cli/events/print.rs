//! What `weir events` prints: text for people, JSON lines and CSV for programs. Text that came from traffic is escaped.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::{Value, json};
use weir_model::{NANOS_PER_S, Priority, Time};
use weir_output::csv;
use weir_output::escape::shown;
use weir_output::stamp;
use weir_output::text::colour;
use weir_store::event::{AuditEntry, Chain, Detail, Page, Row, Step};

/// Letters of an id that a list shows: the millisecond and twelve random bits.
const ID_SHOWN: usize = 18;
/// Columns of the longest bar of a histogram.
const BAR_MAX: usize = 50;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
    /// One line per row, with a header.
    Csv,
}

pub(super) fn list(
    out: &mut impl Write,
    form: Form,
    page: &Page,
    total: i64,
    colour: bool,
) -> io::Result<()> {
    match form {
        Form::Json => page.rows.iter().try_for_each(|row| json_line(out, row))?,
        Form::Csv => {
            writeln!(
                out,
                "id,detected,priority,risk,method,submethod,source_ip,source_mac,target_count,state,workflow,\
                 false_positive,assignee,labels,reason"
            )?;
            for row in &page.rows {
                csv_line(out, &columns(row))?;
            }
        }
        Form::Text => {
            for row in &page.rows {
                headline(out, row, colour)?;
            }
            let shown = page.rows.len();
            writeln!(out, "{shown} of {total} events")?;
            if let Some(next) = &page.next {
                writeln!(out, "go on with --after {next}")?;
            }
        }
    }
    Ok(())
}

fn columns(row: &Row) -> [String; 15] {
    let maybe = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        row.id.clone(),
        row.detected.clone(),
        row.priority.to_owned(),
        row.risk.to_string(),
        row.method.clone(),
        row.submethod.clone(),
        maybe(&row.source_ip),
        maybe(&row.source_mac),
        row.target_count.to_string(),
        row.state.clone(),
        row.workflow.clone(),
        row.false_positive.to_string(),
        maybe(&row.assignee),
        row.labels.join(" "),
        row.reason.clone(),
    ]
}

/// Two lines: what, when, who, how far; and why.
fn headline(out: &mut impl Write, row: &Row, coloured: bool) -> io::Result<()> {
    let priority = Priority::from_word(row.priority).unwrap_or(Priority::Informational);
    let (on, off) = if coloured {
        (colour(priority), "\x1b[0m")
    } else {
        ("", "")
    };
    let mut marks = vec![row.state.as_str(), row.workflow.as_str()];
    if row.false_positive {
        marks.push("false positive");
    }
    if row.pinned {
        marks.push("pinned");
    }
    marks.extend(row.assignee.as_deref());
    let labels: String = row.labels.iter().map(|label| format!(" [{label}]")).collect();
    writeln!(
        out,
        "{}  {on}{:<13}{off} {}  {}.{}  {}{}",
        row.id.get(..ID_SHOWN).unwrap_or(&row.id),
        row.priority.to_uppercase(),
        seconds(&row.detected),
        shown(&row.method),
        shown(&row.submethod),
        shown(&marks.join(", ")),
        shown(&labels),
    )?;
    writeln!(out, "    {}", shown(&row.reason))
}

pub(super) fn detail(out: &mut impl Write, form: Form, detail: &Detail, coloured: bool) -> io::Result<()> {
    let row = &detail.row;
    match form {
        Form::Json => {
            let mut kept = serde_json::to_value(detail).unwrap_or_default();
            if let Value::Object(kept) = &mut kept {
                let event: Value = serde_json::from_str(&detail.document).unwrap_or_default();
                kept.insert("event".to_owned(), event);
            }
            writeln!(out, "{kept}")
        }
        Form::Csv => list(
            out,
            form,
            &Page {
                rows: vec![row.clone()],
                next: None,
            },
            1,
            false,
        ),
        Form::Text => {
            headline(out, row, coloured)?;
            let source = [
                &row.source_ip,
                &row.source_mac,
                &row.source_name,
                &row.source_user,
            ];
            let source: Vec<&str> = source.into_iter().flatten().map(String::as_str).collect();
            let end = row.ended.as_deref().unwrap_or("goes on");
            for (name, value) in [
                ("id", row.id.clone()),
                ("title", row.title.clone()),
                ("source", source.join(", ")),
                ("targets", row.target_count.to_string()),
                (
                    "risk",
                    format!("{} (probability {} %)", row.risk, row.probability),
                ),
                ("first flow", row.first_flow.clone()),
                ("detected", row.detected.clone()),
                ("last update", row.last_update.clone()),
                ("end", end.to_owned()),
            ] {
                writeln!(out, "    {name:<12} {}", shown(&value))?;
            }
            for update in &detail.history {
                let line = format!("{} {}: {}", seconds(&update.at), update.state, update.reason);
                writeln!(out, "    history      {}", shown(&line))?;
            }
            for category in &detail.categories {
                let line = format!(
                    "{} ({}) by {}",
                    category.category, category.state, category.author
                );
                writeln!(out, "    category     {}", shown(&line))?;
            }
            let marks = detail.false_positive_mark.iter().map(|note| ("false", note));
            let comments = detail.comments.iter().map(|note| ("comment", note));
            for (what, note) in marks.chain(comments) {
                let line = format!("{} {}: {}", seconds(&note.at), note.author, note.body);
                writeln!(out, "    {what:<12} {}", shown(&line))?;
            }
            writeln!(out, "evidence and explanation: -o json")
        }
    }
}

pub(super) fn groups(out: &mut impl Write, form: Form, groups: &[(String, i64)]) -> io::Result<()> {
    if form == Form::Csv {
        writeln!(out, "value,events")?;
    }
    groups.iter().try_for_each(|(value, events)| match form {
        Form::Text => writeln!(out, "{events:>8}  {}", shown(value)),
        Form::Json => json_line(out, &json!({"value": value, "events": events})),
        Form::Csv => csv_line(out, &[value.clone(), events.to_string()]),
    })
}

pub(super) fn histogram(out: &mut impl Write, form: Form, step_ns: i64, steps: &[Step]) -> io::Result<()> {
    let most = steps.iter().map(|step| step.events).max().unwrap_or(1).max(1);
    if form == Form::Csv {
        writeln!(out, "start,step_s,priority,events")?;
    }
    let step_s = step_ns as f64 / NANOS_PER_S as f64;
    for step in steps {
        let start = Time(step.start_ns);
        match form {
            Form::Text => {
                let bar = "#".repeat(1 + (step.events * (BAR_MAX as i64 - 1) / most) as usize);
                let (start, events) = (stamp::short(start), step.events);
                writeln!(out, "{start}  {:<13} {events:>7}  {bar}", step.priority)?;
            }
            Form::Json => {
                let start = stamp::rfc3339(start);
                let line = json!({"start": start, "step_s": step_s, "priority": step.priority, "events": step.events});
                json_line(out, &line)?;
            }
            Form::Csv => {
                let start = stamp::rfc3339(start);
                csv_line(
                    out,
                    &[
                        start,
                        step_s.to_string(),
                        step.priority.to_owned(),
                        step.events.to_string(),
                    ],
                )?;
            }
        }
    }
    Ok(())
}

pub(super) fn audit(out: &mut impl Write, form: Form, entries: &[AuditEntry]) -> io::Result<()> {
    if form == Form::Csv {
        writeln!(out, "seq,at,actor,action,subject,detail,hash")?;
    }
    entries.iter().try_for_each(|entry| match form {
        Form::Json => json_line(out, entry),
        Form::Text => {
            let AuditEntry {
                seq,
                actor,
                action,
                subject,
                detail,
                ..
            } = entry;
            let line = format!("{} {actor}: {action} {subject} {detail}", seconds(&entry.at));
            writeln!(out, "{seq:>6}  {}", shown(line.trim_end()))
        }
        Form::Csv => csv_line(
            out,
            &[
                entry.seq.to_string(),
                entry.at.clone(),
                entry.actor.clone(),
                entry.action.clone(),
                entry.subject.clone(),
                entry.detail.clone(),
                entry.hash.clone(),
            ],
        ),
    })
}

pub(super) fn chain(out: &mut impl Write, form: Form, chain: &Chain) -> io::Result<()> {
    if form != Form::Text {
        return json_line(out, chain);
    }
    match &chain.broken {
        Some(why) => writeln!(out, "BROKEN: {why}; the {} entries before it hold", chain.entries)?,
        None if !chain.head_found => {
            writeln!(
                out,
                "CUT: the {} entries hold, but the head given is not among them",
                chain.entries
            )?;
        }
        None => writeln!(out, "{} entries hold", chain.entries)?,
    }
    match &chain.head {
        Some(head) if chain.holds() => writeln!(out, "head {head} (note it elsewhere; later: --head)"),
        _ => Ok(()),
    }
}

fn json_line(out: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

fn csv_line(out: &mut impl Write, columns: &[String]) -> io::Result<()> {
    let cells: Vec<String> = columns.iter().map(|column| csv::cell(column)).collect();
    writeln!(out, "{}", cells.join(","))
}

/// A stored time without fractions and letters.
fn seconds(text: &str) -> String {
    text.get(..19).unwrap_or(text).replace('T', " ")
}
