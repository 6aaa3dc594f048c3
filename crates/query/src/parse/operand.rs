//! Operator and values of one comparison, read by the type of the field: what cannot fit is an error here, not a
//! filter that silently matches nothing.

use super::primary::RESERVED;
use super::{Expect, Failure, Parser};
use crate::column::{Kind, Unit};
use crate::error::nearest;
use crate::field::Field;
use crate::lex::TokenKind;
use crate::limits::{LIST_ITEMS_MAX, NAMED_LIST_ITEMS_MAX, PATTERNS_MAX, STRING_BYTES_MAX};
use crate::ranges::{Point, Ranges};
use crate::tree::{Check, Expr, FlagTest, Order, Pattern, Set, TextTest, Words};
use crate::{value, words};

/// Operators a kind takes, as written.
pub(crate) fn operators(kind: Kind) -> Vec<String> {
    let signs: &[&str] = match kind {
        Kind::Number(_) | Kind::Time => &["=", "!=", "<", "<=", ">", ">=", "in"],
        Kind::Rate(_) => &["=", "!=", "<", "<=", ">", ">="],
        Kind::Address | Kind::Mac => &["=", "!=", "in"],
        Kind::TcpFlags | Kind::Flag => &["="],
        Kind::Text | Kind::Texts => &["=", "!=", "in", "contains", "~", "=~"],
    };
    signs.iter().map(|sign| (*sign).to_owned()).collect()
}

/// A value as it might be written.
pub(crate) fn example(field: &Field) -> String {
    let text = match field.kind {
        _ if field.name == "proto" => "tcp",
        _ if is_country(field) => "CZ",
        Kind::Number(Unit::Count) if field.name.ends_with("port") => "445",
        Kind::Number(Unit::Count) => "10",
        Kind::Number(Unit::Bytes) => "10M",
        Kind::Number(Unit::Nanos) => "300ms",
        Kind::Number(Unit::Micros) => "20ms",
        Kind::Rate(_) => "1.5k",
        Kind::Time => "2026-11-01T08:30",
        Kind::Address => "10.0.0.0/8",
        Kind::Mac => "1c:75:08:04:7a:5f",
        Kind::TcpFlags => "S/SA",
        Kind::Flag => "yes",
        Kind::Text | Kind::Texts => {
            let closed = words::closed(field.name);
            return closed.map_or("\"text\"".to_owned(), |words| words.join("|"));
        }
    };
    text.to_owned()
}

/// Does it hold countries, whose codes people write in either case?
fn is_country(field: &Field) -> bool {
    field.name.ends_with("country")
}

/// How the values are meant; negation is the caller's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Is,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    Contains,
    Glob,
    Regex,
}

impl Sign {
    /// Sign and negation of a written operator.
    fn read(text: &str) -> Option<(Self, bool)> {
        Some(match text {
            "=" | "==" | "eq" => (Self::Is, false),
            "!=" | "ne" => (Self::Is, true),
            "<" | "lt" => (Self::Less, false),
            "<=" | "le" => (Self::LessOrEqual, false),
            ">" | "gt" => (Self::More, false),
            ">=" | "ge" => (Self::MoreOrEqual, false),
            "contains" => (Self::Contains, false),
            "~" => (Self::Glob, false),
            "!~" => (Self::Glob, true),
            "=~" => (Self::Regex, false),
            "!=~" => (Self::Regex, true),
            _ => return None,
        })
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::More => ">",
            Self::MoreOrEqual => ">=",
            Self::Contains => "contains",
            Self::Glob => "~",
            Self::Regex => "=~",
        }
    }

    const fn order(self) -> Option<Order> {
        Some(match self {
            Self::Is => Order::Equal,
            Self::Less => Order::Less,
            Self::LessOrEqual => Order::LessOrEqual,
            Self::More => Order::More,
            Self::MoreOrEqual => Order::MoreOrEqual,
            Self::Contains | Self::Glob | Self::Regex => return None,
        })
    }
}

/// Values as written: texts with their places, names of lists and what these hold.
#[derive(Default)]
struct Values {
    own: Vec<(String, std::ops::Range<usize>)>,
    lists: Vec<(Box<str>, std::ops::Range<usize>)>,
    listed: Vec<(String, std::ops::Range<usize>)>,
}

impl Parser<'_> {
    /// What follows a field: nothing (a yes/no field), an operator and values, or values alone.
    pub(super) fn operand(&mut self, field: &Field) -> Result<Expr, Failure> {
        if field.kind == Kind::Flag && !self.flag_follows() {
            return self.counted(Expr::test(field, Check::Flag(true)));
        }
        let place = self.span();
        let (sign, negated) = self.sign(field)?;
        if field.kind == Kind::TcpFlags && self.take_word("any") {
            let value = self.value(field)?;
            let bits = self.typed(field, &value, value::flags)?;
            let test = if bits.count_ones() > 1 {
                FlagTest::AnyOf(bits)
            } else {
                FlagTest::All(bits)
            };
            return self.finish(field, Check::TcpFlags(test), negated);
        }
        let check = match field.kind {
            Kind::Rate(_) => {
                let order = sign.order().ok_or_else(|| self.wrong_sign(field, sign, &place))?;
                let value = self.value(field)?;
                Check::Rate(order, self.typed(field, &value, value::rate)?)
            }
            Kind::Flag | Kind::TcpFlags if sign != Sign::Is => {
                return Err(self.wrong_sign(field, sign, &place));
            }
            Kind::Flag => {
                let value = self.value(field)?;
                Check::Flag(self.typed(field, &value, value::flag)?)
            }
            Kind::TcpFlags => {
                let value = self.value(field)?;
                Check::TcpFlags(self.typed(field, &value, flag_test)?)
            }
            Kind::Address | Kind::Mac if sign != Sign::Is => return Err(self.wrong_sign(field, sign, &place)),
            Kind::Number(_) | Kind::Time if sign.order().is_none() => {
                return Err(self.wrong_sign(field, sign, &place));
            }
            Kind::Number(_) => Check::Numbers(self.set(field, sign, |text| number(field, text))?),
            Kind::Mac => Check::Numbers(self.set(field, sign, macs)?),
            Kind::Time => Check::Times(self.set(field, sign, value::moments)?),
            Kind::Address => Check::Addresses(self.set(field, sign, value::addresses)?),
            Kind::Text | Kind::Texts => Check::Text(self.text_test(field, sign, &place)?),
        };
        self.finish(field, check, negated)
    }

    fn finish(&mut self, field: &Field, check: Check, negated: bool) -> Result<Expr, Failure> {
        let expr = self.counted(Expr::test(field, check))?;
        Ok(if negated { expr.negate() } else { expr })
    }

    fn flag_follows(&self) -> bool {
        match self.peek() {
            TokenKind::Sign(_) => true,
            TokenKind::Word(word) => value::flag(word).is_ok() || Sign::read(&word.to_lowercase()).is_some(),
            _ => false,
        }
    }

    fn wrong_sign(&self, field: &Field, sign: Sign, place: &std::ops::Range<usize>) -> Failure {
        let message = format!("{} is not compared with {:?}", field.name, sign.text());
        let mut failure = self.fail_at(place.clone(), message, Expect::Operand(Box::new(field.clone())));
        failure.error.expected = operators(field.kind);
        failure
    }

    /// Reads the operator; none is `=`. `in` is `=` with a list.
    fn sign(&mut self, field: &Field) -> Result<(Sign, bool), Failure> {
        let negated = self.take("not", "!");
        let written = match self.peek() {
            TokenKind::Sign(sign) => Some((*sign).to_owned()),
            TokenKind::Word(word) => Some(word.to_lowercase()),
            _ => None,
        };
        let written = written.unwrap_or_default();
        let found = Sign::read(&written).or((written == "in").then_some((Sign::Is, false)));
        self.at += usize::from(found.is_some());
        match (found, self.peek()) {
            (None, _) if negated => Err(self.fail(
                "an operator follows not here, such as in",
                Expect::Operand(Box::new(field.clone())),
            )),
            (None, TokenKind::End) => {
                Err(self.fail("a value is missing", Expect::Operand(Box::new(field.clone()))))
            }
            (None, _) => Ok((Sign::Is, false)),
            (Some((sign, turned)), _) => Ok((sign, negated != turned)),
        }
    }

    /// One value, not a list.
    fn value(&mut self, field: &Field) -> Result<(String, std::ops::Range<usize>), Failure> {
        let found = match self.peek() {
            TokenKind::Text(text) => text.clone(),
            TokenKind::Word(word) if !RESERVED.contains(&word.to_lowercase().as_str()) => word.clone(),
            TokenKind::List(_) | TokenKind::Mark("[") => {
                return Err(self.fail(
                    "one value belongs here, not a list",
                    Expect::Value(Box::new(field.clone())),
                ));
            }
            _ => return Err(self.fail("a value is missing", Expect::Value(Box::new(field.clone())))),
        };
        let span = self.span();
        self.advance();
        Ok((found, span))
    }

    fn typed<T>(
        &self,
        field: &Field,
        (text, span): &(String, std::ops::Range<usize>),
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        read(text).map_err(|message| {
            let error = crate::QueryError::new(self.text, span.clone(), message);
            let error = error.expecting(vec![example(field)]);
            Failure::new(error, None)
        })
    }

    /// One value, a list in brackets, or a named list.
    fn values(&mut self, field: &Field) -> Result<Values, Failure> {
        let mut values = Values::default();
        let close = match self.peek() {
            TokenKind::Mark("[") => "]",
            TokenKind::Mark("(") => ")",
            TokenKind::List(_) => {
                self.named(field, &mut values)?;
                return Ok(values);
            }
            _ => {
                values.own.push(self.value(field)?);
                return Ok(values);
            }
        };
        self.advance();
        while !self.take_mark(close) {
            if values.own.len() + values.lists.len() >= LIST_ITEMS_MAX {
                let message =
                    format!("a list may have {LIST_ITEMS_MAX} items; name a longer one, such as @servers");
                return Err(self.fail(message, Expect::Item(Box::new(field.clone()))));
            }
            match self.peek() {
                TokenKind::List(_) => self.named(field, &mut values)?,
                TokenKind::Text(_) | TokenKind::Word(_) => values.own.push(self.value(field)?),
                _ => return Err(self.fail("this list is not closed", Expect::Item(Box::new(field.clone())))),
            }
            self.take_mark(",");
        }
        if values.own.is_empty() && values.lists.is_empty() {
            let message = "an empty list matches nothing";
            return Err(self.fail(message, Expect::Item(Box::new(field.clone()))));
        }
        Ok(values)
    }

    fn named(&mut self, field: &Field, values: &mut Values) -> Result<(), Failure> {
        let TokenKind::List(name) = self.peek().clone() else {
            return Ok(());
        };
        let span = self.span();
        let Some(items) = self.lists.items(&name) else {
            let names = self.lists.names();
            let mut failure = self.fail(
                format!("there is no list @{name}"),
                Expect::Value(Box::new(field.clone())),
            );
            let near = nearest(&name, names.iter().map(String::as_str));
            failure.error.nearest = near.map(|name| format!("@{name}"));
            return Err(failure);
        };
        if values.listed.len() + items.len() > NAMED_LIST_ITEMS_MAX {
            let message = format!("named lists may hold {NAMED_LIST_ITEMS_MAX} items together");
            return Err(self.fail(message, Expect::Value(Box::new(field.clone()))));
        }
        values
            .listed
            .extend(items.into_iter().map(|item| (item, span.clone())));
        values.lists.push((name.into(), span));
        self.advance();
        Ok(())
    }

    fn set<T: Point>(
        &mut self,
        field: &Field,
        sign: Sign,
        read: impl Fn(&str) -> Result<(T, T), String>,
    ) -> Result<Set<T>, Failure> {
        if sign != Sign::Is {
            let value = self.value(field)?;
            let (low, high) = self.typed(field, &value, &read)?;
            let message = || {
                format!(
                    "{:?} is a range and has no place behind {:?}",
                    value.0,
                    sign.text()
                )
            };
            let range = if low == high {
                value::compared(sign.text(), low)
            } else {
                None
            };
            let range = range.ok_or_else(|| {
                Failure::new(
                    crate::QueryError::new(self.text, value.1.clone(), message()),
                    None,
                )
            })?;
            return Ok(Set::of([range]));
        }
        let values = self.values(field)?;
        let ranges = |items: &[(String, std::ops::Range<usize>)]| {
            items
                .iter()
                .map(|item| self.typed(field, item, &read))
                .collect::<Result<Vec<_>, _>>()
        };
        let own = ranges(&values.own)?;
        let listed = ranges(&values.listed).map_err(|failure| in_list(failure, &values.lists))?;
        let lists = values.lists.into_iter().map(|(name, _)| name).collect();
        Ok(Set::new(Ranges::new(own), lists, listed))
    }

    fn text_test(
        &mut self,
        field: &Field,
        sign: Sign,
        place: &std::ops::Range<usize>,
    ) -> Result<TextTest, Failure> {
        if sign == Sign::Is {
            return self.texts(field).map(TextTest::Is);
        }
        if sign.order().is_some() {
            return Err(self.wrong_sign(field, sign, place));
        }
        let value = self.value(field)?;
        if value.0.len() > STRING_BYTES_MAX {
            return Err(self.fail_at(
                value.1,
                "this text is too long",
                Expect::Value(Box::new(field.clone())),
            ));
        }
        if sign == Sign::Contains {
            return Ok(TextTest::Contains(value.0.into()));
        }
        self.patterns += 1;
        if self.patterns > PATTERNS_MAX {
            return Err(self.fail(format!("a filter may have {PATTERNS_MAX} patterns"), Expect::Join));
        }
        if sign == Sign::Glob {
            self.typed(field, &value, Pattern::glob).map(TextTest::Glob)
        } else {
            self.typed(field, &value, Pattern::regex).map(TextTest::Regex)
        }
    }

    fn texts(&mut self, field: &Field) -> Result<Words, Failure> {
        let values = self.values(field)?;
        let closed = words::closed(field.name);
        let one = |item: &(String, std::ops::Range<usize>)| {
            if is_country(field) {
                return self.typed(field, item, |code| {
                    let country = weir_model::Country::from_code(code);
                    let country = country.ok_or_else(|| format!("{code:?} is no country code such as CZ"))?;
                    Ok(country.as_str().into())
                });
            }
            let Some(closed) = &closed else {
                return Ok(item.0.as_str().into());
            };
            let found = closed.iter().find(|word| word.eq_ignore_ascii_case(&item.0));
            found.map(|word| (*word).into()).ok_or_else(|| {
                let message = format!("{} is never {:?}", field.name, item.0);
                let error = crate::QueryError::new(self.text, item.1.clone(), message);
                let expected = closed.iter().map(|word| (*word).to_owned()).collect();
                let error = error.expecting(expected).near(&item.0, closed.iter().copied());
                Failure::new(error, None)
            })
        };
        let own = values
            .own
            .iter()
            .map(one)
            .collect::<Result<Vec<Box<str>>, Failure>>()?;
        let listed = values
            .listed
            .iter()
            .map(one)
            .collect::<Result<Vec<Box<str>>, Failure>>();
        let listed = listed.map_err(|failure| in_list(failure, &values.lists))?;
        let lists = values.lists.into_iter().map(|(name, _)| name).collect();
        Ok(Words::new(own, lists, listed))
    }
}

/// Says that a wrong value stands in a list, not in the filter.
fn in_list(mut failure: Failure, lists: &[(Box<str>, std::ops::Range<usize>)]) -> Failure {
    let found = lists.iter().find(|(_, span)| *span == failure.error.span);
    let name = found.map_or("", |(name, _)| name);
    failure.error.message = format!("in the list @{name}: {}", failure.error.message);
    failure
}

/// A number or range of numbers of this field, told when the field cannot hold it.
fn number(field: &Field, text: &str) -> Result<(u64, u64), String> {
    let unit = match field.kind {
        Kind::Number(unit) => unit,
        _ => Unit::Count,
    };
    let greatest = words::greatest(field.name);
    let one = |text: &str| {
        let named = if field.name == "proto" {
            words::protocol(text)
        } else {
            None
        };
        let number = named.map_or_else(|| value::number(text, unit), Ok)?;
        if number <= greatest {
            Ok(number)
        } else {
            Err(format!(
                "{text:?} is more than {} can be ({greatest})",
                field.name
            ))
        }
    };
    value::numbers(text, one).map_err(|message| match nearest_protocol(field, text) {
        Some(name) => format!("{text:?} is no protocol; did you mean {name}?"),
        None => message,
    })
}

fn nearest_protocol(field: &Field, text: &str) -> Option<String> {
    let word = field.name == "proto" && text.starts_with(|c: char| c.is_alphabetic());
    word.then(|| nearest(text, words::PROTOCOLS.iter().map(|(name, _)| *name)))?
}

fn macs(text: &str) -> Result<(u64, u64), String> {
    match text.split_once("..") {
        Some((low, high)) => {
            let (low, high) = (value::mac(low)?, value::mac(high)?);
            if low <= high {
                Ok((low, high))
            } else {
                Err(format!("{text:?} ends before it begins"))
            }
        }
        None => value::mac(text).map(|mac| (mac, mac)),
    }
}

/// `SA`: both set; `S/SA`: of the two, only S.
fn flag_test(text: &str) -> Result<FlagTest, String> {
    let Some((set, of)) = text.split_once('/') else {
        return value::flags(text).map(FlagTest::All);
    };
    let (set, of) = (value::flags(set)?, value::flags(of)?);
    if set & !of == 0 {
        Ok(FlagTest::Exactly { set, of })
    } else {
        Err(format!(
            "{text:?} asks for flags that are not among those looked at"
        ))
    }
}
