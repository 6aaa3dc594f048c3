//! What every host exchanged with every country in the last hour, and the sums the others are compared with.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use weir_model::{Country, FlowRecord, Time};

use super::BIN_S;
use crate::baseline::Sliding;

/// Intervals of the hour.
const BINS: usize = 12;
/// Pairs of host and country at once; past it new ones are counted, not compared: about 5 MiB.
const PAIRS_MAX: usize = 16_384;

/// One host's exchange with one country in one direction of set-up.
#[derive(Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) country: Country,
    pub(super) initiated: bool,
    pub(super) sent: Sliding<BINS>,
    pub(super) received: Sliding<BINS>,
    pub(super) first: Time,
    pub(super) last: Time,
    /// What it gave to the sums at the last settling.
    given: Option<(u64, u64)>,
}

/// Sums over pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) pairs: u64,
    sent: u64,
    received: u64,
}

impl Sums {
    fn add(&mut self, (sent, received): (u64, u64)) {
        self.pairs += 1;
        self.sent = self.sent.saturating_add(sent);
        self.received = self.received.saturating_add(received);
    }

    fn without(self, given: Option<(u64, u64)>) -> Self {
        let Some((sent, received)) = given else {
            return self;
        };
        Self {
            pairs: self.pairs.saturating_sub(1),
            sent: self.sent.saturating_sub(sent),
            received: self.received.saturating_sub(received),
        }
    }

    /// Mean of bytes sent by a pair.
    pub(super) fn mean_sent(&self) -> f64 {
        self.sent as f64 / self.pairs.max(1) as f64
    }

    /// Mean of bytes received by a pair.
    pub(super) fn mean_received(&self) -> f64 {
        self.received as f64 / self.pairs.max(1) as f64
    }

    /// Sent to received bytes of all pairs together.
    pub(super) fn ratio(&self) -> f64 {
        self.sent as f64 / self.received.max(1) as f64
    }
}

/// The pairs of all hosts.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Book {
    hosts: BTreeMap<IpAddr, Vec<Pair>>,
    pairs: usize,
    /// Exchanges of pairs that found no place.
    crowded_out: u64,
    /// By country and direction of set-up, as of the last settling.
    by_country: Vec<(Country, bool, Sums)>,
    all: [Sums; 2],
}

impl Book {
    /// Writes down what a flow moved. False when there was no place for it.
    pub(super) fn write(
        &mut self,
        (host, country, initiated): (IpAddr, Country, bool),
        (sent, received): (u64, u64),
        flow: &FlowRecord,
    ) -> bool {
        let known = self.pair(host, country, initiated).is_some();
        if !known && self.pairs >= PAIRS_MAX {
            self.crowded_out += 1;
            return false;
        }
        let pairs = self.hosts.entry(host).or_default();
        let same = |pair: &Pair| (pair.country, pair.initiated) == (country, initiated);
        let at = pairs.iter().position(same).unwrap_or_else(|| {
            self.pairs += 1;
            pairs.push(Pair {
                country,
                initiated,
                sent: Sliding::default(),
                received: Sliding::default(),
                first: flow.start,
                last: flow.end,
                given: None,
            });
            pairs.len() - 1
        });
        let (pair, bin_s) = (&mut pairs[at], i64::from(BIN_S));
        pair.sent.add(flow.end, bin_s, sent);
        pair.received.add(flow.end, bin_s, received);
        (pair.first, pair.last) = (pair.first.min(flow.start), pair.last.max(flow.end));
        true
    }

    /// The pair, when it is written down.
    pub(super) fn pair(&self, host: IpAddr, country: Country, initiated: bool) -> Option<&Pair> {
        let pairs = self.hosts.get(&host)?;
        pairs
            .iter()
            .find(|pair| (pair.country, pair.initiated) == (country, initiated))
    }

    /// What the others exchanged by the last settling: with the same country, where there are enough of them, else with
    /// any country.
    pub(super) fn others(&self, pair: &Pair, others_min: u64) -> Sums {
        let same = |known: &&(Country, bool, Sums)| (known.0, known.1) == (pair.country, pair.initiated);
        let of_country = self.by_country.iter().find(same);
        let of_country = of_country
            .map(|(_, _, sums)| sums.without(pair.given))
            .unwrap_or_default();
        if of_country.pairs >= others_min {
            return of_country;
        }
        self.all[usize::from(pair.initiated)].without(pair.given)
    }

    /// Lets time pass, drops pairs that are silent for an hour, and makes the sums anew.
    pub(super) fn settle(&mut self, now: Time) {
        (self.all, self.by_country, self.pairs) = Default::default();
        let mut by_country: BTreeMap<(Country, bool), Sums> = BTreeMap::new();
        for pairs in self.hosts.values_mut() {
            pairs.retain_mut(|pair| {
                pair.sent.advance(now, BIN_S.into());
                pair.received.advance(now, BIN_S.into());
                let sums = (pair.sent.sum(), pair.received.sum());
                if sums == (0, 0) {
                    return false;
                }
                pair.given = Some(sums);
                self.all[usize::from(pair.initiated)].add(sums);
                by_country
                    .entry((pair.country, pair.initiated))
                    .or_default()
                    .add(sums);
                true
            });
            self.pairs += pairs.len();
        }
        self.hosts.retain(|_, pairs| !pairs.is_empty());
        self.by_country = by_country
            .into_iter()
            .map(|((country, initiated), sums)| (country, initiated, sums))
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_books_count() {
        let mut book = Book::default();
        let mut batch = weir_testkit::notation::batch("10.0.0.5 <> 198.51.100.7:443 tcp");
        let flow = batch.flows.remove(0);
        let country = Country::from_code("CZ").unwrap();
        for host in 0..PAIRS_MAX as u32 + 5 {
            book.write((IpAddr::from(host.to_be_bytes()), country, true), (1, 1), &flow);
        }
        assert_eq!((book.pairs, book.crowded_out), (PAIRS_MAX, 5));
        book.settle(flow.end);
        assert_eq!(book.all[1].pairs, PAIRS_MAX as u64);
        book.settle(flow.end + 2 * 3_600 * weir_model::NANOS_PER_S);
        assert_eq!((book.pairs, book.hosts.len()), (0, 0));
    }
}
