//! The table `[serve]`: where `weir serve` listens, keeps and looks, as far as its flags leave that open.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::{Table, Value};

use super::{Result, bad, text, texts, unknown};
use crate::collect::Listen;

/// What is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServeConfig {
    /// Where the interface listens.
    pub listen: Option<SocketAddr>,
    /// Folder of stores, accounts and learned state.
    pub store: Option<PathBuf>,
    /// Folder whose capture files are read.
    pub watch: Option<PathBuf>,
    /// Where flow exports are taken; an empty list: nowhere.
    pub collect: Option<Vec<Listen>>,
}

impl ServeConfig {
    pub(super) fn read(table: &Table) -> Result<Self> {
        let mut config = Self::default();
        for (key, value) in table {
            let place = format!("serve.{key}");
            match key.as_str() {
                "listen" => config.listen = Some(parsed(&place, value)?),
                "store" => config.store = Some(text(&place, value)?.into()),
                "watch" => config.watch = Some(text(&place, value)?.into()),
                "collect" => {
                    let words = texts(&place, value)?;
                    let listeners = words
                        .iter()
                        .map(|word| word.parse().map_err(|why: String| bad(&place, &why)));
                    config.collect = Some(listeners.collect::<Result<_>>()?);
                }
                _ => return Err(unknown(&place, key, ["listen", "store", "watch", "collect"])),
            }
        }
        Ok(config)
    }
}

fn parsed(place: &str, value: &Value) -> Result<SocketAddr> {
    let wrong = || bad(place, "must be an address and port such as \"127.0.0.1:8844\"");
    text(place, value)?.parse().map_err(|_| wrong())
}
