//! Events as text for people: one coloured headline and one sentence each, widths fitted to the terminal.
//! What a sentence says is rendered from the finding; what comes from traffic is escaped on the way.

use std::fmt::Write;

use weir_model::{Event, Priority};

use crate::escape::shown;
use crate::stamp;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// ANSI colours.
    pub colour: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Also rule, evidence query and technique of each event.
    pub verbose: bool,
}

/// One sentence on why the event was raised; says how many more targets there are than the sentence tells of.
pub fn reason(event: &Event) -> String {
    let mut text = event.lead.reason();
    let more = event.target_count.saturating_sub(event.lead.target_count);
    if more > 0 {
        let _ = write!(
            text,
            " (and {more} more target{})",
            if more == 1 { "" } else { "s" }
        );
    }
    text
}

/// The block of one event, ending in a line end.
pub fn event(event: &Event, style: Style) -> String {
    let lead = &event.lead;
    let (on, off) = if style.colour {
        (colour(event.priority), "\x1b[0m")
    } else {
        ("", "")
    };
    let (bold, dim) = if style.colour {
        ("\x1b[1m", "\x1b[2m")
    } else {
        ("", "")
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{on}{:<13}{off} {}  {bold}{}{off} {dim}{}.{}{off}",
        event.priority.word().to_uppercase(),
        stamp::short(event.detected),
        lead.method.title,
        lead.method.code,
        lead.submethod.name,
    );
    let also = if event.also.is_empty() {
        String::new()
    } else {
        format!("; seen by {} too", event.also.join(", "))
    };
    wrapped(
        &mut text,
        &shown(&format!("{}{also}", reason(event))),
        style.width,
    );
    if style.verbose {
        let silent: Vec<String> = lead
            .silent_below()
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let techniques: Vec<&str> = lead
            .submethod
            .techniques
            .iter()
            .map(|known| known.technique)
            .collect();
        wrapped(
            &mut text,
            &format!("rule: {}; silent at {}", lead.rule_text(), silent.join(", ")),
            style.width,
        );
        wrapped(&mut text, &format!("flows: {}", lead.evidence), style.width);
        let _ = writeln!(
            text,
            "{INDENT}{dim}probability {} %, risk {}, ATT&CK {}, id {}{off}",
            lead.probability,
            event.risk,
            if techniques.is_empty() {
                "none".to_owned()
            } else {
                techniques.join(" ")
            },
            event.id,
        );
    }
    text
}

/// In front of what stands below a headline: the width of a priority and a blank.
const INDENT: &str = "              ";

/// Writes the sentence indented and broken between words.
fn wrapped(text: &mut String, sentence: &str, width: usize) {
    let room = width.saturating_sub(INDENT.len()).max(40);
    let mut column = 0;
    for word in sentence.split(' ') {
        let len = word.chars().count();
        if column > 0 && column + 1 + len > room {
            text.push('\n');
            column = 0;
        }
        text.push_str(if column == 0 { INDENT } else { " " });
        text.push_str(word);
        column += len + usize::from(column > 0);
    }
    text.push('\n');
}

/// The ANSI sequence a priority is shown in.
pub fn colour(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "\x1b[1;97;41m",
        Priority::High => "\x1b[1;31m",
        Priority::Medium => "\x1b[1;33m",
        Priority::Low => "\x1b[36m",
        Priority::Informational => "\x1b[2m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_break_between_words() {
        let mut text = String::new();
        wrapped(
            &mut text,
            "195 Samba log-ins in 22.9 s from 192.168.0.33 to 192.168.0.252:445, all refused",
            60,
        );
        let lines = [
            "195 Samba log-ins in 22.9 s from 192.168.0.33",
            "to 192.168.0.252:445, all refused",
        ];
        assert_eq!(text, lines.map(|line| format!("{INDENT}{line}\n")).concat());
    }
}
