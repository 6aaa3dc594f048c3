//! Oddities of IP, TCP, UDP and ICMP headers, packets cut at every layer, and reassembled datagrams.

use super::*;

/// `udp4` with one byte changed.
fn udp4_with(at: usize, value: u8) -> Vec<u8> {
    let mut bytes = udp4();
    bytes[at] = value;
    bytes
}

#[test]
fn ip4_oddities() {
    let options = [&[0x46, 0, 0, 34][..], &udp4()[4..20], &[1, 1, 1, 0], &UDP_HI].concat();
    let ah = {
        let mut bytes = udp4_with(9, 51);
        bytes[3] = 42;
        bytes.splice(20..20, [17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
        bytes
    };
    check(
        &[
            ("padding", LinkType::RawIp, [&udp4()[..], &[0; 16]].concat()),
            ("options", LinkType::RawIp, options.clone()),
            ("options cut", LinkType::RawIp, options[..22].to_vec()),
            ("ah", LinkType::RawIp, ah),
            ("total length 0", LinkType::RawIp, udp4_with(3, 0)),
            ("total length above", LinkType::RawIp, udp4_with(3, 200)),
            ("total length below header", LinkType::RawIp, udp4_with(3, 19)),
            ("header length 16", LinkType::RawIp, udp4_with(0, 0x44)),
            ("version 6", LinkType::Ipv4, udp4_with(0, 0x65)),
            ("first fragment", LinkType::RawIp, udp4_with(6, 0x20)),
            ("later fragment", LinkType::RawIp, udp4_with(7, 2)),
            ("don't fragment", LinkType::RawIp, udp4_with(6, 0x40)),
            ("udp length above", LinkType::RawIp, udp4_with(25, 99)),
            ("udp length below", LinkType::RawIp, udp4_with(25, 9)),
            ("udp length 0", LinkType::RawIp, udp4_with(25, 0)),
            ("udp length 7", LinkType::RawIp, udp4_with(25, 7)),
            ("unknown protocol", LinkType::RawIp, udp4_with(9, 99)),
            ("sctp cut", LinkType::RawIp, udp4_with(9, 132)),
        ],
        expect![[r#"
            padding: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            options: 0800 10.0.0.1 > 10.0.0.2 proto 17 34/10/10 udp 1111>53 2/2
            options cut: 0800 10.0.0.1 > 10.0.0.2 proto 17 34/10/0 - !packet_cut
            ah: 0800 10.0.0.1 > 10.0.0.2 proto 17 42/10/10 udp 1111>53 2/2
            total length 0: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            total length above: 0800 10.0.0.1 > 10.0.0.2 proto 17 200/180/10 udp 1111>53 2/2 !packet_cut
            total length below header: 0800 other 30 !header_bad
            header length 16: 0800 other 30 !header_bad
            version 6: 0800 other 30 !header_bad
            first fragment: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 fragment 0@0+ udp 1111>53 2/2
            later fragment: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 fragment 0@16 -
            don't fragment: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            udp length above: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2 !header_bad
            udp length below: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 1/1
            udp length 0: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2
            udp length 7: 0800 10.0.0.1 > 10.0.0.2 proto 17 30/10/10 udp 1111>53 2/2 !header_bad
            unknown protocol: 0800 10.0.0.1 > 10.0.0.2 proto 99 30/10/10 -
            sctp cut: 0800 10.0.0.1 > 10.0.0.2 proto 132 30/10/10 - !header_cut
        "#]],
    );
}

#[test]
fn tcp_oddities() {
    let with_offset = |words: u8| {
        let mut bytes = tcp4();
        bytes[32] = words << 4;
        bytes
    };
    check(
        &[
            ("plain", LinkType::RawIp, tcp4()),
            ("offset 0", LinkType::RawIp, with_offset(0)),
            ("offset 4", LinkType::RawIp, with_offset(4)),
            ("offset 6", LinkType::RawIp, with_offset(6)),
            ("offset 7", LinkType::RawIp, with_offset(7)),
        ],
        expect![[r#"
            plain: 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/25 tcp 1111>80 flags 2 5/5
            offset 0: 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/25 tcp 1111>80 flags 2 0/0 !header_bad
            offset 4: 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/25 tcp 1111>80 flags 2 0/0 !header_bad
            offset 6: 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/25 tcp 1111>80 flags 2 1/1
            offset 7: 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/25 tcp 1111>80 flags 2 0/0 !header_bad
        "#]],
    );
}

#[test]
fn ip6_extensions() {
    let hop = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let fragment = |next: u8, place: u8| [next, 0, 0, place, 0, 0, 0, 99];
    let ah = [
        17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let chain: Vec<u8> = [&hop(60)[..], &hop(43), &hop(51), &ah, &UDP_HI].concat();
    let nine = [hop(60); 9].concat();
    check(
        &[
            ("chain", LinkType::RawIp, ip6(0, &chain)),
            ("chain cut", LinkType::RawIp, ip6(0, &chain[..20])),
            ("9 headers", LinkType::RawIp, ip6(60, &nine)),
            (
                "first fragment",
                LinkType::RawIp,
                ip6(44, &[&fragment(17, 1)[..], &UDP_HI].concat()),
            ),
            (
                "later fragment",
                LinkType::RawIp,
                ip6(44, &[&fragment(17, 8)[..], &UDP_HI].concat()),
            ),
            (
                "atomic fragment",
                LinkType::RawIp,
                ip6(44, &[&fragment(17, 0)[..], &UDP_HI].concat()),
            ),
            (
                "options in fragment",
                LinkType::RawIp,
                ip6(44, &[&fragment(60, 1)[..], &hop(17), &UDP_HI].concat()),
            ),
            ("esp", LinkType::RawIp, ip6(50, &[0; 20])),
            (
                "no next header",
                LinkType::RawIp,
                [ip6(59, &[]), vec![0; 6]].concat(),
            ),
            (
                "offloaded",
                LinkType::RawIp,
                [ip6(17, &[]), UDP_HI.to_vec()].concat(),
            ),
            ("truncated", LinkType::RawIp, ip6(17, &UDP_HI)[..44].to_vec()),
        ],
        expect![[r#"
            chain: 86dd fd00::1 > fd00::2 proto 17 98/10/10 udp 1111>53 2/2
            chain cut: 86dd fd00::1 > fd00::2 proto 43 60/4/4 - !header_cut
            9 headers: 86dd fd00::1 > fd00::2 proto 60 112/8/8 - !nesting_deep
            first fragment: 86dd fd00::1 > fd00::2 proto 17 58/10/10 fragment 99@0+ udp 1111>53 2/2
            later fragment: 86dd fd00::1 > fd00::2 proto 17 58/10/10 fragment 99@8 -
            atomic fragment: 86dd fd00::1 > fd00::2 proto 17 58/10/10 udp 1111>53 2/2
            options in fragment: 86dd fd00::1 > fd00::2 proto 60 66/18/18 fragment 99@0+ -
            esp: 86dd fd00::1 > fd00::2 proto 50 60/20/20 -
            no next header: 86dd fd00::1 > fd00::2 proto 59 40/0/0 -
            offloaded: 86dd fd00::1 > fd00::2 proto 17 50/10/10 udp 1111>53 2/2
            truncated: 86dd fd00::1 > fd00::2 proto 17 50/10/4 - !packet_cut
        "#]],
    );
}

#[test]
fn icmp_quotes() {
    let icmp4 = |kind: u8, rest: &[u8]| {
        let mut bytes = udp4_with(9, 1);
        bytes.truncate(20);
        bytes.extend([kind, 3, 0, 0, 0x12, 0x34, 0, 1]);
        bytes.extend(rest);
        bytes[3] = bytes.len() as u8;
        bytes
    };
    let icmp6 = |kind: u8, rest: &[u8]| ip6(58, &[&[kind, 4, 0, 0, 0x12, 0x34, 0, 1], rest].concat());
    check(
        &[
            ("echo", LinkType::RawIp, icmp4(8, b"ping")),
            ("unreachable", LinkType::RawIp, icmp4(3, &udp4())),
            ("quote cut", LinkType::RawIp, icmp4(11, &udp4()[..22])),
            ("no quote", LinkType::RawIp, icmp4(3, &udp4()[..12])),
            ("echo 6", LinkType::RawIp, icmp6(128, b"ping")),
            ("unreachable 6", LinkType::RawIp, icmp6(1, &ip6(17, &UDP_HI))),
            ("neighbour solicitation", LinkType::RawIp, icmp6(135, &[0; 16])),
        ],
        expect![[r#"
            echo: 0800 10.0.0.1 > 10.0.0.2 proto 1 32/12/12 icmp 8/3 id 4660
            unreachable: 0800 10.0.0.1 > 10.0.0.2 proto 1 58/38/38 icmp 3/3 id 0 quotes 10.0.0.1:1111 > 10.0.0.2:53 proto 17
            quote cut: 0800 10.0.0.1 > 10.0.0.2 proto 1 50/30/30 icmp 11/3 id 0 quotes 10.0.0.1:0 > 10.0.0.2:0 proto 17
            no quote: 0800 10.0.0.1 > 10.0.0.2 proto 1 40/20/20 icmp 3/3 id 0
            echo 6: 86dd fd00::1 > fd00::2 proto 58 52/12/12 icmp 128/4 id 4660
            unreachable 6: 86dd fd00::1 > fd00::2 proto 58 98/58/58 icmp 1/4 id 0 quotes fd00::1:1111 > fd00::2:53 proto 17
            neighbour solicitation: 86dd fd00::1 > fd00::2 proto 58 64/24/24 icmp 135/4 id 0
        "#]],
    );
}

/// A frame cut by the snap length keeps the lengths of its headers and is no anomaly until headers are cut.
#[test]
fn snap_length() {
    let frame = ethernet(&[&[8, 0], &tcp4()]);
    let mut text = String::new();
    for kept in [59, 57, 54, 53, 34, 33, 14, 13, 0] {
        let packet = decode(LinkType::Ethernet, &frame[..kept], frame.len() as u32);
        assert_eq!(packet.frame_bytes, 59);
        writeln!(text, "{kept}: {}", line(&packet)).unwrap();
    }
    expect![[r#"
        59: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/25 tcp 1111>80 flags 2 5/5
        57: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/23 tcp 1111>80 flags 2 5/3
        54: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/20 tcp 1111>80 flags 2 5/0
        53: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/19 - !header_cut
        34: mac 1>2 0800 10.0.0.1 > 10.0.0.2 proto 6 45/25/0 - !header_cut
        33: mac 1>2 0800 other 19 !header_cut
        14: mac 1>2 0800 other 0 !header_cut
        13: 0000 other 13 !header_cut
        0: 0000 other 0 !header_cut
    "#]]
    .assert_eq(&text);
}

/// Fragments of a datagram, the first with hidden options, make the packet they were.
#[test]
fn reassembled_datagrams() {
    let fragmented: Vec<u8> = [&[17, 0, 1, 4, 0, 0, 0, 0][..], &UDP_HI].concat();
    let bytes = ip6(44, &[&[60, 0, 0, 1, 0, 0, 0, 99], &fragmented[..8]].concat());
    let packet = decode_whole(LinkType::RawIp, &bytes);
    let Net::Ip(ip) = packet.net else {
        panic!("{packet:?}")
    };
    let (whole, anomaly) = decode_ip_payload(&ip, &fragmented);
    assert_eq!(anomaly, None);
    expect!["fd00::1 > fd00::2 proto 17 66/10/10 udp 1111>53 2/2"].assert_eq(&ip_line(&whole));
    let (_, anomaly) = decode_ip_payload(&ip, &fragmented[..12]);
    assert_eq!(anomaly, Some(Anomaly::HeaderCut));
}
