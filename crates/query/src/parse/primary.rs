//! One comparison: which field is meant, by its name, after `src` or `dst`, or by the look of a bare value.

use super::{Expect, Failure, Parser};
use crate::column::Unit;
use crate::error::nearest;
use crate::field::{ALIASES, Catalog, Field, SHORTHANDS, Shorthand};
use crate::lex::TokenKind;
use crate::tree::{Check, Expr, FlagTest, Set, TextTest, Words};
use crate::{value, words};

/// Texts a bare domain is looked for in, where the records have them.
const DOMAINS: [&str; 3] = ["dns.query", "tls.sni", "http.host"];
/// Words that join or negate and so are no values unless quoted.
pub(super) const RESERVED: [&str; 5] = ["and", "or", "not", "in", "contains"];

/// In `not flags AFRPU` the letters mean "none of them", as in nfdump; elsewhere "all of them".
pub(super) fn none_set(expr: Expr) -> Expr {
    match expr {
        Expr::Test(mut test) => {
            if let Check::TcpFlags(FlagTest::All(bits)) = test.check
                && bits.count_ones() > 1
            {
                test.check = Check::TcpFlags(FlagTest::AnyOf(bits));
            }
            Expr::Test(test)
        }
        other => other,
    }
}

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<Expr, Failure> {
        let Some(word) = self.word() else {
            return Err(self.fail("a comparison does not begin like this", Expect::Filter));
        };
        if RESERVED.contains(&word.as_str()) {
            return Err(self.fail(format!("nothing stands before {word}"), Expect::Filter));
        }
        if self.take_word("any") {
            return self.counted(Expr::Any);
        }
        if self.take_word("exists") {
            let field = self.field_of_exists()?;
            return self.counted(Expr::test(&field, Check::Present));
        }
        let side = match word.as_str() {
            "src" | "initiator" => Some("src"),
            "dst" | "responder" => Some("dst"),
            _ => None,
        };
        if let Some(side) = side {
            self.advance();
            return self.sided(side);
        }
        if let Some(short) = SHORTHANDS.iter().find(|short| short.word == word) {
            return self.shorthand(short);
        }
        if let Some(field) = self.catalog.field(&word).cloned() {
            self.advance();
            self.skip_seen(&word);
            return self.operand(&field);
        }
        self.bare(&word)
    }

    /// `first seen` and `last seen` are the spellings; `first` and `last` are enough.
    fn skip_seen(&mut self, word: &str) {
        if matches!(word, "first" | "last") {
            self.take_word("seen");
        }
    }

    fn sided(&mut self, side: &'static str) -> Result<Expr, Failure> {
        let Some(word) = self.word() else {
            return Err(self.fail(format!("{side} of what?"), Expect::Sided(side)));
        };
        let both = format!("{side} {word}");
        if let Some(short) = SHORTHANDS.iter().find(|short| short.word == both) {
            return self.shorthand(short);
        }
        if let Some(field) = self.catalog.side(side, &word).cloned() {
            self.advance();
            return self.operand(&field);
        }
        if self.bare_address(&word).is_some()
            && let Some(field) = self.catalog.side(side, "ip").cloned()
        {
            return self.operand(&field);
        }
        let mut failure = self.fail(format!("there is no field {both:?}"), Expect::Sided(side));
        failure.error.nearest = nearest(&word, self.catalog.sided());
        Err(failure)
    }

    pub(super) fn field_of_exists(&mut self) -> Result<Field, Failure> {
        let Some(word) = self.word() else {
            return Err(self.fail("which field should exist?", Expect::AnyField));
        };
        if matches!(word.as_str(), "src" | "dst") {
            self.advance();
            let side = if word == "src" { "src" } else { "dst" };
            let found = self
                .word()
                .and_then(|word| self.catalog.side(side, &word).cloned());
            let field = found.ok_or_else(|| self.fail("which field should exist?", Expect::Sided(side)))?;
            self.advance();
            return Ok(field);
        }
        let found = self.catalog.field(&word).cloned();
        let field = found.ok_or_else(|| self.unknown(&word))?;
        self.advance();
        Ok(field)
    }

    /// A word that stands for a filter. Its text is ours and short; a test parses all of them.
    fn shorthand(&mut self, short: &Shorthand) -> Result<Expr, Failure> {
        let unknown = || {
            self.fail(
                format!("{} need a column that is not here", short.word),
                Expect::Filter,
            )
        };
        let expr = super::read(short.filter, self.catalog, self.lists).map_err(|_| unknown())?;
        self.advance();
        self.counted(expr)
    }

    /// A value alone: an address, a protocol, an application, a port, a domain.
    fn bare(&mut self, word: &str) -> Result<Expr, Failure> {
        let expr = self
            .bare_address(word)
            .or_else(|| self.bare_number("proto", words::protocol(word)?))
            .or_else(|| self.bare_app(word))
            .or_else(|| self.bare_number("port", port(word)?))
            .or_else(|| self.bare_domain(word));
        match expr {
            Some(expr) => {
                self.advance();
                self.counted(expr)
            }
            None => Err(self.unknown(word)),
        }
    }

    fn bare_address(&self, word: &str) -> Option<Expr> {
        let range = value::addresses(word).ok()?;
        Some(Expr::test(
            self.catalog.field("ip")?,
            Check::Addresses(Set::of([range])),
        ))
    }

    fn bare_number(&self, field: &str, number: u64) -> Option<Expr> {
        let check = Check::Numbers(Set::of([(number, number)]));
        Some(Expr::test(self.catalog.field(field)?, check))
    }

    fn bare_app(&self, word: &str) -> Option<Expr> {
        let known = words::closed("app")?.into_iter().find(|known| *known == word)?;
        let check = Check::Text(TextTest::Is(Words::of([known])));
        Some(Expr::test(self.catalog.field("app")?, check))
    }

    fn bare_domain(&self, word: &str) -> Option<Expr> {
        if !is_domain(word) {
            return None;
        }
        let known = DOMAINS.iter().filter_map(|name| self.catalog.field(name));
        let tests: Vec<Expr> = known
            .map(|field| Expr::test(field, Check::Text(TextTest::Is(Words::of([word])))))
            .collect();
        (!tests.is_empty()).then(|| Expr::or(tests))
    }

    /// The error for a word that is no field, with the nearest of all words that could stand here.
    fn unknown(&self, word: &str) -> Failure {
        let elsewhere = self.catalog.elsewhere(word);
        let records = self.catalog.records();
        let message = if elsewhere {
            format!("{word:?} is not known of {records}, but of other records")
        } else if matches!(self.peek(), TokenKind::Word(_)) {
            format!("there is no field {word:?}")
        } else {
            "a comparison does not begin like this".to_owned()
        };
        let mut failure = self.fail(message, Expect::Filter);
        if !elsewhere {
            failure.error.nearest = nearest(word, starts(self.catalog));
        }
        failure
    }
}

/// Words that can begin a comparison.
pub(crate) fn starts(catalog: &Catalog) -> Vec<&str> {
    let aliases = ALIASES.iter().filter(|(_, name)| catalog.field(name).is_some());
    let fields = catalog.fields().iter().map(|field| field.name);
    let shorthands = SHORTHANDS.iter().map(|short| short.word);
    let own = ["any", "not", "exists", "src", "dst"].into_iter();
    let words = own
        .chain(fields)
        .chain(aliases.map(|(alias, _)| *alias))
        .chain(shorthands);
    words
        .chain(words::PROTOCOLS.iter().map(|(name, _)| *name))
        .collect()
}

fn port(word: &str) -> Option<u64> {
    let number = value::number(word, Unit::Count).ok()?;
    (word.bytes().all(|byte| byte.is_ascii_digit()) && number <= words::greatest("port")).then_some(number)
}

fn is_domain(word: &str) -> bool {
    let labels: Vec<&str> = word.split('.').collect();
    let fits = |label: &&str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    labels.len() > 1
        && labels.iter().all(fits)
        && labels
            .last()
            .is_some_and(|label| label.starts_with(char::is_alphabetic))
}
