//! Mails of each station over the last hour, and the mean of all that send at all.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use weir_model::Time;

use crate::baseline::{Distinct, Sliding};

/// The hour is kept in intervals of five minutes.
pub(super) const BIN_S: i64 = 300;
pub(super) const BINS: usize = 12;
/// Stations compared with each other; past it new ones are counted, not compared.
const STATIONS_MAX: usize = 8_192;
/// Servers counted one by one; a spammer's are estimated.
const SERVERS_EXACT: usize = 32;
const LISTED_MAX: usize = 8;

/// One station's last hour.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Station {
    mails: Sliding<BINS>,
    /// It takes mail itself: a server, not a station.
    pub(super) serves: bool,
    /// What it gave to the mean at the last tick.
    given: u64,
    servers: Distinct<SERVERS_EXACT>,
    listed: Vec<IpAddr>,
    first: Time,
    last: Time,
}

impl Station {
    pub(super) fn sent(&self) -> u64 {
        self.mails.sum()
    }

    pub(super) fn servers(&self) -> u64 {
        self.servers.count()
    }

    pub(super) fn listed(&self) -> impl Iterator<Item = IpAddr> {
        self.listed.iter().copied()
    }

    pub(super) fn span(&self) -> (Time, Time) {
        (self.first, self.last)
    }
}

/// All stations of the feed.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Stations {
    stations: BTreeMap<IpAddr, Station>,
    /// Stations that found no place.
    crowded_out: u64,
    /// Sum and number of what stations gave to the mean at the last tick.
    sum: u64,
    count: u64,
    /// Who sent last: the only one that can have come over the limit.
    newest: Option<IpAddr>,
}

impl Stations {
    fn station(&mut self, ip: IpAddr) -> Option<&mut Station> {
        if self.stations.len() >= STATIONS_MAX && !self.stations.contains_key(&ip) {
            self.crowded_out += 1;
            return None;
        }
        Some(self.stations.entry(ip).or_default())
    }

    /// A station handed over mails (0: a connection whose mails are counted apart).
    pub(super) fn send(&mut self, client: IpAddr, server: IpAddr, mails: u64, (start, end): (Time, Time)) {
        self.newest = Some(client);
        let Some(station) = self.station(client) else {
            return;
        };
        station.mails.advance(end, BIN_S);
        if station.mails.sum() == 0 {
            (station.first, station.last) = (start, end);
            (station.servers, station.listed) = (Distinct::default(), Vec::new());
        }
        station.mails.add(end, BIN_S, mails);
        station.first = station.first.min(start);
        station.last = station.last.max(end);
        if station.servers.add(server) && station.listed.len() < LISTED_MAX {
            station.listed.push(server);
        }
    }

    /// A host took a connection for mail.
    pub(super) fn serves(&mut self, server: IpAddr, end: Time) {
        if let Some(station) = self.station(server) {
            station.serves = true;
            station.last = station.last.max(end);
        }
    }

    /// Takes the mean anew; servers and those that sent nothing for an hour and more are forgotten in time.
    pub(super) fn tick(&mut self, limit: u64, now: Time) {
        (self.sum, self.count) = (0, 0);
        for station in self.stations.values_mut() {
            station.mails.advance(now, BIN_S);
            let sent = station.mails.sum();
            station.given = if station.serves || sent < limit { 0 } else { sent };
            self.sum += station.given;
            self.count += u64::from(station.given > 0);
        }
        self.stations.retain(|_, station| {
            station.mails.sum() > 0 || (station.serves && now.secs_since(station.last) < 86_400.0)
        });
    }

    /// Who sent last.
    pub(super) fn newest(&self) -> Option<(IpAddr, &Station)> {
        let ip = self.newest?;
        Some((ip, self.stations.get(&ip)?))
    }

    /// Mean and number of the others that take part.
    pub(super) fn others(&self, station: &Station) -> (f64, u64) {
        let (sum, count) = match station.given {
            0 => (self.sum, self.count),
            given => (self.sum - given, self.count - 1),
        };
        (sum as f64 / count.max(1) as f64, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_counts_who_found_no_place() {
        let mut stations = Stations::default();
        let at = Time::from_secs(1_000);
        for number in 0..STATIONS_MAX as u32 + 5 {
            let client = IpAddr::V4((0x0a00_0000 + number).into());
            stations.send(client, client, 1, (at, at));
        }
        assert_eq!((stations.stations.len(), stations.crowded_out), (STATIONS_MAX, 5));
        stations.tick(1, Time::from_secs(100_000));
        assert!(stations.stations.is_empty());
    }
}
