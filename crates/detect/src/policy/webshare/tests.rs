//! Visits and transfers, and what is neither.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

#[test]
fn visits() {
    check::<WebShare>(
        "@0s tx tls/handshake every 1s x3 10.0.0.5 <> 203.0.113.9:443 tls.sni={www.mediafire.com,dl.mediafire.com,mega.nz}
         @1s tx http/request 10.0.0.6 <> 203.0.113.9:80 http.host=fastshare.cz:80",
        expect![[r#"
            WEBSHARE.SiteVisit 99 % after 0 s, 2 findings, 1 targets: 10.0.0.5 visited Mediafire, Mega: connections in 2 s: 3
              visits >= visits_min; silent at visits 1; src ip 10.0.0.5 and dst ip 203.0.113.9
            WEBSHARE.SiteVisit 50 % after 1 s, 2 findings, 1 targets: 10.0.0.6 visited Fastshare: connections in 0 s: 1
              visits >= visits_min; silent at visits 1; src ip 10.0.0.6 and dst ip 203.0.113.9
        "#]],
    );
}

const MEASURED: &str = r#"{"lan_filter": ["10.0.0.0/24"]}"#;
const UPLOAD: &str = "@0s tx tls/handshake 10.0.0.5:50000 <> 203.0.113.9:443 tls.sni=www.mediafire.com
     @0s 10.0.0.5:50000 <> 203.0.113.9:443 tcp APSF 10MiB/9000 90KiB/4000 dur=60s\n";

#[test]
fn transfers() {
    check_with::<WebShare>(
        MEASURED,
        UPLOAD,
        expect![[r#"
        WEBSHARE.SiteTransfer 50 % after 60 s, 2 findings, 1 targets: 10.0.0.5 moved data with Mediafire in 60 s (upload): 10 MiB sent, 90 KiB received
          uploaded >= minimal_up; silent at uploaded 10 MiB; src ip 10.0.0.5 and dst ip 203.0.113.9
    "#]],
    );
    check_with::<WebShare>(
        MEASURED,
        &UPLOAD.replace("10MiB/9000 90KiB/4000", "90KiB/4000 100MiB/90000"),
        expect![[r#"
            WEBSHARE.SiteTransfer 50 % after 60 s, 2 findings, 1 targets: 10.0.0.5 moved data with Mediafire in 60 s (download): 90 KiB sent, 100 MiB received
              downloaded >= minimal_down; silent at downloaded 100 MiB; src ip 10.0.0.5 and dst ip 203.0.113.9
        "#]],
    );
}

/// Names that only look alike, a host outside; clouds when they do not count; a little less; another connection's
/// bytes; nothing came back.
#[test]
fn neither() {
    check::<WebShare>(
        "@0s tx tls/handshake 10.0.0.5 <> 203.0.113.9:443 tls.sni=notmediafire.com
         @0s tx tls/handshake 10.0.0.5 <> 203.0.113.9:443 tls.sni=box.com.example.org
         @0s tx tls/handshake 203.0.113.5 <> 203.0.113.9:443 tls.sni=mega.nz",
        expect![[""]],
    );
    check_with::<WebShare>(
        r#"{"cloud_services": false}"#,
        "tx tls/handshake 10.0.0.5 <> 203.0.113.9:443 tls.sni=mega.nz",
        expect![[""]],
    );
    for text in [
        UPLOAD.replace("10MiB", "9.9MiB"),
        UPLOAD.replace("5:50000 <> 203.0.113.9:443 tcp", "5:50001 <> 203.0.113.9:443 tcp"),
        UPLOAD.replace("10.0.0.5", "10.0.9.5"),
    ] {
        check_with::<WebShare>(MEASURED, &text, expect![[""]]);
    }
}
