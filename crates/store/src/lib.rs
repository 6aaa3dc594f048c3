//! Stores on disk. Flow records and transactions lie in columns that other tools read as they are: a synced log first,
//! sorted Parquet parts by site and hour behind it; that part owns no thread and reads no clock. Events and what people
//! do with them lie in a database.

mod delivery;
mod disk;
pub mod event;
pub mod flow;
mod http;
pub mod learned;
pub mod object;

pub use delivery::Delivery;
pub use disk::{Append, Disk, Entry, LocalDisk, Ranged, Source};
