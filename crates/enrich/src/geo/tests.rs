//! Files of the vendors' shapes, written by the test; hostile ones; and, where they are at hand, MaxMind's own.

use std::fs;
use std::path::PathBuf;

use weir_testkit::mmdb::{self, Value};

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn geo(files: &[Vec<u8>]) -> Geo {
    let mut geo = Geo::default();
    for bytes in files {
        geo.add(bytes.clone()).unwrap();
    }
    geo
}

fn shown(geo: &Geo, address: &str) -> String {
    let Place { country, as_number } = geo.place(ip(address));
    let country = country.map_or("-".to_owned(), |country| country.to_string());
    let number = as_number.map_or("-".to_owned(), |number| number.to_string());
    format!(
        "{country} {number} {}",
        geo.as_name(ip(address)).as_deref().unwrap_or("-")
    )
}

/// Countries as MaxMind and DB-IP write them.
fn countries() -> Vec<u8> {
    let of = |key, code| Value::Table(vec![(key, Value::Table(vec![("iso_code", Value::Text(code))]))]);
    mmdb::file(
        "Test-Country",
        &[
            ("198.51.100.0/24", of("country", "NL")),
            ("198.51.100.128/25", of("registered_country", "BE")),
            ("2001:db8::/32", of("country", "CZ")),
        ],
    )
}

fn systems() -> Vec<u8> {
    let system = Value::Table(vec![
        ("autonomous_system_number", Value::Number(64_500)),
        ("autonomous_system_organization", Value::Text("Example Hosting")),
    ]);
    mmdb::file("Test-ASN", &[("198.51.0.0/16", system)])
}

#[test]
fn maxmind_and_dbip() {
    let geo = geo(&[countries(), systems()]);
    assert!(geo.tells_countries());
    assert_eq!(shown(&geo, "198.51.100.7"), "NL 64500 Example Hosting");
    assert_eq!(shown(&geo, "::ffff:198.51.100.7"), "NL 64500 Example Hosting");
    assert_eq!(shown(&geo, "198.51.100.200"), "BE 64500 Example Hosting");
    assert_eq!(shown(&geo, "2001:db8::7"), "CZ - -");
    assert_eq!(shown(&geo, "203.0.113.7"), "- - -");
    assert_eq!(geo.damaged(), 0);
}

#[test]
fn ipinfo_in_both_shapes() {
    let lite = Value::Table(vec![
        ("country", Value::Text("Czechia")),
        ("country_code", Value::Text("CZ")),
        ("asn", Value::Text("AS64501")),
        ("as_name", Value::Text("Example Net")),
    ]);
    let older = Value::Table(vec![
        ("country", Value::Text("de")),
        ("asn", Value::Text("AS64502")),
        ("name", Value::Text("Other Net")),
    ]);
    let file = mmdb::file(
        "ipinfo lite",
        &[("192.0.2.0/25", lite), ("192.0.2.128/25", older)],
    );
    let geo = geo(&[file]);
    assert_eq!(shown(&geo, "192.0.2.1"), "CZ 64501 Example Net");
    assert_eq!(shown(&geo, "192.0.2.200"), "DE 64502 Other Net");
}

#[test]
fn systems_alone_tell_no_countries() {
    let geo = geo(&[systems()]);
    assert!(!geo.tells_countries());
    assert_eq!(shown(&geo, "198.51.100.7"), "- 64500 Example Hosting");
}

#[test]
fn refused_with_a_reason() {
    let mut geo = Geo::default();
    let damaged = geo.add(b"hello".to_vec()).unwrap_err().to_string();
    assert!(
        damaged.starts_with("not a readable MaxMind DB file: "),
        "{damaged}"
    );
    let other = mmdb::file(
        "Test-Domain",
        &[(
            "192.0.2.0/24",
            Value::Table(vec![("domain", Value::Text("a.example"))]),
        )],
    );
    let useless = geo.add(other).unwrap_err().to_string();
    assert!(useless.contains("\"Test-Domain\" without countries"), "{useless}");
    for _ in 0..FILES_MAX {
        geo.add(countries()).unwrap();
    }
    assert_eq!(geo.add(countries()), Err(GeoError::TooMany));
}

/// Cut anywhere, or with bytes written over: an error or an answer, never a panic.
#[test]
fn damaged_anywhere() {
    let good = countries();
    for end in 0..good.len() {
        let mut geo = Geo::default();
        if geo.add(good[..end].to_vec()).is_ok() {
            geo.place(ip("198.51.100.7"));
        }
    }
    for at in 0..good.len() {
        for byte in [0, 1, 0x20, 0x7f, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            let mut geo = Geo::default();
            if geo.add(bytes).is_ok() {
                geo.place(ip("198.51.100.7"));
                geo.as_name(ip("2001:db8::7"));
            }
        }
    }
}

#[test]
fn the_cache_says_the_same() {
    let geo = geo(&[countries()]);
    let mut cache = Cache::default();
    cache.renew(&geo);
    for address in ["198.51.100.7", "203.0.113.7", "198.51.100.7", "2001:db8::7"] {
        assert_eq!(cache.place(ip(address), &geo), geo.place(ip(address)));
    }
}

/// MaxMind's own test files and their broken ones. Skipped, visibly, where they are not at hand.
#[test]
#[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
fn the_makers_files() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");
    let captures = std::env::var_os("WEIR_CAPTURES").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let folder = captures.join("geo/maxmind-test/maxmind+MaxMind-DB");
    if !folder.is_dir() {
        eprintln!("skipped: no files at {}", folder.display());
        return;
    }
    let good = folder.join("test-data");
    let read = |name: &str| fs::read(good.join(name)).unwrap();
    let geo = geo(&[read("GeoLite2-Country-Test.mmdb"), read("GeoLite2-ASN-Test.mmdb")]);
    assert_eq!(shown(&geo, "2.125.160.216"), "GB - -");
    assert_eq!(shown(&geo, "1.128.0.1"), "- 1221 Telstra Pty Ltd");
    assert_eq!(shown(&geo, "2001:218::1"), "JP - -");
    let mut seen = (0, 0);
    for folder in [
        good,
        folder.join("bad-data/libmaxminddb"),
        folder.join("bad-data/maxminddb-golang"),
        folder.join("bad-data/maxminddb-python"),
    ] {
        for entry in fs::read_dir(folder).unwrap() {
            let mut geo = Geo::default();
            match geo.add(fs::read(entry.unwrap().path()).unwrap()) {
                Ok(_) => {
                    seen.0 += 1;
                    for address in [
                        "1.1.1.1",
                        "1.128.0.1",
                        "2.125.160.216",
                        "81.2.69.142",
                        "2001:218::1",
                        "::1",
                    ] {
                        geo.place(ip(address));
                        geo.as_name(ip(address));
                    }
                }
                Err(_) => seen.1 += 1,
            }
        }
    }
    assert!(seen.0 > 8 && seen.1 > 15, "{seen:?}");
}
