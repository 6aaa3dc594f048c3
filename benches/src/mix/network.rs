//! The addresses of the mix: a few thousand clients in 10.0.0.0/8 and 2001:db8:c::/48, servers in the benchmark range
//! 198.18.0.0/15 and the documentation range 2001:db8::/32. It owns the source ports, which keeps every 5-tuple unique.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frame::Endpoint;
use super::names::hash;
use super::random::Random;

/// Most flows one mix may hold: an eighth of all (client, port) pairs, so that a free port is always near.
pub const FLOWS_MAX: u64 = 15_000_000;

const CLIENTS_IPV4: usize = 4_000;
const CLIENTS_IPV6: usize = 400;
/// The Linux range of ephemeral ports.
const PORT_FIRST: u16 = 32_768;
const PORTS: u16 = 28_232;
const GATEWAY_MAC: [u8; 6] = [0x02, 0x00, 0x5e, 0x00, 0x00, 0x01];

/// Which ports each client has used.
pub(super) struct Network {
    used: Vec<u16>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            used: vec![0; CLIENTS_IPV4 + CLIENTS_IPV6],
        }
    }
}

impl Network {
    /// A client with a source port it has not used before. Low client numbers are busier than high ones.
    pub(super) fn client(&mut self, random: &mut Random, ipv6: bool) -> Endpoint {
        let (first, count) = if ipv6 {
            (CLIENTS_IPV4, CLIENTS_IPV6)
        } else {
            (0, CLIENTS_IPV4)
        };
        let draw = random.below(count as u64).min(random.below(count as u64)) as usize;
        // `FLOWS_MAX` guarantees that one of the clients after the drawn one still has a port.
        let client = (0..count)
            .map(|step| first + (draw + step) % count)
            .find(|client| self.used[*client] < PORTS)
            .expect("fewer flows than ports");
        let base = (hash(&(client as u64).to_le_bytes()) % u64::from(PORTS)) as u16;
        let port =
            PORT_FIRST + (u32::from(base) + u32::from(self.used[client])).rem_euclid(PORTS.into()) as u16;
        self.used[client] += 1;
        let number = client as u32;
        let [_, high, middle, low] = number.to_be_bytes();
        let address = if ipv6 {
            IpAddr::V6(Ipv6Addr::new(
                0x2001,
                0xdb8,
                0xc,
                (number % 16) as u16,
                0,
                0,
                0x10,
                number as u16,
            ))
        } else {
            // Forty sites of a hundred hosts: 10.<site>.<floor>.<host>.
            let (site, host) = (number / 100, number % 100);
            IpAddr::V4(Ipv4Addr::new(
                10,
                1 + site as u8,
                (host / 25) as u8,
                10 + (host % 25) as u8,
            ))
        };
        let hops = if number.is_multiple_of(3) { 128 } else { 64 };
        Endpoint {
            mac: [0x02, 0x10, 0, high, middle, low],
            address,
            port,
            hops,
        }
    }
}

/// The server behind `name`; the same name always has the same addresses.
#[must_use]
pub(super) fn server(name: &str, ipv6: bool, port: u16) -> Endpoint {
    let hash = hash(name.as_bytes());
    let hops = 44 + (hash >> 58) as u8 % 18;
    let address = if ipv6 {
        let [a, b] = [(hash >> 16) as u16, hash as u16];
        IpAddr::V6(Ipv6Addr::new(
            0x2001,
            0xdb8,
            0x100 | (a & 0xff),
            b,
            0,
            0,
            0,
            1 + (a >> 8),
        ))
    } else {
        IpAddr::V4(server_ipv4(hash))
    };
    Endpoint {
        mac: GATEWAY_MAC,
        address,
        port,
        hops,
    }
}

/// An address of 198.18.0.0/15 outside its first and last /24, which are left to resolvers.
#[must_use]
pub(super) fn server_ipv4(hash: u64) -> Ipv4Addr {
    let base = u32::from(Ipv4Addr::new(198, 18, 1, 0));
    Ipv4Addr::from(base + (hash % (131_072 - 512)) as u32)
}

/// One of the site's two resolvers.
#[must_use]
pub(super) fn resolver(random: &mut Random, ipv6: bool) -> Endpoint {
    let second = random.chance(20);
    let address = if ipv6 {
        IpAddr::V6(Ipv6Addr::new(
            0x2001,
            0xdb8,
            0,
            0,
            0,
            0,
            0,
            if second { 0x153 } else { 0x53 },
        ))
    } else {
        IpAddr::V4(Ipv4Addr::new(198, 18, 0, if second { 153 } else { 53 }))
    };
    Endpoint {
        mac: GATEWAY_MAC,
        address,
        port: 53,
        hops: 62,
    }
}
