//! Each product, the shape of an unknown tunnel, and the long conversations of ordinary people.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

const SHAPE: &str = r#"{"behaviour": true}"#;

#[test]
fn products() {
    check::<Vpn>(
        "@0s 10.0.0.1 <> 203.0.113.9:1194 udp 9000/60 9000/60 dur=60s
         @1s 10.0.0.2 <> 203.0.113.9:1194 tcp APS 9000/60 9000/60 dur=60s
         @2s 10.0.0.3 <> 203.0.113.9:4500 udp 9000/60 9000/60 dur=60s
         @3s 10.0.0.4 <> 203.0.113.9 50 9000/60 9000/60 dur=60s
         @4s 10.0.0.5 <> 203.0.113.9:1723 tcp APRSF 1028/13 964/11 dur=60s
         @5s 10.0.0.6 <> 203.0.113.9:12975 tcp APS 9000/60 9000/60 dur=60s
         @6s 10.0.0.7 <> 203.0.113.9:51820 udp 2276/11 4176/16 dur=60s
         @7s 10.0.0.8 <> 203.0.113.9:9993 udp 9000/60 9000/60 dur=60s",
        expect![[r#"
            VPN.OpenVPN 100 % after 60 s, 2 findings, 1 targets: 10.0.0.1 keeps up a tunnel (OpenVPN over UDP) to 203.0.113.9:1194 in 60 s: 8.79 KiB sent, 8.79 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.1 and proto udp and dst port 1194
            VPN.OpenVPN 100 % after 61 s, 2 findings, 1 targets: 10.0.0.2 keeps up a tunnel (OpenVPN over TCP) to 203.0.113.9:1194 in 60 s: 8.79 KiB sent, 8.79 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.2 and proto tcp and dst port 1194
            VPN.IPSec 100 % after 62 s, 2 findings, 1 targets: 10.0.0.3 keeps up a tunnel (IPsec through address translation) to 203.0.113.9:4500 in 60 s: 8.79 KiB sent, 8.79 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.3 and proto udp and dst port 4500
            VPN.IPSec 100 % after 63 s, 2 findings, 1 targets: 10.0.0.4 keeps up a tunnel (IPsec (ESP)) to 203.0.113.9 in 60 s: 8.79 KiB sent, 8.79 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.4 and proto 50
            VPN.MSPPTP 55 % after 64 s, 2 findings, 1 targets: 10.0.0.5 keeps up a tunnel (PPTP) to 203.0.113.9:1723 in 60 s: 1 KiB sent, 964 B received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.5 and proto tcp and dst port 1723
            VPN.Hamachi 100 % after 65 s, 2 findings, 1 targets: 10.0.0.6 keeps up a tunnel (Hamachi) to 203.0.113.9:12975 in 60 s: 8.79 KiB sent, 8.79 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.6 and proto tcp and dst port 12975
            VPN.WireGuard 55 % after 66 s, 2 findings, 1 targets: 10.0.0.7 keeps up a tunnel (WireGuard) to 203.0.113.9:51820 in 60 s: 2.22 KiB sent, 4.08 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.7 and proto udp and dst port 51820
            VPN.InternetTunnel 100 % after 67 s, 2 findings, 1 targets: 10.0.0.8 keeps up a tunnel (ZeroTier) to 203.0.113.9:9993 in 60 s: 8.79 KiB sent, 8.79 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.8 and proto udp and dst port 9993
        "#]],
    );
}

/// Content tells OpenVPN and WireGuard on ports of others.
#[test]
fn on_any_port() {
    check::<Vpn>(
        "@0s 10.0.0.1 <> 203.0.113.9:443 tcp APS 9000/60 9000/60 dur=60s app=openvpn
         @1s 10.0.0.2 <> 203.0.113.9:4500 udp 9000/60 9000/60 dur=60s app=wireguard",
        expect![[r#"
            VPN.OpenVPN 100 % after 60 s, 2 findings, 1 targets: 10.0.0.1 keeps up a tunnel (OpenVPN over TCP) to 203.0.113.9:443 in 60 s: 8.79 KiB sent, 8.79 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.1 and proto tcp and dst port 443
            VPN.WireGuard 100 % after 61 s, 2 findings, 1 targets: 10.0.0.2 keeps up a tunnel (WireGuard) to 203.0.113.9:4500 in 60 s: 8.79 KiB sent, 8.79 KiB received
              packets >= packets_min; silent at packets 10; src ip 10.0.0.2 and proto udp and dst port 4500
        "#]],
    );
}

/// Nine packets back, an inside gateway, no answer, and SSH on the port.
#[test]
fn no_tunnels() {
    check::<Vpn>(
        "@0s 10.0.0.1 <> 203.0.113.9:1194 udp 9000/60 900/9 dur=60s
         @0s 10.0.0.2 <> 10.0.0.9:1194 udp 9000/60 9000/60 dur=60s
         @0s 10.0.0.3 > 203.0.113.9:51820 udp 9000/60 dur=60s
         @0s 10.0.0.4 <> 203.0.113.9:1194 tcp APRSF 9000/60 9000/60 dur=60s app=ssh
         @0s 198.51.100.7 <> 10.0.0.9:1194 udp 9000/60 9000/60 dur=60s",
        expect![[""]],
    );
}

#[test]
fn an_unknown_tunnel() {
    let text = "10.0.0.5:50000 <> 203.0.113.9:7777 udp 15MiB/20000 35MiB/40000 dur=30min\n";
    check_with::<Vpn>(
        SHAPE,
        text,
        expect![[r#"
        VPN.BehavioralDetection 50 % after 1800 s, 2 findings, 1 targets: 10.0.0.5 and 203.0.113.9:7777 exchanged 50 MiB in 30 min, 1 of all the host exchanged with the outside, both ways
          moved >= minimal_data and lasted >= minimal_time and share >= share_min and balance >= balance_min; silent at moved 50 MiB, lasted 30 min, share 0.6, balance 0.1; src ip 10.0.0.5 and dst ip 203.0.113.9 and proto udp and dst port 7777
    "#]],
    );
    check::<Vpn>(text, expect![[""]]);
    // Switched off; a minute or a MiB less, mostly one way, and little beside a large download.
    check_with::<Vpn>(SHAPE, &text.replace("30min", "29min"), expect![[""]]);
    check_with::<Vpn>(SHAPE, &text.replace("35MiB", "34MiB"), expect![[""]]);
    check_with::<Vpn>(
        SHAPE,
        &text.replace("15MiB", "2MiB").replace("35MiB", "60MiB"),
        expect![[""]],
    );
    check_with::<Vpn>(
        SHAPE,
        &format!("{text}@1min 10.0.0.5 <> 203.0.113.8:443 tcp APRSF 1MiB/900 40MiB/30000 dur=60s"),
        expect![[""]],
    );
}

/// A video stream, an SSH session that copies much, a conference over QUIC; and a filter that leaves the host out.
#[test]
fn long_conversations() {
    check_with::<Vpn>(
        SHAPE,
        "@0s 10.0.0.5 <> 203.0.113.9:443 tcp APS 5MiB/40000 2GiB/1500000 dur=90min
         @0s 10.0.0.6 <> 203.0.113.9:2222 tcp APS 500MiB/400000 500MiB/400000 dur=90min app=ssh
         @0s 10.0.0.7 <> 203.0.113.9:443 udp 500MiB/400000 500MiB/400000 dur=90min",
        expect![[""]],
    );
    check_with::<Vpn>(
        r#"{"behaviour": true, "lan_filter": ["10.9.0.0/16"]}"#,
        "10.0.0.5:50000 <> 203.0.113.9:7777 udp 15MiB/20000 35MiB/40000 dur=30min",
        expect![[""]],
    );
}
