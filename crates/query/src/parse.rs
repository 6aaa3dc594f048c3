//! Recursive descent over the tokens: `or` binds loosest, then `and`, then `not`. Written by hand instead of with a
//! parser library, because what may follow at every point is what errors and completion are made of.

mod behaviour;
mod operand;
mod primary;

pub use behaviour::parse_behaviour;
pub(crate) use operand::{example, operators};

use std::ops::Range;

use crate::error::QueryError;
use crate::field::{Catalog, Field};
use crate::lex::{Token, TokenKind, lex};
use crate::limits::{DEPTH_MAX, TESTS_MAX};
use crate::lists::Lists;
use crate::tree::Expr;

/// Parses a filter over the records of `catalog`. An empty text is every record.
///
/// # Errors
/// Says where the text is wrong, what was expected and what was perhaps meant.
pub fn parse(text: &str, catalog: &Catalog, lists: &dyn Lists) -> Result<Expr, QueryError> {
    read(text, catalog, lists).map_err(|failure| *failure.error)
}

/// What may stand at a point of the text.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// A comparison, `not`, a parenthesis.
    Filter,
    /// `and`, `or`.
    Join,
    /// A closing parenthesis.
    Close,
    /// A field after `src` or `dst`.
    Sided(&'static str),
    /// A field after `exists`.
    AnyField,
    /// An operator or a value for this field.
    Operand(Box<Field>),
    /// A value for this field.
    Value(Box<Field>),
    /// A value for this field, or the end of its list.
    Item(Box<Field>),
}

impl Expect {
    /// The words for an error.
    fn words(&self) -> Vec<String> {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::Filter => all(&["a comparison such as dst port 445", "not", "(", "any"]),
            Self::Join => all(&["and", "or", "the end"]),
            Self::Close => all(&[")"]),
            Self::Sided(_) => all(&["ip", "port", "mac", "bytes", "packets", "flags", "inside"]),
            Self::AnyField => all(&["a field"]),
            Self::Operand(field) => {
                let mut words = operand::operators(field.kind);
                words.push(operand::example(field));
                words
            }
            Self::Value(field) => vec![operand::example(field)],
            Self::Item(field) => vec![operand::example(field), "]".to_owned()],
        }
    }
}

/// An error with what the parser could have gone on with, for completion.
pub(crate) struct Failure {
    pub(crate) error: Box<QueryError>,
    pub(crate) expect: Option<Expect>,
    /// Only a closing parenthesis is missing.
    pub(crate) open: bool,
}

impl Failure {
    fn new(error: QueryError, expect: Option<Expect>) -> Self {
        Self {
            error: Box::new(error),
            expect,
            open: false,
        }
    }
}

pub(crate) fn read(text: &str, catalog: &Catalog, lists: &dyn Lists) -> Result<Expr, Failure> {
    let tokens = lex(text).map_err(|error| Failure::new(error, None))?;
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        catalog,
        lists,
        tests: 0,
        patterns: 0,
    };
    if parser.peek() == &TokenKind::End {
        return Ok(Expr::Any);
    }
    let expr = parser.or(0)?;
    match parser.peek() {
        TokenKind::End => Ok(expr),
        TokenKind::Mark(")") => Err(parser.fail("this parenthesis was never opened", Expect::Join)),
        _ => Err(parser.fail(
            "one comparison ends here and something else follows",
            Expect::Join,
        )),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    catalog: &'a Catalog,
    lists: &'a dyn Lists,
    tests: usize,
    patterns: usize,
}

impl Parser<'_> {
    fn or(&mut self, depth: usize) -> Result<Expr, Failure> {
        let mut parts = vec![self.and(depth)?];
        while self.take("or", "||") {
            parts.push(self.and(depth)?);
        }
        Ok(Expr::or(parts))
    }

    fn and(&mut self, depth: usize) -> Result<Expr, Failure> {
        let mut parts = vec![self.not(depth)?];
        while self.take("and", "&&") {
            parts.push(self.not(depth)?);
        }
        Ok(Expr::and(parts))
    }

    fn not(&mut self, depth: usize) -> Result<Expr, Failure> {
        if depth >= DEPTH_MAX {
            let message = format!("parentheses and not may be nested {DEPTH_MAX} deep");
            return Err(self.fail(message, Expect::Close));
        }
        let opened = self.span();
        if self.take("not", "!") {
            let inner = self.not(depth + 1)?;
            return Ok(if matches!(self.kind_before(opened.end), TokenKind::Mark("(")) {
                inner.negate()
            } else {
                primary::none_set(inner).negate()
            });
        }
        if self.take_mark("(") {
            let inner = self.or(depth + 1)?;
            if !self.take_mark(")") {
                let mut failure = self.fail("this parenthesis is still open", Expect::Close);
                if self.peek() == &TokenKind::End {
                    let words = failure.error.expected.clone();
                    let error = QueryError::new(self.text, opened, "this parenthesis is still open");
                    *failure.error = error.expecting(words);
                    failure.expect = Some(Expect::Join);
                    failure.open = true;
                }
                return Err(failure);
            }
            return Ok(inner);
        }
        self.primary()
    }

    /// The token that begins at or after this byte.
    fn kind_before(&self, end: usize) -> &TokenKind {
        let found = self.tokens.iter().find(|token| token.span.start >= end);
        found.map_or(&TokenKind::End, |token| &token.kind)
    }

    fn peek(&self) -> &TokenKind {
        self.tokens
            .get(self.at)
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    fn span(&self) -> Range<usize> {
        let end = self.text.len();
        self.tokens
            .get(self.at)
            .map_or(end..end, |token| token.span.clone())
    }

    fn advance(&mut self) {
        self.at += 1;
    }

    /// The word at hand, in lower case.
    fn word(&self) -> Option<String> {
        match self.peek() {
            TokenKind::Word(word) => Some(word.to_lowercase()),
            _ => None,
        }
    }

    fn take_mark(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Mark(known) if *known == mark);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.word().is_some_and(|known| known == word);
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, word: &str, mark: &str) -> bool {
        self.take_word(word) || self.take_mark(mark)
    }

    fn counted(&mut self, expr: Expr) -> Result<Expr, Failure> {
        self.tests += 1;
        if self.tests > TESTS_MAX {
            return Err(self.fail(format!("a filter may have {TESTS_MAX} comparisons"), Expect::Join));
        }
        Ok(expr)
    }

    /// An error at the token at hand.
    fn fail(&self, message: impl Into<String>, expect: Expect) -> Failure {
        self.fail_at(self.span(), message, expect)
    }

    fn fail_at(&self, span: Range<usize>, message: impl Into<String>, expect: Expect) -> Failure {
        let message = match self.peek() {
            TokenKind::End if span.start >= self.text.len() => "the filter ends too early".to_owned(),
            _ => message.into(),
        };
        let error = QueryError::new(self.text, span, message).expecting(expect.words());
        Failure::new(error, Some(expect))
    }
}
