//! What the generator knows about its capture: counts, and for each kind of name a digest that does not depend on order.
//! The harness computes the same digest over what a subject reports, so completeness needs no list in memory.

use std::collections::HashSet;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::names::hash;

/// The kinds of traffic in the mix, with the name each carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TLS 1.3; the name is the SNI.
    Tls = 0,
    /// DNS over UDP; the name is the question.
    Dns = 1,
    /// HTTP/1.1; the name is the Host header.
    Http = 2,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Tls, Self::Dns, Self::Http];

    /// File of the optional list, one name per line.
    #[must_use]
    pub fn list_file(self) -> &'static str {
        match self {
            Self::Tls => "tls.txt",
            Self::Dns => "dns.txt",
            Self::Http => "http.txt",
        }
    }
}

/// A multiset of names reduced to numbers.
#[derive(Default)]
pub struct NameTally {
    count: u64,
    distinct: HashSet<u64>,
    digest: u64,
}

impl NameTally {
    pub fn add(&mut self, name: &str) {
        let hash = hash(name.as_bytes());
        self.count += 1;
        self.distinct.insert(hash);
        // A sum, unlike an exclusive or, also notices a name counted twice.
        self.digest = self.digest.wrapping_add(hash);
    }

    #[must_use]
    pub fn summary(&self) -> NameSummary {
        let distinct = self.distinct.len() as u64;
        NameSummary {
            count: self.count,
            distinct,
            digest: format!("{:016x}", self.digest),
        }
    }
}

/// How many names, how many different ones, and the sum of their 64-bit hashes modulo 2^64 in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameSummary {
    pub count: u64,
    pub distinct: u64,
    pub digest: String,
}

/// Flows by kind and by IP version; every 5-tuple of the file is one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCounts {
    pub total: u64,
    pub tls: u64,
    pub dns: u64,
    pub http: u64,
    pub ipv4: u64,
    pub ipv6: u64,
}

/// Everything the truth file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    pub seed: u64,
    /// Length asked for, seconds; `last_packet_us` is what the file really spans.
    pub seconds: u32,
    pub last_packet_us: u64,
    pub packets: u64,
    /// Frame bytes without the headers of the capture file.
    pub bytes: u64,
    pub flows: FlowCounts,
    pub tls_sni: NameSummary,
    pub dns_query: NameSummary,
    pub http_host: NameSummary,
}

impl Truth {
    #[must_use]
    pub fn names(&self, kind: Kind) -> &NameSummary {
        match kind {
            Kind::Tls => &self.tls_sni,
            Kind::Dns => &self.dns_query,
            Kind::Http => &self.http_host,
        }
    }

    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(names: &[&str]) -> NameSummary {
        let mut tally = NameTally::default();
        names.iter().for_each(|name| tally.add(name));
        tally.summary()
    }

    #[test]
    fn digest_ignores_order_but_not_number() {
        assert_eq!(
            digest(&["a.test", "b.test", "b.test"]),
            digest(&["b.test", "a.test", "b.test"])
        );
        assert_ne!(
            digest(&["a.test", "b.test", "b.test"]).digest,
            digest(&["a.test", "a.test", "b.test"]).digest
        );
        assert_eq!(digest(&["a.test", "a.test"]).distinct, 1);
    }
}
