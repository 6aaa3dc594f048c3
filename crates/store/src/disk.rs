//! The few things the store asks of a disk, behind a trait, so that tests can drop, tear and fail what a machine would.
//! Paths are relative to the store's folder, parts joined by `/`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::Result as ParquetResult;
use parquet::file::reader::{ChunkReader, Length};

/// A file in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name within its folder.
    pub name: String,
    pub folder: bool,
    /// Bytes; 0 for folders.
    pub bytes: u64,
}

/// A disk. What is written is durable only after [`Append::sync`], what is named only after [`Disk::sync_folder`].
pub trait Disk: Send + Sync {
    /// Creates an empty file, in the place of any other.
    fn create(&self, path: &str) -> io::Result<Box<dyn Append>>;
    /// Opens a file for reading.
    fn open(&self, path: &str) -> io::Result<Source>;
    /// Files and folders of a folder, by name; none when it does not exist.
    fn list(&self, folder: &str) -> io::Result<Vec<Entry>>;
    /// Gives a file another name, atomically, in the place of any other.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes a folder and those above it, durably.
    fn make_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes names in the folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Does whoever keeps the parts look after their checksums? Then nobody else reads them all for that.
    fn guards_parts(&self) -> bool {
        false
    }
}

/// Puts `bytes` in the place of a file of the disk's own folder, whole or not at all. After a loss of power names may be
/// kept and lost in any order, so a rename could find the torn file of an earlier attempt under the same name: what
/// earlier attempts left is durably gone before this one begins.
pub(crate) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = format!("{name}.new");
    match disk.remove(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Also when nothing was in the way: that it was removed may not be durable yet.
    disk.sync_folder("")?;
    let mut file = disk.create(&unfinished)?;
    file.append(bytes)?;
    file.sync()?;
    disk.rename(&unfinished, name)?;
    disk.sync_folder("")
}

/// A file that grows at its end.
pub trait Append: Send {
    /// Writes all of it; after an error the end of the file is unknown.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable. After an error nothing more can be said of the file (fsync forgets).
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is read by ranges, each of which may be far away.
pub trait Ranged: Send + Sync + std::fmt::Debug {
    fn size(&self) -> u64;
    /// So many bytes from a place; an error when there are fewer.
    fn range(&self, from: u64, length: usize) -> io::Result<Bytes>;
    /// Did it turn out that it is not there any more?
    fn gone(&self) -> bool;
}

/// A file to read, whole or by ranges, as Parquet readers want it.
#[derive(Debug)]
pub enum Source {
    File(File),
    Memory(Bytes),
    Ranged(Arc<dyn Ranged>),
}

/// Bytes that a reader without an end in sight asks of a [`Ranged`] at a time.
const READ_AHEAD: u64 = 64 << 10;

/// Reads a [`Ranged`] from a place to its end.
struct Reading {
    file: Arc<dyn Ranged>,
    at: u64,
    ahead: Bytes,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let length = READ_AHEAD.min(self.file.size().saturating_sub(self.at));
            self.ahead = self.file.range(self.at, length as usize)?;
            self.at += length;
        }
        let taken = self.ahead.split_to(into.len().min(self.ahead.len()));
        into[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

impl Source {
    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.len()
    }

    /// All of its bytes.
    pub fn read_all(&self) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone()),
            Self::File(file) => {
                let mut file = file;
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                file.read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
            Self::Ranged(file) => file.range(0, file.size() as usize),
        }
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.len(),
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Ranged(file) => file.size(),
        }
    }
}

impl ChunkReader for Source {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(match self {
            Self::File(file) => Box::new(file.get_read(start)?),
            Self::Memory(bytes) => Box::new(bytes.get_read(start)?),
            Self::Ranged(file) => Box::new(Reading {
                file: file.clone(),
                at: start,
                ahead: Bytes::new(),
            }),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::File(file) => file.get_bytes(start, length),
            Self::Memory(bytes) => bytes.get_bytes(start, length),
            Self::Ranged(file) => Ok(file.range(start, length)?),
        }
    }
}

/// A folder of the machine.
#[derive(Clone, Debug)]
pub struct LocalDisk {
    root: PathBuf,
}

impl LocalDisk {
    /// The folder, made when it does not exist.
    pub fn new(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// A folder that is only read; it need not exist.
    pub fn reading(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Takes the store for this process, until the file returned is dropped. `None`: another process has it.
    pub fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.root.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

struct LocalFile(File);

impl Append for LocalFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Disk for LocalDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(LocalFile(File::create(self.at(path))?)))
    }

    fn open(&self, path: &str) -> io::Result<Source> {
        File::open(self.at(path)).map(Source::File)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let entries = match fs::read_dir(self.at(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            // A file that went away since is as if it had not been listed; names that are not text are not ours.
            let (Ok(kind), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else {
                continue;
            };
            found.push(Entry {
                name,
                folder: kind.is_dir(),
                bytes: if kind.is_dir() { 0 } else { kind.len() },
            });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.at(path))
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        let mut made = String::new();
        for name in folder.split('/') {
            let above = made.clone();
            made = if made.is_empty() {
                name.to_owned()
            } else {
                format!("{made}/{name}")
            };
            match fs::create_dir(self.at(&made)) {
                Ok(()) => self.sync_folder(&above)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.at(folder))?.sync_all()
    }
}
