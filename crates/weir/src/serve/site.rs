//! One site of the house (ADR 16): a folder with stores, learned state and exporters of its own, and pipelines whose events
//! carry its name. Accounts and configuration are shared.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use weir_triage::Rules;

use super::configured::Configured;
use super::keeping::{Places, Stores};
use super::status::Board;
use crate::config::{Config, DEFAULT_SITE};

/// Folder of the folders of sites, in the house's own.
const SITES: &str = "sites";

/// A site.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) name: &'static str,
    /// Of its stores and whatever else it keeps.
    pub(super) folder: PathBuf,
    pub(super) stores: Arc<Stores>,
    pub(super) board: Arc<Board>,
    pub(super) configured: Arc<SiteConfigured>,
}

impl Site {
    /// Opens, or makes, the site in the house's places. The name lives as long as the program: events point at it.
    pub(super) fn open(house: &Places<'_>, name: &str, shared: &Arc<Configured>) -> Result<Self> {
        let folder = match name {
            DEFAULT_SITE => house.folder.to_owned(),
            other => house.folder.join(SITES).join(other),
        };
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        let stores = Arc::new(Stores::open(Places {
            site: name,
            folder: &folder,
            ..house.clone()
        })?);
        let configured = SiteConfigured {
            name,
            shared: shared.clone(),
            rules: stores.rules.clone(),
        };
        Ok(Self {
            name,
            folder,
            stores,
            board: Arc::new(Board::new()),
            configured: Arc::new(configured),
        })
    }
}

/// The configuration as a site takes it.
pub(super) struct SiteConfigured {
    name: &'static str,
    pub(super) shared: Arc<Configured>,
    /// What people said is harmless there.
    rules: Rules,
}

impl SiteConfigured {
    /// Inside networks of the site, where it has its own.
    pub(super) fn own_inside(&self) -> Option<Vec<String>> {
        let config = self.shared.config().ok()?;
        let own = config.sites.iter().find(|site| site.name == self.name)?;
        let inside = own.inside.as_ref()?;
        Some(inside.prefixes().iter().map(ToString::to_string).collect())
    }

    /// As a pipeline of the site takes it.
    pub(super) fn config(&self) -> Result<Config> {
        let mut config = self.shared.config()?;
        config.triage.rules = self.rules.clone();
        config.triage.site = self.name;
        let own = config.sites.iter().find(|site| site.name == self.name);
        if let Some(inside) = own.and_then(|site| site.inside.clone()) {
            config.inside = Some(inside);
        }
        Ok(config)
    }
}
