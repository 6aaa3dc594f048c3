//! Public resolvers that answer over HTTPS, as their operators publish them: names of the service and, where the address
//! serves nothing but resolution, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::names::is_within;

/// Names; all names under them are meant too.
const NAMES: &[&str] = &[
    "cloudflare-dns.com",
    "one.one.one.one",
    "dns.google",
    "dns.google.com",
    "dns.quad9.net",
    "dns9.quad9.net",
    "dns10.quad9.net",
    "dns11.quad9.net",
    "doh.opendns.com",
    "doh.familyshield.opendns.com",
    "dns.adguard.com",
    "dns.adguard-dns.com",
    "dns.nextdns.io",
    "doh.cleanbrowsing.org",
    "dns.mullvad.net",
    "doh.dns.sb",
    "dns.controld.com",
    "freedns.controld.com",
    "dns.alidns.com",
    "doh.pub",
    "doh.360.cn",
    "doh.dns.apple.com",
    "doh.xfinity.com",
    "private.canadianshield.cira.ca",
    "doh.libredns.gr",
    "dns.switch.ch",
    "dns.digitale-gesellschaft.ch",
    "odvr.nic.cz",
    "public.dns.iij.jp",
    "dns.twnic.tw",
];

const V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(1, 1, 1, 1),
    Ipv4Addr::new(1, 0, 0, 1),
    Ipv4Addr::new(1, 1, 1, 2),
    Ipv4Addr::new(1, 0, 0, 2),
    Ipv4Addr::new(1, 1, 1, 3),
    Ipv4Addr::new(1, 0, 0, 3),
    Ipv4Addr::new(8, 8, 8, 8),
    Ipv4Addr::new(8, 8, 4, 4),
    Ipv4Addr::new(9, 9, 9, 9),
    Ipv4Addr::new(149, 112, 112, 112),
    Ipv4Addr::new(9, 9, 9, 10),
    Ipv4Addr::new(149, 112, 112, 10),
    Ipv4Addr::new(9, 9, 9, 11),
    Ipv4Addr::new(149, 112, 112, 11),
    Ipv4Addr::new(208, 67, 222, 222),
    Ipv4Addr::new(208, 67, 220, 220),
    Ipv4Addr::new(94, 140, 14, 14),
    Ipv4Addr::new(94, 140, 15, 15),
    Ipv4Addr::new(45, 90, 28, 0),
    Ipv4Addr::new(45, 90, 30, 0),
    Ipv4Addr::new(185, 228, 168, 168),
    Ipv4Addr::new(185, 222, 222, 222),
    Ipv4Addr::new(45, 11, 45, 11),
    Ipv4Addr::new(76, 76, 2, 0),
    Ipv4Addr::new(76, 76, 10, 0),
    Ipv4Addr::new(223, 5, 5, 5),
    Ipv4Addr::new(223, 6, 6, 6),
    Ipv4Addr::new(1, 12, 12, 12),
    Ipv4Addr::new(120, 53, 53, 53),
];

const V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111),
    Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1001),
    Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888),
    Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8844),
    Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 0xfe),
    Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 9),
];

/// Is this the name of a resolver?
pub(super) fn is_name(name: &str) -> bool {
    NAMES.iter().any(|known| is_within(name, known))
}

/// Is this the address of a resolver?
pub(super) fn is_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => V4.contains(&ip),
        IpAddr::V6(ip) => V6.contains(&ip),
    }
}
