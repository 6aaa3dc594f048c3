//! One host and a country, beside an office that browses.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

/// Six hosts that fetch a MiB a minute from two countries and send little.
const OFFICE: &str = "@0s every 10s x360 10.0.0.{11..16} <> 198.51.100.{1..9}:443 tcp APRSF 20KiB/90 1MiB/900 country={US,DE}\n";

fn with(line: &str) -> String {
    format!("{OFFICE}{line}")
}

#[test]
fn far_more_than_the_others() {
    check::<CountryTraffic>(
        &with("@20min every 30s x30 10.0.0.5 <> 203.0.113.7:443 tcp APRSF 40MiB/30000 1MiB/9000 country=DE"),
        expect![[r#"
            COUNTRY.IncreasedCommunication 100 % after 1200 s, 3 findings, 0 targets: 10.0.0.5 sent 840 MiB to DE and received 21 MiB within an hour, begun inside; 6 others had 600 KiB and 30 MiB in the mean
              sent >= minimal_data_transfer_u and sent >= sent_max and others >= others_min; silent at sent 20 MiB, sent 5.86 MiB, others 4; ip 10.0.0.5
        "#]],
    );
}

/// To a country nobody else talks with the mean of all countries is the measure.
#[test]
fn a_country_of_ones_own() {
    check::<CountryTraffic>(
        &with("@20min every 30s x30 10.0.0.5 <> 203.0.113.7:443 tcp APRSF 1MiB/3000 9MiB/9000 country=AQ"),
        expect![[r#"
            COUNTRY.IncreasedCommunication 75 % after 1770 s, 2 findings, 0 targets: 10.0.0.5 sent 30 MiB to AQ and received 270 MiB within an hour, begun inside; 6 others had 600 KiB and 30 MiB in the mean
              sent >= minimal_data_transfer_u and sent >= sent_max and others >= others_min; silent at sent 20 MiB, sent 5.86 MiB, others 4; ip 10.0.0.5
        "#]],
    );
}

/// Begun outside: what an inside server sends is compared with what servers send.
#[test]
fn begun_outside() {
    let servers = "@0s every 10s x360 198.51.100.{1..9} <> 10.0.0.{21..26}:443 tcp APRSF 20KiB/90 100KiB/900 icountry=US\n";
    check::<CountryTraffic>(
        &format!(
            "{servers}@20min every 30s x30 203.0.113.7 <> 10.0.0.21:443 tcp APRSF 1MiB/900 30MiB/20000 icountry=US"
        ),
        expect![[r#"
            COUNTRY.IncreasedCommunication 100 % after 1200 s, 8 findings, 0 targets: 10.0.0.21 sent 905 MiB to US and received 31.1 MiB within an hour, begun outside; 5 others had 5.37 MiB and 1.07 MiB in the mean
              sent >= minimal_data_transfer_u and sent >= sent_max and others >= others_min; silent at sent 20 MiB, sent 53.7 MiB, others 4; ip 10.0.0.21
        "#]],
    );
}

/// Below 20 MiB; below ten times the others; too few others; excluded; no country known; inside to inside.
#[test]
fn below_the_limits() {
    check::<CountryTraffic>(
        &with("@20min every 30s x19 10.0.0.5 <> 203.0.113.7:443 tcp APRSF 1MiB/3000 1MiB/900 country=DE"),
        expect![[""]],
    );
    check::<CountryTraffic>(&OFFICE.replace("1MiB/900", "9MiB/9000"), expect![[""]]);
    check::<CountryTraffic>(
        "@0s every 10s x360 10.0.0.{11..13} <> 198.51.100.{1..9}:443 tcp APRSF 20KiB/90 1MiB/900 country=DE
         @20min every 30s x30 10.0.0.5 <> 203.0.113.7:443 tcp APRSF 40MiB/30000 1MiB/9000 country=DE",
        expect![[""]],
    );
    let much =
        with("@20min every 30s x30 10.0.0.5 <> 203.0.113.7:443 tcp APRSF 40MiB/30000 1MiB/9000 country=DE");
    check_with::<CountryTraffic>(r#"{"exclude_countries":["DE"]}"#, &much, expect![[""]]);
    check_with::<CountryTraffic>(r#"{"exclude_hosts":["10.0.0.5/32"]}"#, &much, expect![[""]]);
    check::<CountryTraffic>(
        &with("@20min every 30s x30 10.0.0.5 <> 203.0.113.7:443 tcp APRSF 40MiB/30000 1MiB/9000"),
        expect![[""]],
    );
    check::<CountryTraffic>(
        &with("@20min every 30s x30 10.0.0.5 <> 10.0.1.7:443 tcp APRSF 40MiB/30000 1MiB/9000 country=DE"),
        expect![[""]],
    );
}

/// Twice the ratio of the others with an amount that is not much for them.
#[test]
fn a_lopsided_exchange() {
    let even =
        "@0s every 10s x360 10.0.0.{11..16} <> 198.51.100.{1..9}:443 tcp APRSF 1MiB/90 1MiB/900 country=US\n";
    let text = format!(
        "{even}@20min every 30s x30 10.0.0.5 <> 203.0.113.7:443 tcp APRSF 1MiB/3000 100KiB/900 country=US"
    );
    check::<CountryTraffic>(&text, expect![[""]]);
    check_with::<CountryTraffic>(
        r#"{"ratio_quota":5}"#,
        &text,
        expect![[r#"
        COUNTRY.IncreasedCommunication 91 % after 1770 s, 2 findings, 0 targets: 10.0.0.5 sent 30 MiB to US and received 2.93 MiB within an hour, begun inside; 6 others had 30 MiB and 30 MiB in the mean
          ratio > ratio_max and sent >= minimal_data_transfer_u and others >= others_min and ratio_watched == yes; silent at ratio 5, sent 20 MiB, others 4, ratio_watched yes; ip 10.0.0.5
    "#]],
    );
}
