//! Where a ClickHouse is: `clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?secure=true&days=30&spool=DIR`.

use std::path::PathBuf;

/// Ports of ClickHouse's HTTP interface, plain and with TLS.
const PORT: u16 = 8123;
const PORT_SECURE: u16 = 8443;
/// Where a password may stand instead of the URL, which others see in the list of processes.
const PASSWORD_VARIABLE: &str = "WEIR_CLICKHOUSE_PASSWORD";
const SCHEME: &str = "clickhouse://";
const DATABASE: &str = "weir";
/// Most days a TTL may keep: a date has no more in ClickHouse.
const DAYS_MAX: u32 = 36_500;

/// A ClickHouse and what is asked of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// `http://HOST:PORT/`.
    pub(super) base: String,
    pub(super) user: String,
    pub(super) password: String,
    /// Letters, digits and `_`: it stands in SQL as it is.
    pub(super) database: String,
    /// Days that rows are kept; `None`: as the tables say.
    pub(super) days: Option<u32>,
    /// Make and extend tables. Off where somebody else does.
    pub(super) migrate: bool,
    /// Folder of blocks on their way.
    pub spool: Option<PathBuf>,
}

/// What is wrong with the URL.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0}; write clickhouse://USER@HOST:8123/DATABASE?secure=true&days=30 (password in {PASSWORD_VARIABLE})"
)]
pub struct PlaceError(String);

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({})", self.shown())
    }
}

impl Place {
    /// Is the text a URL of ClickHouse?
    pub fn is_url(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Reads the URL; the password comes from the environment where the URL has none.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(url: &str) -> Result<Self, PlaceError> {
        let wrong = |why: &str| PlaceError(why.to_owned());
        let rest = url
            .strip_prefix(SCHEME)
            .ok_or_else(|| wrong("not a ClickHouse URL"))?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let mut place = Self {
            base: String::new(),
            user: decoded(user)?,
            password: decoded(password)?,
            database: if database.is_empty() { DATABASE } else { database }.to_owned(),
            days: None,
            migrate: true,
            spool: None,
        };
        if place.password.is_empty() {
            place.password = std::env::var(PASSWORD_VARIABLE).unwrap_or_default();
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !place.database.bytes().all(named) || place.database.len() > 64 {
            return Err(wrong("the database's name may have letters, digits and _"));
        }
        let mut secure = false;
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match key {
                "secure" => secure = truth(value).ok_or_else(|| wrong("secure is true or false"))?,
                "migrate" => place.migrate = truth(value).ok_or_else(|| wrong("migrate is true or false"))?,
                "days" => {
                    let days = value.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
                    place.days = Some(days.ok_or_else(|| wrong("days is a number from 1 to 36500"))?);
                }
                "spool" => place.spool = Some(decoded(value)?.into()),
                _ => {
                    return Err(PlaceError(format!(
                        "{key:?} is unknown; options are secure, migrate, days, spool"
                    )));
                }
            }
        }
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        let ported = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let scheme = if secure { "https" } else { "http" };
        place.base = match (ported, secure) {
            (true, _) => format!("{scheme}://{host}/"),
            (false, true) => format!("{scheme}://{host}:{PORT_SECURE}/"),
            (false, false) => format!("{scheme}://{host}:{PORT}/"),
        };
        Ok(place)
    }

    /// Name of the database, fit to stand in SQL.
    pub(in crate::flow) fn database(&self) -> &str {
        &self.database
    }

    /// For people: without the password.
    pub fn shown(&self) -> String {
        let host = self.base.split("//").nth(1).unwrap_or_default();
        format!("clickhouse://{host}{}", self.database)
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// Undoes `%40` and the like.
fn decoded(text: &str) -> Result<String, PlaceError> {
    let wrong = || PlaceError(format!("{text:?} has a % without two hexadecimal digits"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.ok_or_else(wrong)?);
        rest = &behind[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let place =
            Place::parse("clickhouse://kim:a%40b@db.example:9000/flows?days=30&spool=/var/x").unwrap();
        assert_eq!(place.base, "http://db.example:9000/");
        assert_eq!((place.user.as_str(), place.password.as_str()), ("kim", "a@b"));
        assert_eq!(
            (place.database.as_str(), place.days, place.migrate),
            ("flows", Some(30), true)
        );
        assert_eq!(place.spool, Some("/var/x".into()));
        assert_eq!(place.shown(), "clickhouse://db.example:9000/flows");
        assert!(!format!("{place:?}").contains("a@b"));
        let place = Place::parse("clickhouse://[::1]?secure=true&migrate=no").unwrap();
        assert_eq!(place.base, "https://[::1]:8443/");
        assert_eq!((place.database.as_str(), place.migrate), ("weir", false));
    }

    #[test]
    fn slips_are_told() {
        for (url, told) in [
            ("clickhouse://", "the host is missing"),
            ("clickhouse://h/a;b", "letters, digits"),
            ("clickhouse://h?dyas=3", "\"dyas\" is unknown"),
            ("clickhouse://h?days=0", "from 1 to 36500"),
            ("clickhouse://a%4@h", "two hexadecimal digits"),
        ] {
            let error = Place::parse(url).unwrap_err().to_string();
            assert!(error.contains(told), "{url}: {error}");
        }
    }
}
