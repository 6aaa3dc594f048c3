//! The guess of the inside networks. Private ranges are always inside; public ones when ARP shows them on the link, or
//! when nothing private is seen and one prefix is an end of most conversations.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{Batch, FlowRecord, Networks, Protocol, ethertype};

use crate::Scope;

/// Prefixes counted while guessing; a flood of spoofed addresses cannot grow it.
const PREFIXES_MAX: usize = 4096;
/// Public prefixes taken into the guess at most.
const PUBLIC_MAX: usize = 8;
/// Share of conversations without a private end that a prefix must be part of.
const SHARE_MIN: f64 = 0.5;

/// What the first records say about who is at home.
#[derive(Debug, Default)]
pub(crate) struct Guess {
    conversations: u64,
    with_private_end: u64,
    /// Conversations per prefix of public ends, and how many it initiated.
    public: BTreeMap<IpNet, (u64, u64)>,
    /// Prefixes of addresses that answer or ask by ARP.
    on_link: BTreeMap<IpNet, u64>,
}

impl Guess {
    /// Looks at a batch.
    pub(crate) fn observe(&mut self, batch: &Batch) {
        let private = Networks::private();
        for flow in &batch.flows {
            if flow.key.is_ip() {
                self.conversation(flow, &private);
            } else if flow.key.ethertype == ethertype::ARP {
                count(&mut self.on_link, flow.key.initiator_ip);
            }
        }
        for transaction in batch
            .transactions
            .iter()
            .filter(|seen| seen.protocol == Protocol::Arp)
        {
            if let Some(ip) = transaction.ip("arp.sender_ip") {
                count(&mut self.on_link, ip);
            }
        }
    }

    fn conversation(&mut self, flow: &FlowRecord, private: &Networks) {
        let ends = [flow.key.initiator_ip, flow.key.responder_ip];
        if ends
            .iter()
            .any(|ip| ip.is_multicast() || ip.is_unspecified() || is_broadcast(*ip))
        {
            return;
        }
        self.conversations += 1;
        if ends.iter().any(|ip| private.contains(*ip)) {
            self.with_private_end += 1;
            return;
        }
        for (at, ip) in ends.into_iter().enumerate() {
            let Some(prefix) = prefix_of(ip) else { continue };
            if self.public.len() < PREFIXES_MAX || self.public.contains_key(&prefix) {
                let seen = self.public.entry(prefix).or_default();
                seen.0 += 1;
                seen.1 += u64::from(at == 0);
            }
        }
    }

    /// Makes the guess.
    pub(crate) fn decide(&self) -> Scope {
        let private = Networks::private();
        let on_link: Vec<IpNet> = self
            .on_link
            .keys()
            .copied()
            .filter(|prefix| !private.contains(prefix.addr()) && !prefix.addr().is_unspecified())
            .take(PUBLIC_MAX)
            .collect();
        let without = self.conversations - self.with_private_end;
        let busy = if on_link.is_empty() && without > self.with_private_end {
            self.busy_prefixes(without)
        } else {
            Vec::new()
        };
        let basis = match (on_link.is_empty(), busy.is_empty()) {
            (false, _) => format!("private ranges, and {} seen in ARP on the link", list(&on_link)),
            (true, false) => format!(
                "private ranges, and {}, an end of most conversations",
                list(&busy)
            ),
            (true, true) => "private ranges".to_owned(),
        };
        let all = private.prefixes().iter().copied().chain(on_link).chain(busy);
        Scope {
            inside: Networks::new(all),
            configured: false,
            basis,
        }
    }

    /// The prefix that is part of most conversations; of equals the one that initiates more.
    fn busy_prefixes(&self, without: u64) -> Vec<IpNet> {
        let best = self
            .public
            .iter()
            .max_by_key(|(prefix, seen)| (seen.0, seen.1, std::cmp::Reverse(**prefix)));
        best.filter(|(_, seen)| seen.0 as f64 >= SHARE_MIN * without as f64)
            .map(|(prefix, _)| *prefix)
            .into_iter()
            .collect()
    }
}

fn count(all: &mut BTreeMap<IpNet, u64>, ip: IpAddr) {
    if let Some(prefix) = prefix_of(ip)
        && (all.len() < PREFIXES_MAX || all.contains_key(&prefix))
    {
        *all.entry(prefix).or_default() += 1;
    }
}

/// The /24 or /64 around an address: the usual size of one link.
fn prefix_of(ip: IpAddr) -> Option<IpNet> {
    let len = if ip.is_ipv4() { 24 } else { 64 };
    IpNet::new(ip, len).ok().map(|net| net.trunc())
}

fn is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

fn list(prefixes: &[IpNet]) -> String {
    prefixes
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(notation: &str, expect: Expect) {
        let mut guess = Guess::default();
        guess.observe(&weir_testkit::notation::batch(notation));
        expect.assert_eq(&guess.decide().basis);
    }

    #[test]
    fn private_only() {
        check(
            "x9 10.0.0.5 <> 198.51.100.{1..9}:443 tcp",
            expect!["private ranges"],
        );
    }

    #[test]
    fn a_public_client() {
        check(
            "x9 203.0.113.37 <> 198.51.{1..9}.7:443 tcp",
            expect!["private ranges, and 203.0.113.0/24, an end of most conversations"],
        );
    }

    #[test]
    fn public_addresses_on_the_link() {
        check(
            "203.0.113.37 > 203.0.113.1 arp\nx9 198.51.{1..9}.7 <> 203.0.113.37:443 tcp",
            expect!["private ranges, and 203.0.113.0/24 seen in ARP on the link"],
        );
    }

    #[test]
    fn nobody_stands_out() {
        check(
            "x9 203.0.{1..9}.37 <> 198.51.{1..9}.7:443 tcp",
            expect!["private ranges"],
        );
    }
}
