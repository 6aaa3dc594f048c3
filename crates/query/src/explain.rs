//! A filter in English, so that a reader sees what will be found before it is searched, and what the sharp edges are:
//! either side, missing values, directions added.

use crate::column::{Kind, Unit};
use crate::field::{Field, Reads};
use crate::print::{Shape, number_shown, shape, spelling};
use crate::ranges::Point;
use crate::tree::{Check, Expr, FlagTest, Order, Set, Test, TextTest};
use crate::value::{addresses_text, flags_text, mac_text, moment_text, roundness};

/// Values of a list named before "and N more".
const SHOWN_MAX: usize = 6;

/// One sentence that says which records fit.
pub fn explain(expr: &Expr) -> String {
    match expr {
        Expr::Any => "Every record.".to_owned(),
        other => format!("Records where {}.", phrase(other)),
    }
}

fn phrase(expr: &Expr) -> String {
    match expr {
        Expr::Any => "anything goes".to_owned(),
        Expr::And(parts) => joined(parts, " and "),
        Expr::Or(parts) => joined(parts, " or "),
        Expr::Not(inner) => format!("it is not so that {}", bracketed(inner)),
        Expr::Test(test) => test_phrase(test),
    }
}

fn joined(parts: &[Expr], word: &str) -> String {
    let parts: Vec<String> = parts.iter().map(bracketed).collect();
    parts.join(word)
}

fn bracketed(expr: &Expr) -> String {
    match expr {
        Expr::And(_) | Expr::Or(_) => format!("({})", phrase(expr)),
        _ => phrase(expr),
    }
}

fn test_phrase(test: &Test) -> String {
    let subject = subject(&test.field);
    match &test.check {
        Check::Present => format!("{subject} is known"),
        Check::Flag(true) => format!("{subject} (yes)"),
        Check::Flag(false) => format!("{subject} (no)"),
        Check::Numbers(set) if test.field.kind == Kind::Mac => {
            let range = |(low, high)| between(mac_text(low), mac_text(high));
            format!("{subject} is {}", alternatives(set, range))
        }
        Check::Numbers(set) => format!(
            "{subject} is {}",
            ordered(set, |number| shown(&test.field, number), roundness)
        ),
        Check::Times(set) => format!("{subject} is {}", ordered(set, moment_text, |_| 0)),
        Check::Addresses(set) => format!("{subject} is {}", alternatives(set, addresses_text)),
        Check::Rate(order, wanted) => format!("{subject} is {} {wanted}", order_words(*order)),
        Check::TcpFlags(FlagTest::All(bits)) => format!("{subject} include {}", flags_text(*bits)),
        Check::TcpFlags(FlagTest::AnyOf(bits)) => {
            format!("{subject} include at least one of {}", flags_text(*bits))
        }
        Check::TcpFlags(FlagTest::Exactly { set, of }) => {
            format!(
                "{subject} include, of {}, exactly {}",
                flags_text(*of),
                flags_text(*set)
            )
        }
        Check::Text(test) => format!("{subject} {}", text_phrase(test)),
    }
}

/// What is compared, said so that nobody has to know which side or sum is meant.
fn subject(field: &Field) -> String {
    let name = spelling(field);
    match &field.reads {
        Reads::One(column) => {
            let label = column.label;
            if label.is_empty() {
                name
            } else {
                format!("{name} ({})", lower_first(label))
            }
        }
        Reads::Either(..) => format!("{name} of either side"),
        Reads::Sum(..) => format!("{name} of both directions together"),
        Reads::Union(..) => "the TCP flags set by either side".to_owned(),
        Reads::Span(..) | Reads::PerTime(..) | Reads::PerCount(..) => {
            format!("{name} ({})", lower_first(field.label))
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars
        .next()
        .map(|c| c.to_lowercase().to_string())
        .unwrap_or_default();
    let rest = chars.as_str();
    // An abbreviation such as TCP or VLAN stays as it is.
    if rest.starts_with(char::is_uppercase) {
        text.to_owned()
    } else {
        first + rest
    }
}

fn shown(field: &Field, number: u64) -> String {
    let text = number_shown(field, number);
    match field.kind {
        Kind::Number(Unit::Bytes) if text.ends_with(|c: char| c.is_ascii_digit()) => format!("{text} bytes"),
        Kind::Number(Unit::Bytes) if !text.ends_with('B') => format!("{text}B"),
        _ => text,
    }
}

fn between(low: String, high: String) -> String {
    if low == high {
        low
    } else {
        format!("{low} to {high}")
    }
}

fn ordered<T: Point>(set: &Set<T>, one: impl Fn(T) -> String, round: impl Fn(T) -> u32) -> String {
    alternatives(set, |range| match shape(range, &round) {
        Shape::One(value) => one(value),
        Shape::Between(low, high) => between(one(low), one(high)),
        Shape::AtMost(value) => format!("at most {}", one(value)),
        Shape::Below(value) => format!("below {}", one(value)),
        Shape::AtLeast(value) => format!("at least {}", one(value)),
        Shape::Above(value) => format!("more than {}", one(value)),
    })
}

fn alternatives<T: Point>(set: &Set<T>, one: impl Fn((T, T)) -> String) -> String {
    let own = set.own.as_slice();
    listed(own.iter().map(|range| one(*range)), own.len(), &set.lists)
}

fn listed(items: impl Iterator<Item = String>, count: usize, lists: &[Box<str>]) -> String {
    let mut parts: Vec<String> = items.take(SHOWN_MAX).collect();
    if count > SHOWN_MAX {
        parts.push(format!("one of {} more", count - SHOWN_MAX));
    }
    parts.extend(lists.iter().map(|name| format!("in the list @{name}")));
    match parts.pop() {
        Some(last) if !parts.is_empty() => format!("{} or {last}", parts.join(", ")),
        last => last.unwrap_or_default(),
    }
}

const fn order_words(order: Order) -> &'static str {
    match order {
        Order::Less => "below",
        Order::LessOrEqual => "at most",
        Order::Equal => "exactly",
        Order::MoreOrEqual => "at least",
        Order::More => "more than",
    }
}

fn text_phrase(test: &TextTest) -> String {
    match test {
        TextTest::Is(words) => {
            let own = words.own.iter().map(|word| format!("{word:?}"));
            format!("is {}", listed(own, words.own.len(), &words.lists))
        }
        TextTest::Contains(part) => format!("contains {part:?}"),
        TextTest::Glob(pattern) => format!(
            "fits the pattern {:?} (* any text, ? one character)",
            pattern.text
        ),
        TextTest::Regex(pattern) => format!("fits the regular expression {:?}", pattern.text),
    }
}
