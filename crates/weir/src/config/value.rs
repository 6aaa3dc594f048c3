//! Values of the configuration: what each must be, and errors that say what was meant.

use ipnet::IpNet;
use toml::{Table, Value};
use weir_model::Networks;

use super::{ConfigError, Result};

pub(super) fn bad(place: &str, why: &str) -> ConfigError {
    ConfigError::Value {
        place: place.to_owned(),
        why: why.to_owned(),
    }
}

pub(super) fn unknown(place: &str, key: &str, known: impl IntoIterator<Item = &'static str>) -> ConfigError {
    ConfigError::UnknownKey {
        place: place.to_owned(),
        hint: did_you_mean(key, known),
    }
}

/// `; did you mean "inside"?` when a known name is near, else the list of known names.
pub fn did_you_mean(word: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    match weir_query::nearest(word, known.iter().copied()) {
        Some(name) => format!("; did you mean {name:?}?"),
        None => format!("; known are {}", known.join(", ")),
    }
}

/// A name that goes into events and filters: letters, digits and `-_.`.
pub(super) fn check_name(place: &str, name: &str, chars_max: usize) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > chars_max || !name.chars().all(good) {
        let why = format!("{name:?} is no name: 1 to {chars_max} letters, digits, \"-\", \"_\" or \".\"");
        return Err(bad(place, &why));
    }
    Ok(())
}

pub(super) fn sub<'a>(place: &str, value: &'a Value) -> Result<&'a Table> {
    value.as_table().ok_or_else(|| bad(place, "must be a table"))
}

pub(super) fn text<'a>(place: &str, value: &'a Value) -> Result<&'a str> {
    value
        .as_str()
        .ok_or_else(|| bad(place, "must be a text in quotes"))
}

pub(super) fn flag(place: &str, value: &Value) -> Result<bool> {
    value.as_bool().ok_or_else(|| bad(place, "must be true or false"))
}

pub(super) fn number(place: &str, value: &Value, low: i64, high: i64) -> Result<i64> {
    value
        .as_integer()
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| bad(place, &format!("must be a whole number between {low} and {high}")))
}

pub(super) fn texts(place: &str, value: &Value) -> Result<Vec<String>> {
    let list = value
        .as_array()
        .ok_or_else(|| bad(place, "must be a list of texts"))?;
    list.iter()
        .map(|item| text(place, item).map(str::to_owned))
        .collect()
}

pub(super) fn networks(place: &str, value: &Value) -> Result<Networks> {
    let parsed = texts(place, value)?
        .into_iter()
        .map(|prefix| network(&prefix).map_err(|why| bad(place, &why)));
    Ok(Networks::new(parsed.collect::<Result<Vec<_>>>()?))
}

/// Reads `10.0.0.0/8` or a single address.
pub fn network(prefix: &str) -> std::result::Result<IpNet, String> {
    let single = || prefix.parse::<std::net::IpAddr>().ok().map(IpNet::from);
    let parsed = prefix
        .parse::<IpNet>()
        .ok()
        .map(|net| net.trunc())
        .or_else(single);
    parsed.ok_or_else(|| format!("{prefix:?} is not a prefix such as 10.0.0.0/8 or 2001:db8::/32"))
}
