//! The queue between receivers and the decoder, bounded in bytes: datagrams differ in size by a thousand.
//! Who pushes waits for room, so a slow decoder shows as drops in the kernel's socket buffers, where they are counted.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_model::Time;

/// Bytes queued: two seconds of a saturated gigabit link would be more, and then the kernel's buffers count the loss.
const QUEUED_BYTES_MAX: usize = 64 << 20;
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
    /// Threads that may still push.
    producers: usize,
    /// Nobody takes any more.
    closed: bool,
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

    /// Waits for room and appends. False when nobody takes any more.
    pub(super) fn push(&self, item: Item) -> bool {
        let mut inner = self.lock();
        while inner.bytes >= QUEUED_BYTES_MAX && !inner.closed {
            inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            return false;
        }
        inner.bytes += item.cost();
        inner.bytes_most = inner.bytes_most.max(inner.bytes);
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
        inner.bytes -= item.cost();
        drop(inner);
        self.room.notify_all();
        Popped::Item(item)
    }

    /// Whoever pushes from now on is told that nobody takes.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
    }

    /// Most bytes that were ever queued.
    pub(super) fn bytes_most(&self) -> usize {
        self.lock().bytes_most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_in_bytes_and_in_order() {
        let queue = Queue::default();
        let from = SocketAddr::from(([192, 0, 2, 1], 1));
        let pushed = std::thread::scope(|scope| {
            let pusher = scope.spawn(|| {
                let _producer = queue.producer();
                let mut pushed = 0u32;
                loop {
                    let mut chunk = Chunk::new(Time(i64::from(pushed)), false);
                    chunk.push(from, &[0; 60_000]);
                    if !queue.push(Item::Chunk(chunk)) {
                        return pushed;
                    }
                    pushed += 1;
                }
            });
            while queue.bytes_most() < QUEUED_BYTES_MAX {
                std::thread::yield_now();
            }
            for want in 0..100 {
                let Popped::Item(Item::Chunk(chunk)) = queue.pop(Duration::from_secs(5)) else {
                    panic!("nothing queued");
                };
                assert_eq!(chunk.arrival, Time(want));
                assert_eq!(
                    chunk.datagrams().map(|(_, bytes)| bytes.len()).sum::<usize>(),
                    60_000
                );
            }
            queue.close();
            pusher.join().expect("the pusher ends")
        });
        assert!(pushed as usize >= QUEUED_BYTES_MAX / 60_100);
        assert!(queue.bytes_most() < QUEUED_BYTES_MAX + 60_100);
    }
}
