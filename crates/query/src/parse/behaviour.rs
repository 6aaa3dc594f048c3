//! Grammar of behaviours: `[from flows|transactions] [where] FILTER [having CONDITIONS] [per KEYS] [within TIME]`,
//! around the grammar of filters and with its errors.

use weir_model::Op;

use super::{Failure, Parser};
use crate::behaviour::{
    ALTERNATIVES_MAX, Aggregate, Behaviour, CONDITIONS_MAX, Condition, DISTINCT_MAX, PER_FIELDS, Per,
    Records, WITHIN_S_DEFAULT, within,
};
use crate::column::{Kind, Unit};
use crate::error::{QueryError, nearest};
use crate::field::{Catalog, Field, Reads};
use crate::lex::{TokenKind, lex};
use crate::lists::Lists;
use crate::tree::Expr;
use crate::value;

/// Words that begin an aggregate.
const AGGREGATES: [&str; 6] = ["count", "distinct", "sum", "avg", "min", "max"];
/// Words behind the filter, in their order.
const CLAUSES: [&str; 3] = ["having", "per", "within"];

/// Parses a behaviour. The catalogs are those of the records it may be about.
///
/// # Errors
/// Says where the text is wrong, what was expected and what was perhaps meant.
pub fn parse_behaviour(
    text: &str,
    flows: &Catalog,
    transactions: &Catalog,
    lists: &dyn Lists,
) -> Result<Behaviour, QueryError> {
    read(text, flows, transactions, lists).map_err(|failure| *failure.error)
}

fn read(
    text: &str,
    flows: &Catalog,
    transactions: &Catalog,
    lists: &dyn Lists,
) -> Result<Behaviour, Failure> {
    let tokens = lex(text).map_err(|error| Failure::new(error, None))?;
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        catalog: flows,
        lists,
        tests: 0,
        patterns: 0,
    };
    let records = parser.records()?;
    if records == Records::Transactions {
        parser.catalog = transactions;
    }
    parser.take_word("where");
    let filter = match parser.word() {
        Some(word) if CLAUSES.contains(&word.as_str()) => Expr::Any,
        None if parser.peek() == &TokenKind::End => {
            return Err(parser.wrong("a filter is missing", &["where dst port 445", "where any"]));
        }
        _ => parser.or(0)?,
    };
    let having = if parser.take_word("having") {
        parser.alternatives()?
    } else {
        let one = Condition {
            aggregate: Aggregate::Count,
            op: Op::AtLeast,
            limit: 1.0,
        };
        vec![vec![one]]
    };
    let per = if parser.take_word("per") {
        parser.keys()?
    } else {
        Per {
            src_ip: true,
            ..Per::default()
        }
    };
    let within_s = if parser.take_word("within") {
        parser.window()?
    } else {
        WITHIN_S_DEFAULT
    };
    if parser.peek() != &TokenKind::End {
        let word = parser.word().unwrap_or_default();
        let mut failure = parser.wrong(
            "this does not belong here",
            &["and", "or", "having", "per", "within", "the end"],
        );
        failure.error.nearest = nearest(&word, CLAUSES);
        return Err(failure);
    }
    Ok(Behaviour {
        records,
        filter,
        having,
        per,
        within_s,
    })
}

impl Parser<'_> {
    /// An error at the token at hand, with words that would have been right.
    fn wrong(&self, message: impl Into<String>, expected: &[&str]) -> Failure {
        let words = expected.iter().map(|word| (*word).to_owned()).collect();
        let error = QueryError::new(self.text, self.span(), message).expecting(words);
        Failure::new(error, None)
    }

    fn records(&mut self) -> Result<Records, Failure> {
        if !self.take_word("from") {
            return Ok(Records::Flows);
        }
        for records in [Records::Flows, Records::Transactions] {
            if self.take_word(records.word()) {
                return Ok(records);
            }
        }
        let mut failure = self.wrong("from which records?", &["flows", "transactions"]);
        failure.error.nearest = nearest(&self.word().unwrap_or_default(), ["flows", "transactions"]);
        Err(failure)
    }

    /// `A and B or C and D`: `and` binds tighter.
    fn alternatives(&mut self) -> Result<Vec<Vec<Condition>>, Failure> {
        let mut all = vec![self.conditions()?];
        while self.take("or", "||") {
            if all.len() == ALTERNATIVES_MAX {
                return Err(self.wrong(format!("at most {ALTERNATIVES_MAX} alternatives"), &[]));
            }
            all.push(self.conditions()?);
        }
        Ok(all)
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, Failure> {
        let mut all = vec![self.condition()?];
        while self.take("and", "&&") {
            if all.len() == CONDITIONS_MAX {
                return Err(self.wrong(format!("at most {CONDITIONS_MAX} conditions"), &[]));
            }
            all.push(self.condition()?);
        }
        Ok(all)
    }

    fn condition(&mut self) -> Result<Condition, Failure> {
        let aggregate = self.aggregate()?;
        let op = match self.peek() {
            TokenKind::Sign(">") => Op::Above,
            TokenKind::Sign(">=") => Op::AtLeast,
            TokenKind::Sign("<") => Op::Below,
            TokenKind::Sign("<=") => Op::AtMost,
            TokenKind::Sign("=" | "==") => Op::Is,
            _ => return Err(self.wrong("how does it compare?", &[">", ">=", "<", "<=", "="])),
        };
        self.advance();
        let limit = self.limit(&aggregate)?;
        Ok(Condition { aggregate, op, limit })
    }

    fn aggregate(&mut self) -> Result<Aggregate, Failure> {
        let word = self.word().unwrap_or_default();
        if !AGGREGATES.contains(&word.as_str()) {
            let mut failure = self.wrong("a condition does not begin like this", &AGGREGATES);
            failure.error.nearest = nearest(&word, AGGREGATES);
            return Err(failure);
        }
        self.advance();
        if word == "count" {
            return Ok(Aggregate::Count);
        }
        let place = self.span();
        let field = self.field_of_exists()?;
        let refuse = |why: &str, expected: &[&str]| {
            let words = expected.iter().map(|word| (*word).to_owned()).collect();
            let span = place.start..self.span().start.max(place.start + 1);
            Failure::new(QueryError::new(self.text, span, why).expecting(words), None)
        };
        if let Reads::Either(..) = field.reads {
            let sides = [format!("src {}", field.name), format!("dst {}", field.name)];
            let sides: Vec<&str> = sides.iter().map(String::as_str).collect();
            return Err(refuse("of which side?", &sides));
        }
        let aggregate = match word.as_str() {
            "distinct" => return Ok(Aggregate::Distinct(field)),
            "sum" => Aggregate::Sum,
            "avg" => Aggregate::Average,
            "min" => Aggregate::Least,
            _ => Aggregate::Greatest,
        };
        match field.kind {
            Kind::Number(_) | Kind::Rate(_) => Ok(aggregate(field)),
            _ => Err(refuse(
                &format!("{} is no number", field.name),
                &["bytes", "packets", "duration"],
            )),
        }
    }

    fn limit(&mut self, aggregate: &Aggregate) -> Result<f64, Failure> {
        let word = match self.peek() {
            TokenKind::Word(word) => word.clone(),
            _ => return Err(self.wrong("a number belongs here", &["20", "10M", "5min"])),
        };
        let read = match aggregate.unit() {
            Unit::Count => value::rate(&word),
            unit => value::number(&word, unit).map(|number| number as f64),
        };
        let limit = read.map_err(|why| self.wrong(why, &[]))?;
        if matches!(aggregate, Aggregate::Distinct(_)) && limit > DISTINCT_MAX as f64 {
            return Err(self.wrong(format!("different values are counted up to {DISTINCT_MAX}"), &[]));
        }
        self.advance();
        Ok(limit)
    }

    fn keys(&mut self) -> Result<Per, Failure> {
        let mut per = Per::default();
        if self.take_word("feed") {
            return Ok(per);
        }
        loop {
            let expected: Vec<&str> = PER_FIELDS.iter().map(|(.., words)| *words).collect();
            let at = self.at;
            let field: Option<Field> = self.field_of_exists().ok();
            match field.as_ref().map(|field| field.name) {
                Some("src_ip") => per.src_ip = true,
                Some("dst_ip") => per.dst_ip = true,
                Some("dst_port") => per.dst_port = true,
                Some("src_mac") => per.src_mac = true,
                _ => {
                    self.at = at;
                    return Err(self.wrong(
                        "counts are not kept by this",
                        &[&expected[..], &["feed"]].concat(),
                    ));
                }
            }
            if !self.take_mark(",") {
                break;
            }
        }
        if per.dst_port && !per.src_ip && !per.dst_ip {
            return Err(self.wrong(
                "a port alone is nobody: add src ip or dst ip",
                &[", src ip", ", dst ip"],
            ));
        }
        Ok(per)
    }

    fn window(&mut self) -> Result<u32, Failure> {
        let word = match self.peek() {
            TokenKind::Word(word) => word.clone(),
            _ => return Err(self.wrong("within which time?", &["30s", "5m", "1h"])),
        };
        let seconds = within(&word).map_err(|why| self.wrong(why, &["30s", "5m", "1h"]))?;
        self.advance();
        Ok(seconds)
    }
}
