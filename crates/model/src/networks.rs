//! Which addresses are ours: the inside networks, configured or guessed.
//! Who is inside decides what most events mean, so it is one value that everybody is handed.

use std::net::IpAddr;

use ipnet::IpNet;

/// A set of prefixes, sorted and merged; "inside" means contained in one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    prefixes: Vec<IpNet>,
}

/// Ranges that are inside wherever they appear: private (RFC 1918, RFC 4193), shared (RFC 6598), link-local (RFC 3927,
/// RFC 4291) and the loopback of IPv4 (RFC 1122).
const PRIVATE: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "127.0.0.0/8",
];

impl Networks {
    /// The set that contains these prefixes.
    pub fn new(prefixes: impl IntoIterator<Item = IpNet>) -> Self {
        let all: Vec<IpNet> = prefixes.into_iter().collect();
        Self {
            prefixes: IpNet::aggregate(&all),
        }
    }

    /// Private, shared, link-local and loopback ranges.
    pub fn private() -> Self {
        Self::new(PRIVATE.iter().filter_map(|prefix| prefix.parse().ok()))
    }

    /// Is the address in one of the prefixes?
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&ip))
    }

    /// The prefixes, sorted.
    pub fn prefixes(&self) -> &[IpNet] {
        &self.prefixes
    }

    /// No prefix at all?
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_ranges() {
        let inside = Networks::private();
        for ip in ["10.1.2.3", "172.31.0.1", "192.168.0.1", "fd00::1", "fe80::1"] {
            assert!(inside.contains(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["172.32.0.1", "8.8.8.8", "2001:db8::1", "224.0.0.1"] {
            assert!(!inside.contains(ip.parse().unwrap()), "{ip}");
        }
    }
}
