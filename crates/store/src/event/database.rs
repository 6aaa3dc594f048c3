//! Where the event database is, how it is opened, and what can go wrong with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, Executor, SqlSafeStr, Transaction};

use super::RecordError;

/// Connections open at once: one writes, the others read. More would only wait for the same disk.
const CONNECTIONS_MAX: u32 = 4;
/// How long a statement waits for a connection, or SQLite for its lock, before it is taken for a failure.
const WAIT: Duration = Duration::from_secs(5);
/// Name of the database inside a folder.
const FILE: &str = "events.db";

/// Migrations in order; a published one is never changed, only followed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "events",
        include_str!("../../migrations/event/0001_events.sql"),
    ),
    (
        2,
        "false positive rules",
        include_str!("../../migrations/event/0002_false_positive_rules.sql"),
    ),
    (
        3,
        "saved searches",
        include_str!("../../migrations/event/0003_saved_searches.sql"),
    ),
    (
        4,
        "perspectives",
        include_str!("../../migrations/event/0004_perspectives.sql"),
    ),
    (
        5,
        "counting",
        include_str!("../../migrations/event/0005_counting.sql"),
    ),
];

/// What can go wrong with the event database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or opened.
    #[error("the event database {at} cannot be opened: {why}")]
    Open { at: String, why: String },
    /// Its schema is newer than this program.
    #[error("the event database {at} was written by a newer Weir; use that one")]
    Newer { at: String },
    /// An event that is no event.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// No event by that id.
    #[error("there is no event {0:?}; `weir events` lists them")]
    Unknown(String),
    /// An abbreviated id that several events share.
    #[error("{0:?} begins the ids of several events; write more of it")]
    Ambiguous(String),
    /// A page mark that is not one of ours, or of another order.
    #[error("{0:?} is no place to continue a list from; start again without it")]
    Cursor(String),
    /// Text longer than the database takes.
    #[error("a {what} may have {limit} bytes at most, this one has {found}")]
    TooLong {
        what: &'static str,
        limit: usize,
        found: usize,
    },
    /// Nothing by that id.
    #[error("there is no {what} {id:?}")]
    NoSuch { what: &'static str, id: String },
    /// No room for another.
    #[error("there are {limit} {what} already, which is the limit; remove some first")]
    Full { what: &'static str, limit: i64 },
    /// Somebody else changed it since.
    #[error("the {what} {id:?} was changed since; it has version {version} now")]
    Changed {
        what: &'static str,
        id: String,
        version: i64,
    },
    /// The spool on disk.
    #[error("the spool {at} cannot be used: {why}")]
    Spool { at: String, why: std::io::Error },
    /// A MongoDB; `record`: it refuses the event for what it is.
    #[error("MongoDB: {why}")]
    Mongo { why: String, record: bool },
    /// The database itself.
    #[error("event database: {0}")]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// Is it the record's fault? Then trying again would not help.
    pub fn is_record(&self) -> bool {
        match self {
            Self::Record(_) | Self::TooLong { .. } => true,
            Self::Mongo { record, .. } => *record,
            Self::Database(sqlx::Error::Database(error)) => {
                error.is_unique_violation()
                    || error.is_foreign_key_violation()
                    || error.is_check_violation()
                    // PostgreSQL class 22: data exceptions.
                    || error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"))
            }
            Self::Database(sqlx::Error::Encode(_)) => true,
            _ => false,
        }
    }
}

/// Where an event database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// SQLite, as `events.db` in this folder.
    Folder(PathBuf),
    /// PostgreSQL.
    Url(String),
    /// A MongoDB, which takes events and is asked by its own tools.
    Mongo(String),
}

impl Place {
    /// A PostgreSQL or MongoDB URL, or else a folder.
    pub fn parse(text: &str) -> Self {
        if text.starts_with("mongodb://") || text.starts_with("mongodb+srv://") {
            Self::Mongo(text.to_owned())
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::Url(text.to_owned())
        } else {
            Self::Folder(PathBuf::from(text))
        }
    }

    /// Is there a database to read? A URL is asked when it is opened.
    pub fn exists(&self) -> bool {
        match self {
            Self::Folder(folder) => folder.join(FILE).is_file(),
            Self::Url(_) => true,
            Self::Mongo(_) => false,
        }
    }

    /// For people: a URL without its password.
    pub fn shown(&self) -> String {
        match self {
            Self::Folder(folder) => folder.join(FILE).display().to_string(),
            Self::Url(url) | Self::Mongo(url) => match (url.find("://"), url.rfind('@')) {
                (Some(scheme), Some(at)) if scheme + 3 < at => {
                    let user = url[scheme + 3..at].split(':').next().unwrap_or_default();
                    format!("{}{user}{}", &url[..scheme + 3], &url[at..])
                }
                _ => url.clone(),
            },
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Folder(folder) => format!("sqlite://{}?mode=rwc", escaped(&folder.join(FILE))),
            Self::Url(url) | Self::Mongo(url) => url.clone(),
        }
    }
}

/// A path inside a URL.
fn escaped(path: &Path) -> String {
    path.to_string_lossy()
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// An open event database. Cheap to clone; all clones share one bounded pool.
#[derive(Clone, Debug)]
pub struct EventStore {
    pub(super) pool: AnyPool,
    pub(super) postgres: bool,
}

impl EventStore {
    /// Opens (or makes) the database and brings its schema up to date.
    pub async fn open(place: &Place) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let postgres = matches!(place, Place::Url(_));
        let failed = |why: String| StoreError::Open {
            at: place.shown(),
            why,
        };
        if matches!(place, Place::Mongo(_)) {
            return Err(failed(
                "Weir writes events to a MongoDB and does not read them there: ask it with its own tools"
                    .to_owned(),
            ));
        }
        if let Place::Folder(folder) = place {
            std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        let options: AnyConnectOptions = place
            .url()
            .parse()
            .map_err(|error: sqlx::Error| failed(error.to_string()))?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(WAIT)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    connection
                        .execute(if postgres { ON_POSTGRES } else { ON_SQLITE })
                        .await?;
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let store = Self { pool, postgres };
        match migrator().run(&store.pool).await {
            Ok(()) => Ok(store),
            Err(MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)) => {
                Err(StoreError::Newer { at: place.shown() })
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Waits for what is running and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that will write. SQLite must be told at once, or two writers could wait for each other.
    pub(super) async fn writing(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        let begin = if self.postgres { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.pool.begin_with(begin).await
    }
}

/// What is written stays written when the power goes; readers do not hinder the writer.
const ON_SQLITE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                         PRAGMA busy_timeout = 5000";
const ON_POSTGRES: &str =
    "SET application_name = 'weir'; SET statement_timeout = '30s'; SET lock_timeout = '5s'";

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        Migration::new(
            version,
            name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}
