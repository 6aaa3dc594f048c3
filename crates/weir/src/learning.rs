//! What methods have learned, over restarts: given to the shards before the first record, gathered from them every
//! minute and at the end. Only complete sets are written, so that a file never tells of some of a method's hosts only.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weir_detect::{Checkpoint, RestoreError, Shard};
use weir_store::learned::Learned;

/// Time between two checkpoints while the line runs.
const INTERVAL: Duration = Duration::from_secs(60);

/// The folder of learned state, during one run.
pub(crate) struct Learning {
    files: Learned,
    folder: PathBuf,
    texts: Vec<(PathBuf, String)>,
    /// What each shard has handed in since a set was written last.
    sets: Mutex<Vec<Option<Vec<Checkpoint>>>>,
    /// What went wrong, each once.
    troubles: Mutex<Vec<String>>,
}

/// When a shard hands in next.
pub(crate) struct Due(Instant);

impl Learning {
    /// Reads what is in `folder`, which is made when it is missing, for a line of `shards` shards.
    pub(crate) fn open(folder: &Path, shards: usize) -> Result<Self> {
        let at = || format!("the folder of learned state {}", folder.display());
        let files = Learned::open(folder).with_context(at)?;
        let mut texts = Vec::new();
        let mut troubles = Vec::new();
        for (path, text) in files.read().with_context(at)? {
            match text {
                Ok(text) => texts.push((path, text)),
                Err(error) => troubles.push(format!("{}: its method learns anew: {error}", path.display())),
            }
        }
        Ok(Self {
            files,
            folder: folder.to_owned(),
            texts,
            sets: Mutex::new(vec![None; shards]),
            troubles: Mutex::new(troubles),
        })
    }

    /// Gives a shard its part of what was learned, and has it keep what it learns.
    pub(crate) fn teach(&self, shard: Shard) -> Shard {
        let mut shard = shard.keeping();
        for (path, text) in &self.texts {
            let trouble = match shard.restore(text) {
                Ok(restored) if restored.refused == 0 => continue,
                Ok(restored) => format!("{} of its entries cannot be read", restored.refused),
                // A method may be switched off for this run; its file stays.
                Err(RestoreError::Unwanted { .. }) => continue,
                Err(error) => error.to_string(),
            };
            self.trouble(format!("{}: {trouble}", path.display()));
        }
        shard
    }

    /// When the first checkpoint is due.
    pub(crate) fn due() -> Due {
        Due(Instant::now() + INTERVAL)
    }

    /// When a minute has passed: takes in what shard `index` has learned, and writes the set once it is complete.
    pub(crate) fn gather(&self, index: usize, shard: &mut Shard, due: &mut Due) {
        if Instant::now() < due.0 {
            return;
        }
        *due = Self::due();
        let learned = shard.learned();
        // A lock is only ever poisoned by a shard that panicked: what is on disk stays.
        let Ok(mut sets) = self.sets.lock() else { return };
        sets[index] = Some(learned);
        if sets.iter().all(Option::is_some) {
            let set = sets.iter_mut().filter_map(Option::take).collect();
            self.write(set);
        }
    }

    /// Writes what all shards have learned.
    pub(crate) fn write(&self, set: Vec<Vec<Checkpoint>>) {
        for checkpoint in Checkpoint::merge(set) {
            let name = format!("{}.{}", checkpoint.method().to_lowercase(), checkpoint.instance());
            if checkpoint.left_out > 0 {
                let left_out = checkpoint.left_out;
                self.trouble(format!(
                    "{name}: {left_out} entries found no room in the checkpoint, the longest silent"
                ));
            }
            if let Err(error) = self.files.write(&name, &checkpoint.text()) {
                let folder = self.folder.display();
                self.trouble(format!("what {name} learned cannot be kept in {folder}: {error}"));
            }
        }
    }

    /// What went wrong, for people.
    pub(crate) fn into_troubles(self) -> Vec<String> {
        self.troubles.into_inner().unwrap_or_default()
    }

    fn trouble(&self, line: String) {
        if let Ok(mut troubles) = self.troubles.lock()
            && !troubles.contains(&line)
        {
            troubles.push(line);
        }
    }
}
