//! Where fetching may go. A list's address comes from a configuration, but names are answered by strangers and servers
//! send on to anywhere: whoever could make this program fetch from inside would see what only the inside may see. So
//! the address itself is looked at, after the name was resolved, before each connection, and that address is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use super::FetchError;

/// Addresses one name may have; more are not tried.
const ADDRESSES_MAX: usize = 8;

/// The addresses behind a host that may be connected to. With `private` inside and loopback addresses may be, too.
pub(super) fn resolve(host: &str, port: u16, private: bool) -> Result<Vec<SocketAddr>, FetchError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let all: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => (bare, port)
            .to_socket_addrs()
            .map_err(|error| FetchError::Host(host.to_owned(), error.to_string()))?
            .take(ADDRESSES_MAX)
            .collect(),
    };
    let mut refused = None;
    let mut good = Vec::new();
    for address in all {
        match refuse(address.ip(), private) {
            None => good.push(address),
            Some(why) => refused = refused.or(Some((address.ip(), why))),
        }
    }
    match (good.is_empty(), refused) {
        (true, Some((ip, why))) => Err(FetchError::Forbidden(ip, why)),
        (true, None) => Err(FetchError::Host(host.to_owned(), "it has no address".to_owned())),
        _ => Ok(good),
    }
}

/// Why an address may not be connected to.
fn refuse(ip: IpAddr, private: bool) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => refuse_v4(ip, private),
        IpAddr::V6(ip) => refuse_v6(ip, private),
    }
}

fn refuse_v4(ip: Ipv4Addr, private: bool) -> Option<&'static str> {
    let [a, b, c, _] = ip.octets();
    // Never anybody's server: not even where inside ones are allowed.
    if a == 0 || ip.is_broadcast() || ip.is_multicast() || a >= 240 {
        return Some("no server has such an address");
    }
    if ip.is_link_local() {
        return Some("link-local: hosts of clouds keep their secrets there");
    }
    if private {
        return None;
    }
    let shared = a == 100 && (64..128).contains(&b);
    let special = ip.is_documentation()
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || a == 198 && (18..20).contains(&b);
    match () {
        () if ip.is_loopback() => Some("loopback"),
        () if ip.is_private() || shared => Some("private"),
        () if special => Some("reserved"),
        () => None,
    }
}

fn refuse_v6(ip: Ipv6Addr, private: bool) -> Option<&'static str> {
    let words = ip.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    // Addresses that carry one of IPv4 are that one.
    if let Some(four) = ip.to_ipv4_mapped() {
        return refuse_v4(four, private);
    }
    if words[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return refuse_v4(embedded(words[6], words[7]), private);
    }
    if words[0] == 0x2002 {
        return refuse_v4(embedded(words[1], words[2]), private);
    }
    if ip.is_unspecified() || ip.is_multicast() {
        return Some("no server has such an address");
    }
    if words[0] & 0xffc0 == 0xfe80 {
        return Some("link-local");
    }
    if private {
        return None;
    }
    let special = words[..2] == [0x2001, 0xdb8]
        || words[..2] == [0x2001, 0]
        || words[..3] == [0x64, 0xff9b, 1]
        || words[0] == 0x100
        || words[..6] == [0; 6];
    match () {
        () if ip.is_loopback() => Some("loopback"),
        () if words[0] & 0xfe00 == 0xfc00 || words[0] & 0xffc0 == 0xfec0 => Some("private"),
        () if special => Some("reserved"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As written in a URL: the parser of URLs turns every spelling of an address into one.
    fn allowed(url: &str, private: bool) -> bool {
        let url = url::Url::parse(url).unwrap();
        resolve(url.host_str().unwrap(), 80, private).is_ok()
    }

    #[test]
    fn forty_ways_inside() {
        let inside = [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.255.255.254/",
            "http://10.0.0.1/",
            "http://10.255.255.255/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.0.1/",
            "http://192.168.1.254/",
            "http://100.64.0.1/",
            "http://100.127.255.255/",
            "http://192.0.0.8/",
            "http://192.0.2.1/",
            "http://198.18.0.1/",
            "http://198.19.255.255/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://192.88.99.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:0a00:0001::]/",
            "http://[fc00::1]/",
            "http://[fd12:3456::1]/",
            "http://[fec0::1]/",
            "http://[2001:db8::1]/",
            "http://[2001::1]/",
            "http://[64:ff9b:1::1]/",
            "http://[::7f00:1]/",
            "http://[100::1]/",
            "http://localhost/",
        ];
        for url in inside {
            assert!(!allowed(url, false), "{url}");
            assert!(allowed(url, true), "{url} where inside is allowed");
        }
        let never = [
            "http://0.0.0.0/",
            "http://0/",
            "http://0.1.2.3/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
            "http://239.255.255.255/",
            "http://240.0.0.1/",
            "http://169.254.169.254/",
            "http://[::]/",
            "http://[ff02::1]/",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::169.254.169.254]/",
        ];
        for url in never {
            assert!(!allowed(url, false) && !allowed(url, true), "{url}");
        }
        for url in [
            "http://1.1.1.1/",
            "http://8.8.8.8/",
            "http://[2606:4700::1111]/",
            "http://[64:ff9b::8.8.8.8]/",
        ] {
            assert!(allowed(url, false), "{url}");
        }
    }
}
