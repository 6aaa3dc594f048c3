//! IPFIX over TCP and TLS (RFC 7011, 10.4): one thread for each exporter's connection, which cuts the stream into messages.
//! A peer that sends anything else, or is too slow, is closed and the reason is told; connections are bounded.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use weir_model::Networks;
use weir_wire::export::{Format, Message};

use super::queue::{Chunk, Item, Queue};
use super::wall;

/// Connections at once, each a thread; exporters keep one each.
const CONNECTIONS_MAX: usize = 512;
/// Connections at once from one address.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 16;
/// Time for the TLS handshake and the first message, and for each message from its first byte to its last.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(30);
const SLOW: &str = "no whole message came in 30 s";
/// Silence after which a connection is closed: exporters send templates at least every half hour.
const SILENCE_MAX: Duration = Duration::from_secs(3_600);
/// How often the stop flag is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes of an IPFIX message header.
const HEADER_BYTES: usize = 16;
/// Messages handed on together.
const CHUNK_MESSAGES: usize = 32;
/// Reasons kept for the log until it is written.
const REASONS_MAX: usize = 32;

/// What stream listeners counted, all together.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) accepted: AtomicU64,
    /// Connections refused: not allowed, or too many.
    pub(super) refused: AtomicU64,
    /// Connections closed by us because of what came.
    pub(super) expelled: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) bytes: AtomicU64,
    open: AtomicUsize,
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
    /// Why connections were closed, for the log.
    reasons: Mutex<Vec<String>>,
}

impl Streams {
    fn note(&self, reason: String) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.len() < REASONS_MAX {
            reasons.push(reason);
        }
    }

    /// Takes the reasons noted since the last call.
    pub(super) fn take_reasons(&self) -> Vec<String> {
        std::mem::take(&mut self.reasons.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a connection in; false when there are too many.
    fn enter(&self, ip: IpAddr) -> bool {
        let mut addresses = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = addresses.get(&ip).copied().unwrap_or(0);
        if mine >= CONNECTIONS_PER_ADDRESS_MAX || self.open.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            return false;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        addresses.insert(ip, mine + 1);
        true
    }

    fn leave(&self, ip: IpAddr) {
        let mut addresses = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        self.open.fetch_sub(1, Ordering::Relaxed);
        match addresses.get_mut(&ip) {
            Some(mine) if *mine > 1 => *mine -= 1,
            _ => drop(addresses.remove(&ip)),
        }
    }
}

/// What every connection needs.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) queue: &'a Queue,
    pub(super) allowed: Option<&'a Networks>,
    pub(super) streams: &'a Streams,
    pub(super) stop: &'a AtomicBool,
}

/// Reads certificate chain and key from PEM files. With `clients`, exporters must show a certificate of one of these
/// authorities.
pub(super) fn tls_config(
    certificate: &Path,
    key: &Path,
    clients: Option<&Path>,
) -> Result<Arc<ServerConfig>> {
    let chain = certificates(certificate)?;
    let key_der = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| anyhow::anyhow!("{}: no private key in PEM: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority).with_context(|| path.display().to_string())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(chain, key_der)
        .with_context(|| format!("{} and {}", certificate.display(), key.display()))?;
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let chain: Vec<_> =
        read.map_err(|error| anyhow::anyhow!("{}: no certificate in PEM: {error}", path.display()))?;
    if chain.is_empty() {
        bail!("{}: no certificate in PEM", path.display());
    }
    Ok(chain)
}

/// Accepts connections until the stop, each on a thread of its own.
pub(super) fn accept<'scope>(
    listener: &TcpListener,
    tls: Option<&'scope Arc<ServerConfig>>,
    around: Surroundings<'scope>,
    scope: &'scope Scope<'scope, '_>,
) {
    while !around.stop.load(Ordering::Relaxed) {
        let Ok((stream, peer)) = listener.accept() else {
            std::thread::sleep(LOOK);
            continue;
        };
        let from = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let allowed = around.allowed.is_none_or(|allowed| allowed.contains(from.ip()));
        if !allowed || !around.streams.enter(from.ip()) {
            around.streams.refused.fetch_add(1, Ordering::Relaxed);
            let why = if allowed {
                "too many connections"
            } else {
                "not allowed"
            };
            around.streams.note(format!("{from}: refused, {why}"));
            continue;
        }
        around.streams.accepted.fetch_add(1, Ordering::Relaxed);
        scope.spawn(move || {
            let why = converse(stream, from, tls, around);
            around.queue.push(Item::Closed(from));
            around.streams.leave(from.ip());
            around.streams.note(format!("{from}: connection closed, {why}"));
        });
    }
}

/// Reads a connection to its end; returns why it ended.
fn converse(
    stream: TcpStream,
    from: SocketAddr,
    tls: Option<&Arc<ServerConfig>>,
    around: Surroundings<'_>,
) -> String {
    if let Err(error) = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_read_timeout(Some(LOOK)))
    {
        return error.to_string();
    }
    let ended = match tls {
        None => messages(stream, from, around),
        Some(config) => match ServerConnection::new(Arc::clone(config)) {
            Ok(connection) => messages(StreamOwned::new(connection, stream), from, around),
            Err(error) => Err(Trouble::Broken(error.to_string())),
        },
    };
    match ended {
        Ok(why) => why.to_owned(),
        Err(trouble) => {
            around.streams.expelled.fetch_add(1, Ordering::Relaxed);
            match trouble {
                Trouble::Garbage(what) => format!("because {what}"),
                Trouble::Broken(what) => what,
            }
        }
    }
}

/// Why we close a connection.
enum Trouble {
    /// What came is not IPFIX, or not in time.
    Garbage(&'static str),
    /// The connection failed.
    Broken(String),
}

fn messages(
    mut source: impl Read,
    from: SocketAddr,
    around: Surroundings<'_>,
) -> Result<&'static str, Trouble> {
    let mut inbox = Inbox::default();
    loop {
        let more = inbox.fill(&mut source, around.stop);
        let sound = inbox.hand_on(from, around);
        match (sound, more) {
            (Err(what), _) => return Err(Trouble::Garbage(what)),
            (Ok(false), _) => return Ok("collecting ends"),
            (_, Ok(More::Yes)) => {}
            (_, Ok(More::End)) if inbox.bytes.is_empty() => return Ok("by the exporter"),
            (_, Ok(More::End)) => return Err(Trouble::Garbage("it ended within a message")),
            (_, Ok(More::Stop)) => return Ok("collecting ends"),
            (_, Ok(More::Late(what))) => return Err(Trouble::Garbage(what)),
            (_, Err(error)) => return Err(Trouble::Broken(error.to_string())),
        }
    }
}

/// Bytes of a stream that are no whole message yet: at most one message and one read.
struct Inbox {
    bytes: Vec<u8>,
    spare: Vec<u8>,
    /// Since when the message at the front is waited for.
    since: Instant,
    any: bool,
}

enum More {
    Yes,
    End,
    Stop,
    Late(&'static str),
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            spare: vec![0; 65_536],
            since: Instant::now(),
            any: false,
        }
    }
}

impl Inbox {
    /// Waits for bytes.
    fn fill(&mut self, source: &mut impl Read, stop: &AtomicBool) -> io::Result<More> {
        loop {
            match source.read(&mut self.spare) {
                Ok(0) => return Ok(More::End),
                Ok(length) => {
                    if self.bytes.is_empty() && self.any {
                        self.since = Instant::now();
                    }
                    self.bytes.extend_from_slice(&self.spare[..length]);
                    let late = self.since.elapsed() > MESSAGE_TIME_MAX;
                    return Ok(if late { More::Late(SLOW) } else { More::Yes });
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    // TLS peers that just go; RFC 7011 asks for no farewell.
                    ErrorKind::UnexpectedEof => return Ok(More::End),
                    _ => return Err(error),
                },
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(More::Stop);
            }
            let waited = self.since.elapsed();
            if waited > MESSAGE_TIME_MAX && (!self.any || !self.bytes.is_empty()) {
                return Ok(More::Late(SLOW));
            }
            if waited > SILENCE_MAX {
                return Ok(More::Late("nothing came for an hour"));
            }
        }
    }

    /// Hands whole messages on; `Ok(false)` when nobody takes them any more, `Err` with what is wrong with the stream.
    fn hand_on(&mut self, from: SocketAddr, around: Surroundings<'_>) -> Result<bool, &'static str> {
        let mut at = 0;
        let mut taken = true;
        let mut fault = None;
        while taken && fault.is_none() && at < self.bytes.len() {
            let mut chunk = Chunk::new(wall(), true);
            for _ in 0..CHUNK_MESSAGES {
                let rest = &self.bytes[at..];
                match next_message(rest) {
                    Ok(Some(length)) => {
                        let message = &rest[..length];
                        chunk.push(from, message);
                        at += length;
                        around.streams.messages.fetch_add(1, Ordering::Relaxed);
                        around.streams.bytes.fetch_add(length as u64, Ordering::Relaxed);
                        // RFC 7011, 9.1: after a malformed message nothing in the stream can be trusted.
                        if !sound(message) {
                            fault = Some("a message is malformed");
                            break;
                        }
                    }
                    Ok(None) => break,
                    Err(what) => {
                        fault = Some(what);
                        break;
                    }
                }
            }
            if chunk.is_empty() {
                break;
            }
            (self.any, self.since) = (true, Instant::now());
            taken = around.queue.push(Item::Chunk(chunk));
        }
        self.bytes.drain(..at);
        fault.map_or(Ok(taken), Err)
    }
}

/// Length of the whole message at the front, `None` when some of it is still to come.
fn next_message(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    if bytes.iter().zip([0, 10]).any(|(have, want)| *have != want) {
        return Err("it does not send IPFIX messages");
    }
    if bytes.len() < HEADER_BYTES {
        return Ok(None);
    }
    let length = Message::ipfix_bytes(bytes).ok_or("a message is shorter than its header")?;
    Ok((bytes.len() >= length).then_some(length))
}

/// Can every set of the message be told from the next?
fn sound(message: &[u8]) -> bool {
    Message::open(message)
        .is_ok_and(|open| open.header.format == Format::Ipfix && open.sets().all(|set| set.is_ok()))
}
