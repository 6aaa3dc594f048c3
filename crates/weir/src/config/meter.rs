//! `[meter]`: time-outs and room of the flow cache.

use toml::Table;
use weir_meter::MeterConfig;

use super::{Result, number, unknown};

/// A key of the table `[meter]`: one row gives parsing, bounds, default and reference.
pub struct MeterKey {
    pub name: &'static str,
    /// Effect for the operator, with the unit.
    pub about: &'static str,
    pub low: i64,
    pub high: i64,
    pub get: fn(&MeterConfig) -> usize,
    set: fn(&mut MeterConfig, usize),
}

/// Longest time-out, seconds.
const DAY_S: i64 = 86_400;

macro_rules! seconds {
    ($name:literal, $($field:ident).+, $about:literal) => {
        MeterKey {
            name: $name,
            about: $about,
            low: 1,
            high: DAY_S,
            get: |config| config.$($field).+ as usize,
            set: |config, value| config.$($field).+ = value as u32,
        }
    };
}

/// The keys of `[meter]`, in the order of the reference.
pub const METER_KEYS: &[MeterKey] = &[
    seconds!(
        "active_timeout_s",
        active_timeout_s,
        "A flow that lasts longer is reported this often, seconds."
    ),
    seconds!(
        "tcp_opening_s",
        idle.tcp_opening_s,
        "Silence that ends a TCP flow whose handshake is not complete, seconds."
    ),
    seconds!(
        "tcp_open_s",
        idle.tcp_open_s,
        "Silence that ends an established TCP flow, seconds."
    ),
    seconds!(
        "tcp_closed_s",
        idle.tcp_closed_s,
        "Silence that ends a TCP flow closed by FIN or RST, seconds."
    ),
    seconds!(
        "udp_answered_s",
        idle.udp_answered_s,
        "Silence that ends a UDP flow with packets both ways, seconds."
    ),
    seconds!(
        "udp_unanswered_s",
        idle.udp_unanswered_s,
        "Silence that ends a UDP flow nobody answered, seconds."
    ),
    seconds!("icmp_s", idle.icmp_s, "Silence that ends an ICMP flow, seconds."),
    seconds!(
        "other_s",
        idle.other_s,
        "Silence that ends any other flow, seconds."
    ),
    MeterKey {
        name: "flows_max",
        about: "Flows held at once; past it unanswered and long silent flows are sent early, and counted.",
        low: 1000,
        high: 100_000_000,
        get: |config| config.flows_max,
        set: |config, value| config.flows_max = value,
    },
];

/// Reads the table.
pub(super) fn read(config: &mut MeterConfig, table: &Table) -> Result<()> {
    for (key, value) in table {
        let place = format!("meter.{key}");
        let row = METER_KEYS.iter().find(|row| row.name == key);
        let row = row.ok_or_else(|| unknown(&place, key, METER_KEYS.iter().map(|row| row.name)))?;
        (row.set)(config, number(&place, value, row.low, row.high)? as usize);
    }
    Ok(())
}
