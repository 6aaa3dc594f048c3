//! Segments that change at once, and those that do not.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

const SEGMENT: &str = r#"{"segments": ["10.0.0.0/24"]}"#;
/// 75 minutes of 150 flows in five minutes, eight packets each way.
const USUAL: &str =
    "@0s every 2s x2250 10.0.0.{1..20} <> 203.0.113.{1..9}:443 tcp APSF 2000~20%/8 9000~20%/8\n";

#[test]
fn one_host_sends_much() {
    check_with::<Anomaly>(
        SEGMENT,
        &format!("{USUAL}@66min every 1s x200 10.0.0.7 <> 198.51.100.9:443 tcp APSF 900KiB/800 20000/300"),
        expect![[r#"
            ANOMALY.SentPackets 100 % after 4200 s, 2 findings, 0 targets: packets sent by the segment: 161200 in five minutes; the 12 intervals before foretold 1200; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.ReceivedPackets 100 % after 4200 s, 2 findings, 0 targets: packets received by the segment: 61200 in five minutes; the 12 intervals before foretold 1200; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.SentBytes 100 % after 4200 s, 2 findings, 0 targets: bytes sent by the segment: 184619502 in five minutes; the 12 intervals before foretold 299926; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.ReceivedBytes 100 % after 4200 s, 2 findings, 0 targets: bytes received by the segment: 5348024 in five minutes; the 12 intervals before foretold 1349927; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
        "#]],
    );
}

#[test]
fn one_host_asks_everybody() {
    check_with::<Anomaly>(
        SEGMENT,
        &format!("{USUAL}@66min every 50ms x3000 10.0.0.7 > 198.51.{{1..12}}.{{1..250}}:53 udp 60/1"),
        expect![[r#"
            ANOMALY.SentPackets 100 % after 4200 s, 2 findings, 0 targets: packets sent by the segment: 4200 in five minutes; the 12 intervals before foretold 1200; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.SentFlows 100 % after 4200 s, 2 findings, 0 targets: flows begun by the segment: 3150 in five minutes; the 12 intervals before foretold 150; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.Peers 100 % after 4200 s, 2 findings, 0 targets: hosts the segment spoke with: 1508 in five minutes; the 12 intervals before foretold 9; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.Requests 100 % after 4200 s, 2 findings, 0 targets: exchanges the segment asked for: 3150 in five minutes; the 12 intervals before foretold 150; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.CountUnpaired 100 % after 4200 s, 2 findings, 0 targets: flows in which one side kept silent: 3000 in five minutes; the 12 intervals before foretold 0; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.PercentUnpaired 100 % after 4200 s, 2 findings, 0 targets: per cent of flows in which one side kept silent: 95 in five minutes; the 12 intervals before foretold 0; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.UDPFlow 100 % after 4200 s, 2 findings, 0 targets: UDP flows of the segment: 3000 in five minutes; the 12 intervals before foretold 0; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7 and proto udp
        "#]],
    );
}

/// The series of what comes to a segment.
#[test]
fn one_host_is_asked_by_everybody() {
    check_with::<Anomaly>(
        SEGMENT,
        &format!(
            "{USUAL}@66min every 50ms x3000 198.51.{{1..12}}.{{1..250}} <> 10.0.0.7:8443 tcp APSF 600/5 900/5"
        ),
        expect![[r#"
            ANOMALY.SentPackets 100 % after 4200 s, 2 findings, 0 targets: packets sent by the segment: 16200 in five minutes; the 12 intervals before foretold 1200; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.ReceivedPackets 100 % after 4200 s, 2 findings, 0 targets: packets received by the segment: 16200 in five minutes; the 12 intervals before foretold 1200; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.SentBytes 100 % after 4200 s, 2 findings, 0 targets: bytes sent by the segment: 2999502 in five minutes; the 12 intervals before foretold 299926; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.ReceivedBytes 99 % after 4200 s, 2 findings, 0 targets: bytes received by the segment: 3148024 in five minutes; the 12 intervals before foretold 1349927; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.ReceivedFlows 100 % after 4200 s, 2 findings, 0 targets: flows that came to the segment: 3000 in five minutes; the 12 intervals before foretold 0; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.Peers 100 % after 4200 s, 2 findings, 0 targets: hosts the segment spoke with: 1508 in five minutes; the 12 intervals before foretold 9; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.Responses 100 % after 4200 s, 2 findings, 0 targets: exchanges the segment answered: 3000 in five minutes; the 12 intervals before foretold 0; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7
            ANOMALY.TCPFlow 100 % after 4200 s, 2 findings, 0 targets: TCP flows of the segment: 3150 in five minutes; the 12 intervals before foretold 150; 10.0.0.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.7 and proto tcp
        "#]],
    );
}

/// Hosts that wake, other protocols, services given and used.
#[test]
fn hosts_wake_and_ping() {
    check_with::<Anomaly>(
        SEGMENT,
        &format!("{USUAL}@66min every 50ms x3000 10.0.0.{{1..250}} <> 10.0.0.{{1..250}} icmp icmp=8/0"),
        expect![[r#"
            ANOMALY.SentPackets 100 % after 4200 s, 2 findings, 0 targets: packets sent by the segment: 7200 in five minutes; the 12 intervals before foretold 1200; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.ReceivedPackets 100 % after 4200 s, 2 findings, 0 targets: packets received by the segment: 7200 in five minutes; the 12 intervals before foretold 1200; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.SentFlows 100 % after 4200 s, 2 findings, 0 targets: flows begun by the segment: 3150 in five minutes; the 12 intervals before foretold 150; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.ReceivedFlows 100 % after 4200 s, 2 findings, 0 targets: flows that came to the segment: 3000 in five minutes; the 12 intervals before foretold 0; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.Peers 100 % after 4200 s, 2 findings, 0 targets: hosts the segment spoke with: 257 in five minutes; the 12 intervals before foretold 9; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.ActiveDevices 100 % after 4200 s, 2 findings, 0 targets: active hosts of the segment: 249 in five minutes; the 12 intervals before foretold 20; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.Requests 100 % after 4200 s, 2 findings, 0 targets: exchanges the segment asked for: 3150 in five minutes; the 12 intervals before foretold 150; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.Responses 100 % after 4200 s, 2 findings, 0 targets: exchanges the segment answered: 3000 in five minutes; the 12 intervals before foretold 0; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.OtherFlow 100 % after 4200 s, 2 findings, 0 targets: flows of other protocols: 3000 in five minutes; the 12 intervals before foretold 0; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.ProvidedServices 100 % after 4200 s, 2 findings, 0 targets: services of the segment that answered: 248 in five minutes; the 12 intervals before foretold 0; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
            ANOMALY.UsedServices 100 % after 4200 s, 2 findings, 0 targets: services the segment used: 257 in five minutes; the 12 intervals before foretold 9; 10.0.0.20 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.0.20
        "#]],
    );
}

/// A third more; the window not full; another segment; nothing configured.
#[test]
fn nothing_unusual() {
    let much = "every 1s x200 10.0.0.7 <> 198.51.100.9:443 tcp APSF 900KiB/800 20000/300";
    check_with::<Anomaly>(
        SEGMENT,
        &format!("{USUAL}@66min every 4s x50 10.0.0.7 <> 203.0.113.9:443 tcp APSF 2000/8 9000/8"),
        expect![[""]],
    );
    check_with::<Anomaly>(SEGMENT, &format!("{USUAL}@31min {much}"), expect![[""]]);
    check_with::<Anomaly>(
        r#"{"segments": ["10.0.5.0/24"]}"#,
        &format!("{USUAL}@66min {much}"),
        expect![[""]],
    );
    check::<Anomaly>(&format!("{USUAL}@66min {much}"), expect![[""]]);
    assert_eq!(crate::testing::instance::<Anomaly>("{}").blind.len(), 17);
}

#[test]
fn too_many_segments_are_refused() {
    let segment: IpNet = "10.0.0.0/24".parse().unwrap();
    assert!(Segments::try_from(vec![segment; SEGMENTS_MAX]).is_ok());
    let error = Segments::try_from(vec![segment; SEGMENTS_MAX + 1]).unwrap_err();
    assert!(error.contains("at most 200"), "{error}");
}

/// Two segments, each for itself.
#[test]
fn segments_do_not_mix() {
    check_with::<Anomaly>(
        r#"{"segments": ["10.0.0.0/24", "10.0.1.0/24"]}"#,
        &format!(
            "{USUAL}{}@66min every 1s x200 10.0.1.7 <> 198.51.100.9:443 tcp APSF 900KiB/800 20000/300",
            USUAL.replace("10.0.0.", "10.0.1.")
        ),
        expect![[r#"
            ANOMALY.SentPackets 100 % after 4200 s, 2 findings, 0 targets: packets sent by the segment: 161200 in five minutes; the 12 intervals before foretold 1200; 10.0.1.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.1.7
            ANOMALY.ReceivedPackets 100 % after 4200 s, 2 findings, 0 targets: packets received by the segment: 61200 in five minutes; the 12 intervals before foretold 1200; 10.0.1.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.1.7
            ANOMALY.SentBytes 100 % after 4200 s, 2 findings, 0 targets: bytes sent by the segment: 184619502 in five minutes; the 12 intervals before foretold 299926; 10.0.1.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.1.7
            ANOMALY.ReceivedBytes 100 % after 4200 s, 2 findings, 0 targets: bytes received by the segment: 5348024 in five minutes; the 12 intervals before foretold 1349927; 10.0.1.7 grew most
              sigmas_off >= sigmas and difference >= difference_min and size >= value_min; silent at sigmas_off 4, difference 100, size 1000; src ip 10.0.1.7
        "#]],
    );
}
