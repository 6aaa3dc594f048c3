//! `weir methods`: the list of methods and their manual pages, from the methods' own metadata.
//! The reference in docs/ prints the same pages, so that the text exists once.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use weir_detect::{Entry, REGISTRY};
use weir_model::{Maturity, SubmethodMeta};

use crate::config::{did_you_mean, method_of};

/// Prints the list, or the page of `code`.
pub(super) fn methods(code: Option<&str>) -> Result<ExitCode> {
    let text = match code {
        None => list(),
        Some(code) => match method_of(code) {
            Some(entry) => page(entry),
            None => {
                let hint = did_you_mean(code, REGISTRY.iter().map(|entry| entry.meta.code));
                bail!("there is no method {code:?}{hint}");
            }
        },
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn list() -> String {
    let mut text = String::new();
    for entry in REGISTRY {
        let meta = entry.meta;
        let names: Vec<_> = meta.submethods.iter().map(|submethod| submethod.name).collect();
        let _ = writeln!(
            text,
            "{:<12} {:<13} {}",
            meta.code,
            meta.priority.word(),
            meta.title
        );
        let _ = writeln!(text, "{:26} {}", "", names.join(", "));
        for row in (entry.params)() {
            let _ = writeln!(text, "{:26} {} = {}", "", row.name, row.default);
        }
    }
    text.push_str("\nweir methods CODE prints a manual page.\n");
    text
}

/// The manual page of a method as plain text.
pub fn page(entry: &Entry) -> String {
    let meta = entry.meta;
    let manual = &meta.manual;
    let mut text = format!("{} ({})\n", meta.code, meta.title);
    let maturity = match meta.maturity {
        Maturity::Stable => "stable",
        Maturity::Preview => "preview",
    };
    let _ = writeln!(
        text,
        "  {} priority, {maturity}, [methods.{}] in the configuration\n",
        meta.priority, meta.slug
    );
    for (heading, body) in [
        ("What it recognises", manual.what),
        ("How it decides", manual.basis),
        ("When in doubt", manual.bias),
        ("False positives", manual.false_positives),
        ("What to do", manual.response),
    ] {
        let _ = writeln!(text, "{heading}\n{}", indented(body));
    }
    let _ = writeln!(text, "Submethods");
    for submethod in meta.submethods {
        let _ = write!(text, "{}", submethod_text(submethod));
    }
    if meta.code == "BPATTERNS" {
        patterns(&mut text);
    }
    let rows = (entry.params)();
    if !rows.is_empty() {
        let _ = writeln!(text, "Parameters");
    }
    for row in rows {
        let bounds = row
            .bounds
            .map_or(String::new(), |(low, high)| format!(" ({low} to {high})"));
        let _ = writeln!(
            text,
            "  {} = {}{bounds}\n{}",
            row.name,
            row.default,
            indented(row.about)
        );
    }
    if !meta.needs.is_empty() {
        let needs: Vec<_> = meta.needs.iter().map(|need| need.words()).collect();
        let _ = writeln!(text, "Needs\n  {}", needs.join(", "));
    }
    text
}

/// The patterns that come with the program.
fn patterns(text: &mut String) {
    let _ = writeln!(text, "Patterns that come with the program");
    for pattern in crate::config::patterns::shipped() {
        let compiled = &pattern.compiled;
        let _ = writeln!(text, "  {}\n    {}.", compiled.name(), compiled.title());
        let _ = write!(text, "{}", indented(&pattern.about));
        let behaviour = compiled.behaviour();
        let _ = write!(
            text,
            "{}",
            indented(&format!("per {}, within {} s", behaviour.per, behaviour.within_s))
        );
    }
}

fn submethod_text(submethod: &SubmethodMeta) -> String {
    let mut text = format!("  {}\n{}", submethod.name, indented(submethod.about));
    for rule in submethod.rules {
        let clauses: Vec<_> = rule
            .iter()
            .map(|clause| format!("{} {} {}", clause.input, clause.op.sign(), clause.limit))
            .collect();
        let _ = writeln!(text, "    fires when {}", clauses.join(" and "));
    }
    let techniques: Vec<_> = submethod.techniques.iter().map(|known| known.technique).collect();
    if !techniques.is_empty() {
        let _ = writeln!(text, "    ATT&CK {}", techniques.join(", "));
    }
    text
}

/// Breaks a paragraph at 92 columns, indented by four.
fn indented(body: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in body.split_whitespace() {
        if column > 0 && column + 1 + word.len() > 92 {
            text.push('\n');
            column = 0;
        }
        text.push_str(if column == 0 { "    " } else { " " });
        text.push_str(word);
        column += word.len() + 1;
    }
    text.push('\n');
    text
}
