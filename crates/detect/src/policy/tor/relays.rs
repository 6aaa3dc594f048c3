//! The list of relays: addresses, some with the port of their entrance. Asked for every flow with the outside, so it is
//! a table of addresses.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use ahash::RandomState;
use serde::{Deserialize, Serialize};

/// Longest list: ten times the Tor network of 2026. Longer ones are refused, not cut.
const RELAYS_MAX: usize = 100_000;
/// Entrances kept per address; the network allows eight relays there, with two ports each.
const PORTS_MAX: usize = 16;

/// Relays by address; no ports means any.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Relays {
    ports: HashMap<IpAddr, Vec<u16>, RandomState>,
}

impl Relays {
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Is this a relay's entrance?
    pub(super) fn enters(&self, ip: IpAddr, port: u16) -> bool {
        self.ports
            .get(&ip)
            .is_some_and(|ports| ports.is_empty() || ports.contains(&port))
    }

    /// Is this a relay's address?
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        self.ports.contains_key(&ip)
    }
}

impl TryFrom<Vec<String>> for Relays {
    type Error = String;

    fn try_from(lines: Vec<String>) -> Result<Self, String> {
        if lines.len() > RELAYS_MAX {
            return Err(format!(
                "relays has {} lines, at most {RELAYS_MAX} are read",
                lines.len()
            ));
        }
        let mut relays = Self::default();
        for line in &lines {
            let line = line.trim();
            let (ip, port) = match (line.parse::<IpAddr>(), line.parse::<SocketAddr>()) {
                (Ok(ip), _) => (ip, None),
                (_, Ok(both)) => (both.ip(), Some(both.port())),
                _ => return Err(format!("relays: {line:?} is no address and no address:port")),
            };
            match (relays.ports.get_mut(&ip), port) {
                (None, port) => {
                    relays.ports.insert(ip, port.into_iter().collect());
                }
                // Listed without a port once is listed for all.
                (Some(ports), Some(port)) if !ports.is_empty() && ports.len() < PORTS_MAX => ports.push(port),
                (Some(ports), _) => ports.clear(),
            }
        }
        Ok(relays)
    }
}

impl From<Relays> for Vec<String> {
    fn from(relays: Relays) -> Self {
        let mut lines: Self = Self::new();
        for (ip, ports) in &relays.ports {
            if ports.is_empty() {
                lines.push(ip.to_string());
            }
            lines.extend(ports.iter().map(|port| SocketAddr::new(*ip, *port).to_string()));
        }
        lines.sort_unstable();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[&str]) -> Result<Relays, String> {
        lines
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .try_into()
    }

    #[test]
    fn addresses_and_ports() {
        let relays = list(&[
            "192.0.2.1:9001",
            "192.0.2.1:443",
            "2001:db8::1",
            "[2001:db8::2]:9001",
        ])
        .unwrap();
        let ip = |text: &str| text.parse().unwrap();
        assert!(relays.enters(ip("192.0.2.1"), 443) && !relays.enters(ip("192.0.2.1"), 80));
        assert!(relays.has(ip("192.0.2.1")) && !relays.has(ip("192.0.2.2")));
        assert!(relays.enters(ip("2001:db8::1"), 1) && !relays.enters(ip("2001:db8::2"), 1));
        let lines: Vec<String> = relays.into();
        assert_eq!(
            lines,
            [
                "192.0.2.1:443",
                "192.0.2.1:9001",
                "2001:db8::1",
                "[2001:db8::2]:9001"
            ]
        );
    }

    #[test]
    fn any_port_wins_and_too_many_ports_mean_any() {
        let any = ip_ports("192.0.2.1", &["192.0.2.1:1", "192.0.2.1", "192.0.2.1:2"]);
        assert!(any.is_empty());
        let many: Vec<String> = (1..=PORTS_MAX + 1)
            .map(|port| format!("192.0.2.1:{port}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(ip_ports("192.0.2.1", &many).is_empty());
    }

    fn ip_ports(ip: &str, lines: &[&str]) -> Vec<u16> {
        list(lines).unwrap().ports[&ip.parse().unwrap()].clone()
    }

    #[test]
    fn nonsense_and_endless_lists_are_refused() {
        assert!(list(&["192.0.2.1/24"]).unwrap_err().contains("192.0.2.1/24"));
        let lines = vec!["192.0.2.1".to_owned(); RELAYS_MAX + 1];
        assert!(Relays::try_from(lines).unwrap_err().contains("at most 100000"));
    }
}
