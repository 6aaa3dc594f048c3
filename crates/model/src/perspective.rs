//! Perspectives: how much events matter to one audience. The same event can be critical to whoever runs the servers and
//! nothing to whoever runs the printers; a perspective is a named set of rules that says so, and it changes what is
//! shown, never what is stored.

use serde::{Deserialize, Serialize};

use crate::Priority;

/// Rules of a perspective: every event of a list is asked about each.
pub const PERSPECTIVE_RULES_MAX: usize = 64;
/// Entries of one list of a rule: more than there are methods.
pub const PERSPECTIVE_ENTRIES_MAX: usize = 256;
/// Bytes of a filter of a rule.
pub const PERSPECTIVE_FILTER_BYTES_MAX: usize = 2048;
/// Bytes of a name, which stands in addresses.
const NAME_BYTES_MAX: usize = 48;
/// Bytes of a title, and of what it is for.
const TITLE_BYTES_MAX: usize = 80;
const ABOUT_BYTES_MAX: usize = 500;
/// Bytes of an entry of a list.
const ENTRY_BYTES_MAX: usize = 128;

/// How an event is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Seen {
    /// Not at all.
    Hidden,
    /// With the priority its method gave it.
    Own,
    /// With this priority.
    As(Priority),
}

impl Seen {
    /// Word outside.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Own => "own",
            Self::As(priority) => priority.word(),
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "hidden" => Some(Self::Hidden),
            "own" => Some(Self::Own),
            word => Priority::from_word(word).map(Self::As),
        }
    }
}

impl From<Seen> for String {
    fn from(seen: Seen) -> Self {
        seen.word().to_owned()
    }
}

impl TryFrom<String> for Seen {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let wrong = || format!("{word:?} is none of hidden, own, {}", words());
        Self::from_word(&word).ok_or_else(wrong)
    }
}

fn words() -> String {
    "informational, low, medium, high, critical".to_owned()
}

/// Which events, and how they are seen. A list or filter that is empty asks nothing; one entry of a list must fit, and all
/// of them must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerspectiveRule {
    /// `METHOD` or `METHOD.Submethod`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Names of instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<String>,
    /// Filter of the source, in the filter language: `ip 10.0.0.0/8 and not ip in @printers`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Filter that one of the targets must fit: `ip in @servers and port 445`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// Filter that the source or one of the targets must fit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Hidden, or with which priority. Not [`Seen::Own`].
    pub give: Seen,
}

/// A perspective. Of the rules that fit an event the one that hides wins, else the one with the highest priority, whatever
/// their order: so rules can be written one by one, without thought of those before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perspective {
    /// Lower-case letters, digits and `-`; stands in addresses and on command lines.
    pub name: String,
    pub title: String,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    #[serde(default)]
    pub rules: Vec<PerspectiveRule>,
    /// What becomes of events that no rule fits.
    pub otherwise: Seen,
}

/// Perspectives to carry from one server to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerspectiveFile {
    /// [`Self::FORMAT`], so that a file of something else is told.
    pub format: String,
    pub perspectives: Vec<Perspective>,
}

impl PerspectiveFile {
    /// What every such file says it is.
    pub const FORMAT: &'static str = "weir perspectives 1";

    /// A file of these.
    pub fn new(perspectives: Vec<Perspective>) -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            perspectives,
        }
    }
}

/// What is wrong with a perspective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerspectiveError {
    /// JSON pointer: `/rules/2/methods`.
    pub place: String,
    pub why: String,
}

impl std::fmt::Display for PerspectiveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl std::error::Error for PerspectiveError {}

impl Perspective {
    /// Name of the built-in perspective.
    pub const STANDARD: &'static str = "security";
    /// Names that nobody may give: the built-in one's, and words of the interface that would stand in the same place.
    pub const RESERVED: [&'static str; 5] = [Self::STANDARD, "preview", "export", "import", "choice"];

    /// The built-in one: every event with the priority its method and configuration give it.
    pub fn standard() -> Self {
        Self {
            name: Self::STANDARD.to_owned(),
            title: "Security issues".to_owned(),
            about: "Every event with the priority its method gives it".to_owned(),
            rules: Vec::new(),
            otherwise: Seen::Own,
        }
    }

    /// Is it within bounds? What its filters say is checked where they are compiled.
    pub fn check(&self) -> Result<(), PerspectiveError> {
        let wrong = |place: String, why: String| Err(PerspectiveError { place, why });
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let name = &self.name;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
            let why = format!("must be 1 to {NAME_BYTES_MAX} lower-case letters, digits and -");
            return wrong("/name".to_owned(), why);
        }
        if Self::RESERVED.contains(&name.as_str()) {
            return wrong(
                "/name".to_owned(),
                format!("{name:?} is taken; choose another name"),
            );
        }
        let title = self.title.trim();
        if title.is_empty() || title.len() > TITLE_BYTES_MAX {
            let why = format!("must have 1 to {TITLE_BYTES_MAX} bytes");
            return wrong("/title".to_owned(), why);
        }
        if self.about.len() > ABOUT_BYTES_MAX {
            let why = format!("may have {ABOUT_BYTES_MAX} bytes at most");
            return wrong("/about".to_owned(), why);
        }
        if self.rules.len() > PERSPECTIVE_RULES_MAX {
            let why = format!("there may be {PERSPECTIVE_RULES_MAX} rules at most");
            return wrong("/rules".to_owned(), why);
        }
        self.rules.iter().enumerate().try_for_each(|(at, rule)| {
            rule.check().map_err(|error| PerspectiveError {
                place: format!("/rules/{at}{}", error.place),
                why: error.why,
            })
        })
    }
}

impl PerspectiveRule {
    /// A rule that asks nothing.
    pub const fn all(give: Seen) -> Self {
        Self {
            methods: Vec::new(),
            instances: Vec::new(),
            feeds: Vec::new(),
            source: String::new(),
            target: String::new(),
            host: String::new(),
            give,
        }
    }

    fn check(&self) -> Result<(), PerspectiveError> {
        let wrong = |place: &str, why: String| {
            Err(PerspectiveError {
                place: place.to_owned(),
                why,
            })
        };
        let lists = [
            ("/methods", &self.methods),
            ("/instances", &self.instances),
            ("/feeds", &self.feeds),
        ];
        for (place, list) in lists {
            if list.len() > PERSPECTIVE_ENTRIES_MAX {
                return wrong(
                    place,
                    format!("may have {PERSPECTIVE_ENTRIES_MAX} entries at most"),
                );
            }
            if list
                .iter()
                .any(|entry| entry.is_empty() || entry.len() > ENTRY_BYTES_MAX || entry.contains('\0'))
            {
                return wrong(place, format!("an entry has 1 to {ENTRY_BYTES_MAX} bytes"));
            }
        }
        let filters = [
            ("/source", &self.source),
            ("/target", &self.target),
            ("/host", &self.host),
        ];
        for (place, filter) in filters {
            if filter.len() > PERSPECTIVE_FILTER_BYTES_MAX {
                let why = format!(
                    "may have {PERSPECTIVE_FILTER_BYTES_MAX} bytes at most; put addresses into a named list"
                );
                return wrong(place, why);
            }
        }
        if self.give == Seen::Own {
            let why = format!("must be hidden, {}", words());
            return wrong("/give", why);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printers() -> Perspective {
        Perspective {
            name: "printers".to_owned(),
            title: "Printers".to_owned(),
            about: String::new(),
            rules: vec![PerspectiveRule {
                methods: vec!["SCANS".to_owned()],
                ..PerspectiveRule::all(Seen::As(Priority::High))
            }],
            otherwise: Seen::Hidden,
        }
    }

    fn check(change: impl FnOnce(&mut Perspective)) -> String {
        let mut perspective = printers();
        change(&mut perspective);
        perspective
            .check()
            .map_or_else(|error| error.place, |()| String::new())
    }

    #[test]
    fn bounds() {
        assert_eq!(check(|_| {}), "");
        assert_eq!(check(|one| one.name = "Printers".to_owned()), "/name");
        assert_eq!(check(|one| one.name = "x".repeat(49)), "/name");
        assert_eq!(check(|one| one.name = Perspective::STANDARD.to_owned()), "/name");
        assert_eq!(check(|one| one.title = " ".to_owned()), "/title");
        assert_eq!(check(|one| one.about = "x".repeat(501)), "/about");
        let rule = PerspectiveRule::all(Seen::Hidden);
        assert_eq!(check(|one| one.rules = vec![rule.clone(); 64]), "");
        assert_eq!(check(|one| one.rules = vec![rule.clone(); 65]), "/rules");
        let many = vec!["X".to_owned(); 257];
        assert_eq!(check(|one| one.rules[0].methods = many), "/rules/0/methods");
        assert_eq!(
            check(|one| one.rules[0].feeds = vec![String::new()]),
            "/rules/0/feeds"
        );
        assert_eq!(check(|one| one.rules[0].host = "x".repeat(2049)), "/rules/0/host");
        assert_eq!(check(|one| one.rules[0].give = Seen::Own), "/rules/0/give");
    }

    #[test]
    fn written_and_read_again() {
        let text = serde_json::to_string(&printers()).unwrap();
        assert_eq!(
            text,
            r#"{"name":"printers","title":"Printers","rules":[{"methods":["SCANS"],"give":"high"}],"otherwise":"hidden"}"#
        );
        assert_eq!(serde_json::from_str::<Perspective>(&text).unwrap(), printers());
        let unknown = text.replace("hidden", "gone");
        let error = serde_json::from_str::<Perspective>(&unknown)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"gone\" is none of hidden, own, informational"),
            "{error}"
        );
    }
}
