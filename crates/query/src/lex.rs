//! Text to tokens. A word is anything without space, bracket, quote or comparison sign, so addresses, prefixes, times
//! and patterns are one token each and their own type reads them later.

use std::ops::Range;

use crate::error::QueryError;
use crate::limits::{STRING_BYTES_MAX, TEXT_BYTES_MAX};

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Field, keyword or unquoted value.
    Word(String),
    /// Quoted value, escapes resolved.
    Text(String),
    /// `@name`, without the sign.
    List(String),
    /// `= == != < <= > >= ~ !~ =~ !=~`
    Sign(&'static str),
    /// `( ) [ ] , ! && ||`
    Mark(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Range<usize>,
}

/// Signs and marks, longer ones before their prefixes.
const SIGNS: [&str; 11] = ["!=~", "==", "=~", "!=", "!~", "<=", ">=", "=", "<", ">", "~"];
const MARKS: [&str; 8] = ["&&", "||", "(", ")", "[", "]", ",", "!"];

/// Splits `text`; the last token is [`TokenKind::End`].
pub(crate) fn lex(text: &str) -> Result<Vec<Token>, QueryError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!(
            "the filter has {} bytes; at most {TEXT_BYTES_MAX} are read",
            text.len()
        );
        return Err(QueryError::new(text, 0..0, message));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, len) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if first == '"' || first == '\'' {
            quoted(text, at, first)?
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (TokenKind::Sign(sign), sign.len())
        } else if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            (TokenKind::Mark(mark), mark.len())
        } else if first == '@' {
            let len = word_len(&rest[1..]);
            if len == 0 {
                return Err(QueryError::new(
                    text,
                    at..at + 1,
                    "a list needs a name, such as @servers",
                ));
            }
            (TokenKind::List(rest[1..=len].to_owned()), len + 1)
        } else {
            let len = word_len(rest);
            if len == 0 {
                let span = at..at + first.len_utf8();
                return Err(QueryError::new(
                    text,
                    span,
                    "this character has no meaning here; quote texts",
                ));
            }
            (TokenKind::Word(rest[..len].to_owned()), len)
        };
        tokens.push(Token {
            kind,
            span: at..at + len,
        });
        at += len;
    }
    tokens.push(Token {
        kind: TokenKind::End,
        span: text.len()..text.len(),
    });
    Ok(tokens)
}

/// May a text stand unquoted as one word?
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && word_len(text) == text.len()
}

fn word_len(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || c.is_control() || "()[],\"'=!<>~#@&|\\".contains(c))
        .unwrap_or(text.len())
}

/// Reads a quoted string: `\` before the quote or itself, `\n \r \t`, `\u{1f}`; any other backslash stays, for patterns.
fn quoted(text: &str, start: usize, quote: char) -> Result<(TokenKind, usize), QueryError> {
    let mut value = String::new();
    let body = &text[start + 1..];
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        if value.len() > STRING_BYTES_MAX {
            let message = format!("a string may have {STRING_BYTES_MAX} bytes");
            return Err(QueryError::new(text, start..start + 1 + at, message));
        }
        if c == quote {
            return Ok((TokenKind::Text(value), at + 2));
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        let Some((_, escaped)) = chars.next() else { break };
        match escaped {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            '\\' => value.push('\\'),
            'u' if body[at + 2..].starts_with('{') => {
                let digits: String = chars
                    .by_ref()
                    .skip(1)
                    .map(|(_, c)| c)
                    .take_while(|c| *c != '}')
                    .collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                let end = start + 1 + at + 1;
                value.push(code.ok_or_else(|| {
                    QueryError::new(
                        text,
                        end - 1..end + 1,
                        "no character has this code; write \\u{e9}",
                    )
                })?);
            }
            other if other == quote => value.push(other),
            other => value.extend(['\\', other]),
        }
    }
    Err(QueryError::new(text, start..start + 1, "this string has no end"))
}

/// Writes a text so that the lexer reads it back: as a word where `bare` allows it, quoted otherwise.
pub(crate) fn quote(text: &str, bare: bool) -> String {
    if bare && is_word(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
