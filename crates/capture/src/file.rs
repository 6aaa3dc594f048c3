//! Capture files as packets: pcap and pcapng, plain, gzip or zstd, from a path, a pipe or any byte source.
//!
//! Packets borrow the read buffer; nothing is copied per packet. The reader is our own because the crates at
//! hand stop at the first broken record or allocate per block: here damage is passed over, counted and told.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_model::{Anomaly, AnomalyCounts, Time};
use weir_wire::LinkType;

use crate::error::CaptureError;
use crate::kind::Kind;
use crate::pcap::{FILE_HEADER_BYTES, Pcap};
use crate::pcapng::Pcapng;
use crate::reading::{Reading, Record};
use crate::source::{Counted, unpack};
use crate::window::Window;

/// A packet as the capture holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// When it was captured. Simple Packet Blocks of pcapng have no time and get that of the packet before.
    pub time: Time,
    pub link: LinkType,
    /// Length on the wire; never below that of `data`.
    pub frame_bytes: u32,
    /// What the capture kept of it, at most 1 MiB.
    pub data: &'a [u8],
    /// Number of the interface, counted from 0 through all sections of a pcapng file.
    pub interface: u32,
}

/// A file or other source of bytes, unpacked, told by its first bytes.
pub enum Input {
    /// Packets.
    Capture(Box<CaptureFile>),
    /// Something else, which others may know how to read.
    Other(OtherInput),
}

/// An open source of bytes that is no capture.
pub struct OtherInput {
    /// Everything from the first byte on, unpacked.
    pub stream: Box<dyn Read + Send>,
    /// What errors call it.
    pub name: String,
    /// Bytes read so far, as stored (compressed), for a progress bar.
    pub bytes_read: Arc<AtomicU64>,
    /// What it is, in words for an error.
    found: String,
}

impl OtherInput {
    /// The error for whoever wanted a capture.
    pub fn refuse(self) -> CaptureError {
        CaptureError::NotACapture {
            name: self.name,
            found: self.found,
        }
    }
}

impl Input {
    /// Opens a file, or standard input for the path `-`.
    ///
    /// # Errors
    /// When the path cannot be read, is empty, or holds what is compressed and cannot be unpacked.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path == Path::new("-") {
            return Self::from_reader(Box::new(io::stdin()), "standard input");
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| CaptureError::from_io(&name, error))?;
        let metadata = file
            .metadata()
            .map_err(|error| CaptureError::from_io(&name, error))?;
        if metadata.is_dir() {
            return Err(CaptureError::Directory { name });
        }
        let mut input = Self::from_reader(Box::new(file), &name)?;
        if let Self::Capture(capture) = &mut input {
            capture.bytes_total = metadata.is_file().then_some(metadata.len());
        }
        Ok(input)
    }

    /// Opens any source of bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// As `open`.
    pub fn from_reader(source: Box<dyn Read + Send>, name: &str) -> Result<Self, CaptureError> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let counted = Counted::new(source, Arc::clone(&bytes_read));
        let unpacked = unpack(Box::new(counted), name)?;
        let (stream, kind) = (unpacked.stream, unpacked.kind);
        if let Kind::Other(found) = kind {
            return Ok(Self::Other(OtherInput {
                stream,
                name: name.to_owned(),
                bytes_read,
                found,
            }));
        }
        let mut window = Window::new(stream);
        let format = match kind {
            Kind::Pcap(pcap) => {
                window.fill(FILE_HEADER_BYTES);
                window.pass(FILE_HEADER_BYTES);
                Format::Pcap(pcap)
            }
            _ => Format::Pcapng(Pcapng::new()),
        };
        Ok(Self::Capture(Box::new(CaptureFile {
            reading: Reading::new(window),
            format,
            bytes_read,
            bytes_total: None,
        })))
    }

    fn capture(self) -> Result<CaptureFile, CaptureError> {
        match self {
            Self::Capture(capture) => Ok(*capture),
            Self::Other(other) => Err(other.refuse()),
        }
    }
}

/// An open capture file.
pub struct CaptureFile {
    reading: Reading,
    format: Format,
    bytes_read: Arc<AtomicU64>,
    bytes_total: Option<u64>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl CaptureFile {
    /// Opens a file, or standard input for the path `-`.
    ///
    /// # Errors
    /// When the path cannot be read or holds no capture; the error says what it holds and what to do.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        Input::open(path)?.capture()
    }

    /// Opens any source of bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// As `open`.
    pub fn from_reader(source: Box<dyn Read + Send>, name: &str) -> Result<Self, CaptureError> {
        Input::from_reader(source, name)?.capture()
    }

    /// The next packet; `None` at the end, early or not (see `trouble`).
    #[expect(clippy::should_implement_trait, reason = "an Iterator cannot lend its buffer")]
    pub fn next(&mut self) -> Option<RawPacket<'_>> {
        let record = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.reading),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.reading),
        };
        let Record {
            time,
            link,
            frame_bytes,
            interface,
            position,
            kept_bytes,
        } = record?;
        self.reading.packets += 1;
        if !link.is_known() {
            self.reading.anomalies.count(Anomaly::LinkTypeUnknown);
        }
        let data = self.reading.window.slice(position, kept_bytes);
        Some(RawPacket {
            time,
            link,
            frame_bytes,
            data,
            interface,
        })
    }

    /// Packets read so far.
    pub fn packets(&self) -> u64 {
        self.reading.packets
    }

    /// `CaptureCut`, `CaptureCorrupt` per place passed over, `LinkTypeUnknown` per packet.
    pub fn anomalies(&self) -> &AnomalyCounts {
        &self.reading.anomalies
    }

    /// What went wrong, as one sentence: where and why reading ended early, else what was skipped first.
    pub fn trouble(&self) -> Option<&str> {
        self.reading.trouble()
    }

    /// Bytes read from the file so far, as stored (compressed).
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Size of the file in bytes; `None` for pipes and other sources.
    pub fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }
}

#[cfg(test)]
mod tests;
