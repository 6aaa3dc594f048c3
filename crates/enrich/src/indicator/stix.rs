//! STIX 2.1 bundles and TAXII 2.1 envelopes: indicators whose pattern is a comparison of what traffic shows. Patterns over
//! time, negations and conjunctions that a single record cannot answer are refused, and counted: half a pattern would
//! be a false alarm.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::date::seconds;
use super::value::{self, Value};
use super::{Entries, Entry};

/// Comparisons in one pattern.
const COMPARISONS_MAX: usize = 256;

#[derive(Deserialize)]
struct Bundle<'a> {
    #[serde(default, borrow)]
    objects: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    pattern_type: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    indicator_types: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    valid_until: Option<String>,
    #[serde(default)]
    valid_from: Option<String>,
    #[serde(default)]
    modified: Option<String>,
    #[serde(default)]
    revoked: bool,
    #[serde(default)]
    confidence: Option<u8>,
}

pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    entries.at_line(1);
    let bundle = match serde_json::from_slice::<Bundle<'_>>(bytes) {
        Ok(bundle) => bundle,
        Err(error) => return entries.fault(format!("no STIX bundle: {error}")),
    };
    for (at, raw) in bundle.objects.iter().enumerate() {
        entries.at_line(at + 1);
        match serde_json::from_str::<Object>(raw.get()) {
            Ok(object) if object.kind == "indicator" => indicator(&object, entries),
            Ok(_) => {}
            Err(error) => entries.fault(format!("no STIX object: {error}")),
        }
    }
}

fn indicator(object: &Object, entries: &mut Entries<'_>) {
    if object.revoked {
        return;
    }
    // STIX 2.0 has no pattern_type: its patterns are always of this language.
    if object.pattern_type.as_deref().is_some_and(|kind| kind != "stix") {
        return entries.unseen();
    }
    let named = object.name.as_deref().filter(|name| !name.is_empty());
    let typed = object.indicator_types.first().or(object.labels.first());
    let entry = Entry {
        category: named.or(typed.map(String::as_str)).unwrap_or_default(),
        confidence: object.confidence.filter(|sure| *sure <= 100),
        seen_s: [&object.modified, &object.valid_from]
            .into_iter()
            .find_map(|date| seconds(date.as_deref()?)),
        until_s: object.valid_until.as_deref().and_then(seconds),
    };
    match pattern(&object.pattern) {
        Ok(found) if found.is_empty() => entries.unseen(),
        Ok(found) => found.into_iter().for_each(|value| entries.value(value, &entry)),
        Err(why) => entries.fault(why),
    }
}

/// The indicators of a pattern, any of which fulfils it; none where it asks for what traffic cannot show.
///
/// # Errors
/// Says what of the pattern is not understood, or cannot be answered by one record.
fn pattern(text: &str) -> Result<Vec<Value>, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
    };
    let mut found = parser.observation()?;
    while parser.word("OR") {
        found.extend(parser.observation()?);
        if found.len() > COMPARISONS_MAX {
            return Err(format!("more than {COMPARISONS_MAX} comparisons"));
        }
    }
    match parser.next() {
        None => Ok(found),
        Some(Token::Word(word)) => Err(format!("{word} between observations needs more than one record")),
        Some(Token::Text(text)) => Err(format!("{text:?} behind an observation")),
        Some(Token::Sign(sign)) => Err(format!("{sign} behind an observation")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut all = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if c.is_whitespace() {
            continue;
        }
        if c == '\'' {
            let mut value = String::new();
            loop {
                match chars.next() {
                    Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                    Some((_, '\'')) => break,
                    Some((_, c)) => value.push(c),
                    None => return Err("a text has no end".to_owned()),
                }
            }
            all.push(Token::Text(value));
        } else if "[]()=,<>!".contains(c) {
            all.push(Token::Sign(c));
        } else {
            let mut end = start + c.len_utf8();
            let mut quoted = false;
            // Object paths hold quoted keys: file:hashes.'SHA-256'.
            while let Some(&(at, c)) = chars.peek() {
                if c == '\'' {
                    quoted = !quoted;
                } else if !quoted && (c.is_whitespace() || "[]()=,<>!".contains(c)) {
                    break;
                }
                end = at + c.len_utf8();
                chars.next();
            }
            all.push(Token::Word(text[start..end].to_owned()));
        }
    }
    Ok(all)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

/// One comparison that holds: the object path and a value for it.
struct Comparison {
    path: String,
    values: Vec<String>,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found =
            matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, wanted: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Sign(wanted));
        self.at += usize::from(found);
        found
    }

    /// `[a = 'x' OR b = 'y' AND c = 1]`, perhaps in parentheses.
    fn observation(&mut self) -> Result<Vec<Value>, String> {
        let mut open = 0;
        while self.sign('(') {
            open += 1;
        }
        if !self.sign('[') {
            return Err("an observation begins with [".to_owned());
        }
        let mut found = Vec::new();
        loop {
            let mut all = vec![self.comparison()?];
            while self.word("AND") {
                all.push(self.comparison()?);
            }
            let joined = all.len();
            // What kind of address a reference leads to is said by the address.
            all.retain(|one| joined == 1 || !one.path.ends_with("_ref.type"));
            found.extend(conjunction(&all)?);
            if found.len() > COMPARISONS_MAX || joined > COMPARISONS_MAX {
                return Err(format!("more than {COMPARISONS_MAX} comparisons"));
            }
            if !self.word("OR") {
                break;
            }
        }
        if !self.sign(']') {
            return Err("an observation ends with ]".to_owned());
        }
        for _ in 0..open {
            if !self.sign(')') {
                return Err("a parenthesis is still open".to_owned());
            }
        }
        Ok(found)
    }

    fn comparison(&mut self) -> Result<Comparison, String> {
        let mut open = 0;
        while self.sign('(') {
            open += 1;
        }
        let Some(Token::Word(path)) = self.next() else {
            return Err("a comparison begins with an object path".to_owned());
        };
        let values = if self.sign('=') || self.word("ISSUBSET") {
            vec![self.constant()?]
        } else if self.word("IN") {
            self.list()?
        } else {
            return Err(format!("{path}: only =, IN and ISSUBSET can be looked up"));
        };
        for _ in 0..open {
            if !self.sign(')') {
                return Err("a parenthesis around more than one comparison".to_owned());
            }
        }
        Ok(Comparison { path, values })
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        if !self.sign('(') {
            return Err("IN wants a list".to_owned());
        }
        loop {
            all.push(self.constant()?);
            if all.len() > COMPARISONS_MAX {
                return Err(format!("more than {COMPARISONS_MAX} values"));
            }
            if !self.sign(',') {
                break;
            }
        }
        if self.sign(')') {
            Ok(all)
        } else {
            Err("a list ends with )".to_owned())
        }
    }

    fn constant(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Text(text) | Token::Word(text)) => Ok(text),
            _ => Err("a value is wanted behind the comparison".to_owned()),
        }
    }
}

/// The indicators of comparisons that must hold together: one alone, or an address with its port.
fn conjunction(all: &[Comparison]) -> Result<Vec<Value>, String> {
    match all {
        [one] => lookup(one),
        [a, b] => {
            let (address, port) = if is_port(&a.path) { (b, a) } else { (a, b) };
            if !(is_address(&address.path) && is_port(&port.path)) {
                return Err(format!("{} AND {} is not one thing to look up", a.path, b.path));
            }
            let mut found = Vec::new();
            for ip in &address.values {
                for port in &port.values {
                    let ip = ip.parse().map_err(|_| format!("{ip:?} is no address"))?;
                    let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
                    found.push(value::service_value(ip, port)?);
                }
            }
            Ok(found)
        }
        _ => Err(format!(
            "{} comparisons joined by AND are not one thing to look up",
            all.len()
        )),
    }
}

fn is_address(path: &str) -> bool {
    matches!(
        path,
        "ipv4-addr:value"
            | "ipv6-addr:value"
            | "network-traffic:dst_ref.value"
            | "network-traffic:src_ref.value"
    )
}

fn is_port(path: &str) -> bool {
    path == "network-traffic:dst_port"
}

fn lookup(one: &Comparison) -> Result<Vec<Value>, String> {
    let path = one.path.as_str();
    let each = |read: &dyn Fn(&str) -> Result<Vec<Value>, String>| {
        let mut found = Vec::new();
        for text in &one.values {
            found.extend(read(text)?);
        }
        Ok(found)
    };
    if is_address(path) || matches!(path, "domain-name:value" | "url:value") {
        return each(&|text| value::classify(text));
    }
    if path.starts_with("x509-certificate:hashes.") {
        return each(&|text| match value::classify(text)?.as_slice() {
            [certificate @ Value::Certificate(_)] => Ok(vec![certificate.clone()]),
            _ => Err(format!("{text:?} is no SHA-1 or SHA-256")),
        });
    }
    let kind = path.split(':').next().unwrap_or_default();
    let known = [
        "file",
        "email-addr",
        "email-message",
        "windows-registry-key",
        "process",
        "mutex",
        "artifact",
    ];
    if known.contains(&kind) || path.starts_with("network-traffic:") || path.starts_with("x509-certificate:")
    {
        return Ok(Vec::new());
    }
    Err(format!("{path}: not looked at"))
}
