//! `--flows ipfix=FILE`: flow records as an IPFIX file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use weir_model::FlowRecord;
use weir_wire::export::Encoder;

use super::eprint_line;

/// An IPFIX file being written (RFC 5655): messages one after the other.
pub(super) struct IpfixFile {
    file: BufWriter<File>,
    encoder: Encoder,
}

impl IpfixFile {
    /// Creates the file, or empties it.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self {
            file: BufWriter::new(file),
            // One observation point, whatever the input: domain 0 stands for the whole exporter.
            encoder: Encoder::new(0),
        })
    }

    /// Writes a record, sooner or later.
    pub(super) fn write(&mut self, flow: &FlowRecord) -> io::Result<()> {
        self.encoder
            .push(flow)
            .map_or(Ok(()), |message| self.file.write_all(&message))
    }

    /// Writes what is left; records that were not IP are told.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Some(message) = self.encoder.finish() {
            self.file.write_all(&message)?;
        }
        let left_out = self.encoder.not_ip();
        if left_out > 0 {
            eprint_line(&format!(
                "weir: {left_out} records are not about IP flows, which is all that IPFIX files of Weir hold"
            ));
        }
        self.file.flush()
    }
}
