//! Where events wait while the database cannot be written: lines in a file, each with its checksum, synced before
//! anybody is told. Bounded; a torn last line after a crash is cut off and counted.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Hexadecimal digits of a line's checksum.
const SUM_DIGITS: usize = 16;

/// The waiting room. One process at a time holds it.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: File,
    bytes_max: u64,
    bytes: u64,
    /// How far it has been read; what lies before is in the database.
    read: u64,
    /// Lines that were torn or damaged.
    torn: u64,
}

impl Spool {
    /// Opens (or makes) the spool at `path`, for at most `bytes_max` bytes.
    pub fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.try_lock()
            .map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another process uses it"))?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes_max,
            bytes,
            read: 0,
            torn: 0,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does nothing wait?
    pub const fn is_empty(&self) -> bool {
        self.read >= self.bytes
    }

    /// Lines that could not be read.
    pub const fn torn(&self) -> u64 {
        self.torn
    }

    /// Puts lines behind those that wait, all or none, and syncs them. `StorageFull` when they do not fit.
    pub fn append<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&sum(line));
            text.push(' ');
            text.push_str(line);
            text.push('\n');
        }
        let bytes = self.bytes + text.len() as u64;
        if bytes > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "it is full"));
        }
        self.file.seek(SeekFrom::Start(self.bytes))?;
        let written = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line would hide the next one.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The next lines, at most `most`, and the place behind them for [`Self::done`].
    pub fn peek(&mut self, most: usize) -> io::Result<(Vec<String>, u64)> {
        let mut reader = BufReader::new(&self.file);
        reader.seek(SeekFrom::Start(self.read))?;
        let (mut lines, mut at) = (Vec::new(), self.read);
        let mut bytes = Vec::new();
        while lines.len() < most && at < self.bytes {
            bytes.clear();
            // A line is never longer than the spool.
            let found = io::Read::take(&mut reader, self.bytes - at).read_until(b'\n', &mut bytes)?;
            if found == 0 {
                break;
            }
            at += found as u64;
            match checked(&bytes) {
                Some(line) => lines.push(line),
                None => self.torn += 1,
            }
        }
        Ok((lines, at))
    }

    /// What lies before `place` is in the database. When nothing waits any more the file becomes empty.
    pub fn done(&mut self, place: u64) -> io::Result<()> {
        self.read = place.min(self.bytes);
        if self.is_empty() && self.bytes > 0 {
            self.file.set_len(0)?;
            self.file.sync_data()?;
            (self.bytes, self.read) = (0, 0);
        }
        Ok(())
    }
}

fn sum(line: &str) -> String {
    let digest = Sha256::digest(line.as_bytes());
    digest[..SUM_DIGITS / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn checked(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes.strip_suffix(b"\n")?).ok()?;
    let (known, line) = text.split_once(' ')?;
    (known == sum(line)).then(|| line.to_owned())
}
