//! Hosts files, as block lists for resolvers are written: `0.0.0.0 evil.example other.example # why`.

use std::net::IpAddr;

use super::value::{self, Value};
use super::{Entries, Entry, lines, plain};

pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) {
    for (number, line) in lines(bytes) {
        entries.at_line(number);
        let Some(line) = line else {
            entries.fault("line too long");
            continue;
        };
        if plain::is_comment(&line) {
            continue;
        }
        let Some(names) = names(&line) else {
            entries.fault("an address and a name are wanted, such as 0.0.0.0 evil.example");
            continue;
        };
        // Every hosts file names the machine itself; that is no fault.
        for name in names.filter(|name| !OWN.contains(name)) {
            match value::domain(name) {
                Ok(name) => entries.value(Value::Domain(name), &Entry::default()),
                Err(why) => entries.fault(why),
            }
        }
    }
}

/// Names every hosts file gives to the machine itself and its link.
const OWN: [&str; 12] = [
    "localhost",
    "localhost.localdomain",
    "local",
    "broadcasthost",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-mcastprefix",
    "ip6-allnodes",
    "ip6-allrouters",
    "ip6-allhosts",
    "0.0.0.0",
];

/// The names of a line that sends them nowhere: behind a loopback, unspecified, multicast or broadcast address.
pub(super) fn names(line: &str) -> Option<impl Iterator<Item = &str>> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line.split_whitespace().peekable();
    let address: IpAddr = words.next()?.split('%').next()?.parse().ok()?;
    let nowhere = match address {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_broadcast(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local()
        }
    };
    (nowhere && words.peek().is_some()).then_some(words)
}
