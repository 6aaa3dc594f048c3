//! Blocks to ClickHouse, oldest first, each until it is taken. It owns no thread: its owner calls [`Sender::step`] and
//! sleeps as it says.

use std::path::Path;
use std::sync::Arc;

use super::super::StoreError;
use super::client::{Client, ClientError};
use super::definition;
use super::spool::{Block, Feed, Spool, SpoolLimits, Spooled};
use crate::delivery::{Delivery, Pause};

/// ClickHouse's numbers of "no such table" and "no such database": somebody dropped them.
const GONE: [u32; 2] = [60, 81];

/// The end that sends.
pub struct Sender {
    spool: Arc<Spool>,
    client: Client,
    /// Tables are as they should be.
    ready: bool,
    pause: Pause,
}

impl Sender {
    /// Opens the spool in a folder, made when it does not exist. One process at a time.
    ///
    /// # Errors
    /// When the folder is another process's or cannot be used.
    pub fn open(
        client: Client,
        folder: &Path,
        site: &str,
        limits: SpoolLimits,
    ) -> Result<(Feed, Self), StoreError> {
        let spool = Spool::open(folder, limits)?;
        Ok((Feed::new(spool.clone(), site)?, Self::on(client, spool)))
    }

    pub(super) fn on(client: Client, spool: Arc<Spool>) -> Self {
        Self {
            spool,
            client,
            ready: false,
            pause: Pause::default(),
        }
    }

    /// Makes the tables now, so that what is wrong with the place is told at once.
    ///
    /// # Errors
    /// When ClickHouse cannot be reached or refuses.
    pub fn prepare(&mut self) -> Result<(), ClientError> {
        definition::migrate(&self.client)?;
        self.ready = true;
        Ok(())
    }

    /// Sends the oldest block.
    pub fn step(&mut self) -> Delivery {
        let Some((sequence, block)) = self.spool.first() else {
            return Delivery::Idle;
        };
        let zstd = match self.read(&block) {
            Ok(zstd) => zstd,
            Err(why) => {
                self.spool.refused(sequence, &block, why);
                return Delivery::Moved;
            }
        };
        let prepared = if self.ready { Ok(()) } else { self.prepare() };
        let statement = block.table.insert(self.client.place());
        let sent = prepared.and_then(|()| self.client.insert(&statement, block.token(), &zstd));
        match sent {
            Ok(()) => {
                self.spool.sent(sequence, &block);
                self.pause = Pause::default();
                Delivery::Moved
            }
            Err(error) if self.ready && error.is_data() => {
                self.spool.refused(sequence, &block, error.to_string());
                Delivery::Moved
            }
            Err(error) => {
                if matches!(&error, ClientError::Refused { code, .. } if GONE.contains(code)) {
                    self.ready = false;
                }
                self.spool.trouble(error.to_string());
                self.pause.failed()
            }
        }
    }

    /// What became of the rows so far.
    pub fn spooled(&self) -> Spooled {
        self.spool.spooled()
    }

    fn read(&self, block: &Block) -> Result<bytes::Bytes, String> {
        let file = self.spool.disk.open(&block.path);
        let bytes = file.and_then(|file| file.read_all());
        let bytes = bytes.map_err(|error| format!("{}: {error}", block.path))?;
        if crc32fast::hash(&bytes) == block.crc {
            Ok(bytes)
        } else {
            Err(format!("{} is damaged", block.path))
        }
    }
}
