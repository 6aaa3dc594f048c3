//! Briefings as submethods.

use expect_test::expect;
use weir_model::Need;

use super::*;
use crate::entry;
use crate::testing::{check, check_with};

const TWO: &str = r#"{"briefings": [
    {"name": "TookPS", "title": "Downloader behind copies of known sites", "text": "Brings an SSH tunnel."},
    {"name": "Other", "title": "Another campaign", "text": "Nothing more is known."}]}"#;

#[test]
fn a_briefing_is_named() {
    check_with::<Threats>(
        TWO,
        "@0s x3 10.0.0.5 <> 192.0.2.1:443 tcp APRSF 900/8 800/7 sighted=TookPS|bundle|address|responder|192.0.2.1
         tx dns/query 10.0.0.6 > 10.0.0.1:53 sighted=Other|bundle|domain|dns|evil.example sighted=names|threat|domain|dns|evil.example",
        expect![[r#"
            THREATS.TookPS 100 % after 0 s, 2 findings, 1 targets: 3 flows of 10.0.0.5 with 192.0.2.1 in 0 s: 192.0.2.1 belongs to Downloader behind copies of known sites (confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 192.0.2.1
            THREATS.Other 100 % after 0 s, 2 findings, 1 targets: 1 exchange of 10.0.0.6 with 10.0.0.1:53 in 0 s: evil.example belongs to Another campaign (confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.6 and dst ip 10.0.0.1 and dst port 53
        "#]],
    );
}

/// One contact fewer than wanted; knocks from outside; lists that are no briefings; no briefings at all.
#[test]
fn silent() {
    let contact = "@0s x3 10.0.0.5 <> 192.0.2.1:443 tcp APRSF 900/8 800/7 sighted=TookPS|bundle|address|responder|192.0.2.1";
    check_with::<Threats>(
        &TWO.replacen('{', r#"{"sightings_min": 4, "#, 1),
        contact,
        expect![[""]],
    );
    check_with::<Threats>(
        TWO,
        "@0s x9 203.0.113.9 > 10.0.0.7:22 tcp S 60/1 sighted=TookPS|bundle|address|initiator|203.0.113.9
         @0s 10.0.0.5 <> 192.0.2.1:443 tcp APRSF 900/8 800/7 sighted=drop|threat|address|responder|192.0.2.1",
        expect![[""]],
    );
    check::<Threats>(contact, expect![[""]]);
}

#[test]
fn every_briefing_is_a_submethod_that_can_be_switched_off() {
    static ENTRY: crate::Entry = entry::<Threats>();
    let values: serde_json::Value = serde_json::from_str(TWO).unwrap();
    let off = ["Other".to_owned()];
    let instance = ENTRY
        .instance("default", values.clone(), &off, &[Need::Briefings])
        .unwrap();
    let names: Vec<_> = instance
        .meta
        .submethods
        .iter()
        .map(|submethod| submethod.name)
        .collect();
    assert_eq!(
        (names.as_slice(), instance.off.as_slice()),
        (["TookPS", "Other"].as_slice(), ["Other"].as_slice())
    );
    assert!(
        ENTRY
            .instance("default", values, &["Third".to_owned()], &[])
            .is_err()
    );
}
