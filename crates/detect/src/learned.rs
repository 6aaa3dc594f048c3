//! Learned state: which cells outlive a restart, as text that a later version can still read. One line a cell, so that a
//! cell that cannot be read costs itself and not its neighbours; whoever runs the shards keeps the text on disk.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_model::{Mac, Time};

use crate::CellKey;

/// The layout of header and lines; a text of another format is refused.
const FORMAT: u32 = 1;
/// Bytes one partition's cells may take. The longest silent cells are left out first, and counted; all partitions of a
/// method together stay below 128 MiB.
pub(crate) const PARTITION_BYTES_MAX: usize = 8 << 20;

/// How a method's state is written and read. A method opts in with
/// `const LEARNED: Option<Learned<State>> = Some(Learned::version(1));` and a state that is `Serialize + Deserialize`.
///
/// When the state's layout changes, raise the version. New fields with `#[serde(default)]` need no more than that; what
/// needs more says so with [`Self::upgrade`]. Without it an old state is read as it stands, and cells that no longer
/// fit are refused and counted: the method then learns anew, which is what it does without a checkpoint.
pub struct Learned<S> {
    version: u32,
    save: fn(&S, &mut Vec<u8>) -> serde_json::Result<()>,
    load: fn(&str) -> serde_json::Result<S>,
    load_value: fn(Value) -> serde_json::Result<S>,
    upgrade: fn(u32, Value) -> Option<Value>,
}

impl<S: Serialize + DeserializeOwned> Learned<S> {
    /// The whole state is kept, in this version of its layout.
    pub const fn version(version: u32) -> Self {
        Self {
            version,
            save: |state, line| serde_json::to_writer(line, state),
            load: |text| serde_json::from_str(text),
            load_value: |value| serde_json::from_value(value),
            upgrade: |_, value| Some(value),
        }
    }

    /// `upgrade` is given the version a state was written in and the state; `None` refuses it.
    #[must_use]
    pub const fn upgrade(mut self, upgrade: fn(u32, Value) -> Option<Value>) -> Self {
        self.upgrade = upgrade;
        self
    }
}

impl<S> Learned<S> {
    /// The version written.
    pub(crate) const fn current(&self) -> u32 {
        self.version
    }

    /// The cell as a line without its end; nothing when it cannot be written.
    pub(crate) fn line(&self, cell: &SavedCell, state: &S) -> Option<String> {
        let mut line = serde_json::to_vec(cell).ok()?;
        // JSON writes control characters as escapes, so that a tab never occurs inside.
        line.push(b'\t');
        (self.save)(state, &mut line).ok()?;
        String::from_utf8(line).ok()
    }

    /// Reads the state of a line that `version` wrote.
    pub(crate) fn state(&self, version: u32, line: &str) -> Option<S> {
        let (_, state) = line.split_once('\t')?;
        if version == self.version {
            return (self.load)(state).ok();
        }
        let old = serde_json::from_str(state).ok()?;
        (self.load_value)((self.upgrade)(version, old)?).ok()
    }
}

/// What the runner knows of a cell. Submethods are named: their order is not kept between versions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedCell {
    role: u8,
    host: std::net::IpAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<Mac>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<std::net::IpAddr>,
    port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vlan: Option<u16>,
    pub(crate) touched: Time,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reported: Vec<(String, Option<std::net::IpAddr>, Time)>,
}

impl SavedCell {
    pub(crate) fn new(
        key: &CellKey,
        touched: Time,
        reported: Vec<(String, Option<std::net::IpAddr>, Time)>,
    ) -> Self {
        let CellKey {
            role,
            host,
            mac,
            peer,
            port,
            vlan,
        } = *key;
        Self {
            role,
            host,
            mac,
            peer,
            port,
            vlan,
            touched,
            reported,
        }
    }

    /// Reads a line up to the state.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let (cell, _) = line.split_once('\t')?;
        serde_json::from_str(cell).ok()
    }

    pub(crate) fn key(&self) -> CellKey {
        CellKey {
            role: self.role,
            host: self.host,
            mac: self.mac,
            peer: self.peer,
            port: self.port,
            vlan: self.vlan,
        }
    }
}

/// The first line of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    format: u32,
    pub(crate) method: String,
    pub(crate) instance: String,
    pub(crate) version: u32,
    /// The watermark.
    pub(crate) now: Time,
}

/// What one instance has learned, in one shard or (merged) in all.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub(crate) header: Header,
    /// Lines by partition.
    pub(crate) lines: Vec<(usize, String)>,
    /// Cells written.
    pub cells: u64,
    /// Cells that found no room or could not be written.
    pub left_out: u64,
}

impl Checkpoint {
    pub(crate) fn new(method: &str, instance: &str, version: u32, now: Time) -> Self {
        Self {
            header: Header {
                format: FORMAT,
                method: method.to_owned(),
                instance: instance.to_owned(),
                version,
                now,
            },
            lines: Vec::new(),
            cells: 0,
            left_out: 0,
        }
    }

    /// Brings together what the shards wrote. The result does not depend on how many they were.
    pub fn merge(shards: impl IntoIterator<Item = Vec<Self>>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for part in shards.into_iter().flatten() {
            let same = |known: &&mut Self| {
                known.header.method == part.header.method && known.header.instance == part.header.instance
            };
            match merged.iter_mut().find(same) {
                Some(known) => {
                    known.header.now = known.header.now.min(part.header.now);
                    known.lines.extend(part.lines);
                    known.cells += part.cells;
                    known.left_out += part.left_out;
                }
                None => merged.push(part),
            }
        }
        for checkpoint in &mut merged {
            checkpoint.lines.sort_by_key(|(partition, _)| *partition);
        }
        merged
    }

    /// Code of the method.
    pub fn method(&self) -> &str {
        &self.header.method
    }

    /// Name of the instance.
    pub fn instance(&self) -> &str {
        &self.header.instance
    }

    /// Header and cells, one JSON line each: what [`crate::Shard::restore`] reads.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string(&self.header).unwrap_or_default();
        text.push('\n');
        for (_, lines) in &self.lines {
            text.push_str(lines);
        }
        text
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub method: String,
    pub instance: String,
    /// Cells restored.
    pub cells: u64,
    /// Lines that could not be read, or cells that found no place.
    pub refused: u64,
}

/// Why a checkpoint was not restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// It does not begin as a checkpoint does.
    Unreadable(String),
    /// Its layout, or its method's, is newer than this program.
    Newer {
        method: String,
        version: u32,
        known: u32,
    },
    /// The method keeps nothing, or no instance of this name runs.
    Unwanted { method: String, instance: String },
    /// The method broke down while reading it and starts anew.
    Broke { method: String },
}

impl std::fmt::Display for RestoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "this is no checkpoint: {why}"),
            Self::Newer {
                method,
                version,
                known,
            } => write!(
                f,
                "{method} was saved in version {version} of its state by a newer Weir; this one reads up to {known}"
            ),
            Self::Unwanted { method, instance } => {
                write!(
                    f,
                    "no instance {instance:?} of {method} runs that would learn from it"
                )
            }
            Self::Broke { method } => write!(f, "{method} broke down while reading it and learns anew"),
        }
    }
}

impl std::error::Error for RestoreError {}

/// The header and the lines after it.
pub(crate) fn split(text: &str) -> Result<(Header, std::str::Lines<'_>), RestoreError> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let header: Header =
        serde_json::from_str(first).map_err(|error| RestoreError::Unreadable(error.to_string()))?;
    if header.format > FORMAT {
        return Err(RestoreError::Newer {
            method: header.method,
            version: header.format,
            known: FORMAT,
        });
    }
    Ok((header, lines))
}

/// Gathers one partition's lines, newest first, within the room there is; hands them out oldest first.
pub(crate) struct Room {
    lines: Vec<String>,
    bytes_left: usize,
    pub(crate) left_out: u64,
}

impl Room {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            lines: Vec::new(),
            bytes_left: bytes_max,
            left_out: 0,
        }
    }

    pub(crate) fn add(&mut self, line: Option<String>) {
        match line {
            Some(line) if line.len() < self.bytes_left => {
                self.bytes_left -= line.len() + 1;
                self.lines.push(line);
            }
            _ => self.left_out += 1,
        }
    }

    /// The lines and their number.
    pub(crate) fn finish(self) -> (String, u64) {
        let cells = self.lines.len() as u64;
        let mut text = String::with_capacity(self.lines.iter().map(|line| line.len() + 1).sum());
        for line in self.lines.iter().rev() {
            text.push_str(line);
            text.push('\n');
        }
        (text, cells)
    }
}

#[cfg(test)]
mod tests;
