//! How long parts are kept: by age, by size, and not while something is pinned in their hour.
//! A clock that jumps forward must not empty the store, so nothing goes by age until someone confirms the jump.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_model::{NANOS_PER_S, Time};

use super::part::{MIXED, Part};
use super::{StoreError, writer::Writer};
use crate::disk::{self, Disk};

/// A greater step of the clock between two calls suspends retention by age.
const JUMP_MAX_S: i64 = 3600;
/// Of the size limit, how much is left after parts went for it: they go seldom and several at a time.
const LOW_WATERMARK_PERCENT: u64 = 95;
/// Of the size limit, how much pinned parts may take; of more the oldest count as not pinned.
const PINNED_PERCENT: u64 = 50;
/// Most pins; each is a list entry that every expiry compares with.
pub const PINS_MAX: usize = 10_000;
/// Days of event time that the estimate of days left looks back.
const ESTIMATE_DAYS: i64 = 7;

/// What is kept. `None` is without limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Seconds after the end of its partition (an hour) that a part is kept.
    pub age_s: Option<i64>,
    /// Bytes of all parts of the table and site. The oldest go first, those of mixed hours before them.
    pub bytes: Option<u64>,
    /// Bytes of the disk that are left to others: below it the oldest parts of both tables go. Whoever owns the store
    /// says how many are free ([`super::FlowStore::set_free`]).
    pub free_bytes: Option<u64>,
}

/// What the writer knows of the clock its caller reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    last: Option<Time>,
    jumped: bool,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fullness {
    pub bytes: u64,
    /// Bytes of parts for a day of event time, at the pace of the last days; `None` without parts.
    pub bytes_per_day: Option<f64>,
    /// Days until the size limit, or that of free space, is reached at this pace; `None` without limit or pace.
    pub days_left: Option<f64>,
}

impl Fullness {
    /// Of these parts, under a limit of bytes.
    pub fn of(parts: &[Arc<Part>], limit: Option<u64>) -> Self {
        let bytes = parts.iter().map(|part| part.bytes).sum();
        let hours = || parts.iter().filter(|part| part.hour != MIXED);
        let newest = hours().map(|part| part.hour).max().unwrap_or(0);
        let recent = || hours().filter(|part| part.hour > newest - ESTIMATE_DAYS * 24);
        let oldest = recent().map(|part| part.hour).min().unwrap_or(newest);
        let recent_bytes: u64 = recent().map(|part| part.bytes).sum();
        let pace = recent_bytes as f64 * 24.0 / (newest - oldest + 1) as f64;
        let bytes_per_day = Some(pace).filter(|_| recent_bytes > 0);
        Self {
            bytes,
            bytes_per_day,
            days_left: limit
                .zip(bytes_per_day)
                .map(|(limit, pace)| limit.saturating_sub(bytes) as f64 / pace),
        }
    }
}

/// Spans of time whose parts are kept, by the name of who wants them (an event, a recording). With a size limit they are
/// kept up to half of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(BTreeMap<String, (Time, Time)>);

const PINS_FILE: &str = "pins";

impl Pins {
    /// Reads the pins of a store; none when there are none yet. A damaged file is an error: parts it pins would go.
    pub fn read(disk: &dyn Disk) -> Result<Self, StoreError> {
        let bytes = match disk.open(PINS_FILE) {
            Ok(file) => file.read_all()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let damaged = || StoreError::Damaged(PINS_FILE.to_owned());
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
        let (body, check) = text.rsplit_once("crc ").ok_or_else(damaged)?;
        if check.trim_end() != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
            return Err(damaged());
        }
        let line = |line: &str| {
            let mut fields = line.splitn(3, ' ');
            let mut time = || Some(Time(fields.next()?.parse().ok()?));
            let span = (time()?, time()?);
            Some((fields.next()?.to_owned(), span))
        };
        let pins = body.lines().map(|text| line(text).ok_or_else(damaged));
        pins.collect::<Result<_, _>>().map(Self)
    }

    /// Keeps what begins from `from` to `to`. False when the table of pins is full, or the name has a line break.
    pub fn pin(&mut self, name: &str, from: Time, to: Time) -> bool {
        if name.contains(['\n', '\r']) || (self.0.len() >= PINS_MAX && !self.0.contains_key(name)) {
            return false;
        }
        self.0.insert(name.to_owned(), (from, to));
        true
    }

    /// Lets go what was kept under the name.
    pub fn unpin(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Who wants something kept.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Writes the pins in the place of those on disk.
    pub fn write(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        let lines = self
            .0
            .iter()
            .map(|(name, (from, to))| format!("{} {} {name}\n", from.0, to.0));
        let body: String = lines.collect();
        let text = format!("{body}crc {:08x}\n", crc32fast::hash(body.as_bytes()));
        Ok(disk::replace(disk, PINS_FILE, text.as_bytes())?)
    }

    fn hold(&self, part: &Part) -> bool {
        let (first, last) = span(part);
        let mut pins = self.0.values();
        pins.any(|(from, to)| part.hour == MIXED || (*from <= last && first <= *to))
    }
}

/// First and last moment of a part's partition.
fn span(part: &Part) -> (Time, Time) {
    let first = Time::from_secs(part.hour.saturating_mul(3600));
    (first, first + (part.hours * 3600 * NANOS_PER_S - 1))
}

impl Writer {
    /// The clock's jump was right: retention by age goes on.
    pub fn confirm_clock(&mut self) {
        self.clock.jumped = false;
    }

    /// Is retention by age suspended because the clock jumped?
    pub fn clock_jumped(&self) -> bool {
        self.clock.jumped
    }

    /// How full the table is.
    pub fn fullness(&self) -> Fullness {
        Fullness::of(&self.parts, self.limits.retention.bytes)
    }

    /// Parts that are exempt: pinned, and within what pinned parts may take of the size limit, the newest before others.
    fn exempt(&self) -> Vec<Arc<Part>> {
        let limit = self.limits.retention.bytes;
        let mut room = limit.map_or(u64::MAX, |limit| limit / 100 * PINNED_PERCENT);
        let pinned = self.parts.iter().rev().filter(|part| self.pins.hold(part));
        let within = pinned.take_while(|part| {
            let fits = part.bytes <= room;
            room = room.saturating_sub(part.bytes);
            fits
        });
        within.cloned().collect()
    }

    /// Removes the oldest parts until `bytes` bytes are gone, pinned ones after all others: the disk is running full, and
    /// a store that cannot write proves nothing. Tells how many went.
    pub fn make_room(&mut self, bytes: u64) -> Result<u64, StoreError> {
        let mut gone = 0;
        let exempt = self.exempt();
        let (pinned, free): (Vec<&Arc<Part>>, _) = self.parts.iter().partition(|part| exempt.contains(part));
        let oldest = free.into_iter().chain(pinned).take_while(|part| {
            let wanted = gone < bytes;
            gone += if wanted { part.bytes } else { 0 };
            wanted
        });
        let oldest: Vec<Arc<Part>> = oldest.cloned().collect();
        self.drop_parts(&oldest)?;
        self.publish();
        Ok(gone)
    }

    /// Removes parts that are past their time or for which there is no room.
    pub(super) fn expire(&mut self, now: Time) -> Result<(), StoreError> {
        if let Some(last) = self.clock.last {
            self.clock.jumped |= now.since(last) > JUMP_MAX_S * NANOS_PER_S;
        }
        self.clock.last = Some(now);
        let expired = self.past(now);
        self.drop_parts(&expired)
    }

    fn drop_parts(&mut self, expired: &[Arc<Part>]) -> Result<(), StoreError> {
        for part in expired {
            match self.disk.remove(&part.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
            self.counters.parts_expired += 1;
            self.parts.retain(|kept| kept != part);
        }
        Ok(())
    }

    fn past(&self, now: Time) -> Vec<Arc<Part>> {
        let Retention { age_s, bytes, .. } = self.limits.retention;
        let exempt = self.exempt();
        let free = || self.parts.iter().filter(|part| !exempt.contains(part));
        let old = |part: &Part| {
            let age = now.since(span(part).1) / NANOS_PER_S;
            part.hour != MIXED && age_s.is_some_and(|limit| age > limit)
        };
        let by_age = !self.clock.jumped;
        let mut past: Vec<_> = free().filter(|part| by_age && old(part)).cloned().collect();
        let gone: u64 = past.iter().map(|part| part.bytes).sum();
        let mut held = self.fullness().bytes - gone;
        if let Some(limit) = bytes.filter(|limit| held > *limit) {
            let low = limit / 100 * LOW_WATERMARK_PERCENT;
            // Mixed hours sort first.
            let kept: Vec<_> = free().filter(|part| !past.contains(part)).cloned().collect();
            for part in kept {
                if held <= low {
                    break;
                }
                held -= part.bytes;
                past.push(part);
            }
        }
        past
    }
}
