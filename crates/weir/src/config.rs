//! The configuration file: TOML, every key known, errors that name the nearest key. Flags override it.

mod effective;
mod geo;
mod indicators;
mod instances;
mod layers;
mod lists;
mod meter;
mod oidc;
pub mod patterns;
mod profiles;
mod serve;
mod sites;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use instances::Settings;
use toml::{Table, Value};
use weir_detect::behaviour::bpatterns;
use weir_detect::{Entry, Instance, REGISTRY};
use weir_enrich::{Enricher, Slot};
use weir_meter::MeterConfig;
use weir_model::{Need, Networks, Places};
use weir_store::flow::profile::Profile;
use weir_triage::{Preset, TriageConfig};

use crate::fetch::Remote;
use crate::syscheck;

pub use effective::{dump, lists as named_lists, methods, needs_restart, schema, values};
pub use geo::GeoFiles;
pub(crate) use indicators::{ListsAgain, Seen};
pub use layers::{Layers, MANAGED};
pub use meter::{METER_KEYS, MeterKey};
pub use oidc::OidcConfig;
pub use serve::ServeConfig;
pub use sites::{DEFAULT_SITE, SiteConfig};
use value::{bad, check_name, flag, networks, number, sub, text, texts, unknown};
pub use value::{did_you_mean, network};

/// The method whose submethods are patterns.
const BPATTERNS: &str = "BPATTERNS";
/// Detection workers unless configured; more help only where cores are free.
const SHARDS_DEFAULT: usize = 1;
/// Detection workers at most: the number of partitions.
const SHARDS_MAX: usize = 16;

/// What a run is for, which decides the methods that take part.
#[derive(Clone, Debug, Default)]
pub enum Purpose {
    /// Looking for events.
    #[default]
    Watch,
    /// Teaching: the methods that learn.
    Teach,
    /// Looking for indicators in the past: the methods of lists.
    Hunt,
    /// Trying out one pattern.
    Try(Arc<bpatterns::Compiled>),
}

/// Methods that tell of indicators.
const OF_LISTS: [&str; 2] = ["BLACKLIST", "THREATS"];
/// Name of their instances in a hunt: what they find is not mistaken for what was found in time.
pub const RETROACTIVE: &str = "retroactive";

/// Everything the pipeline is told.
pub struct Config {
    pub purpose: Purpose,
    /// Inside networks; `None`: guess.
    pub inside: Option<Networks>,
    pub meter: MeterConfig,
    /// Detection workers, 1..=16.
    pub shards: usize,
    pub triage: TriageConfig,
    /// Folder of what methods have learned: taken up at the start, kept every minute and at the end.
    pub learned: Option<PathBuf>,
    pub serve: ServeConfig,
    /// Sites beside the default one.
    pub sites: Vec<SiteConfig>,
    /// Named lists of filters: `@servers`.
    pub lists: BTreeMap<String, Vec<String>>,
    /// Indicators to look for; lists that are fetched are put here again when they change.
    pub indicators: Arc<Slot>,
    /// Lists of indicators that are fetched.
    pub remotes: Vec<Remote>,
    lists_again: ListsAgain,
    /// Is a list of indicators configured, be it one that was not fetched yet?
    pub has_lists: bool,
    /// Limits of the checks of input and events.
    pub syscheck: syscheck::Setting,
    /// Who tells country and autonomous system of addresses; `None`: no file is configured.
    pub geo: Option<Arc<GeoFiles>>,
    /// What reading the lists of indicators came to, a line each.
    pub list_lines: Vec<String>,
    briefings: Vec<serde_json::Value>,
    /// People's own patterns of BPATTERNS, those that are switched off too.
    pub patterns: Vec<patterns::ReadPattern>,
    /// Views that are counted while records are stored; `None` when the configuration says nothing of them.
    pub profiles: Option<Vec<Profile>>,
    /// Instances by slug; a method without has the one of its defaults.
    methods: BTreeMap<String, Vec<Settings>>,
}

/// What is wrong with a configuration, with the place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}: cannot be read: {error}", path = .path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{path}: not TOML: {error}", path = .path.display())]
    Syntax {
        path: PathBuf,
        error: Box<toml::de::Error>,
    },
    #[error("{place}: unknown key{hint}")]
    UnknownKey { place: String, hint: String },
    #[error("{place}: {why}")]
    Value { place: String, why: String },
}

type Result<T> = std::result::Result<T, ConfigError>;

impl Default for Config {
    fn default() -> Self {
        Self {
            purpose: Purpose::Watch,
            inside: None,
            meter: MeterConfig::default(),
            shards: SHARDS_DEFAULT,
            triage: TriageConfig::default(),
            learned: None,
            lists: BTreeMap::new(),
            indicators: Arc::default(),
            remotes: Vec::new(),
            lists_again: ListsAgain::default(),
            has_lists: false,
            geo: None,
            list_lines: Vec::new(),
            briefings: Vec::new(),
            patterns: Vec::new(),
            profiles: None,
            serve: ServeConfig::default(),
            sites: Vec::new(),
            syscheck: syscheck::Setting::default(),
            methods: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Reads and checks a configuration file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        Self::parse(&text, path)
    }

    /// Checks the text of a configuration file; `path` is for the words of an error.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let mut table = text.parse::<Table>().map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            error: Box::new(error),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        lists::insert(&mut table, folder)?;
        Self::from_table(&table, folder)
    }

    /// `folder` is where relative names of files begin.
    fn from_table(table: &Table, folder: &Path) -> Result<Self> {
        let mut config = Self::default();
        // Filters of methods name lists, wherever in the file those stand.
        if let Some(value) = table.get("lists") {
            config.lists = instances::named_lists(value)?;
        }
        for (key, value) in table {
            match key.as_str() {
                "inside" => config.inside = Some(networks(key, value)?),
                "preset" => {
                    let word = text(key, value)?;
                    let preset = Preset::from_word(word);
                    config.triage.preset = preset
                        .ok_or_else(|| bad(key, "must be \"quiet\", \"balanced\" or \"everything\""))?;
                }
                "meter" => meter::read(&mut config.meter, sub(key, value)?)?,
                "detect" => config.detect(sub(key, value)?)?,
                "syscheck" => checks(&mut config.syscheck, sub(key, value)?)?,
                "serve" => config.serve = ServeConfig::read(sub(key, value)?, folder)?,
                "sites" => config.sites = sites::read(value, folder)?,
                "methods" => {
                    for (slug, value) in sub(key, value)? {
                        config.method(slug, value)?;
                    }
                }
                "lists" | "indicators" | "indicators_dir" | "briefings" | "patterns" | "profiles" | "geo" => {
                }
                _ => return Err(unknown(key, key, KEYS)),
            }
        }
        let read = indicators::read(table, folder)?;
        config.has_lists = table.contains_key("indicators") || read.lists.is_some();
        (config.indicators, config.list_lines) = (Arc::new(Slot::new(read.lists)), read.lines);
        config.remotes = read.remotes;
        config.lists_again = ListsAgain::new(table, folder);
        config.briefings = read.briefings;
        config.patterns = patterns::read(table, folder, &config.lists)?;
        config.profiles = profiles::read(table, &config.lists)?;
        config.geo = geo::read(table, folder)?;
        config.triage.places = config.geo.clone().map(|geo| geo as Arc<dyn Places>);
        config
            .list_lines
            .extend(config.geo.iter().flat_map(|geo| geo.lines()));
        config.instances(true)?;
        Ok(config)
    }

    fn detect(&mut self, table: &Table) -> Result<()> {
        for (key, value) in table {
            let place = format!("detect.{key}");
            match key.as_str() {
                "shards" => self.shards = number(&place, value, 1, SHARDS_MAX as i64)? as usize,
                _ => return Err(unknown(&place, key, ["shards"])),
            }
        }
        Ok(())
    }

    fn method(&mut self, slug: &str, value: &Value) -> Result<()> {
        let place = format!("methods.{slug}");
        let entry = method_of(slug)
            .ok_or_else(|| unknown(&place, slug, REGISTRY.iter().map(|entry| entry.meta.slug)))?;
        let read = instances::read(entry, &place, value, &self.lists)?;
        for settings in &read {
            if let Some(priority) = settings.priority {
                let code = entry.meta.code;
                let key = match settings.name {
                    instances::DEFAULT => code.to_owned(),
                    name => format!("{code}/{name}"),
                };
                self.triage.priorities.insert(key, priority);
            }
        }
        self.methods.insert(slug.to_owned(), read);
        Ok(())
    }

    /// Patterns that are switched on: those of the program, then people's own.
    fn running_patterns(&self) -> impl Iterator<Item = &patterns::ReadPattern> {
        let all = patterns::shipped().iter().chain(&self.patterns);
        all.filter(|pattern| pattern.enabled)
    }

    /// What triage is told: patterns bring priorities of their own, unless the method's was configured.
    pub fn triage(&self) -> TriageConfig {
        let mut triage = self.triage.clone();
        if !triage.priorities.contains_key(BPATTERNS) {
            let named = self.running_patterns().filter_map(|pattern| {
                let key = format!("{BPATTERNS}.{}", pattern.compiled.name());
                Some((key, pattern.priority?))
            });
            for (key, priority) in named {
                triage.priorities.entry(key).or_insert(priority);
            }
        }
        triage
    }

    /// Where its lists are described, to read them again.
    pub(crate) fn lists_again(&self) -> ListsAgain {
        self.lists_again.clone()
    }

    /// Enrichment as configured.
    pub fn enricher(&self) -> Enricher {
        let mut enricher = Enricher::new(self.inside.clone());
        enricher.follow(self.indicators.clone());
        enricher.set_places(self.triage.places.clone());
        enricher
    }

    /// The method instances for packets, in the order of the registry. `inside_configured` tells whether inside networks
    /// were configured, which some submethods need.
    pub fn instances(&self, inside_configured: bool) -> Result<Vec<Instance>> {
        let have = [
            Need::Packets,
            Need::TcpFlags,
            Need::Macs,
            Need::Payload,
            Need::BothDirections,
            Need::Unsampled,
        ];
        self.instances_for(&have, inside_configured)
    }

    /// As [`Config::instances`] for a feed that offers what `have` says.
    pub fn instances_for(&self, have: &[Need], inside_configured: bool) -> Result<Vec<Instance>> {
        let mut have = have.to_vec();
        if inside_configured {
            have.push(Need::InsideConfigured);
        }
        have.extend(self.has_lists.then_some(Need::Lists));
        have.extend(self.briefings.first().map(|_| Need::Briefings));
        have.extend(
            self.geo
                .iter()
                .filter(|geo| geo.tells_countries())
                .map(|_| Need::Countries),
        );
        let mut instances = Vec::new();
        let defaults = [Settings::default()];
        let has_part = |entry: &&Entry| match self.purpose {
            Purpose::Watch => true,
            Purpose::Teach => entry.learns,
            Purpose::Hunt => OF_LISTS.contains(&entry.meta.code),
            Purpose::Try(_) => false,
        };
        if let Purpose::Try(pattern) = &self.purpose {
            let patterns = vec![pattern.clone()];
            let params = serde_json::Value::Object(serde_json::Map::new());
            let tried = bpatterns::instance(patterns, params, instances::DEFAULT, &[], &have);
            instances.push(tried.map_err(|error| bad("pattern", &error.to_string()))?);
        }
        for entry in REGISTRY.iter().filter(has_part) {
            let configured = self.methods.get(entry.meta.slug);
            let wanted = configured.map_or(defaults.as_slice(), Vec::as_slice);
            for settings in wanted.iter().filter(|settings| !settings.disabled) {
                instances.push(self.instance(entry, settings, &have)?);
            }
        }
        Ok(instances)
    }

    fn instance(&self, entry: &'static Entry, settings: &Settings, have: &[Need]) -> Result<Instance> {
        let mut params = settings.params.clone();
        if entry.meta.code == "THREATS" {
            params.insert("briefings".to_owned(), self.briefings.clone().into());
        }
        let params = serde_json::Value::Object(params);
        let name = match self.purpose {
            Purpose::Hunt => RETROACTIVE,
            _ => settings.name,
        };
        let off = settings.off.as_slice();
        let instance = if entry.meta.code == BPATTERNS {
            let patterns = self.running_patterns().map(|pattern| pattern.compiled.clone());
            bpatterns::instance(patterns.collect(), params, name, off, have)
        } else {
            entry.instance(name, params, off, have)
        };
        let instance =
            instance.map_err(|error| bad(&format!("methods.{}", entry.meta.slug), &error.to_string()))?;
        Ok(instance.filtered(settings.filter.clone()))
    }
}

/// The keys of the file.
const KEYS: [&str; 15] = [
    "inside",
    "preset",
    "meter",
    "detect",
    "serve",
    "sites",
    "methods",
    "lists",
    "indicators",
    "indicators_dir",
    "briefings",
    "patterns",
    "profiles",
    "geo",
    "syscheck",
];

/// The registry entry of a method by slug or code.
pub fn method_of(name: &str) -> Option<&'static Entry> {
    REGISTRY
        .iter()
        .find(|entry| entry.meta.slug == name || entry.meta.code.eq_ignore_ascii_case(name))
}

fn checks(setting: &mut syscheck::Setting, table: &Table) -> Result<()> {
    const FLAG: &str = "deactivate_on_flood";
    for (key, value) in table {
        let place = format!("syscheck.{key}");
        if key == FLAG {
            setting.deactivate_on_flood = flag(&place, value)?;
            continue;
        }
        let row = syscheck::KEYS.iter().find(|row| row.name == key);
        let known = syscheck::KEYS.iter().map(|row| row.name).chain([FLAG]);
        let row = row.ok_or_else(|| unknown(&place, key, known))?;
        (row.set)(setting, number(&place, value, row.low, row.high)?.unsigned_abs());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
