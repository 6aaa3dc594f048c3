//! A tree as text of the language. What is printed parses to an equal tree, so saved, shown and evaluated filters are
//! the same thing.

use std::fmt::{self, Display};

use crate::column::{Kind, Unit};
use crate::field::Field;
use crate::lex::quote;
use crate::ranges::Point;
use crate::tree::{Check, Expr, FlagTest, Set, Test, TextTest, Words};
use crate::value::{addresses_text, flags_text, mac_text, moment_text, number_text, roundness};
use crate::words;

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::And(parts) => joined(f, parts, " and "),
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Not(inner) => match &**inner {
                Self::Any | Self::Test(_) if !is_all_flags(inner) => write!(f, "not {inner}"),
                _ => write!(f, "not ({inner})"),
            },
            Self::Test(test) => write!(f, "{test}"),
        }
    }
}

/// `not flags SA` means "none of them", as in nfdump; "not all of them" needs the parentheses.
fn is_all_flags(expr: &Expr) -> bool {
    matches!(expr, Expr::Test(test) if matches!(test.check, Check::TcpFlags(FlagTest::All(bits)) if bits.count_ones() > 1))
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        match part {
            Expr::And(_) | Expr::Or(_) => write!(f, "({part})")?,
            _ => write!(f, "{part}")?,
        }
    }
    Ok(())
}

impl Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = spelling(&self.field);
        let field = &self.field;
        match &self.check {
            Check::Present => write!(f, "exists {name}"),
            Check::Flag(true) => f.write_str(&name),
            Check::Flag(false) => write!(f, "{name} no"),
            Check::Numbers(set) if field.kind == Kind::Mac => {
                write!(
                    f,
                    "{name} {}",
                    plain(set, &|(low, high)| span(mac_text(low), "..", mac_text(high)))
                )
            }
            Check::Numbers(set) => write!(
                f,
                "{name} {}",
                ordered(set, &|n| number_shown(field, n), "-", roundness)
            ),
            Check::Times(set) => write!(f, "{name} {}", ordered(set, &moment_text, "..", |_| 0)),
            Check::Addresses(set) => write!(f, "{name} {}", plain(set, &addresses_text)),
            Check::Rate(order, wanted) => write!(f, "{name} {} {wanted}", order.sign()),
            Check::TcpFlags(test) => write!(f, "{name} {}", flag_test(*test)),
            Check::Text(test) => write!(f, "{name} {}", text_test(field, test)),
        }
    }
}

/// The field as people write it: `src port`, `flags`, `dns.query`.
pub(crate) fn spelling(field: &Field) -> String {
    let (side, base) = match field.name.split_once('_') {
        Some((side @ ("src" | "dst"), base)) => (format!("{side} "), base),
        _ => (String::new(), field.name),
    };
    let base = match base {
        "tcp_flags" => "flags",
        "conn_state" => "state",
        other => other,
    };
    format!("{side}{base}")
}

/// A number as this field's values are written.
pub(crate) fn number_shown(field: &Field, number: u64) -> String {
    match field.kind {
        Kind::Number(Unit::Count) if field.name == "proto" => match words::protocol_name(number) {
            Some(name) => name.to_owned(),
            None => number.to_string(),
        },
        Kind::Number(Unit::Count) if field.name == "ethertype" => format!("{number:#06x}"),
        Kind::Number(unit) => number_text(number, unit),
        Kind::Mac => mac_text(number),
        _ => number.to_string(),
    }
}

fn span(low: String, between: &str, high: String) -> String {
    if low == high {
        low
    } else {
        format!("{low}{between}{high}")
    }
}

/// How a range without a lower or an upper end is said; of `> 9` and `>= 10` the one with the rounder number.
pub(crate) enum Shape<T> {
    One(T),
    Between(T, T),
    AtMost(T),
    Below(T),
    AtLeast(T),
    Above(T),
}

/// The way to say a range.
pub(crate) fn shape<T: Point>((low, high): (T, T), round: impl Fn(T) -> u32) -> Shape<T> {
    let rounder = |neighbour: Option<T>, end: T| neighbour.filter(|other| round(*other) > round(end));
    if low == high {
        Shape::One(low)
    } else if high == T::MAX {
        rounder(low.previous(), low).map_or(Shape::AtLeast(low), Shape::Above)
    } else if low == T::MIN {
        rounder(high.next(), high).map_or(Shape::AtMost(high), Shape::Below)
    } else {
        Shape::Between(low, high)
    }
}

fn ordered<T: Point>(
    set: &Set<T>,
    one: &dyn Fn(T) -> String,
    between: &str,
    round: impl Fn(T) -> u32,
) -> String {
    if let ([range], []) = (set.own.as_slice(), set.lists.as_slice()) {
        return match shape(*range, round) {
            Shape::One(value) => one(value),
            Shape::Between(low, high) => format!("{}{between}{}", one(low), one(high)),
            Shape::AtMost(value) => format!("<= {}", one(value)),
            Shape::Below(value) => format!("< {}", one(value)),
            Shape::AtLeast(value) => format!(">= {}", one(value)),
            Shape::Above(value) => format!("> {}", one(value)),
        };
    }
    plain(set, &|(low, high)| span(one(low), between, one(high)))
}

/// Values without order: one, or a list.
fn plain<T: Point>(set: &Set<T>, range: &dyn Fn((T, T)) -> String) -> String {
    let own = set.own.as_slice().iter().map(|ends| range(*ends));
    in_list(own.collect(), &set.lists)
}

fn in_list(mut items: Vec<String>, lists: &[Box<str>]) -> String {
    if let ([one], []) = (items.as_slice(), lists) {
        return one.clone();
    }
    items.extend(lists.iter().map(|name| format!("@{name}")));
    match items.as_slice() {
        [list] => format!("in {list}"),
        _ => format!("in [{}]", items.join(" ")),
    }
}

fn flag_test(test: FlagTest) -> String {
    match test {
        FlagTest::All(bits) => flags_text(bits),
        FlagTest::AnyOf(bits) => format!("any {}", flags_text(bits)),
        FlagTest::Exactly { set, of } => format!("{}/{}", flags_text(set), flags_text(of)),
    }
}

fn text_test(field: &Field, test: &TextTest) -> String {
    match test {
        TextTest::Is(words) => is_one_of(field, words),
        TextTest::Contains(part) => format!("contains {}", quote(part, false)),
        TextTest::Glob(pattern) => format!("~ {}", quote(&pattern.text, false)),
        TextTest::Regex(pattern) => format!("=~ {}", quote(&pattern.text, false)),
    }
}

fn is_one_of(field: &Field, set: &Words) -> String {
    let bare = words::closed(field.name).is_some();
    let own = set.own.iter().map(|word| quote(word, bare));
    in_list(own.collect(), &set.lists)
}
