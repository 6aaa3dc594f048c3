//! Reassembly of IP fragments (RFC 791, RFC 8200) within fixed limits on count, bytes and event time. Tools
//! hide requests in fragments and floods consist of them, so whole datagrams are rebuilt and nothing may pile
//! up.
//!
//! Overlap: the bytes that came first win, as in Linux before it began to drop such datagrams. Hosts differ,
//! so every overlap is counted as `FragmentOverlap`; an exact copy of a fragment (mirror ports make them) is
//! not an overlap. Price: fragments of one IPv6 datagram whose next-header fields differ, which RFC 8200
//! tolerates, do not meet.

use std::collections::VecDeque;
use std::net::IpAddr;

use ahash::{HashMap, HashMapExt};
use weir_model::{Anomaly, AnomalyCounts, NANOS_PER_S, Time};

use crate::packet::{Fragment, Ip};

/// Datagrams in flight. A busy DNS resolver has tens; beyond a thousand it is a flood.
pub const DATAGRAMS_MAX: usize = 1024;
/// Bytes of one datagram: the 16-bit total length allows no more.
pub const DATAGRAM_BYTES_MAX: u32 = 65_535;
/// Pieces of one datagram: 64 KiB over Ethernet needs 45; more means pieces made small on purpose.
pub const PIECES_MAX: usize = 64;
/// Bytes held in total, bookkeeping included: a quarter of `DATAGRAMS_MAX` datagrams of full size.
pub const HELD_BYTES_MAX: usize = 16 << 20;
/// Event time a datagram may take: what Linux waits (RFC 791 suggests 15 s, RFC 8200 allows 60 s).
pub const LIFETIME_S: i64 = 30;
/// What a piece costs beside its bytes, so that tiny fragments do not come free.
const PIECE_COST_BYTES: usize = 64;
/// Entries of the queue of ages, finished datagrams included, before those are swept out.
const AGES_MAX: usize = 2 * DATAGRAMS_MAX;

/// Fragments waiting for the rest of their datagrams.
#[derive(Debug, Default)]
pub struct Fragments {
    datagrams: HashMap<Key, Datagram>,
    /// Datagrams by age, oldest first, with the serial number that tells a finished one from its successor.
    ages: VecDeque<(u64, Key)>,
    next_serial: u64,
    held_bytes: usize,
    anomalies: AnomalyCounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    proto: u8,
    vlan: Option<u16>,
}

#[derive(Debug)]
struct Datagram {
    serial: u64,
    started: Time,
    /// Sorted, without overlap.
    pieces: Vec<Piece>,
    piece_bytes: u32,
    /// Known once the last fragment came.
    total_bytes: Option<u32>,
}

#[derive(Debug)]
struct Piece {
    start: u32,
    bytes: Vec<u8>,
}

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placed {
    /// Kept whole, or a copy of one that was.
    Clean,
    /// Some or all of it was there before, or contradicts the length of the datagram.
    Overlapping,
    /// The datagram has too many pieces.
    Crowded,
}

impl Fragments {
    /// No fragments yet.
    pub fn new() -> Self {
        Self {
            datagrams: HashMap::with_capacity(DATAGRAMS_MAX),
            ..Self::default()
        }
    }

    /// Takes a fragment that came at `time`; returns the whole IP payload when it was the last one missing.
    ///
    /// Packets that are no fragments are ignored. `decode_ip_payload` makes a packet of the result.
    pub fn push(&mut self, time: Time, vlan: Option<u16>, ip: &Ip<'_>) -> Option<Vec<u8>> {
        let fragment = ip.fragment?;
        self.expire(time);
        if !is_sound(ip, fragment) {
            self.anomalies.count(Anomaly::FragmentDropped);
            return None;
        }
        let key = Key {
            src: ip.src,
            dst: ip.dst,
            id: fragment.id,
            proto: ip.proto,
            vlan,
        };
        let datagram = self.open(key, time);
        let cost_before = datagram.cost();
        let placed = datagram.place(fragment, ip.payload);
        let cost_after = datagram.cost();
        let whole = datagram.is_whole();
        self.held_bytes = self
            .held_bytes
            .saturating_sub(cost_before)
            .saturating_add(cost_after);
        if placed == Placed::Overlapping {
            self.anomalies.count(Anomaly::FragmentOverlap);
        }
        if whole {
            return self.remove(&key).map(Datagram::join);
        }
        if placed == Placed::Crowded {
            self.give_up(&key);
        }
        while self.held_bytes > HELD_BYTES_MAX && self.evict_oldest() {}
        None
    }

    /// Ends the input: datagrams still incomplete are given up and counted.
    pub fn finish(&mut self) {
        while self.evict_oldest() {}
    }

    /// Datagrams waiting for fragments.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// None waiting?
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Bytes held, bookkeeping included.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// `FragmentOverlap` per fragment; `FragmentDropped` per fragment refused and per datagram given up.
    pub fn anomalies(&self) -> &AnomalyCounts {
        &self.anomalies
    }

    /// The datagram with `key`, made room for if it is new.
    fn open(&mut self, key: Key, time: Time) -> &mut Datagram {
        if !self.datagrams.contains_key(&key) {
            while self.datagrams.len() >= DATAGRAMS_MAX && self.evict_oldest() {}
            if self.ages.len() >= AGES_MAX {
                let datagrams = &self.datagrams;
                self.ages
                    .retain(|(serial, key)| is_current(datagrams, *serial, key));
            }
            self.ages.push_back((self.next_serial, key));
        }
        self.datagrams.entry(key).or_insert_with(|| {
            let datagram = Datagram::new(self.next_serial, time);
            self.next_serial = self.next_serial.wrapping_add(1);
            self.held_bytes += datagram.cost();
            datagram
        })
    }

    /// Gives up datagrams older than their lifetime. Ages follow arrival, so the first young one ends the
    /// search.
    fn expire(&mut self, time: Time) {
        while let Some((serial, key)) = self.ages.front() {
            match self
                .datagrams
                .get(key)
                .filter(|datagram| datagram.serial == *serial)
            {
                Some(oldest) if time.since(oldest.started) <= LIFETIME_S * NANOS_PER_S => return,
                Some(_) => {
                    let key = *key;
                    self.give_up(&key);
                }
                None => {}
            }
            self.ages.pop_front();
        }
    }

    /// Gives up the oldest datagram; false when there is none.
    fn evict_oldest(&mut self) -> bool {
        while let Some((serial, key)) = self.ages.pop_front() {
            if is_current(&self.datagrams, serial, &key) {
                self.give_up(&key);
                return true;
            }
        }
        false
    }

    fn give_up(&mut self, key: &Key) {
        if self.remove(key).is_some() {
            self.anomalies.count(Anomaly::FragmentDropped);
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.held_bytes = self.held_bytes.saturating_sub(datagram.cost());
        Some(datagram)
    }
}

/// Is the queue entry about the datagram that the table holds under this key now?
fn is_current(datagrams: &HashMap<Key, Datagram>, serial: u64, key: &Key) -> bool {
    datagrams
        .get(key)
        .is_some_and(|datagram| datagram.serial == serial)
}

/// Refuses what cannot be put together: cut by the capture, empty or not in units of 8 bytes, or too far out.
fn is_sound(ip: &Ip<'_>, fragment: Fragment) -> bool {
    let kept_whole = u32::try_from(ip.payload.len()) == Ok(ip.payload_bytes);
    let in_units = ip.payload_bytes > 0 && (!fragment.more || ip.payload_bytes.is_multiple_of(8));
    let end = fragment.offset.saturating_add(ip.payload_bytes);
    kept_whole && in_units && end <= DATAGRAM_BYTES_MAX
}

impl Datagram {
    fn new(serial: u64, started: Time) -> Self {
        Self {
            serial,
            started,
            pieces: Vec::new(),
            piece_bytes: 0,
            total_bytes: None,
        }
    }

    /// Bytes that count towards the limit.
    fn cost(&self) -> usize {
        (self.pieces.len() + 1) * PIECE_COST_BYTES + self.piece_bytes as usize
    }

    fn is_whole(&self) -> bool {
        self.total_bytes == Some(self.piece_bytes)
    }

    /// Keeps what of the fragment is new.
    fn place(&mut self, fragment: Fragment, payload: &[u8]) -> Placed {
        let start = fragment.offset;
        let end = start.saturating_add(crate::decode::saturate(payload.len()));
        let known_end = self.pieces.last().map_or(0, Piece::end);
        let contradicts = match self.total_bytes {
            Some(total) => end > total || (!fragment.more && end != total),
            None => !fragment.more && end < known_end,
        };
        if contradicts {
            return Placed::Overlapping;
        }
        if !fragment.more {
            self.total_bytes = Some(end);
        }
        if self
            .pieces
            .iter()
            .any(|piece| piece.start == start && piece.bytes == payload)
        {
            return Placed::Clean;
        }
        let missing = self.missing_between(start, end);
        if self.pieces.len() + missing.len() > PIECES_MAX {
            return Placed::Crowded;
        }
        let mut new_bytes = 0;
        for &(from, to) in &missing {
            let bytes = payload
                .get((from - start) as usize..(to - start) as usize)
                .unwrap_or_default();
            self.pieces.push(Piece {
                start: from,
                bytes: bytes.to_vec(),
            });
            new_bytes += to - from;
        }
        self.pieces.sort_unstable_by_key(|piece| piece.start);
        self.piece_bytes += new_bytes;
        if new_bytes == end - start {
            Placed::Clean
        } else {
            Placed::Overlapping
        }
    }

    /// The parts of a range that no piece covers, in order.
    fn missing_between(&self, start: u32, end: u32) -> Vec<(u32, u32)> {
        let mut missing = Vec::new();
        let mut from = start;
        for piece in &self.pieces {
            if piece.start >= end {
                break;
            }
            if piece.start > from {
                missing.push((from, piece.start));
            }
            from = from.max(piece.end());
        }
        if from < end {
            missing.push((from, end));
        }
        missing
    }

    /// The pieces one behind the other.
    fn join(self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.piece_bytes as usize);
        for piece in &self.pieces {
            whole.extend_from_slice(&piece.bytes);
        }
        whole
    }
}

impl Piece {
    fn end(&self) -> u32 {
        self.start
            .saturating_add(crate::decode::saturate(self.bytes.len()))
    }
}

#[cfg(test)]
mod tests;
