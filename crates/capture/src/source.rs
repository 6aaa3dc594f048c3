//! From a byte source to a capture format: the first bytes are looked at, and gzip or zstd is unpacked on the
//! way. Unpacking is a stream, so a bomb costs time but never more memory than one window.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::error::CaptureError;
use crate::kind::{Kind, PREFIX_BYTES};

/// A stream of capture bytes, and what they are.
pub(crate) struct Unpacked {
    /// From the first byte on, file header included.
    pub(crate) stream: Box<dyn Read + Send>,
    pub(crate) kind: Kind,
}

/// Looks at the first bytes and unpacks what is compressed, once. What is no capture comes back as `Kind::Other`.
pub(crate) fn unpack(source: Box<dyn Read + Send>, name: &str) -> Result<Unpacked, CaptureError> {
    let outer = look(source, name)?;
    let packed = |what: &str, error: io::Error| CaptureError::NotACapture {
        name: name.to_owned(),
        found: format!("its {what} data cannot be unpacked ({error})"),
    };
    let inner = match outer.kind {
        Kind::Gzip => look_inside(Box::new(MultiGzDecoder::new(outer.stream)), name, |error| {
            packed("gzip", error)
        })?,
        Kind::Zstd => {
            let stream = zstd::Decoder::new(outer.stream).map_err(|error| packed("zstd", error))?;
            look_inside(Box::new(stream), name, |error| packed("zstd", error))?
        }
        _ => outer,
    };
    let not_a_capture = |found: String| CaptureError::NotACapture {
        name: name.to_owned(),
        found,
    };
    match inner.kind {
        Kind::Pcap(_) | Kind::Pcapng | Kind::Other(_) => Ok(inner),
        Kind::Gzip | Kind::Zstd => Err(not_a_capture("it is compressed twice; unpack it once".to_owned())),
        Kind::Cut => Err(CaptureError::HeaderCut {
            name: name.to_owned(),
        }),
    }
}

fn look(source: Box<dyn Read + Send>, name: &str) -> Result<Unpacked, CaptureError> {
    look_inside(source, name, |error| CaptureError::from_io(name, error))
}

/// Reads the first bytes and puts them back in front of the stream.
fn look_inside(
    mut stream: Box<dyn Read + Send>,
    name: &str,
    failed: impl Fn(io::Error) -> CaptureError,
) -> Result<Unpacked, CaptureError> {
    let mut prefix = Vec::with_capacity(PREFIX_BYTES);
    let looked = stream.by_ref().take(PREFIX_BYTES as u64).read_to_end(&mut prefix);
    match looked {
        // A packed file may break behind its first packets: the reader says so when it gets there.
        Err(error) if prefix.is_empty() => return Err(failed(error)),
        Ok(_) if prefix.is_empty() => {
            return Err(CaptureError::Empty {
                name: name.to_owned(),
            });
        }
        _ => {}
    }
    let kind = Kind::of(&prefix);
    Ok(Unpacked {
        stream: Box::new(Cursor::new(prefix).chain(stream)),
        kind,
    })
}

/// Counts the bytes read through it, for progress bars.
pub(crate) struct Counted<R> {
    source: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Counted<R> {
    pub(crate) fn new(source: R, count: Arc<AtomicU64>) -> Self {
        Self { source, count }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(buffer)?;
        // Only a display reads it: no other memory depends on its order.
        self.count.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
