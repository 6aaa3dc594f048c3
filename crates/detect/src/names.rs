//! Host names as methods compare them: under a domain or not, and the part somebody registered.
//! Names come lower case from the dissectors, perhaps with a dot at the end.

/// Second-level words under which countries register names: `co.uk`, `com.au`.
const SECOND_LEVEL: &[&str] = &[
    "ac", "co", "com", "edu", "go", "gob", "gov", "id", "info", "mil", "ne", "net", "nom", "or", "org",
    "sch", "web",
];
/// Providers of dynamic names: what people choose stands before these.
const DYNAMIC: &[&str] = &[
    "ddns.net",
    "duckdns.org",
    "dyndns.org",
    "hopto.org",
    "myftp.org",
    "no-ip.biz",
    "no-ip.org",
    "serveftp.com",
    "sytes.net",
    "zapto.org",
];

/// Is `name` this domain or a name under it?
pub(crate) fn is_within(name: &str, domain: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.strip_suffix(domain)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The label that was registered: `example` of `www.example.co.uk`. None for single labels, addresses and the names
/// of reverse look-ups and local networks. Countries' second levels are told by habit (a two-letter country below a
/// word such as `com`), not by the list of public suffixes, which is longer than its use here.
pub(crate) fn registered_label(name: &str) -> Option<&str> {
    let name = name.trim_end_matches('.');
    let (rest, top) = name.rsplit_once('.')?;
    if matches!(
        top,
        "arpa" | "local" | "lan" | "home" | "internal" | "localdomain" | "corp" | "onion"
    ) || top.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let own = DYNAMIC.iter().find_map(|provider| {
        let before = name.strip_suffix(provider)?.strip_suffix('.')?;
        (!before.is_empty()).then_some(before)
    });
    let rest = match (own, rest.rsplit_once('.')) {
        (Some(own), _) => own,
        (None, Some((before, second))) if top.len() == 2 && SECOND_LEVEL.contains(&second) => before,
        _ => rest,
    };
    rest.rsplit('.').next().filter(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registered_part() {
        for (name, label) in [
            ("www.example.com", Some("example")),
            ("example.co.uk.", Some("example")),
            ("a.b.example.com.au", Some("example")),
            ("x.no.com", Some("no")),
            ("qx7.duckdns.org", Some("qx7")),
            ("duckdns.org", Some("duckdns")),
            ("printer", None),
            ("4.3.2.10.in-addr.arpa", None),
            ("10.0.0.1", None),
            ("nas.local", None),
            (".", None),
            ("", None),
            ("..com", None),
        ] {
            assert_eq!(registered_label(name), label, "{name}");
        }
    }

    #[test]
    fn under_a_domain() {
        assert!(is_within("router.example.com.", "example.com"));
        assert!(is_within("example.com", "example.com"));
        assert!(!is_within("badexample.com", "example.com"));
    }
}
