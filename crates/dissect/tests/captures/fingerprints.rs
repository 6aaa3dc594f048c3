//! JA3, JA3S, JA4 and certificate hashes against what other tools say of the same captures: the snapshots of JA4's
//! authors and nDPI's results. Differences are listed, so that each is looked at once and a new one is seen.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use expect_test::{Expect, expect};
use weir_model::{Protocol, Transaction};

use crate::replay;

/// Expected values of a flow by our field names, keyed by `ip:port` of both ends, the lower first.
type Flows = BTreeMap<(String, String), Vec<(&'static str, String)>>;

const AUTHORS: &str = "conf/ja4/FoxIO-LLC+ja4";
const NDPI: &str = "conf/ndpi/ntop+nDPI/tests/cfgs/default";

/// The fields of nDPI's lines that have a counterpart here.
const NDPI_FIELDS: &[(&str, &str)] = &[
    ("[JA3C: ", "tls.ja3"),
    ("[JA3S: ", "tls.ja3s"),
    ("[JA4: ", "tls.ja4"),
    ("[Certificate SHA-1: ", "tls.cert_sha1"),
];

fn pair(one: String, other: String) -> (String, String) {
    if one <= other { (one, other) } else { (other, one) }
}

/// Flows of one of the authors' snapshots: YAML with a field per line.
fn authors(text: &str) -> Flows {
    let mut flows = Flows::new();
    for stream in text.split("- stream:").skip(1) {
        let field = |name: &str| {
            let line = stream.lines().find_map(|line| line.trim().strip_prefix(name));
            line.map(|value| value.trim_matches(['"', '\'']).to_owned())
        };
        if field("transport: ").as_deref() != Some("tcp") {
            continue;
        }
        let end = |ip, port| Some(format!("{}:{}", field(ip)?, field(port)?));
        if let (Some(source), Some(destination)) = (end("src: ", "src_port: "), end("dst: ", "dst_port: "))
            && let Some(ja4) = field("ja4: ")
        {
            flows
                .entry(pair(source, destination))
                .or_default()
                .push(("tls.ja4", ja4));
        }
    }
    flows
}

/// TCP flows of one of nDPI's results.
fn ndpi(text: &str) -> Flows {
    let mut flows = Flows::new();
    for line in text.lines().filter(|line| line.contains("\tTCP ")) {
        let Some((ends, _)) = line
            .split_once("\tTCP ")
            .and_then(|(_, rest)| rest.split_once(" ["))
        else {
            continue;
        };
        let mut ends = ends.split_whitespace().map(|end| end.replace(['[', ']'], ""));
        let (Some(source), Some(destination)) = (ends.next(), ends.nth(1)) else {
            continue;
        };
        for &(mark, field) in NDPI_FIELDS {
            if let Some((_, rest)) = line.split_once(mark)
                && let Some((value, _)) = rest.split_once(']')
            {
                // Certificates come as `AB:CD`, JA3S perhaps with ` (WEAK)` behind it.
                let value = value.split(' ').next().unwrap_or_default();
                let value = match field {
                    "tls.cert_sha1" => value.replace(':', "").to_lowercase(),
                    _ => value.to_owned(),
                };
                flows
                    .entry(pair(source.clone(), destination.clone()))
                    .or_default()
                    .push((field, value));
            }
        }
    }
    flows
}

/// Ours, in the same keys.
fn ours(transactions: &[Transaction]) -> BTreeMap<(String, String), Vec<&Transaction>> {
    let mut flows = BTreeMap::<_, Vec<&Transaction>>::new();
    for transaction in transactions
        .iter()
        .filter(|transaction| transaction.protocol == Protocol::Tls)
    {
        let key = transaction.key;
        let ends = pair(
            format!("{}:{}", key.initiator_ip, key.initiator_port),
            format!("{}:{}", key.responder_ip, key.responder_port),
        );
        flows.entry(ends).or_default().push(transaction);
    }
    flows
}

/// Compares every capture of `folder` that has an expected result; the text says how many values agree, by field.
fn check(folder: &str, result: impl Fn(&str) -> String, read: fn(&str) -> Flows, expected: &Expect) {
    let Some(root) = replay::find_folder(folder) else {
        return;
    };
    let (mut agreed, mut text) = (BTreeMap::<&str, [usize; 2]>::new(), String::new());
    let mut captures: Vec<_> = std::fs::read_dir(root.join("pcap"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    captures.sort();
    for capture in captures {
        let name = capture.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(results) = std::fs::read_to_string(root.join(result(&name))) else {
            continue;
        };
        let flows = read(&results);
        if !flows.is_empty() {
            compare(&name, &capture, flows, &mut agreed, &mut text);
        }
    }
    for (field, [same, all]) in &agreed {
        writeln!(text, "{field}: {same} of {all}").unwrap();
    }
    expected.assert_eq(&text);
}

fn compare(
    name: &str,
    capture: &Path,
    flows: Flows,
    agreed: &mut BTreeMap<&str, [usize; 2]>,
    text: &mut String,
) {
    let transactions = replay::transactions(&capture.to_path_buf());
    let ours = ours(&transactions);
    for (ends, values) in flows {
        let seen = ours.get(&ends).map(Vec::as_slice).unwrap_or_default();
        for (field, value) in values {
            let [same, all] = agreed.entry(field).or_default();
            *all += 1;
            if seen
                .iter()
                .any(|transaction| transaction.text(field) == Some(&value))
            {
                *same += 1;
            } else {
                let mine = seen
                    .first()
                    .and_then(|transaction| transaction.text(field))
                    .unwrap_or("-");
                writeln!(text, "{name} {} {field} {value}, here {mine}", ends.0).unwrap();
            }
        }
    }
}

/// One differs on purpose: their tools write 99 for an application protocol that starts with no ASCII letter, their
/// specification since asks for hexadecimal digits.
#[test]
fn ja4_as_its_authors() {
    let snapshot = |name: &str| format!("rust/ja4/src/snapshots/ja4__insta@{name}.snap");
    check(
        AUTHORS,
        snapshot,
        authors,
        &expect![[r#"
        tls-non-ascii-alpn.pcapng 142.251.16.94:443 tls.ja4 t13d151699_8daaf6152771_e5627efa2ab1, here t13d1516bd_8daaf6152771_e5627efa2ab1
        tls.ja4: 133 of 134
    "#]],
    );
}

/// Looked at in tshark: nDPI writes `ht` for http/1.1 where JA4 says first and last letter, tells `d` from `i` not by the
/// server name extension alone, and hashes the empty list. CAPWAP and GTP tunnels are not opened by this replay; IMAP
/// says STARTTLS first.
#[test]
fn fingerprints_as_ndpi() {
    check(
        NDPI,
        |name| format!("result/{name}.out"),
        ndpi,
        &expect![[r#"
            capwap_data.pcapng 10.1.3.68:47025 tls.ja3 ee65329706afb750866495410fce080d, here -
            capwap_data.pcapng 10.1.3.68:47025 tls.ja4 t12d140800_c866b44c5a26_b39be8c56a14, here -
            capwap_data.pcapng 10.1.3.68:47025 tls.ja3 ee65329706afb750866495410fce080d, here -
            capwap_data.pcapng 10.1.3.68:47025 tls.ja4 t12d140800_c866b44c5a26_b39be8c56a14, here -
            capwap_data.pcapng 10.1.3.68:47025 tls.ja3 ee65329706afb750866495410fce080d, here -
            capwap_data.pcapng 10.1.3.68:47025 tls.ja4 t12d140800_c866b44c5a26_b39be8c56a14, here -
            cloudflare-warp.pcap 10.8.0.1:45606 tls.ja4 t12d1209ht_d34a8e72043a_b39be8c56a14, here t12d1209h1_d34a8e72043a_b39be8c56a14
            cloudflare-warp.pcap 10.8.0.1:45610 tls.ja4 t12d1209ht_d34a8e72043a_b39be8c56a14, here t12d1209h1_d34a8e72043a_b39be8c56a14
            cloudflare-warp.pcap 10.8.0.1:51296 tls.ja4 t12d1409ht_c866b44c5a26_b39be8c56a14, here t12d1409h1_c866b44c5a26_b39be8c56a14
            codm.pcap 10.215.173.1:45028 tls.ja4 t13d1713ht_5b57614c22b0_eca864cca44a, here t13d1713h1_5b57614c22b0_eca864cca44a
            dns2tcp_tunnel.pcap 1.1.1.1:443 tls.ja4 t13d1910h2_9dc949149365_d811adc85aab, here t13i1910h2_9dc949149365_d811adc85aab
            ftp-start-tls.pcap 10.220.50.76:21 tls.ja4 t12d410100_d572b635dddf_5f8d9ea464d3, here t12i410100_d572b635dddf_5f8d9ea464d3
            imap-starttls.pcap 192.168.17.53:49640 tls.ja4 t12d910500_383454ac02f4_a1e935682795, here t12i910500_383454ac02f4_a1e935682795
            psiphon3.pcap 104.18.151.190:443 tls.ja4 t12d1508h2_073e58a039a6_e70312a1ce2c, here t12i1508h2_073e58a039a6_e70312a1ce2c
            smtps.pcapng 21.65.95.132:465 tls.ja4 t12d860600_e18388e7f3a3_4446390ac224, here t12i860600_e18388e7f3a3_4446390ac224
            sonos.pcapng 192.168.1.29:52425 tls.ja4 t12i130700_88f5d26691c7_cdbdbcd6f742, here t12d130700_88f5d26691c7_cdbdbcd6f742
            ssl-cert-name-mismatch.pcap 104.154.89.105:443 tls.ja4 t12d3810ht_845d1e55a368_7448b1316cd7, here t12d3810h1_845d1e55a368_7448b1316cd7
            tls-esni-fuzzed.pcap 104.16.125.175:443 tls.ja4 t13d1813h2_29a2cd9e9f10_0d6ff543c596, here t13i1813h2_29a2cd9e9f10_0d6ff543c596
            tls-esni-fuzzed.pcap 104.22.71.197:443 tls.ja4 t13d1813h2_29a2cd9e9f10_0d6ff543c596, here t13i1813h2_29a2cd9e9f10_0d6ff543c596
            tls-esni-fuzzed.pcap 104.27.129.77:443 tls.ja4 t13d1813h2_29a2cd9e9f10_0d6ff543c596, here t13i1813h2_29a2cd9e9f10_0d6ff543c596
            tls_cipher_lens.pcap 173.194.35.191:443 tls.ja4 t10d660000_1ade43d4e5bc_e3b0c44298fc, here t10i660000_1ade43d4e5bc_000000000000
            tls_invalid_reads.pcap 10.191.139.17:58552 tls.ja3 9d5430e6dfce44459702b74d790df353, here -
            tls_invalid_reads.pcap 10.191.139.17:58552 tls.ja4 t12d200500_6e20beb92e8e_354730cf0bf0, here -
            tls_port_80.pcapng 132.49.141.56:80 tls.ja4 t12d550500_168bb377f8c8_a1e935682795, here t12i550500_168bb377f8c8_a1e935682795
            tls_verylong_certificate.pcap 151.101.66.49:443 tls.ja4 t12d6707ht_2955a3196ffa_c83f907a73d3, here t12d6707h1_2955a3196ffa_c83f907a73d3
            tls.cert_sha1: 16 of 16
            tls.ja3: 42 of 46
            tls.ja3s: 36 of 36
            tls.ja4: 25 of 46
        "#]],
    );
}
