//! Where an address is registered: country and autonomous system. Small enough to lie in every flow record.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A country by its two letters (ISO 3166-1 alpha-2), upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two letters of either case; `None` for anything else.
    pub fn from_code(code: &str) -> Option<Self> {
        let letters = <[u8; 2]>::try_from(code.as_bytes()).ok()?;
        let good = letters.iter().all(u8::is_ascii_alphabetic);
        good.then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The two letters, upper case.
    pub fn as_str(&self) -> &str {
        // They are ASCII by construction.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.to_string()
    }
}

impl TryFrom<String> for Country {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        Self::from_code(&code).ok_or_else(|| format!("{code:?} is no country code such as \"CZ\""))
    }
}

/// What is known of where an address belongs; by default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    pub country: Option<Country>,
    /// Number of the autonomous system that announces it.
    pub as_number: Option<NonZeroU32>,
}

impl Place {
    /// Is nothing known?
    pub const fn is_unknown(self) -> bool {
        self.country.is_none() && self.as_number.is_none()
    }
}

/// A place with the words that go with it, as events show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    pub place: Place,
    pub as_name: Option<Box<str>>,
}

/// Something that knows where addresses belong. Implemented by enrichment; asked by whoever shows addresses.
pub trait Places: fmt::Debug + Send + Sync {
    /// Country and autonomous system of an address.
    fn place(&self, ip: IpAddr) -> Place;

    /// Name of the autonomous system of an address. From a file of strangers: bounded here, escaped where it is shown.
    fn as_name(&self, ip: IpAddr) -> Option<Box<str>>;

    /// Another number than before when answers may have changed.
    fn generation(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_two_letters() {
        assert_eq!(Country::from_code("cz").unwrap().to_string(), "CZ");
        for bad in ["", "C", "CZE", "C1", "é"] {
            assert_eq!(Country::from_code(bad), None, "{bad}");
        }
    }
}
