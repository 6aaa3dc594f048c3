//! Why the store cannot do what was asked. Trouble with the disk is a value: the caller counts it, tells and goes on.

use std::io;

use super::BatchError;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk of the store is full")]
    Full,
    #[error("the store's disk: {0}")]
    Disk(io::Error),
    #[error("{0} does not have the checksum it was written with")]
    Damaged(String),
    #[error(
        "the store was written by a later version of this program (schema {0}, this one knows up to {known}): \
         use that version, or another folder",
        known = super::schema::VERSION
    )]
    Later(u32),
    #[error("another process writes to this store: stop it, or use another folder")]
    Busy,
    #[error(
        "another machine, or another folder of this one, writes here, as the object {0:?} says: use another prefix, \
         or remove that object when the other one is gone for good"
    )]
    Claimed(String),
    #[error("{0:?} cannot be the name of a site: letters, digits, '-' and '_', 1 to 64 of them")]
    Site(String),
    #[error("profiles: {0}")]
    Profile(String),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error("columns of the store: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    #[error("a part of the store: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Disk(error),
        }
    }
}
