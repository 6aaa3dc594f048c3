//! What can be typed next. The text before the cursor is parsed; where the parser wanted more it says what, so
//! completion can never offer what the grammar refuses.

use std::ops::Range;

use crate::column::Kind;
use crate::field::{ALIASES, Catalog, Field, SHORTHANDS};
use crate::limits::SUGGESTIONS_MAX;
use crate::lists::Lists;
use crate::parse::{Expect, example, operators, read};
use crate::words;

/// Something that can stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The text to insert instead of `replace`.
    pub label: String,
    /// What it means.
    pub documentation: String,
    /// Bytes of the text that it takes the place of: the word begun at the cursor.
    pub replace: Range<usize>,
}

/// Suggestions at byte `cursor` of `text`, those that begin like the word at the cursor, in the order of the manual.
pub fn complete(text: &str, cursor: usize, catalog: &Catalog, lists: &dyn Lists) -> Vec<Suggestion> {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let before = &text[..cursor];
    let start = before
        .rfind(|c: char| c.is_whitespace() || "()[],\"'=!<>~#&|".contains(c))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let begun = before[start..].to_lowercase();
    let mut found: Vec<(String, String)> = Vec::new();
    let prefix = &before[..start];
    match read(prefix, catalog, lists) {
        Ok(_) if prefix.trim().is_empty() => offer(&Expect::Filter, catalog, lists, &mut found),
        Ok(_) => offer(&Expect::Join, catalog, lists, &mut found),
        Err(failure) if failure.error.span.start >= prefix.trim_end().len() || failure.open => {
            if let Some(expect) = &failure.expect {
                offer(expect, catalog, lists, &mut found);
            }
        }
        Err(_) => {}
    }
    found
        .into_iter()
        .filter(|(label, _)| label.to_lowercase().starts_with(&begun))
        .take(SUGGESTIONS_MAX)
        .map(|(label, documentation)| Suggestion {
            label,
            documentation,
            replace: start..cursor,
        })
        .collect()
}

fn offer(expect: &Expect, catalog: &Catalog, lists: &dyn Lists, found: &mut Vec<(String, String)>) {
    let mut add = |label: &str, about: &str| found.push((label.to_owned(), about.to_owned()));
    match expect {
        Expect::Filter => {
            add("src", "What follows is asked of the initiator");
            add("dst", "What follows is asked of the responder");
            filters(catalog, &mut add);
        }
        Expect::Join => {
            add("and", "Both have to hold");
            add("or", "One of them has to hold");
        }
        Expect::Close => add(")", "Closes the parenthesis"),
        Expect::Sided(side) => {
            for base in catalog.sided() {
                let label = catalog.side(side, base).map_or("", |field| field.label);
                add(base, label);
            }
            add("outside", "The side is not in an inside network");
        }
        Expect::AnyField => catalog
            .fields()
            .iter()
            .for_each(|field| add(field.name, field.label)),
        Expect::Operand(field) => {
            for sign in operators(field.kind) {
                add(&sign, sign_about(&sign));
            }
            values(field, lists, &mut add);
        }
        Expect::Value(field) => values(field, lists, &mut add),
        Expect::Item(field) => {
            values(field, lists, &mut add);
            add("]", "Closes the list");
        }
    }
}

/// Everything a comparison can begin with.
fn filters(catalog: &Catalog, add: &mut impl FnMut(&str, &str)) {
    let sided: Vec<&str> = catalog.sided().collect();
    let (pairs, singles): (Vec<&Field>, Vec<&Field>) = catalog
        .fields()
        .iter()
        .partition(|field| sided.contains(&field.name));
    pairs.iter().for_each(|field| add(field.name, field.label));
    SHORTHANDS.iter().for_each(|short| add(short.word, short.label));
    singles.iter().for_each(|field| add(field.name, field.label));
    for (alias, name) in ALIASES {
        if let Some(field) = catalog.field(name) {
            add(alias, field.label);
        }
    }
    add("not", "Turns what follows round");
    add("exists", "The record has a value in this field");
    add("any", "Every record");
    add("(", "Opens a parenthesis");
}

fn values(field: &Field, lists: &dyn Lists, add: &mut impl FnMut(&str, &str)) {
    if let Some(closed) = words::closed(field.name) {
        closed.iter().for_each(|word| add(word, field.label));
    } else if field.name == "proto" {
        words::PROTOCOLS
            .iter()
            .for_each(|(name, _)| add(name, "IP protocol"));
    } else {
        add(&example(field), "Example");
    }
    if !matches!(field.kind, Kind::Flag | Kind::TcpFlags | Kind::Rate(_)) {
        for name in lists.names() {
            add(&format!("@{name}"), "Named list");
        }
    }
}

fn sign_about(sign: &str) -> &'static str {
    match sign {
        "=" => "Equal; may be left out",
        "!=" => "No value equals",
        "<" => "Below",
        "<=" => "At most",
        ">" => "More than",
        ">=" => "At least",
        "in" => "One of a list, such as in [80 443]",
        "contains" => "The text has this part",
        "~" => "Pattern of * and ?",
        _ => "Regular expression",
    }
}
