//! What the handlers share: stores, accounts, and snapshots of what the program is doing. The program fills it; nothing
//! here reaches back into the pipeline.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use weir_model::{FalsePositiveRule, FlowRecord, MethodMeta, ParamMeta, Time};
use weir_query::Catalog;
use weir_store::Disk;
use weir_store::event::EventStore;
use weir_store::flow::Shared;
use weir_store::flow::clickhouse::Client;

use crate::accounts::Accounts;
use crate::exporters::Exporter;
use crate::indicators::IndicatorList;
use crate::jobs::{Jobs, Task, Work};
use crate::oidc::Oidc;
use crate::patterns::{NewPattern, PatternShown};
use crate::settings::{ChangeError, MethodSettings, Settings};
use crate::shared::Answers;
use crate::start::Learned;
use crate::status::{Reload, Status};
use crate::stream::Stream;

/// Searches of the flow store at once; more wait.
const SEARCHES_MAX: usize = 4;
/// Log-ins through an identity provider at once: each may hold a thread as long as the provider takes to answer.
const SIGN_INS_MAX: usize = 2;
/// Password checks that may wait at once; more are sent away.
const PASSWORDS_MAX: usize = 16;

/// A method as the interface shows it.
pub struct MethodPage {
    pub meta: &'static MethodMeta,
    pub params: Vec<ParamMeta>,
    /// The manual page as text.
    pub page: String,
}

/// The flow table as a search finds it.
#[derive(Clone)]
pub enum Flows {
    /// On a disk of this machine, or in an object store; what is not there yet is in memory.
    Own {
        disk: Arc<dyn Disk>,
        shared: Shared,
        /// What is counted of them, by step.
        profiles: [Shared; 3],
    },
    /// In a ClickHouse.
    ClickHouse { client: Arc<Client>, site: String },
}

/// Comma-separated values, as every output writes them.
pub struct Csv {
    /// Header of flow records.
    pub flow_header: fn() -> String,
    /// A flow record.
    pub flow: fn(&FlowRecord) -> String,
    /// A cell of text.
    pub cell: fn(&str) -> String,
}

/// What the handlers may ask of the running program.
pub trait Program: Send + Sync {
    /// These rules of false positives are in force from now on, in the place of all before.
    fn rules(&self, rules: Vec<FalsePositiveRule>);
    /// Everything that is set.
    fn settings(&self) -> Settings;
    /// The items of a named list of filters, as it is now.
    fn list(&self, name: &str) -> Option<Vec<String>>;
    /// Inside networks of the site, where it has its own; otherwise those of the settings hold.
    fn inside(&self) -> Option<Vec<String>>;
    /// Methods with their instances.
    fn methods(&self) -> Vec<MethodSettings>;
    /// Changes settings by a merge patch; `etag` is what the asker has seen. A dry run only says what would happen.
    fn change(
        &self,
        patch: &serde_json::Value,
        etag: Option<&str>,
        dry_run: bool,
    ) -> Result<Reload, ChangeError>;
    /// Reads the configuration file again.
    fn reload(&self) -> Reload;
    /// Who exports, by address.
    fn exporters(&self) -> Vec<Exporter>;
    /// Lists of indicators.
    fn indicators(&self) -> Vec<IndicatorList>;
    /// Patterns of behaviour, people's own first.
    fn patterns(&self) -> Vec<PatternShown>;
    /// A pattern in its own words, or why it cannot be read.
    fn check_pattern(&self, pattern: &NewPattern) -> Result<String, String>;
    /// How far methods are that learn.
    fn learned(&self) -> Learned;
    /// Does a longer piece of work, on a thread that may block: a sentence and a result, or what went wrong.
    fn run(&self, task: &Task, work: &Work) -> Result<(String, serde_json::Value), String>;
}

/// What the interface of a site is made with.
pub struct Setting {
    /// Name of the site; events, rules and searches carry it.
    pub site: String,
    /// Names of all sites of this server, this one among them.
    pub sites: Arc<[String]>,
    /// Shared by all sites.
    pub accounts: Arc<Accounts>,
    /// An identity provider that vouches for people; at the first site.
    pub oidc: Option<Oidc>,
    /// The event database; `None`: no events are kept.
    pub events: Option<EventStore>,
    /// The flow table; `None`: no flows are kept.
    pub flows: Option<Flows>,
    /// A flow record as one JSON object, as every output has it.
    pub flow_line: fn(&FlowRecord) -> String,
    pub csv: Csv,
    /// Folder of what jobs leave; emptied at the start and the end.
    pub jobs: PathBuf,
    /// Words of the filter language over flow records.
    pub catalog: Catalog,
    pub methods: Vec<MethodPage>,
    pub program: Arc<dyn Program>,
    /// A demonstration: whoever reaches the port may look and work on events without logging in.
    pub demo: bool,
    /// Served over TLS: cookies say so.
    pub secure: bool,
    /// Names by which browsers may call this server, with port; empty: any.
    pub hosts: Vec<String>,
    /// Where failures are told.
    pub log: fn(&str),
}

/// Everything the handlers share.
pub struct App {
    pub(crate) set: Setting,
    pub(crate) searches: Arc<Semaphore>,
    pub(crate) passwords: Semaphore,
    pub(crate) sign_ins: Semaphore,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) jobs: Jobs,
    pub(crate) answers: Answers,
    /// What visitors of a demonstration bring with changes.
    pub(crate) guest_csrf: String,
    status: Mutex<Arc<Status>>,
    stream: Stream,
}

impl App {
    /// Nothing has been seen yet.
    pub fn new(setting: Setting) -> Self {
        Self {
            jobs: Jobs::new(setting.jobs.clone()),
            answers: Answers::default(),
            set: setting,
            searches: Arc::new(Semaphore::new(SEARCHES_MAX)),
            passwords: Semaphore::new(PASSWORDS_MAX),
            sign_ins: Semaphore::new(SIGN_INS_MAX),
            streams: crate::stream::places(),
            guest_csrf: crate::secret::new(),
            status: Mutex::new(Arc::new(Status::default())),
            stream: Stream::default(),
        }
    }

    /// Users, tokens, sessions.
    pub fn accounts(&self) -> &Accounts {
        &self.set.accounts
    }

    /// What is told to those who follow.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The program says how it is.
    pub fn publish(&self, status: Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(status);
    }

    /// How the program was when it last said so.
    pub fn status(&self) -> Arc<Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What relative times count from: the clock, or in a demonstration the end of its data.
    pub(crate) fn now(&self) -> Time {
        match self.status().watermark_ns {
            // Just behind the last record, so that a span that ends now holds it.
            Some(watermark) if self.set.demo => Time(watermark) + weir_model::NANOS_PER_S,
            _ => clock(),
        }
    }
}

/// The clock.
pub(crate) fn clock() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
