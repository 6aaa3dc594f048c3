//! Reads packets in order from capture files: one stream for all files given, troubles kept in words.
//! A file that fails is told and passed over, because the others still hold what people look for.

use std::path::{Path, PathBuf};

use weir_capture::{CaptureFile, RawPacket};
use weir_model::AnomalyCounts;

/// Capture files read one after the other as one stream.
pub struct Reading {
    files: std::vec::IntoIter<PathBuf>,
    current: Option<(PathBuf, CaptureFile)>,
    anomalies: AnomalyCounts,
    troubles: Vec<String>,
    failed: bool,
    packets: u64,
    frame_bytes: u64,
    bytes_done: u64,
}

impl Reading {
    /// Files in the order they are to be read; "-" is standard input.
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self {
            files: files.into_iter(),
            current: None,
            anomalies: AnomalyCounts::default(),
            troubles: Vec::new(),
            failed: false,
            packets: 0,
            frame_bytes: 0,
            bytes_done: 0,
        }
    }

    /// The next packets go to `take`, at most `count` of them. False when everything has been read.
    pub fn step(&mut self, count: usize, mut take: impl FnMut(RawPacket<'_>)) -> bool {
        if self.current.is_none() && !self.open_next() {
            return false;
        }
        let Some((_, file)) = &mut self.current else {
            return false;
        };
        for _ in 0..count {
            let Some(packet) = file.next() else {
                self.finish_file();
                break;
            };
            self.packets += 1;
            self.frame_bytes += u64::from(packet.frame_bytes);
            take(packet);
        }
        true
    }

    /// The files not opened yet, for input that is no capture; nothing is left to read here.
    pub(crate) fn take_files(&mut self) -> Vec<PathBuf> {
        self.files.by_ref().collect()
    }

    /// Notes what was wrong with a file that was read elsewhere.
    pub(crate) fn note(&mut self, path: &Path, trouble: Option<String>) {
        self.troubles
            .extend(trouble.map(|trouble| format!("{}: {trouble}", path.display())));
    }

    /// A file that cannot be read is a trouble and a failed run.
    pub(crate) fn fail(&mut self, why: String) {
        self.troubles.push(why);
        self.failed = true;
    }

    /// The first file is open already, when it is given.
    pub(crate) fn begin(&mut self, first: Option<Box<CaptureFile>>) {
        if let Some(file) = first
            && let Some(path) = self.files.next()
        {
            self.current = Some((path, *file));
        }
    }

    /// The first file was found to be none that can be read.
    pub(crate) fn fail_first(&mut self, why: String) {
        self.files.next();
        self.fail(why);
    }

    /// Opens the next file that opens; one that does not is a trouble and a failed run, and reading goes on.
    fn open_next(&mut self) -> bool {
        while let Some(path) = self.files.next() {
            match CaptureFile::open(&path) {
                Ok(file) => {
                    self.current = Some((path, file));
                    return true;
                }
                Err(error) => {
                    self.fail(error.to_string());
                }
            }
        }
        false
    }

    fn finish_file(&mut self) {
        if let Some((path, file)) = self.current.take() {
            self.bytes_done += file.bytes_read();
            self.anomalies.merge(file.anomalies());
            self.troubles.extend(
                file.trouble()
                    .map(|trouble| format!("{}: {trouble}", path.display())),
            );
        }
    }

    /// Compressed bytes read so far, for a progress bar.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_done + self.current.as_ref().map_or(0, |(_, file)| file.bytes_read())
    }

    /// Packets read so far.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of frames on the wire so far.
    pub fn frame_bytes(&self) -> u64 {
        self.frame_bytes
    }

    /// What was wrong, one sentence per file.
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// Could a file not be opened at all?
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// What was odd in the files, counted.
    pub fn anomalies(&self) -> &AnomalyCounts {
        &self.anomalies
    }
}
