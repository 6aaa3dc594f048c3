//! The table `[serve]`: where `weir serve` listens, keeps (and how long) and looks, as far as its flags leave that open.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use weir_store::flow::Retention;

use super::oidc::OidcConfig;
use super::{Result, bad, number, sub, text, texts, unknown};
use crate::collect::Listen;
use crate::storing;

/// Its keys, and what they do.
pub(super) const KEYS: [(&str, &str); 14] = [
    (
        "listen",
        "Where the web interface and the API listen; 127.0.0.1:8844 when absent.",
    ),
    (
        "store",
        "Folder of flows, events, accounts and learned state; the state folder when absent.",
    ),
    (
        "flows",
        "Where flow records go instead of the folder: s3://BUCKET/PREFIX or clickhouse://HOST/DATABASE.",
    ),
    (
        "events_copy",
        "A database that every event goes to as well: mongodb://HOST/DATABASE or postgres://HOST/DATABASE.",
    ),
    ("watch", "Folder whose capture files are read as they come."),
    (
        "collect",
        "Where flow exports are taken; netflow, ipfix, sflow when absent, [] nowhere.",
    ),
    (
        "tls_cert",
        "Certificate chain of the interface (PEM); one of our own making beyond this machine when absent.",
    ),
    ("tls_key", "Its private key (PEM)."),
    (
        "keep_days",
        "Days that flow records and transactions are kept; forever when absent.",
    ),
    (
        "keep_gib",
        "GiB that they may take; the oldest go first. No limit when absent.",
    ),
    (
        "free_gib",
        "GiB of the disk left free: the oldest records go when it runs full; 2 when absent.",
    ),
    (
        "keep_days_30s",
        "Days that half minutes of profiles are kept; 92 when absent.",
    ),
    (
        "keep_days_5min",
        "Days that their five minutes are kept; 1826 when absent.",
    ),
    (
        "keep_days_1day",
        "Days that their days are kept; 7305 when absent.",
    ),
];

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeConfig {
    /// Where the interface listens.
    pub listen: Option<SocketAddr>,
    /// Folder of stores, accounts and learned state.
    pub store: Option<PathBuf>,
    /// URL of an object store or a ClickHouse for flow records.
    pub flows: Option<PathBuf>,
    /// URL of a database that every event goes to as well.
    pub events_copy: Option<String>,
    /// Folder whose capture files are read.
    pub watch: Option<PathBuf>,
    /// Where flow exports are taken; an empty list: nowhere.
    pub collect: Option<Vec<Listen>>,
    /// How long flow records and transactions are kept.
    pub retention: Retention,
    /// How long profiles are kept, by step.
    pub profiles: [Retention; 3],
    /// Certificate chain and private key of the interface.
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// An identity provider that people may log in through.
    pub oidc: Option<OidcConfig>,
}

/// GiB of its disk that the store leaves free unless the configuration says otherwise.
const FREE_GIB_DEFAULT: u64 = 2;
/// Days that half minutes, five minutes and days of profiles are kept unless it does: a quarter, five years, twenty.
const PROFILE_DAYS_DEFAULT: [i64; 3] = [92, 1826, 7305];

fn days(days: i64) -> Retention {
    Retention {
        age_s: Some(days * 24 * 3600),
        ..Retention::default()
    }
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            listen: None,
            store: None,
            flows: None,
            events_copy: None,
            watch: None,
            collect: None,
            tls_cert: None,
            tls_key: None,
            oidc: None,
            retention: Retention {
                free_bytes: Some(FREE_GIB_DEFAULT << 30),
                ..Retention::default()
            },
            profiles: PROFILE_DAYS_DEFAULT.map(days),
        }
    }
}

impl ServeConfig {
    /// `folder` is where relative names of files begin.
    pub(super) fn read(table: &Table, folder: &Path) -> Result<Self> {
        let mut config = Self::default();
        for (key, value) in table {
            let place = format!("serve.{key}");
            match key.as_str() {
                "listen" => config.listen = Some(parsed(&place, value)?),
                "store" => config.store = Some(text(&place, value)?.into()),
                "flows" => config.flows = Some(flows_url(&place, value)?),
                "events_copy" => config.events_copy = Some(events_url(&place, value)?),
                "watch" => config.watch = Some(text(&place, value)?.into()),
                "tls_cert" => config.tls_cert = Some(text(&place, value)?.into()),
                "tls_key" => config.tls_key = Some(text(&place, value)?.into()),
                "collect" => {
                    let words = texts(&place, value)?;
                    let listeners = words
                        .iter()
                        .map(|word| word.parse().map_err(|why: String| bad(&place, &why)));
                    config.collect = Some(listeners.collect::<Result<_>>()?);
                }
                "keep_days" => {
                    config.retention.age_s = Some(number(&place, value, 1, 36_500)? * 24 * 3600);
                }
                "keep_days_30s" => config.profiles[0] = days(number(&place, value, 1, 36_500)?),
                "keep_days_5min" => config.profiles[1] = days(number(&place, value, 1, 36_500)?),
                "keep_days_1day" => config.profiles[2] = days(number(&place, value, 1, 36_500)?),
                "keep_gib" => config.retention.bytes = Some(gib(&place, value, 1)?),
                "free_gib" => config.retention.free_bytes = Some(gib(&place, value, 0)?),
                "oidc" => config.oidc = Some(OidcConfig::read(sub(&place, value)?, folder)?),
                _ => {
                    let known = KEYS.into_iter().map(|(name, _)| name).chain(["oidc"]);
                    return Err(unknown(&place, key, known));
                }
            }
        }
        if config.tls_cert.is_some() != config.tls_key.is_some() {
            return Err(bad("serve", "tls_cert and tls_key go together"));
        }
        Ok(config)
    }
}

fn flows_url(place: &str, value: &Value) -> Result<PathBuf> {
    let url = PathBuf::from(text(place, value)?);
    if storing::is_url(&url) {
        Ok(url)
    } else {
        Err(bad(place, "must be an s3:// or clickhouse:// URL"))
    }
}

fn events_url(place: &str, value: &Value) -> Result<String> {
    let url = text(place, value)?;
    match weir_store::event::Place::parse(url) {
        weir_store::event::Place::Folder(_) => Err(bad(place, "must be a mongodb:// or postgres:// URL")),
        _ => Ok(url.to_owned()),
    }
}

/// Bytes of a number of GiB, up to a PiB.
fn gib(place: &str, value: &Value, low: i64) -> Result<u64> {
    Ok(number(place, value, low, 1 << 20)?.unsigned_abs() << 30)
}

fn parsed(place: &str, value: &Value) -> Result<SocketAddr> {
    let wrong = || bad(place, "must be an address and port such as \"127.0.0.1:8844\"");
    text(place, value)?.parse().map_err(|_| wrong())
}
