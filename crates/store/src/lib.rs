//! Stores on disk. Flow records and transactions lie in columns that other tools read as they are: a synced log first,
//! sorted Parquet parts by site and hour behind it. The crate owns no thread and reads no clock.

mod disk;
pub mod flow;

pub use disk::{Append, Disk, Entry, LocalDisk, Source};
