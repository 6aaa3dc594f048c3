//! The event database: SQLite in a folder, or PostgreSQL by URL, through the same migrations and the same statements; a
//! MongoDB takes events as well.
//! What comes in is the event contract, one JSON line an event, so that a stored event reads the same when the method
//! that found it is long gone.

mod audit;
mod database;
mod filter;
mod keeper;
mod lens;
mod mongo;
mod perspectives;
mod read;
mod record;
mod retain;
mod rules;
mod searches;
mod spool;
mod sql;
mod threat;
mod work;
mod write;

pub use audit::{AuditEntry, Chain};
pub use database::{EventStore, Place, StoreError};
pub use filter::{Filter, Sort, SourceFilter};
pub use keeper::{Keeper, KeeperStats};
pub use lens::{Lens, LensError};
pub use perspectives::{KeptPerspective, RuleTally, Tally};
pub use read::{Category, Detail, Facet, Note, Page, Row, Step, Update};
pub use record::{EventRecord, RecordError};
pub use retain::{Retention, Retired};
pub use rules::{Fitting, KeptRule};
pub use searches::SavedSearch;
pub use spool::Spool;
pub use threat::{SourceEvents, SourceThreat, TargetEvents};
pub use work::{Action, CategoryState, Workflow};
pub use write::Put;

#[cfg(test)]
mod tests;
