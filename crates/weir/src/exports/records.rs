//! Files of flow records as input, whoever wrote them: IPFIX files (RFC 5655) and the formats of `weir_collector::files`.
//! A first stretch is read ahead to learn what the records offer, which works for pipes and packed files too.

use std::io::{Cursor, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use weir_capture::{CaptureError, Input, OtherInput};
use weir_collector::files::{FileKind, FlowFile, HEAD_BYTES, Untold};
use weir_collector::{Collector, offered};
use weir_model::{FlowRecord, Need, proto};

use super::ipfix::IpfixFile;

/// Bytes read ahead: some thousand records of any format.
const AHEAD_BYTES: u64 = 1 << 20;
/// Sender assumed for IPFIX files, which name none.
pub(super) const FILE_EXPORTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// An open file of flow records.
pub(crate) struct RecordFile {
    pub(super) content: Content,
    /// What its first records offer to methods.
    pub(super) have: Vec<Need>,
    /// Compressed bytes read so far, for a progress bar.
    pub(super) bytes_read: Arc<AtomicU64>,
}

/// How it is read.
pub(super) enum Content {
    Ipfix(IpfixFile),
    Flows(FlowFile),
}

impl RecordFile {
    /// Opens a further file, when the first was one of flow records.
    ///
    /// # Errors
    /// As `open`; and when it holds packets, which a run of records cannot take in.
    pub(crate) fn open_path(path: &Path) -> Result<Self, CaptureError> {
        match Input::open(path)? {
            Input::Other(other) => Self::open(other),
            Input::Capture(_) => Err(CaptureError::NotRead {
                name: path.display().to_string(),
                why: "it is a capture and the first file holds flow records; read it in a run of its own"
                    .into(),
            }),
        }
    }

    /// Tells by content what the input is.
    ///
    /// # Errors
    /// When it is no file of flow records that Weir reads; the error says what it is, where that is known.
    pub(crate) fn open(mut input: OtherInput) -> Result<Self, CaptureError> {
        let mut ahead = Vec::new();
        // An error here comes again from the stream behind it, and is told then.
        let _ = input.stream.by_ref().take(AHEAD_BYTES).read_to_end(&mut ahead);
        let head = ahead.get(..HEAD_BYTES).unwrap_or(&ahead).to_vec();
        if IpfixFile::is_one(&head) {
            return Ok(Self {
                have: ipfix_offers(&ahead),
                content: Content::Ipfix(IpfixFile::new(behind(ahead, input.stream))),
                bytes_read: input.bytes_read,
            });
        }
        match FileKind::of(&head) {
            Ok(kind) => Ok(Self {
                have: flow_offers(kind, &head, &ahead),
                content: Content::Flows(FlowFile::new(kind, &head, behind(ahead, input.stream))),
                bytes_read: input.bytes_read,
            }),
            Err(Untold(Some(why))) => Err(CaptureError::NotRead {
                name: input.name,
                why,
            }),
            Err(Untold(None)) => Err(input.refuse()),
        }
    }
}

fn behind(ahead: Vec<u8>, stream: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    Box::new(Cursor::new(ahead).chain(stream))
}

fn ipfix_offers(ahead: &[u8]) -> Vec<Need> {
    let mut file = IpfixFile::new(Box::new(Cursor::new(ahead.to_vec())));
    let (mut collector, mut flows) = (Collector::default(), Vec::new());
    while let Some((time, message)) = file.next() {
        collector.datagram(FILE_EXPORTER, time, message, &mut flows);
        flows.clear();
    }
    collector.counts().offers()
}

fn flow_offers(kind: FileKind, head: &[u8], ahead: &[u8]) -> Vec<Need> {
    let mut file = FlowFile::new(kind, head, Box::new(Cursor::new(ahead.to_vec())));
    let mut flows: Vec<FlowRecord> = Vec::new();
    while file.step(&mut flows) {}
    let count = |told: fn(&FlowRecord) -> bool| flows.iter().filter(|flow| told(flow)).count();
    let tcp = count(|flow| flow.key.proto == proto::TCP);
    let flags = count(|flow| flow.key.proto == proto::TCP && flow.forward_flags | flow.reverse_flags != 0);
    let macs = count(|flow| flow.initiator_mac.or(flow.responder_mac).is_some());
    let told = (flags > tcp / 2, macs > flows.len() / 2);
    offered(
        told,
        kind.unsampled() && file.counts().scaled == 0 && flows.iter().all(|flow| flow.sampling <= 1),
    )
}
