//! What `weir flows` searches: a store's folder, which another process may be filling, a ClickHouse, or captures metered
//! on the spot.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use weir_model::{Batch, FlowRecord, Transaction};
use weir_store::flow::clickhouse::{Client, Place};
use weir_store::flow::search::{
    Answer, Control, Search, SearchError, Source, View, run, run_in_clickhouse, run_with_transactions,
    sources,
};
use weir_store::flow::{Snapshot, Table, rows_bytes, to_batch, to_transaction_batch};
use weir_store::{Disk, LocalDisk};
use weir_triage::Change;

use super::FlowsArgs;
use crate::cli::eprint_line;
use crate::config::Config;
use crate::pipeline::{self, Consumer, Job};
use crate::storing;

/// Times a search is asked again because parts were merged under it.
const TRIES_MAX: usize = 5;
/// Records of a capture made a batch at a time.
const BATCH_RECORDS: usize = 8192;

/// Rows to search.
pub(super) enum Rows {
    Store {
        disk: Arc<dyn Disk>,
        site: String,
        /// Its folder, where it is one of this machine.
        folder: Option<PathBuf>,
    },
    Capture {
        flows: Vec<Source>,
        transactions: Vec<Source>,
    },
    ClickHouse {
        client: Box<Client>,
        site: String,
    },
}

/// Rows as they are at this moment.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    /// Flows, transactions.
    Sources(&'a [Source], &'a [Source]),
    ClickHouse(&'a Client, &'a str),
}

impl Seen<'_> {
    /// The answer to a question.
    pub(super) fn search(self, question: &Search, control: &Control) -> Result<Answer, SearchError> {
        match self {
            Self::Sources(_, transactions) if question.view == View::Transactions => {
                run(question, transactions, control)
            }
            Self::Sources(flows, transactions) => {
                run_with_transactions(question, flows, transactions, control)
            }
            Self::ClickHouse(client, site) => run_in_clickhouse(question, client, site, control),
        }
    }
}

impl Rows {
    /// The store or the captures of the command line.
    pub(super) fn new(args: &FlowsArgs) -> Result<Self> {
        if !args.read.is_empty() {
            return captures(args);
        }
        let named = std::env::var_os("WEIR_STORE").map(PathBuf::from);
        let Some(store) = args.store.clone().or(named) else {
            bail!("which flows? give --store DIR (or set WEIR_STORE), or a capture with -r FILE");
        };
        if let Some(url) = storing::clickhouse_url(&store) {
            return Ok(Self::ClickHouse {
                client: Box::new(Client::new(Place::parse(url)?)),
                site: args.site.clone(),
            });
        }
        if let Some(disk) = storing::object_disk(&store)? {
            return Ok(Self::Store {
                disk: Arc::new(disk),
                site: args.site.clone(),
                folder: None,
            });
        }
        if !store.is_dir() {
            bail!(
                "there is no store at {}: fill one with weir -r FILE --store {}",
                store.display(),
                store.display()
            );
        }
        check_site(&store, &args.site)?;
        Ok(Self::Store {
            disk: Arc::new(LocalDisk::reading(&store)),
            site: args.site.clone(),
            folder: Some(store),
        })
    }

    /// Searches; a store is looked at anew when a part went away meanwhile.
    pub(super) fn ask(&self, search: impl Fn(Seen<'_>) -> Result<Answer, SearchError>) -> Result<Answer> {
        let (disk, site) = match self {
            Self::Capture { flows, transactions } => return Ok(search(Seen::Sources(flows, transactions))?),
            Self::ClickHouse { client, site } => return Ok(search(Seen::ClickHouse(client, site))?),
            Self::Store { disk, site, .. } => (disk, site),
        };
        let mut tries = 1;
        loop {
            let read =
                |table| -> Result<Vec<Source>> { Ok(sources(disk, &Snapshot::read(&**disk, table, site)?)) };
            // Flows first: a flow whose transactions are read later misses none of them.
            let (flows, transactions) = (read(Table::flows())?, read(Table::transactions())?);
            match search(Seen::Sources(&flows, &transactions)) {
                Err(SearchError::Gone(_)) if tries < TRIES_MAX => tries += 1,
                other => return Ok(other?),
            }
        }
    }
}

impl Rows {
    /// Are they in a database that tells only what it read?
    pub(super) fn outside(&self) -> bool {
        matches!(self, Self::ClickHouse { .. })
    }
}

/// A site that is not there would look like a quiet network.
fn check_site(store: &Path, site: &str) -> Result<()> {
    let known = |folder: &str, name: &str| store.join(folder).join(name).is_dir();
    if known("flows", &format!("site={site}")) || known("log/flows", site) {
        return Ok(());
    }
    let entries = std::fs::read_dir(store.join("flows"))
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_prefix("site=").map(str::to_owned)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    if names.is_empty() {
        bail!(
            "{} holds no flows: fill it with weir -r FILE --store {}",
            store.display(),
            store.display()
        );
    }
    bail!("the store has no site {site:?}; it has {}", names.join(", "))
}

/// Meters captures and keeps their records in memory.
fn captures(args: &FlowsArgs) -> Result<Rows> {
    let job = Job {
        files: args.read.clone(),
        config: Config::default(),
        detect: false,
        store: None,
    };
    let keeper = Keeper {
        flows: Vec::new(),
        transactions: Vec::new(),
        sources: (Vec::new(), Vec::new()),
        bytes: 0,
        bytes_max: args.memory as usize * super::MIB,
    };
    let (mut keeper, summary) = pipeline::run(job, keeper, |_| {}).context("the capture was not read")?;
    keeper.seal()?;
    for line in summary.trouble_lines() {
        eprint_line(&format!("weir: {line}"));
    }
    if summary.failed {
        bail!("the capture could not be read");
    }
    let (flows, transactions) = keeper.sources;
    Ok(Rows::Capture { flows, transactions })
}

/// Collects flow records and transactions as batches of the store's tables.
struct Keeper {
    flows: Vec<FlowRecord>,
    transactions: Vec<Transaction>,
    sources: (Vec<Source>, Vec<Source>),
    bytes: usize,
    bytes_max: usize,
}

impl Keeper {
    fn seal(&mut self) -> io::Result<()> {
        if !self.flows.is_empty() {
            let batch = to_batch(&std::mem::take(&mut self.flows)).map_err(io::Error::other)?;
            self.bytes += rows_bytes(&batch).map_err(io::Error::other)?;
            self.sources.0.push(Source::Batch(batch));
        }
        if !self.transactions.is_empty() {
            let all = std::mem::take(&mut self.transactions);
            let batch = to_transaction_batch(&all).map_err(io::Error::other)?;
            self.bytes += rows_bytes(&batch).map_err(io::Error::other)?;
            self.sources.1.push(Source::Batch(batch));
        }
        if self.bytes > self.bytes_max {
            return Err(io::Error::other(format!(
                "its flows and transactions need more than {} MiB of memory: raise the memory limit (--memory), or fill a \
                 store with --store and ask that",
                self.bytes_max / super::MIB
            )));
        }
        Ok(())
    }
}

impl Consumer for Keeper {
    fn batch(&mut self, batch: &Batch) -> io::Result<()> {
        self.flows.extend(batch.flows.iter().cloned());
        self.transactions.extend(batch.transactions.iter().cloned());
        if self.flows.len().max(self.transactions.len()) >= BATCH_RECORDS {
            self.seal()
        } else {
            Ok(())
        }
    }

    fn change(&mut self, _: Change) -> io::Result<()> {
        Ok(())
    }
}
