//! The typed tree of a filter. Every comparison holds or does not: a value that is not there never fits, and `not`
//! turns that round, so `!=` means "no value equals".

use regex::{Regex, RegexBuilder};

use crate::field::Field;
use crate::limits::{PATTERN_BYTES_MAX, STRING_BYTES_MAX};
use crate::ranges::{Point, Ranges};

/// A filter. Build it with [`Expr::and`], [`Expr::or`] and [`Expr::negate`], which keep it in the one form that prints and
/// reparses equal: no `and` directly in an `and`, no double `not`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Every record.
    Any,
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Test(Box<Test>),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    pub field: Field,
    pub check: Check,
}

/// What is asked of a value; fits the kind of the field.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// There is a value.
    Present,
    /// Numbers and hardware addresses.
    Numbers(Set<u64>),
    /// Nanoseconds since 1970.
    Times(Set<i64>),
    /// Addresses as numbers (see [`crate::address`]).
    Addresses(Set<u128>),
    Rate(Order, f64),
    Flag(bool),
    TcpFlags(FlagTest),
    Text(TextTest),
}

/// How a rate compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Less,
    LessOrEqual,
    Equal,
    MoreOrEqual,
    More,
}

impl Order {
    /// Does `found` stand in this order to `wanted`?
    pub fn holds(self, found: f64, wanted: f64) -> bool {
        match self {
            Self::Less => found < wanted,
            Self::LessOrEqual => found <= wanted,
            Self::Equal => found == wanted,
            Self::MoreOrEqual => found >= wanted,
            Self::More => found > wanted,
        }
    }

    /// The sign in filters and SQL.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::MoreOrEqual => ">=",
            Self::More => ">",
        }
    }
}

/// A set of values: ranges written in the filter and the contents of named lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    /// Ranges as written.
    pub own: Ranges<T>,
    /// Names of lists, sorted.
    pub lists: Vec<Box<str>>,
    all: Ranges<T>,
}

impl<T: Point> Set<T> {
    /// A set of ranges.
    pub fn of(ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        Self::new(Ranges::new(ranges), Vec::new(), [])
    }

    /// Ranges and lists; `listed` is what the lists hold.
    pub(crate) fn new(
        own: Ranges<T>,
        mut lists: Vec<Box<str>>,
        listed: impl IntoIterator<Item = (T, T)>,
    ) -> Self {
        lists.sort();
        lists.dedup();
        let all = Ranges::new(own.as_slice().iter().copied().chain(listed));
        Self { own, lists, all }
    }

    /// Everything in the set, lists included.
    pub fn all(&self) -> &Ranges<T> {
        &self.all
    }
}

/// A question to TCP flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagTest {
    /// All of these are set: `flags SA`.
    All(u64),
    /// At least one of these is set: `flags any AR`.
    AnyOf(u64),
    /// Of `of`, exactly `set` is set: `flags S/SA`.
    Exactly { set: u64, of: u64 },
}

impl FlagTest {
    /// Do the bits fit?
    pub const fn accepts(self, bits: u64) -> bool {
        match self {
            Self::All(wanted) => bits & wanted == wanted,
            Self::AnyOf(wanted) => bits & wanted != 0,
            Self::Exactly { set, of } => bits & of == set,
        }
    }
}

/// A question to a text. Texts are compared byte for byte, upper and lower case apart.
#[derive(Clone, Debug, PartialEq)]
pub enum TextTest {
    Is(Words),
    Contains(Box<str>),
    /// `*` and `?` over the whole text.
    Glob(Pattern),
    /// Anywhere in the text; anchor with `^` and `$`.
    Regex(Pattern),
}

impl TextTest {
    /// Does the text fit?
    pub fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Is(words) => words.contains(text),
            Self::Contains(part) => text.contains(&**part),
            Self::Glob(pattern) | Self::Regex(pattern) => pattern.regex.is_match(text),
        }
    }
}

/// A set of texts: words of the filter and the contents of named lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// As written, sorted.
    pub own: Vec<Box<str>>,
    /// Names of lists, sorted.
    pub lists: Vec<Box<str>>,
    all: Vec<Box<str>>,
}

impl Words {
    /// These words.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(
            words.into_iter().map(Into::into).collect(),
            Vec::new(),
            Vec::new(),
        )
    }

    pub(crate) fn new(own: Vec<Box<str>>, lists: Vec<Box<str>>, listed: Vec<Box<str>>) -> Self {
        let sorted = |mut all: Vec<Box<str>>| {
            all.sort();
            all.dedup();
            all
        };
        let all = sorted(own.iter().cloned().chain(listed).collect());
        Self {
            own: sorted(own),
            lists: sorted(lists),
            all,
        }
    }

    /// Is the text one of them?
    pub fn contains(&self, text: &str) -> bool {
        self.all.binary_search_by(|word| (**word).cmp(text)).is_ok()
    }

    /// Everything in the set, lists included, sorted.
    pub fn all(&self) -> &[Box<str>] {
        &self.all
    }
}

/// A compiled pattern. Matching takes time linear in the text, whatever the pattern (crate `regex`).
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As written.
    pub text: Box<str>,
    /// The regular expression it became, in the syntax that RE2 shares.
    pub(crate) source: String,
    regex: Regex,
}

/// Patterns are the same when they are written the same.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// A pattern of `*` (any text), `?` (one character) and `\` (the next character itself).
    ///
    /// # Errors
    /// Says what is wrong with the pattern.
    pub fn glob(text: &str) -> Result<Self, String> {
        let mut source = String::from("(?s)^");
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' => source.push_str(".*"),
                '?' => source.push('.'),
                '\\' => source.push_str(&literal(chars.next().unwrap_or('\\'))),
                c => source.push_str(&literal(c)),
            }
        }
        source.push('$');
        Self::compile(text, source)
    }

    /// A regular expression.
    ///
    /// # Errors
    /// Says what is wrong with the pattern.
    pub fn regex(text: &str) -> Result<Self, String> {
        // ClickHouse lets `.` match a line end; here it does not, so both are told.
        Self::compile(text, format!("(?-s){text}"))
    }

    fn compile(text: &str, source: String) -> Result<Self, String> {
        if text.len() > STRING_BYTES_MAX {
            return Err(format!("a pattern may have {STRING_BYTES_MAX} bytes"));
        }
        let regex = RegexBuilder::new(&source)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .nest_limit(crate::limits::DEPTH_MAX as u32)
            .build();
        let regex = regex.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("this pattern needs more than {PATTERN_BYTES_MAX} bytes")
            }
            other => last_line(&other.to_string()),
        })?;
        Ok(Self {
            text: text.into(),
            source,
            regex,
        })
    }
}

/// A character that means itself in a regular expression.
fn literal(c: char) -> String {
    regex::escape(c.encode_utf8(&mut [0; 4]))
}

/// The crate's message ends with the reason; its drawing of the pattern would stand beside ours.
fn last_line(message: &str) -> String {
    let reason = message.lines().last().unwrap_or_default();
    format!("this pattern is wrong: {}", reason.trim_start_matches("error: "))
}

impl Expr {
    /// All of the parts; of none: every record.
    pub fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Self::And(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        match all.len() {
            0 => Self::Any,
            1 => all.remove(0),
            _ => Self::And(all),
        }
    }

    /// At least one of the parts; of none: no record.
    pub fn or(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Self::Or(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        match all.len() {
            0 => Self::Any.negate(),
            1 => all.remove(0),
            _ => Self::Or(all),
        }
    }

    /// Records that do not fit.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// One comparison.
    pub fn test(field: &Field, check: Check) -> Self {
        Self::Test(Box::new(Test {
            field: field.clone(),
            check,
        }))
    }

    /// Names of the columns the filter reads, each once, in the order met.
    pub fn columns(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        self.visit(&mut |test| {
            for column in test.field.reads.columns() {
                if !names.contains(&column.name) {
                    names.push(column.name);
                }
            }
        });
        names
    }

    /// Fields in whose texts the filter looks for something, each once, in the order met: what they hold is not in the
    /// filter itself.
    pub fn searched_fields(&self) -> Vec<&Field> {
        let mut fields: Vec<&Field> = Vec::new();
        self.visit(&mut |test| {
            let exact = matches!(test.check, Check::Text(TextTest::Is(_)));
            if matches!(test.check, Check::Text(_)) && !exact && !fields.contains(&&test.field) {
                fields.push(&test.field);
            }
        });
        fields
    }

    /// Lets `each` see the field of every comparison.
    pub fn each_field<'a>(&'a self, each: &mut impl FnMut(&'a Field)) {
        self.visit(&mut |test| each(&test.field));
    }

    fn visit<'a>(&'a self, each: &mut impl FnMut(&'a Test)) {
        match self {
            Self::Any => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.visit(each)),
            Self::Not(inner) => inner.visit(each),
            Self::Test(test) => each(test),
        }
    }
}
