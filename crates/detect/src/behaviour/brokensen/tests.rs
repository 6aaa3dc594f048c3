//! A sensor that is mute, stuck or talkative, and those that are well.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

const SENSORS: &str = r#"{"sensors": ["10.0.0.0/24"]}"#;
/// A report each minute for 70 minutes: 13 whole intervals after the first.
const WELL: &str = "@0s every 60s x70 10.0.0.7 <> 10.0.9.1:8883 tcp APSF 900~5%/9 700/8 dur=2s\n";

#[test]
fn it_falls_silent() {
    check_with::<BrokenSensor>(
        SENSORS,
        &format!("{WELL}@0s every 60s x90 10.5.0.1 <> 10.0.9.1:80 tcp APSF 900/9 700/8"),
        expect![[r#"
            BROKENSEN.Period 100 % after 4800 s, 3 findings, 1 targets: 10.0.0.7 reports to 10.0.9.1:8883 every 958 s; over 13 intervals before it was every 60 s
              difference >= difference_min and sigmas_off >= sigmas and learned >= intervals_min; silent at difference 50, sigmas_off 3, learned 12; src ip 10.0.0.7 and dst ip 10.0.9.1
        "#]],
    );
}

#[test]
fn it_talks_more() {
    check_with::<BrokenSensor>(
        SENSORS,
        &format!("{WELL}@70min every 60s x12 10.0.0.7 <> 10.0.9.1:8883 tcp APSF 9000/29 700/8 dur=30s"),
        expect![[r#"
            BROKENSEN.Bytes 100 % after 4530 s, 3 findings, 1 targets: 10.0.0.7 and 10.0.9.1:8883 exchanged 48500 bytes in the last interval; over 13 before it was 7997
              difference >= difference_min and sigmas_off >= sigmas and learned >= intervals_min; silent at difference 50, sigmas_off 3, learned 12; src ip 10.0.0.7 and dst ip 10.0.9.1
            BROKENSEN.Duration 100 % after 4530 s, 3 findings, 1 targets: flows of 10.0.0.7 to 10.0.9.1:8883 lasted 30 s on average in the last interval; over 13 before it was 2 s
              difference >= difference_min and sigmas_off >= sigmas and learned >= intervals_min; silent at difference 50, sigmas_off 3, learned 12; src ip 10.0.0.7 and dst ip 10.0.9.1
            BROKENSEN.Packets 95 % after 4530 s, 3 findings, 1 targets: 10.0.0.7 and 10.0.9.1:8883 exchanged 185 packets in the last interval; over 13 before it was 85
              difference >= difference_min and sigmas_off >= sigmas and learned >= intervals_min; silent at difference 50, sigmas_off 3, learned 12; src ip 10.0.0.7 and dst ip 10.0.9.1
        "#]],
    );
}

/// A third more; eleven intervals learned; nobody's sensor; nothing configured.
#[test]
fn it_is_well() {
    let more = "every 60s x12 10.0.0.7 <> 10.0.9.1:8883 tcp APSF";
    check_with::<BrokenSensor>(
        SENSORS,
        &format!("{WELL}@70min {more} 1400/11 700/8 dur=2s"),
        expect![[""]],
    );
    check_with::<BrokenSensor>(
        SENSORS,
        &format!("{}@50min {more} 9000/29 700/8 dur=2s", WELL.replace("x70", "x50")),
        expect![[""]],
    );
    check_with::<BrokenSensor>(
        r#"{"sensors": ["10.0.5.0/24"]}"#,
        &format!("{WELL}@70min {more} 9000/29 700/8"),
        expect![[""]],
    );
    check::<BrokenSensor>(&format!("{WELL}@70min {more} 9000/29 700/8"), expect![[""]]);
    assert_eq!(crate::testing::instance::<BrokenSensor>("{}").blind.len(), 4);
}
