//! What an indicator is, told by its look: address, prefix, range, address and port, domain, URL, fingerprint. Refuses
//! what would match far too much (half the internet, a public suffix) or what no traffic can show.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::TEXT_BYTES_MAX;

/// An indicator in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    Network(IpNet),
    Service(SocketAddr),
    /// Lower case, ASCII (names beyond it in their xn-- form as listed), no dot at the end.
    Domain(String),
    /// `host[:port]/path?query`, host in lower case, without scheme and fragment.
    Url(String),
    /// 32 hexadecimal digits.
    Ja3(String),
    Ja4(String),
    /// SHA-1 or SHA-256 of a certificate, lower-case hexadecimal digits.
    Certificate(String),
}

/// Shortest prefix taken: a list that names more than this of the address space is broken or poisoned.
const V4_LEN_MIN: u8 = 8;
const V6_LEN_MIN: u8 = 16;
/// Prefixes one range may fall into.
const RANGE_PREFIXES_MAX: usize = 64;

/// Tells what a text is. A range becomes several prefixes.
///
/// # Errors
/// Says why it is nothing to look for.
pub fn classify(text: &str) -> Result<Vec<Value>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("empty".to_owned());
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("longer than {TEXT_BYTES_MAX} bytes"));
    }
    let text = &defanged(text);
    if let Some(address) = address(text) {
        return network(host_net(address)).map(|value| vec![value]);
    }
    if let Ok(net) = text.parse::<IpNet>() {
        return network(net.trunc()).map(|value| vec![value]);
    }
    if let Ok(service) = text.parse::<SocketAddr>() {
        return service_value(service.ip(), service.port()).map(|value| vec![value]);
    }
    if let Some((from, to)) = range(text) {
        return range_networks(from, to);
    }
    if let Some(value) = fingerprint(text) {
        return Ok(vec![value]);
    }
    if text.contains("://") || text.contains('/') {
        return url(text).map(|value| vec![value]);
    }
    // `*.example.org` and `.example.org` say what a domain means here anyway; a port behind a name is not looked at.
    let name = text
        .strip_prefix("*.")
        .or_else(|| text.strip_prefix('.'))
        .unwrap_or(text);
    let name = match name.split_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => name,
    };
    domain(name).map(|name| vec![Value::Domain(name)])
}

/// Undoes `hxxp://` and `example[.]org`, in which lists hide indicators from mail programs.
fn defanged(text: &str) -> String {
    let text = text.replace("[.]", ".").replace("[:]", ":");
    match text.strip_prefix("hxxp") {
        Some(rest) => format!("http{rest}"),
        None => text,
    }
}

/// An address; one of IPv4 written in IPv6 is one of IPv4.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn host_net(ip: IpAddr) -> IpNet {
    IpNet::from(ip)
}

/// A prefix worth looking for.
pub(super) fn network(net: IpNet) -> Result<Value, String> {
    let len_min = if net.addr().is_ipv4() {
        V4_LEN_MIN
    } else {
        V6_LEN_MIN
    };
    if net.prefix_len() < len_min {
        return Err(format!("{net} is too wide: at least /{len_min} is wanted"));
    }
    routable(net.addr())?;
    Ok(Value::Network(net))
}

/// An address and port worth looking for; port 0 stands for any.
pub(super) fn service_value(ip: IpAddr, port: u16) -> Result<Value, String> {
    let ip = ip.to_canonical();
    routable(ip)?;
    Ok(if port == 0 {
        Value::Network(host_net(ip))
    } else {
        Value::Service(SocketAddr::new(ip, port))
    })
}

/// Loopback (hosts files are full of it), unspecified, broadcast and multicast addresses name nobody.
fn routable(ip: IpAddr) -> Result<(), String> {
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    let zero = matches!(ip, IpAddr::V4(v4) if v4.octets()[0] == 0);
    if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || broadcast || zero {
        return Err(format!("{ip} is no address of a host"));
    }
    Ok(())
}

fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    let (from, to) = text.split_once('-')?;
    Some((address(from.trim())?, address(to.trim())?))
}

fn range_networks(from: IpAddr, to: IpAddr) -> Result<Vec<Value>, String> {
    let nets: Vec<IpNet> = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) if from <= to => Ipv4Subnets::new(from, to, 0)
            .take(RANGE_PREFIXES_MAX + 1)
            .map(IpNet::from)
            .collect(),
        (IpAddr::V6(from), IpAddr::V6(to)) if from <= to => Ipv6Subnets::new(from, to, 0)
            .take(RANGE_PREFIXES_MAX + 1)
            .map(IpNet::from)
            .collect(),
        _ => return Err(format!("{from}-{to} is no range")),
    };
    if nets.len() > RANGE_PREFIXES_MAX {
        return Err(format!(
            "{from}-{to} falls into more than {RANGE_PREFIXES_MAX} prefixes"
        ));
    }
    nets.into_iter().map(network).collect()
}

/// JA3, JA4 and hashes of certificates by their shape.
fn fingerprint(text: &str) -> Option<Value> {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let compact = text.replace(':', "");
    match compact.len() {
        32 if text.len() == 32 && hex(text) => Some(Value::Ja3(text.to_ascii_lowercase())),
        40 | 64 if hex(&compact) => Some(Value::Certificate(compact.to_ascii_lowercase())),
        36 if is_ja4(text) => Some(Value::Ja4(text.to_ascii_lowercase())),
        _ => None,
    }
}

/// `t13d1516h2_8daaf6152771_b186095e22b6`
pub(super) fn is_ja4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    let [head, ciphers, extensions] = parts.as_slice() else {
        return false;
    };
    let hex = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    head.len() == 10
        && head.starts_with(['t', 'q', 'd'])
        && head.is_ascii()
        && hex(ciphers)
        && hex(extensions)
}

/// A domain in normal form.
///
/// # Errors
/// Says why it is none, or why it would match too much: a public suffix (`com`, `co.uk`, `github.io`) stands for
/// thousands of owners.
pub fn domain(text: &str) -> Result<String, String> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let good_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let mut labels = name.rsplit('.');
    let top = labels.next().unwrap_or_default();
    if name.len() > 253 || !name.split('.').all(good_label) || top.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "{:?} is neither address, domain, URL nor fingerprint",
            short(text)
        ));
    }
    if labels.next().is_none() {
        return Err(format!("{name} is one word, not a domain"));
    }
    // A suffix nobody knows (`x.lan`) is taken by its last label, so that names of one's own networks can be listed.
    if psl::suffix(name.as_bytes())
        .is_some_and(|suffix| suffix.as_bytes() == name.as_bytes() && suffix.is_known())
    {
        return Err(format!(
            "{name} is a public suffix: it would match everybody below it"
        ));
    }
    Ok(name)
}

/// A web target in normal form: the same for the indicator and for what traffic shows.
///
/// # Errors
/// Says why it is none.
fn url(text: &str) -> Result<Value, String> {
    let rest = match text.split_once("://") {
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
        {
            rest
        }
        Some((scheme, _)) => return Err(format!("scheme {:?} is not looked at", short(scheme))),
        None => text,
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    target_of(host, target)
        .map(Value::Url)
        .ok_or_else(|| format!("{:?} has no host", short(text)))
}

/// Host and target of a web request as one text: `host[:port]/path?query`. `None` where the host is no host.
pub(super) fn target_of(host: &str, target: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let host = host
        .strip_suffix(":80")
        .or_else(|| host.strip_suffix(":443"))
        .unwrap_or(&host);
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.ends_with(':') => (name, Some(port)),
        _ => (host, None),
    };
    let bare = name.trim_matches(['[', ']']);
    let known = bare.parse::<IpAddr>().is_ok() || is_host_name(bare);
    let slash = if target.starts_with('/') { "" } else { "/" };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    known.then(|| format!("{name}{port}{slash}{target}"))
}

fn is_host_name(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 253 && text.bytes().all(good)
}

/// The start of a stranger's text, for messages.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn shown(text: &str) -> String {
        match classify(text) {
            Ok(values) => values.iter().map(|value| format!("{value:?} ")).collect(),
            Err(why) => why,
        }
    }

    #[test]
    fn kinds_by_their_look() {
        let all: String = [
            "192.0.2.7",
            "::ffff:192.0.2.7",
            "2001:db8::/32",
            "198.51.100.0-198.51.100.130",
            "192.0.2.7:4444",
            "[2001:db8::1]:443",
            "Evil.Example.",
            "*.evil.example",
            "evil[.]example:8080",
            "hxxps://Evil.example:8443/a?b=C#d",
            "evil.example/login",
            "e7d705a3286e19ea42f587b344ee6865",
            "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD",
            "t13d1516h2_8daaf6152771_b186095e22b6",
        ]
        .iter()
        .map(|text| format!("{}\n", shown(text)))
        .collect();
        expect![[r#"
            Network(192.0.2.7/32) 
            Network(192.0.2.7/32) 
            Network(2001:db8::/32) 
            Network(198.51.100.0/25) Network(198.51.100.128/31) Network(198.51.100.130/32) 
            Service(192.0.2.7:4444) 
            Service([2001:db8::1]:443) 
            Domain("evil.example") 
            Domain("evil.example") 
            Domain("evil.example") 
            Url("evil.example:8443/a?b=C") 
            Url("evil.example/login") 
            Ja3("e7d705a3286e19ea42f587b344ee6865") 
            Certificate("aabbccddeeff00112233445566778899aabbccdd") 
            Ja4("t13d1516h2_8daaf6152771_b186095e22b6") 
        "#]]
        .assert_eq(&all);
    }

    #[test]
    fn what_would_match_too_much_or_nothing() {
        let all: String = [
            "",
            "0.0.0.0/0",
            "10.0.0.0/7",
            "2000::/3",
            "127.0.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "com",
            "co.uk",
            "github.io",
            "localhost",
            "1.2.3",
            "a..b",
            "ftp://x.example/a",
            "someone@evil.example",
            "192.0.2.9-192.0.2.1",
            "0.0.0.1-255.255.255.254",
        ]
        .iter()
        .map(|text| format!("{}\n", shown(text)))
        .collect();
        expect![[r#"
            empty
            0.0.0.0/0 is too wide: at least /8 is wanted
            10.0.0.0/7 is too wide: at least /8 is wanted
            2000::/3 is too wide: at least /16 is wanted
            127.0.0.1 is no address of a host
            0.0.0.0 is no address of a host
            224.0.0.1 is no address of a host
            com is one word, not a domain
            co.uk is a public suffix: it would match everybody below it
            github.io is a public suffix: it would match everybody below it
            localhost is one word, not a domain
            "1.2.3" is neither address, domain, URL nor fingerprint
            "a..b" is neither address, domain, URL nor fingerprint
            scheme "ftp" is not looked at
            "someone@evil.example" is neither address, domain, URL nor fingerprint
            192.0.2.9-192.0.2.1 is no range
            0.0.0.1 is no address of a host
        "#]]
        .assert_eq(&all);
        assert!(classify(&"a".repeat(5000)).is_err());
    }
}
