//! Profiles: views over filters, counted while flow records are stored and kept long after them. A profile has channels (a
//! filter each); every channel is counted in steps of 30 seconds, 5 minutes and a day by the time records begin, for all
//! records and for TCP, UDP, ICMP and the rest, in flows, packets and bytes, with sketches of duration, bytes and packet
//! sizes that add up to those of longer steps.
//!
//! What is counted is a function of the rows of one log segment (`roll`), written as parts of three tables of their own
//! (`table`, `rollups`) under that segment's number before the rows themselves become parts. So a restart knows from the
//! names of the parts what is counted already: nothing is lost and nothing counted twice, however late a record comes.
//! Parts only ever add up (`combine`); rows that are in the log alone are counted when somebody asks (`series`).

mod combine;
mod known;
mod lines;
mod roll;
mod rollups;
mod series;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use weir_query::{Catalog, Expr, Lists, QueryError, parse};

pub use known::{Kept, KeptChannel, Known};
pub use lines::table;
pub use rollups::{RollupCounters, Rollups};
pub use series::{Point, Series, SeriesError, View, series};
pub use table::{CLASSES, Class};

/// Channels of all profiles together that are counted: each costs a comparison for every record.
pub const CHANNELS_MAX: usize = 256;
/// Profiles that a store remembers, those that are not counted any more too.
pub const PROFILES_MAX: usize = 256;
/// Bytes of the name of a profile or channel.
pub const NAME_BYTES_MAX: usize = 64;
/// The profile that every store has: all records.
pub const ALL: &str = "all";

/// A step that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    HalfMinute,
    FiveMinutes,
    Day,
}

/// All steps, finest first.
pub const STEPS: [Step; 3] = [Step::HalfMinute, Step::FiveMinutes, Step::Day];

impl Step {
    /// Its length, milliseconds.
    pub fn millis(self) -> i64 {
        match self {
            Self::HalfMinute => 30_000,
            Self::FiveMinutes => 300_000,
            Self::Day => 86_400_000,
        }
    }

    /// Its name in files and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::HalfMinute => "30s",
            Self::FiveMinutes => "5min",
            Self::Day => "1day",
        }
    }

    fn at(self) -> usize {
        match self {
            Self::HalfMinute => 0,
            Self::FiveMinutes => 1,
            Self::Day => 2,
        }
    }
}

/// A profile to count.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub name: String,
    pub title: String,
    /// Records that belong to it.
    pub filter: Expr,
    pub channels: Vec<Channel>,
    /// The named lists of all its filters.
    pub lists: BTreeMap<String, Vec<String>>,
}

/// A part of a profile; a record may belong to several, or to none.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    pub name: String,
    /// Of the profile's records, those that belong to it.
    pub filter: Expr,
}

impl Profile {
    /// The profile of all records.
    pub fn all() -> Self {
        Self {
            name: ALL.to_owned(),
            title: "All sources".to_owned(),
            filter: Expr::Any,
            channels: vec![Channel {
                name: ALL.to_owned(),
                filter: Expr::Any,
            }],
            lists: BTreeMap::new(),
        }
    }
}

/// Reads a filter of a profile or channel.
///
/// # Errors
/// When it is no filter over flow records.
pub fn filter(text: &str, lists: &dyn Lists) -> Result<Expr, QueryError> {
    parse(text, Catalog::flows(), lists)
}
