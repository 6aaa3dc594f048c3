//! What methods have learned, on disk: one file an instance, written anew as a whole and put in place of the old one, so
//! that a crash leaves the one or the other. The text inside belongs to the methods' runner.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How the files end.
const END: &str = ".learned";
/// Bytes of text in one file: what the runner writes for one instance at most.
const TEXT_BYTES_MAX: u64 = 192 << 20;
/// Files read from a folder; more are not ours.
const FILES_MAX: usize = 1024;
/// zstd's fast end: it is written every minute.
const LEVEL: i32 = 1;

/// The folder of learned state.
#[derive(Clone, Debug)]
pub struct Learned {
    folder: PathBuf,
}

impl Learned {
    /// In this folder, which is made when it is missing. What a crash left half written is removed.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for path in files(folder, ".part")? {
            fs::remove_file(path)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Puts `text` in place of what was kept under `name` (of letters, digits, `.`, `-`, `_`; others become `_`). It
    /// is on disk when this returns.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        if text.len() as u64 > TEXT_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "more than a file may hold",
            ));
        }
        let name: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let part = self.folder.join(format!("{name}.part"));
        let mut writer = zstd::Encoder::new(File::create(&part)?, LEVEL)?;
        writer.include_checksum(true)?;
        writer.write_all(text.as_bytes())?;
        writer.finish()?.sync_all()?;
        fs::rename(&part, self.folder.join(format!("{name}{END}")))?;
        File::open(&self.folder)?.sync_all()
    }

    /// Everything kept, by file; a file that is damaged, too large or no text is an error of its own.
    pub fn read(&self) -> io::Result<Vec<(PathBuf, io::Result<String>)>> {
        let paths = files(&self.folder, END)?;
        Ok(paths
            .into_iter()
            .map(|path| (path.clone(), text(&path)))
            .collect())
    }
}

fn files(folder: &Path, end: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)?.take(FILES_MAX) {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let reader = zstd::Decoder::new(File::open(path)?)?;
    let read = reader.take(TEXT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > TEXT_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "more than a file may hold",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("weir-learned-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn the_last_text_stays() {
        let path = folder("last");
        let learned = Learned::open(&path).unwrap();
        for text in ["one", "two", ""] {
            learned.write("peers.default", text).unwrap();
            let read = learned.read().unwrap();
            assert_eq!((read.len(), read[0].1.as_ref().unwrap().as_str()), (1, text));
        }
        learned.write("../../a b", "three").unwrap();
        let names: Vec<_> = learned
            .read()
            .unwrap()
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(
            names,
            [path.join(".._.._a_b.learned"), path.join("peers.default.learned")]
        );
        fs::remove_dir_all(path).unwrap();
    }

    /// Every bit flipped, every length cut: an error or, never, another text.
    #[test]
    fn damage_is_found() {
        let path = folder("damage");
        let learned = Learned::open(&path).unwrap();
        let kept: String = (0..200).map(|line| format!("line {line}\n")).collect();
        learned.write("peers", &kept).unwrap();
        let file = path.join("peers.learned");
        let good = fs::read(&file).unwrap();
        let read = |bytes: &[u8]| {
            fs::write(&file, bytes).unwrap();
            learned.read().unwrap().remove(0).1
        };
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(read(&bad).map_or(true, |text| text == kept), "byte {at}");
            assert!(
                read(&good[..at]).map_or(true, |text| text.is_empty() && at == 0),
                "cut at {at}"
            );
        }
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_a_crash_left_goes() {
        let path = folder("crash");
        Learned::open(&path).unwrap().write("peers", "whole").unwrap();
        fs::write(path.join("peers.part"), "half").unwrap();
        let learned = Learned::open(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(learned.read().unwrap()[0].1.as_ref().unwrap(), "whole");
        fs::remove_dir_all(path).unwrap();
    }
}
