//! The queue between receivers and the decoder, bounded in bytes: datagrams differ in size by a thousand.
//! Who pushes waits for room, so a slow decoder shows as drops in the kernel's socket buffers, where they are counted.
//! From half full on each exporter has a share: what one sends beyond it is shed here and counted for it, so that an
//! exporter at ten times the rate of the others loses its own records and not theirs. The kernel's buffer knows no shares.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ahash::RandomState;
use weir_model::Time;

/// Bytes queued: two seconds of a saturated gigabit link would be more, and then the kernel's buffers count the loss.
const QUEUED_BYTES_MAX: usize = 64 << 20;
/// Bytes queued from which shares count; below, bursts of anyone are welcome.
const SHARED_BYTES: usize = QUEUED_BYTES_MAX / 2;
/// Exporters whose shed datagrams are told apart between two looks; more are counted in the sum only.
const SHEDDERS_MAX: usize = 4_096;
/// What a datagram costs beside its bytes.
const DATAGRAM_BYTES: usize = 64;

/// What receivers hand on.
#[derive(Debug)]
pub(super) enum Item {
    /// Datagrams, or messages of one stream.
    Chunk(Chunk),
    /// The stream from here has ended, and its templates with it.
    Closed(SocketAddr),
}

/// Datagrams received together.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) arrival: Time,
    /// From a stream (TCP, TLS) and not from UDP.
    pub(super) stream: bool,
    /// Sender and length of each, in order of `bytes`.
    parts: Vec<(SocketAddr, u32)>,
    bytes: Vec<u8>,
}

impl Chunk {
    /// An empty chunk.
    pub(super) const fn new(arrival: Time, stream: bool) -> Self {
        Self {
            arrival,
            stream,
            parts: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Appends a datagram.
    pub(super) fn push(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.parts.push((from, datagram.len() as u32));
        self.bytes.extend_from_slice(datagram);
    }

    /// Nothing in it?
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The datagrams with their senders.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let mut rest = &self.bytes[..];
        self.parts.iter().map(move |&(from, length)| {
            let (datagram, behind) = rest.split_at(length as usize);
            rest = behind;
            (from, datagram)
        })
    }

    fn cost(&self) -> usize {
        self.bytes.len() + self.parts.len() * DATAGRAM_BYTES
    }

    /// Leaves out the datagrams that `keep` does not want, in order.
    fn retain(&mut self, mut keep: impl FnMut(IpAddr, usize) -> bool) {
        let (mut from_byte, mut to_byte) = (0, 0);
        let bytes = &mut self.bytes;
        self.parts.retain(|&(from, length)| {
            let length = length as usize;
            let kept = keep(from.ip(), length + DATAGRAM_BYTES);
            if kept {
                bytes.copy_within(from_byte..from_byte + length, to_byte);
                to_byte += length;
            }
            from_byte += length;
            kept
        });
        bytes.truncate(to_byte);
    }
}

impl Item {
    fn cost(&self) -> usize {
        match self {
            Self::Chunk(chunk) => chunk.cost(),
            Self::Closed(_) => DATAGRAM_BYTES,
        }
    }
}

/// The queue. The lock protects the list and its size; nobody holds it while working.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    room: Condvar,
    filled: Condvar,
}

#[derive(Default)]
struct Inner {
    items: VecDeque<Item>,
    bytes: usize,
    bytes_most: usize,
    /// Bytes of each exporter that has some here.
    by_exporter: HashMap<IpAddr, usize, RandomState>,
    /// Datagrams shed of each exporter since the last look, of some at most, and of all since the start.
    shed: HashMap<IpAddr, u64, RandomState>,
    shed_all: u64,
    /// Threads that may still push.
    producers: usize,
    /// Nobody takes any more.
    closed: bool,
}

impl Inner {
    /// Bytes that each exporter may have here.
    fn share(&self) -> usize {
        QUEUED_BYTES_MAX / self.by_exporter.len().max(1)
    }

    /// Counts an item's bytes in.
    fn enter(&mut self, item: &Item) {
        self.bytes += item.cost();
        self.bytes_most = self.bytes_most.max(self.bytes);
        let Item::Chunk(chunk) = item else { return };
        for &(from, length) in &chunk.parts {
            *self.by_exporter.entry(from.ip()).or_default() += length as usize + DATAGRAM_BYTES;
        }
    }

    /// Counts an item's bytes out.
    fn leave(&mut self, item: &Item) {
        self.bytes -= item.cost();
        let Item::Chunk(chunk) = item else { return };
        for &(from, length) in &chunk.parts {
            let Some(bytes) = self.by_exporter.get_mut(&from.ip()) else {
                continue;
            };
            *bytes -= length as usize + DATAGRAM_BYTES;
            if *bytes == 0 {
                self.by_exporter.remove(&from.ip());
            }
        }
    }

    /// Leaves out datagrams of exporters that have their share here already.
    fn shed(&mut self, chunk: &mut Chunk) {
        let share = self.share();
        let mut coming: HashMap<IpAddr, usize, RandomState> = HashMap::default();
        chunk.retain(|from, cost| {
            let queued = self.by_exporter.get(&from).copied().unwrap_or(0);
            let coming = coming.entry(from).or_default();
            if queued + *coming < share {
                *coming += cost;
                return true;
            }
            self.shed_all += 1;
            if let Some(times) = self.shed.get_mut(&from) {
                *times += 1;
            } else if self.shed.len() < SHEDDERS_MAX {
                self.shed.insert(from, 1);
            }
            false
        });
    }

    /// Must what comes in a stream wait? Streams are never shed: their senders wait, as TCP has it.
    fn must_wait(&self, item: &Item) -> bool {
        let over = match item {
            Item::Chunk(chunk) if chunk.stream && self.bytes >= SHARED_BYTES => {
                chunk.parts.first().is_some_and(|(from, _)| {
                    self.by_exporter
                        .get(&from.ip())
                        .is_some_and(|&bytes| bytes >= self.share())
                })
            }
            _ => false,
        };
        (over || self.bytes >= QUEUED_BYTES_MAX) && !self.closed
    }
}

/// What came of waiting for an item.
pub(super) enum Popped {
    Item(Item),
    /// Nothing came in time.
    Nothing,
    /// Nothing is left and nobody pushes any more.
    Ended,
}

/// A thread that pushes; the queue ends when all of them are gone.
pub(super) struct Producer<'a>(&'a Queue);

impl Drop for Producer<'_> {
    fn drop(&mut self) {
        self.0.lock().producers -= 1;
        self.0.filled.notify_one();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a thread that pushes.
    pub(super) fn producer(&self) -> Producer<'_> {
        self.lock().producers += 1;
        Producer(self)
    }

    /// Waits for room and appends what is within its exporter's share. False when nobody takes any more.
    pub(super) fn push(&self, mut item: Item) -> bool {
        let mut inner = self.lock();
        while inner.must_wait(&item) {
            inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            return false;
        }
        if let Item::Chunk(chunk) = &mut item
            && !chunk.stream
            && inner.bytes >= SHARED_BYTES
        {
            inner.shed(chunk);
            if chunk.is_empty() {
                return true;
            }
        }
        inner.enter(&item);
        inner.items.push_back(item);
        drop(inner);
        self.filled.notify_one();
        true
    }

    /// The next item, waited for no longer than `patience`.
    pub(super) fn pop(&self, patience: Duration) -> Popped {
        let mut inner = self.lock();
        if inner.items.is_empty() && inner.producers > 0 {
            inner = self
                .filled
                .wait_timeout(inner, patience)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let Some(item) = inner.items.pop_front() else {
            return if inner.producers == 0 {
                Popped::Ended
            } else {
                Popped::Nothing
            };
        };
        inner.leave(&item);
        drop(inner);
        self.room.notify_all();
        Popped::Item(item)
    }

    /// Whoever pushes from now on is told that nobody takes.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
    }

    /// Datagrams shed because their exporter had its share here already.
    pub(super) fn shed(&self) -> u64 {
        self.lock().shed_all
    }

    /// Whose datagrams were shed since the last call, and how many.
    pub(super) fn take_shed(&self) -> Vec<(IpAddr, u64)> {
        self.lock().shed.drain().collect()
    }

    /// Most bytes that were ever queued.
    pub(super) fn bytes_most(&self) -> usize {
        self.lock().bytes_most
    }
}

#[cfg(test)]
mod tests;
