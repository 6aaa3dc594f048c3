//! Who was seen in a network: bits for the addresses of a /24, a bounded table for hardware addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use weir_model::{Mac, Time};

const DAY_S: i64 = 86_400;
/// Hardware addresses remembered; past it new ones are counted, not reported. About 1.5 MiB.
const CARDS_MAX: usize = 16_384;
/// New addresses told of at once; more at one tick are told of as they are seen again.
const NEW_MAX: usize = 16;

/// How long something was learned: days with traffic, so that a gap in the feed teaches nothing.
#[derive(Default, Serialize, Deserialize)]
struct Season {
    /// Days before the latest.
    days: u32,
    latest: Option<i64>,
}

impl Season {
    /// Whole days learned when something comes at this moment.
    fn pass(&mut self, at: Time) -> u32 {
        let day = at.bin(DAY_S);
        match self.latest {
            None => self.latest = Some(day),
            Some(latest) if day > latest => {
                self.latest = Some(day);
                self.days = self.days.saturating_add(1);
            }
            Some(_) => {}
        }
        self.days
    }
}

/// Addresses of one /24 by their last octet.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Addresses {
    season: Season,
    /// Seen since the bits were last put aside, and before that.
    known: [u64; 4],
    older: [u64; 4],
    turned: Option<Time>,
    /// Last octet, when, and days learned until then: told of until the next tick.
    new: Vec<(u8, Time, u32)>,
}

impl Addresses {
    pub(super) fn see(&mut self, last: u8, at: Time, season_d: u32) {
        let learned_d = self.season.pass(at);
        self.turned.get_or_insert(at);
        let (word, bit) = (usize::from(last / 64), 1 << (last % 64));
        let unseen = (self.known[word] | self.older[word]) & bit == 0;
        let over = learned_d >= season_d;
        if unseen && over && self.new.len() >= NEW_MAX {
            return;
        }
        self.known[word] |= bit;
        if unseen && over {
            self.new.push((last, at, learned_d));
        }
    }

    pub(super) fn tick(&mut self, now: Time, death_d: u32) {
        self.new.clear();
        if let Some(turned) = self.turned
            && now.secs_since(turned) >= seconds(death_d)
        {
            self.older = std::mem::take(&mut self.known);
            self.turned = Some(now);
        }
    }

    pub(super) fn fresh(&self) -> &[(u8, Time, u32)] {
        &self.new
    }
}

/// A hardware address.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Card {
    pub(super) ip: Option<IpAddr>,
    pub(super) first: Time,
    pub(super) last: Time,
    /// Days learned when it came; below the season for those that were learned.
    pub(super) learned_d: u32,
}

/// All hardware addresses of the feed.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Cards {
    season: Season,
    /// By their six bytes as a number, so that the table can be written as text.
    seen: BTreeMap<u64, Card>,
    crowded_out: u64,
    new: Vec<u64>,
}

impl Cards {
    pub(super) fn see(&mut self, mac: Mac, ip: Option<IpAddr>, at: Time, season_d: u32) {
        let learned_d = self.season.pass(at);
        let key = mac.0.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if let Some(card) = self.seen.get_mut(&key) {
            card.last = card.last.max(at);
            card.ip = ip.or(card.ip);
            return;
        }
        let over = learned_d >= season_d;
        if self.seen.len() >= CARDS_MAX || (over && self.new.len() >= NEW_MAX) {
            self.crowded_out += 1;
            return;
        }
        let (first, last) = (at, at);
        let card = Card {
            ip,
            first,
            last,
            learned_d,
        };
        self.seen.insert(key, card);
        if over {
            self.new.push(key);
        }
    }

    pub(super) fn tick(&mut self, now: Time, death_d: u32) {
        self.new.clear();
        self.seen
            .retain(|_, card| now.secs_since(card.last) < seconds(death_d));
    }

    pub(super) fn fresh(&self) -> impl Iterator<Item = (Mac, Card)> {
        self.new.iter().filter_map(|key| {
            let [_, _, mac @ ..] = key.to_be_bytes();
            Some((Mac(mac), *self.seen.get(key)?))
        })
    }
}

fn seconds(days: u32) -> f64 {
    (i64::from(days) * DAY_S) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u32) -> Mac {
        let [a, b, c, d] = number.to_be_bytes();
        Mac([0, 1, a, b, c, d])
    }

    #[test]
    fn a_full_table_counts_who_found_no_place() {
        let mut cards = Cards::default();
        for number in 0..CARDS_MAX as u32 + 3 {
            cards.see(mac(number), None, Time::from_secs(9), 7);
        }
        assert_eq!((cards.seen.len(), cards.crowded_out), (CARDS_MAX, 3));
        cards.tick(Time::from_secs(40 * 86_400), 30);
        assert!(cards.seen.is_empty());
    }

    /// A flood of new ones is told of a few at a time, and none is taken for known.
    #[test]
    fn many_at_once() {
        let (mut addresses, late) = (Addresses::default(), Time::from_secs(8 * 86_400));
        (0..8).for_each(|day| addresses.see(1, Time::from_secs(day * 86_400), 7));
        (100..=255).for_each(|last| addresses.see(last, late, 7));
        assert_eq!(addresses.fresh().len(), NEW_MAX);
        addresses.tick(late, 30);
        addresses.see(255, late, 7);
        assert_eq!(addresses.fresh()[0].0, 255);
    }

    #[test]
    fn the_long_silent_are_new_again() {
        let day = |day: i64| Time::from_secs(day * 86_400);
        let mut addresses = Addresses::default();
        addresses.see(1, day(0), 7);
        for at in 0..62 {
            addresses.see(2, day(at), 7);
            addresses.tick(day(at), 30);
        }
        addresses.see(1, day(62), 7);
        assert_eq!(addresses.fresh()[0].0, 1);
    }

    /// A recording, weeks of nothing, another recording.
    #[test]
    fn a_gap_teaches_nothing() {
        let mut addresses = Addresses::default();
        addresses.see(1, Time::from_secs(0), 7);
        addresses.see(2, Time::from_secs(25 * 86_400), 7);
        assert!(addresses.fresh().is_empty());
    }
}
