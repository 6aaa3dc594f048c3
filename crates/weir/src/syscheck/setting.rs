//! The limits of SYSCHECK: one row of a table gives configuration key, default, bounds and words of the reference.

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub flows_min: u64,
    pub single_max_pct: u64,
    pub broadcast_max_pct: u64,
    pub duplicates_max_pct: u64,
    pub decrease_max_pct: u64,
    pub timeout_s: u64,
    pub events_max: u64,
    pub events_max_hour: u64,
    pub deactivate_on_flood: bool,
}

impl Default for Setting {
    fn default() -> Self {
        let mut setting = Self {
            flows_min: 0,
            single_max_pct: 0,
            broadcast_max_pct: 0,
            duplicates_max_pct: 0,
            decrease_max_pct: 0,
            timeout_s: 0,
            events_max: 0,
            events_max_hour: 0,
            deactivate_on_flood: false,
        };
        for key in KEYS {
            (key.set)(&mut setting, key.default);
        }
        setting
    }
}

/// A numeric key of `[syscheck]`.
pub struct Key {
    pub name: &'static str,
    pub about: &'static str,
    pub default: u64,
    pub low: i64,
    pub high: i64,
    pub(crate) set: fn(&mut Setting, u64),
}

macro_rules! key {
    ($field:ident = $default:literal, $low:literal ..= $high:literal, $about:literal) => {
        Key {
            name: stringify!($field),
            about: $about,
            default: $default,
            low: $low,
            high: $high,
            set: |setting, value| setting.$field = value,
        }
    };
}

/// The numeric keys, in the order of the reference; `deactivate_on_flood` stands beside them.
pub const KEYS: &[Key] = &[
    key!(
        flows_min = 1000,
        1..=1_000_000_000,
        "Flow records of five minutes below which shares say nothing."
    ),
    key!(
        single_max_pct = 80,
        1..=100,
        "MinSingle: share of flows seen in one direction only, per cent."
    ),
    key!(
        broadcast_max_pct = 80,
        1..=100,
        "MinBroadcast: share of broadcast and multicast flows, per cent."
    ),
    key!(
        duplicates_max_pct = 20,
        1..=100,
        "Duplicates: share of records that another exporter sent too, per cent."
    ),
    key!(
        decrease_max_pct = 80,
        1..=100,
        "MaxDecrease: fall below the least five minutes of the last four hours, per cent."
    ),
    key!(
        timeout_s = 300,
        1..=86_400,
        "DetectTimeout: the active time-out exporters should have, seconds; 5 s more or less are no matter."
    ),
    key!(
        events_max = 200,
        1..=1_000_000,
        "MaxNewEvents: events one method may open within five minutes."
    ),
    key!(
        events_max_hour = 2000,
        1..=10_000_000,
        "MaxPerHour: events all methods may open within an hour."
    ),
];
