//! Compares what a subject reports with what the generator wrote: every TLS name, HTTP host, DNS question and flow. With
//! the lists the comparison is exact by name; without them it is by count and by digest, which a wrong name breaks.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::mix::truth::{Kind, NameTally, Truth};

/// Most transaction lines read; ten times what the default mix holds.
const LINES_MAX: usize = 3_000_000;

/// How completely one kind of thing was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub what: &'static str,
    pub expected: u64,
    /// Expected and reported.
    pub matched: u64,
    /// Reported but not expected: wrong, or counted twice.
    pub extra: u64,
    /// Whether the names were compared, rather than only counted.
    pub exact: bool,
}

impl Found {
    /// Share of what was expected, percent.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.expected == 0 {
            100.0
        } else {
            100.0 * self.matched as f64 / self.expected as f64
        }
    }

    #[must_use]
    pub fn complete(&self) -> bool {
        self.matched == self.expected && self.extra == 0
    }

    /// From numbers alone.
    fn counted(what: &'static str, expected: u64, reported: u64) -> Self {
        Self {
            what,
            expected,
            matched: expected.min(reported),
            extra: reported.saturating_sub(expected),
            exact: false,
        }
    }
}

/// The field that carries the name of each kind.
fn field(kind: Kind) -> &'static str {
    match kind {
        Kind::Tls => "tls.sni",
        Kind::Dns => "dns.query",
        Kind::Http => "http.host",
    }
}

/// Names found in transaction lines.
#[derive(Default)]
pub struct Reported {
    tallies: [NameTally; 3],
    names: [HashMap<String, u64>; 3],
    seen: HashSet<u64>,
}

impl Reported {
    /// Reads JSON lines; what is not JSON or carries no name is passed over.
    pub fn read(input: impl BufRead) -> io::Result<Self> {
        let mut reported = Self::default();
        for line in input.lines().take(LINES_MAX) {
            if let Ok(value) = serde_json::from_str::<Value>(&line?) {
                reported.add(&value);
            }
        }
        Ok(reported)
    }

    /// Takes the fields at the top level or in the object `fields`. A name said twice of one flow, as question and as
    /// answer, is one name.
    fn add(&mut self, line: &Value) {
        let flow = line.get("flow_id").map(Value::to_string);
        for kind in Kind::ALL {
            let key = field(kind);
            let Some(value) = line
                .get(key)
                .or_else(|| line.get("fields").and_then(|fields| fields.get(key)))
            else {
                continue;
            };
            let texts = match value {
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
                other => Vec::from_iter(other.as_str()),
            };
            for text in texts {
                let name = text.trim_end_matches('.').to_ascii_lowercase();
                if let Some(flow) = &flow {
                    let mut hasher = DefaultHasher::new();
                    (flow, key, &name).hash(&mut hasher);
                    if !self.seen.insert(hasher.finish()) {
                        continue;
                    }
                }
                self.tallies[kind as usize].add(&name);
                *self.names[kind as usize].entry(name).or_default() += 1;
            }
        }
    }

    /// Compares with the truth, by name where `lists` holds the list of a kind.
    pub fn compare(mut self, truth: &Truth, lists: Option<&Path>) -> io::Result<Vec<Found>> {
        Kind::ALL
            .into_iter()
            .map(|kind| self.compare_kind(kind, truth, lists))
            .collect()
    }

    fn compare_kind(&mut self, kind: Kind, truth: &Truth, lists: Option<&Path>) -> io::Result<Found> {
        let expected = truth.names(kind);
        let reported = self.tallies[kind as usize].summary();
        let mut found = Found::counted(field(kind), expected.count, reported.count);
        if reported == *expected {
            found.exact = true;
        } else if let Some(list) = lists
            .map(|lists| lists.join(kind.list_file()))
            .filter(|list| list.exists())
        {
            let names = &mut self.names[kind as usize];
            found.matched = 0;
            for name in BufReader::new(File::open(list)?).lines() {
                if let Some(left) = names.get_mut(&name?).filter(|left| **left > 0) {
                    *left -= 1;
                    found.matched += 1;
                }
            }
            found.extra = reported.count - found.matched;
            found.exact = true;
        } else if reported.count == expected.count {
            // Right number, wrong digest: at least one name differs, how many only the lists can tell.
            found.matched -= 1;
            found.extra = 1;
        }
        Ok(found)
    }
}

/// Compares the number of flow lines in a CSV file, its header apart, with the truth.
pub fn flows(csv: &Path, truth: &Truth) -> io::Result<Found> {
    let lines = BufReader::new(File::open(csv)?)
        .lines()
        .take(LINES_MAX)
        .try_fold(0_u64, |count, line| {
            line.map(|line| count + u64::from(!line.is_empty()))
        })?;
    Ok(Found::counted(
        "flows",
        truth.flows.total,
        lines.saturating_sub(1),
    ))
}

/// Reads a file of transaction lines.
pub fn read_transactions(path: &Path) -> io::Result<Reported> {
    let reported = Reported::read(BufReader::new(File::open(path)?))?;
    fs::remove_file(path)?;
    Ok(reported)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(names: &[&str]) -> Truth {
        let mut tally = NameTally::default();
        names.iter().for_each(|name| tally.add(name));
        let none = NameTally::default().summary();
        Truth {
            tls_sni: tally.summary(),
            http_host: none.clone(),
            dns_query: none,
            ..Truth::default()
        }
    }

    fn check(lines: &str, names: &[&str], lists: Option<&Path>) -> (u64, u64, bool) {
        let reported = Reported::read(lines.as_bytes()).expect("reads");
        let found = reported
            .compare(&truth(names), lists)
            .expect("compares")
            .remove(0);
        (found.matched, found.extra, found.exact)
    }

    #[test]
    fn finds_names_wherever_they_stand() {
        let lines = r#"{"flow_id":"1","fields":{"tls.sni":"a.test"}}
not json
{"flow_id":"2","tls.sni":"B.test."}
{"flow_id":"2","fields":{"tls.sni":["b.test"]}}
{"flow_id":"3","protocol":"smtp","fields":{}}"#;
        assert_eq!(check(lines, &["b.test", "a.test"], None), (2, 0, true));
    }

    #[test]
    fn wrong_missing_and_repeated_names_show() {
        let wrong = r#"{"tls.sni":"a.test"}"#;
        assert_eq!(check(wrong, &["b.test"], None), (0, 1, false));
        assert_eq!(check("", &["b.test"], None), (0, 0, false));
        let repeated = "{\"tls.sni\":\"a.test\"}\n{\"tls.sni\":\"a.test\"}";
        assert_eq!(check(repeated, &["a.test"], None), (1, 1, false));
    }

    #[test]
    fn lists_tell_how_many_names_are_wrong() {
        let lists = std::env::temp_dir().join(format!("weir-benches-{}-lists", std::process::id()));
        fs::create_dir_all(&lists).expect("creates");
        fs::write(lists.join("tls.txt"), "a.test\nb.test\nb.test\n").expect("writes");
        let lines = "{\"tls.sni\":\"b.test\"}\n{\"tls.sni\":\"c.test\"}\n{\"tls.sni\":\"d.test\"}";
        assert_eq!(
            check(lines, &["a.test", "b.test", "b.test"], Some(&lists)),
            (1, 2, true)
        );
        fs::remove_dir_all(lists).expect("removes");
    }
}
