//! Every link type, and the tags and labels between link and network header.

use super::*;

#[test]
fn wired_link_types() {
    let (v4, v6) = (udp4(), ip6(17, &UDP_HI));
    check(
        &[
            ("ethernet", LinkType::Ethernet, ethernet(&[&[8, 0], &v4])),
            ("null, little-endian", LinkType::Null, hex("02 00 00 00", &v4)),
            ("null, big-endian", LinkType::Null, hex("00 00 00 1e", &v6)),
            ("loop", LinkType::Loop, hex("00 00 00 02", &v4)),
            ("loop, other family", LinkType::Loop, hex("00 00 00 07", &v4)),
            ("raw 4", LinkType::RawIp, v4.clone()),
            ("raw 6", LinkType::RawIp, v6.clone()),
            ("raw 5", LinkType::RawIp, vec![0x50; 40]),
            ("ipv4", LinkType::Ipv4, v4.clone()),
            ("ipv6", LinkType::Ipv6, v6),
            (
                "sll",
                LinkType::LinuxSll,
                hex("00 00 00 01 00 06 02 00 00 00 00 01 00 00 08 00", &v4),
            ),
            (
                "sll llc",
                LinkType::LinuxSll,
                hex("00 00 00 01 00 06 02 00 00 00 00 01 00 00 00 04", &[0x42; 9]),
            ),
            (
                "sll netlink",
                LinkType::LinuxSll,
                hex("00 04 03 38 00 00 00 00 00 00 00 00 00 00 08 00", &v4),
            ),
            (
                "sll2",
                LinkType::LinuxSll2,
                hex("08 00 00 00 00 00 00 01 00 01 00 06 02 00 00 00 00 01 00 00", &v4),
            ),
            ("ppp", LinkType::Ppp, hex("21", &v4)),
            ("ppp hdlc", LinkType::PppHdlc, hex("ff 03 00 21", &v4)),
            ("cisco hdlc", LinkType::PppHdlc, hex("0f 00 08 00", &v4)),
            ("pppoe", LinkType::PppEther, hex("11 00 00 01 00 20 00 21", &v4)),
            ("unknown", LinkType::Unknown(147), v4),
        ],
        expect![[r#"
            ethernet: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            null, little-endian: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            null, big-endian: 86dd fd00::1 > fd00::2 proto 17 50/10/10 udp 1111>53 2/2
            loop: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            loop, other family: 0000 other 30
            raw 4: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            raw 6: 86dd fd00::1 > fd00::2 proto 17 50/10/10 udp 1111>53 2/2
            raw 5: 0000 other 40 !header_bad
            ipv4: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            ipv6: 86dd fd00::1 > fd00::2 proto 17 50/10/10 udp 1111>53 2/2
            sll: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            sll llc: 0042 other 9
            sll netlink: 0800 other 30
            sll2: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            ppp: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            ppp hdlc: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            cisco hdlc: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            pppoe: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            unknown: 0000 other 30
        "#]],
    );
}

/// An IEEE 802.11 frame: frame control, three addresses ending in 2, 1 and 3, sequence number 0.
fn wifi(control: [u8; 2], rest: &[u8]) -> Vec<u8> {
    [&control[..], &[0, 0], &MACS, &[2, 0, 0, 0, 0, 3, 0, 0], rest].concat()
}

#[test]
fn wifi_frames() {
    let snap = hex("aa aa 03 00 00 00 08 00", &udp4());
    let four_addresses = hex("02 00 00 00 00 04 00 00", &snap);
    let mut fragment = wifi([0x08, 0x00], &snap);
    fragment[22] = 1;
    check(
        &[
            ("ad hoc", LinkType::Ieee80211, wifi([0x08, 0x00], &snap)),
            ("to access point", LinkType::Ieee80211, wifi([0x08, 0x01], &snap)),
            (
                "from access point",
                LinkType::Ieee80211,
                wifi([0x08, 0x02], &snap),
            ),
            (
                "4 addresses, qos",
                LinkType::Ieee80211,
                wifi([0x88, 0x03], &four_addresses),
            ),
            (
                "qos, ht control",
                LinkType::Ieee80211,
                wifi([0x88, 0x80], &hex("00 00 00 00 00 00", &snap)),
            ),
            ("qos cut", LinkType::Ieee80211, wifi([0x88, 0x00], &[])),
            (
                "a-msdu",
                LinkType::Ieee80211,
                wifi([0x88, 0x00], &hex("80 00", &snap)),
            ),
            ("protected", LinkType::Ieee80211, wifi([0x08, 0x40], &snap)),
            ("fragment", LinkType::Ieee80211, fragment),
            ("no data", LinkType::Ieee80211, wifi([0x48, 0x01], &[])),
            ("beacon", LinkType::Ieee80211, wifi([0x80, 0x00], &[0; 12])),
            (
                "acknowledgement",
                LinkType::Ieee80211,
                hex("d4 00 00 00 02 00 00 00 00 01", &[]),
            ),
        ],
        expect![[r#"
            ad hoc: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            to access point: mac 1>3 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            from access point: mac 3>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            4 addresses, qos: mac 4>3 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            qos, ht control: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            qos cut: mac 1>2 0000 other 24 !header_cut
            a-msdu: mac 1>2 0000 other 64
            protected: mac 1>2 0000 other 62
            fragment: mac 1>2 0000 other 62
            no data: mac 1>3 0000 other 24
            beacon: mac 1>2 0000 other 36
            acknowledgement: 0000 other 10
        "#]],
    );
}

/// A radiotap header with timestamp, flags and a second word of the bitmap.
fn radiotap(flags: u8, frame: &[u8]) -> Vec<u8> {
    let header = hex(
        "00 00 19 00 03 00 00 80 00 00 00 00 00 00 00 00 09 09 09 09 09 09 09 09",
        &[flags],
    );
    [header, frame.to_vec()].concat()
}

#[test]
fn wifi_capture_headers() {
    let snap = hex("aa aa 03 00 00 00 08 00", &udp4());
    let data = wifi([0x08, 0x00], &snap);
    let padded = wifi([0x88, 0x00], &hex("00 00 00 00", &snap));
    let with_fcs = [&data[..], &[1, 2, 3, 4]].concat();
    check(
        &[
            ("radiotap", LinkType::Radiotap, radiotap(0, &data)),
            (
                "radiotap without fields",
                LinkType::Radiotap,
                hex("00 00 08 00 00 00 00 00", &data),
            ),
            (
                "radiotap, checksum",
                LinkType::Radiotap,
                radiotap(0x10, &with_fcs),
            ),
            (
                "radiotap, wrong checksum",
                LinkType::Radiotap,
                radiotap(0x50, &with_fcs),
            ),
            ("radiotap, padding", LinkType::Radiotap, radiotap(0x20, &padded)),
            (
                "radiotap cut",
                LinkType::Radiotap,
                radiotap(0, &[])[..20].to_vec(),
            ),
            (
                "prism",
                LinkType::Prism,
                hex("44 00 00 00 10 00 00 00 00 00 00 00 00 00 00 00", &data),
            ),
            (
                "prism, length 0",
                LinkType::Prism,
                hex("44 00 00 00 00 00 00 00", &data),
            ),
            ("avs", LinkType::Avs, hex("80 21 10 01 00 00 00 08", &data)),
        ],
        expect![[r#"
            radiotap: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            radiotap without fields: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            radiotap, checksum: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            radiotap, wrong checksum: 0000 other 66 !header_bad
            radiotap, padding: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            radiotap cut: 0000 other 20 !header_cut
            prism: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            prism, length 0: 0000 other 70 !header_bad
            avs: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
        "#]],
    );
}

fn check_ethernet(cases: &[(&str, &str, &[u8])], expected: Expect) {
    let cases: Vec<_> = cases
        .iter()
        .map(|(name, digits, rest)| (*name, LinkType::Ethernet, ethernet(&[&hex(digits, rest)])))
        .collect();
    check(&cases, expected);
}

#[test]
fn vlan_tags() {
    let ip = &udp4();
    check_ethernet(
        &[
            ("tag", "81 00 60 2a 08 00", ip),
            ("two tags", "88 a8 00 05 81 00 00 06 08 00", ip),
            ("old tag", "91 00 00 05 08 00", ip),
            ("priority", "81 00 e0 00 08 00", ip),
            (
                "4 tags",
                "81 00 00 07 81 00 00 07 81 00 00 07 81 00 00 07 08 00",
                ip,
            ),
            (
                "5 tags",
                "81 00 00 07 81 00 00 07 81 00 00 07 81 00 00 07 81 00 00 07 08 00",
                ip,
            ),
            ("cut", "81 00 00 07", &[]),
        ],
        expect![[r#"
            tag: mac 1>2 vlan 42 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            two tags: mac 1>2 vlan 5 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            old tag: mac 1>2 vlan 5 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            priority: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            4 tags: mac 1>2 vlan 7 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            5 tags: mac 1>2 vlan 7 8100 other 34 !nesting_deep
            cut: mac 1>2 8100 other 2 !header_cut
        "#]],
    );
}

#[test]
fn mpls_labels() {
    let ip = &udp4();
    let inner = &hex("02 00 00 00 00 09 02 00 00 00 00 08 08 00", ip);
    check_ethernet(
        &[
            ("two labels", "88 47 00 00 10 40 00 00 21 40", ip),
            ("multicast", "88 48 00 00 21 40", ip),
            ("ipv6", "88 47 00 00 21 40", &ip6(17, &UDP_HI)),
            ("9 labels", "88 47", &[0; 36]),
            ("no bottom", "88 47 00 00 10 40", &[]),
            ("pseudowire", "88 47 00 00 11 40 00 00 00 00", inner),
            ("pseudowire without control word", "88 47 00 00 11 40", inner),
            ("other", "88 47 00 00 11 40", &[0x10; 40]),
        ],
        expect![[r#"
            two labels: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            multicast: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            ipv6: mac 1>2 86dd fd00::1 > fd00::2 proto 17 50/10/10 udp 1111>53 2/2
            9 labels: mac 1>2 8847 other 4 !nesting_deep
            no bottom: mac 1>2 8847 other 0 !header_cut
            pseudowire: mac 8>9 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            pseudowire without control word: mac 8>9 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            other: mac 1>2 8847 other 40
        "#]],
    );
}

#[test]
fn other_ethertypes() {
    let ip = &udp4();
    let padded = &[&ip[..], &[0; 9]].concat();
    check_ethernet(
        &[
            ("pppoe", "88 64 11 00 00 01 00 20 00 21", padded),
            (
                "pppoe, control protocol",
                "88 64 11 00 00 01 00 04 c0 21 01 02",
                &[],
            ),
            ("pppoe, version 2", "88 64 21 00 00 01 00 20 00 21", ip),
            ("pppoe, empty", "88 64 11 00 00 01 00 00", &[0; 40]),
            ("snap", "00 26 aa aa 03 00 00 00 08 00", padded),
            ("snap of a vendor", "00 08 aa aa 03 00 00 0c 20 00", &[0; 40]),
            ("spanning tree", "00 03 42 42 03", &[0; 40]),
            ("length 0", "00 00", &[0; 46]),
            ("length 1501", "05 dd", ip),
            ("arp", "08 06", &[0; 28]),
            ("lldp", "88 cc", &[0; 20]),
        ],
        expect![[r#"
            pppoe: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            pppoe, control protocol: mac 1>2 8864 other 4
            pppoe, version 2: mac 1>2 8864 other 38 !header_bad
            pppoe, empty: mac 1>2 8864 other 0 !header_cut
            snap: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            snap of a vendor: mac 1>2 00aa other 8
            spanning tree: mac 1>2 0042 other 3
            length 0: mac 1>2 0000 other 0 !header_cut
            length 1501: mac 1>2 05dd other 30 !header_bad
            arp: mac 1>2 0806 arp 28
            lldp: mac 1>2 88cc other 20
        "#]],
    );
    check(
        &[("short", LinkType::Ethernet, vec![0; 13])],
        expect![[r#"
        short: 0000 other 13 !header_cut
    "#]],
    );
}
