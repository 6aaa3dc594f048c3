//! DICTATTACK by example: each service, each rule, and the harmless cases that look alike.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

#[test]
fn every_service_has_its_submethod() {
    for service in SERVICES {
        assert!(
            DictionaryAttack::META.submethod(service.submethod).is_some(),
            "{}",
            service.submethod
        );
    }
    assert_eq!(DictionaryAttack::META.submethods.len(), SERVICES.len());
}

/// The shipped incident: every try is one session with one refused set-up, beside a session of ordinary work.
#[test]
fn samba_reports_once() {
    check::<DictionaryAttack>(
        "@0s 10.0.0.5 <> 10.0.0.9:445 tcp APRSF 44000/89 206000/165 accepted=1 dur=5s
         @0s tx smb/login every 117ms x195 10.0.0.5 <> 10.0.0.9:445 outcome=refused dur=40ms
         @0s every 117ms x195 10.0.0.5 <> 10.0.0.9:445 tcp APRSF 981~2%/5 828/6 refused=1 dur=50ms",
        expect![[r#"
            DICTATTACK.SambaProtocol 100 % after 2 s, 2 findings, 1 targets: 195 Samba log-ins in 22.7 s from 10.0.0.5 to 10.0.0.9:445, all refused
              attempts >= attempts_min and spread <= spread_max; silent at attempts 20, spread 0.25; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp and dst port 445
        "#]],
    );
}

#[test]
fn samba_below_the_limit() {
    check::<DictionaryAttack>(
        "@0s tx smb/login every 117ms x19 10.0.0.5 <> 10.0.0.9:445 outcome=refused
         @0s every 117ms x19 10.0.0.5 <> 10.0.0.9:445 tcp APRSF 981/5 828/6 refused=1 dur=50ms",
        expect![[""]],
    );
}

/// Two Windows set-ups: five failed and two good log-ons; then a day of work in many sessions.
#[test]
fn samba_people_mistype() {
    check::<DictionaryAttack>(
        "tx smb/login every 4s x5 10.0.0.5 <> 10.0.0.9:445 outcome=refused
         tx smb/login every 4s x2 10.0.0.5 <> 10.0.0.9:445 outcome=accepted
         tx smb/login every 4s x5 10.0.0.5 <> 10.0.0.9:445 outcome=refused
         tx smb/login every 9s x200 10.0.0.5 <> 10.0.0.9:445 outcome=accepted
         every 9s x200 10.0.0.5 <> 10.0.0.9:445 tcp APRSF 9000~80%/50 90000~80%/60 accepted=1",
        expect![[""]],
    );
}

/// Many tries in one session, the sizes say nothing; the last one is accepted.
#[test]
fn a_guess_that_succeeds() {
    check::<DictionaryAttack>(
        "tx imap/login every 1s x40 198.51.100.7 <> 10.0.0.9:143 outcome=refused
         tx imap/login 198.51.100.7 <> 10.0.0.9:143 outcome=accepted dur=1s",
        expect![[r#"
            DICTATTACK.IMAPProtocol 90 % after 19 s, 2 findings, 1 targets: 40 IMAP log-ins in 41 s from 198.51.100.7 to 10.0.0.9:143, 40 refused, then 1 accepted: the guess succeeded
              refused >= attempts_min; silent at refused 20; src ip 198.51.100.7 and dst ip 10.0.0.9 and proto tcp and dst port 143
        "#]],
    );
}

#[test]
fn mail_and_screens() {
    for (protocol, port) in [("smtp", 587), ("pop3", 110), ("vnc", 5900), ("imap", 143)] {
        let text = |count: u32| {
            format!("tx {protocol}/login every 2s x{count} 10.0.0.5 <> 10.0.0.9:{port} outcome=refused")
        };
        check::<DictionaryAttack>(&text(19), expect![[""]]);
    }
    check::<DictionaryAttack>(
        "@0s tx smtp/login every 2s x25 10.0.0.5 <> 10.0.0.6:587 outcome=refused
         @100s tx pop3/login every 2s x25 10.0.0.5 <> 10.0.0.7:110 outcome=refused
         @200s tx vnc/login every 2s x25 10.0.0.5 <> 10.0.0.8:5900 outcome=refused",
        expect![[r#"
            DICTATTACK.SMTPProtocol 63 % after 38 s, 2 findings, 1 targets: 25 SMTP log-ins in 48 s from 10.0.0.5 to 10.0.0.6:587, all refused
              refused >= attempts_min; silent at refused 20; src ip 10.0.0.5 and dst ip 10.0.0.6 and proto tcp and dst port 587
            DICTATTACK.POP3Protocol 63 % after 138 s, 2 findings, 1 targets: 25 POP3 log-ins in 48 s from 10.0.0.5 to 10.0.0.7:110, all refused
              refused >= attempts_min; silent at refused 20; src ip 10.0.0.5 and dst ip 10.0.0.7 and proto tcp and dst port 110
            DICTATTACK.VNCProtocol 63 % after 238 s, 2 findings, 1 targets: 25 VNC log-ins in 48 s from 10.0.0.5 to 10.0.0.8:5900, all refused
              refused >= attempts_min; silent at refused 20; src ip 10.0.0.5 and dst ip 10.0.0.8 and proto tcp and dst port 5900
        "#]],
    );
}

/// One size of mail, many times: no log-in seen in the clear, and too large for a try where nothing is seen.
#[test]
fn newsletters_are_no_tries() {
    check::<DictionaryAttack>(
        "every 1s x100 10.0.0.5 <> 10.0.0.9:25 tcp APRSF 1500/14 900/12 app=smtp
         every 1s x100 10.0.0.5 <> 10.0.0.9:25 tcp APRSF 5500/14 900/12",
        expect![[""]],
    );
}

#[test]
fn ftp_and_telnet_need_fewer() {
    check::<DictionaryAttack>(
        "@0s tx ftp/login every 2s x30 10.0.0.5 <> 10.0.0.9:21 outcome=refused
         @200s tx telnet/login every 3s x10 10.0.0.5 <> 10.0.0.8:23 outcome=refused",
        expect![[r#"
            DICTATTACK.FTPProtocol 99 % after 18 s, 2 findings, 1 targets: 30 FTP log-ins in 58 s from 10.0.0.5 to 10.0.0.9:21, all refused
              refused >= attempts_min; silent at refused 10; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp and dst port 21
            DICTATTACK.TelnetProtocol 50 % after 227 s, 2 findings, 1 targets: 10 telnet log-ins in 27 s from 10.0.0.5 to 10.0.0.8:23, all refused
              refused >= attempts_min; silent at refused 10; src ip 10.0.0.5 and dst ip 10.0.0.8 and proto tcp and dst port 23
        "#]],
    );
    check::<DictionaryAttack>(
        "@0s tx ftp/login every 2s x9 10.0.0.5 <> 10.0.0.9:21 outcome=refused
         @200s tx telnet/login every 3s x9 10.0.0.5 <> 10.0.0.8:23 outcome=refused",
        expect![[""]],
    );
}

#[test]
fn anonymous_ftp_is_welcome() {
    check::<DictionaryAttack>(
        "tx ftp/login every 2s x50 10.0.0.5 <> 10.0.0.9:21 outcome=accepted
         every 2s x50 10.0.0.5 <> 10.0.0.9:21 tcp APRSF 900/12 1200/12 app=ftp",
        expect![[""]],
    );
}

/// Encrypted: sessions of one small size, as plain flow records.
#[test]
fn ssh_and_rdp_by_shape() {
    check::<DictionaryAttack>(
        "@0s every 3s x40 10.0.0.5 <> 10.0.0.9:22 tcp APRSF 1973~3%/16 3171/25 dur=2s
         @300s every 3s x40 10.0.0.5 <> 10.0.0.8:3389 tcp APRSF 1824~3%/12 1973/7 dur=2s",
        expect![[r#"
            DICTATTACK.SSHProtocol 90 % after 59 s, 2 findings, 1 targets: 40 SSH log-ins in 119 s from 10.0.0.5 to 10.0.0.9:22, verdicts not visible, sessions alike
              attempts >= attempts_min and spread <= spread_max; silent at attempts 20, spread 0.25; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp and dst port 22
            DICTATTACK.RDPProtocol 90 % after 359 s, 2 findings, 1 targets: 40 RDP log-ins in 119 s from 10.0.0.5 to 10.0.0.8:3389, verdicts not visible, sessions alike
              attempts >= attempts_min and spread <= spread_max; silent at attempts 20, spread 0.25; src ip 10.0.0.5 and dst ip 10.0.0.8 and proto tcp and dst port 3389
        "#]],
    );
    check::<DictionaryAttack>(
        "@0s every 3s x19 10.0.0.5 <> 10.0.0.9:22 tcp APRSF 1973/16 3171/25 dur=2s
         @300s every 3s x19 10.0.0.5 <> 10.0.0.8:3389 tcp APRSF 1824/12 1973/7 dur=2s",
        expect![[""]],
    );
}

/// Deployment by key (larger sessions, or a verdict), health checks (smaller), sessions that differ.
#[test]
fn automation_over_ssh_and_rdp() {
    check::<DictionaryAttack>(
        "@0s every 3s x40 10.0.0.5 <> 10.0.0.9:22 tcp APRSF 5400~20%/30 6800/30 dur=2s
         @0s tx ssh/login every 3s x40 10.0.0.5 <> 10.0.0.7:22 outcome=accepted
         @0s every 3s x40 10.0.0.5 <> 10.0.0.7:22 tcp APRSF 3400/25 3800/28 accepted=1 app=ssh dur=2s
         @0s every 3s x40 10.0.0.5 <> 10.0.0.8:3389 tcp APRSF 420/6 300/5 dur=1s
         @300s every 3s x40 10.0.0.5 <> 10.0.0.6:993 tcp APRSF 1500~60%/16 4000~90%/16 dur=1s",
        expect![[""]],
    );
}

/// A clearer spread limit: tolerance -1 wants equal sizes.
#[test]
fn tolerance_shifts_the_spread() {
    let text = "every 3s x40 10.0.0.5 <> 10.0.0.9:22 tcp APRSF 1973~3%/16 3171/25 dur=2s";
    check_with::<DictionaryAttack>(r#"{"tolerance": -1.0}"#, text, expect![[""]]);
}

/// Web log-ins count by status only; polling a page with a good password or none never does.
#[test]
fn http_by_verdict_only() {
    check::<DictionaryAttack>(
        "tx http/login every 500ms x25 10.0.0.5 <> 10.0.0.9:80 outcome=refused http.status=401",
        expect![[r#"
            DICTATTACK.HTTPProtocol 63 % after 9 s, 2 findings, 1 targets: 25 HTTP log-ins in 12 s from 10.0.0.5 to 10.0.0.9:80, all refused
              refused >= attempts_min; silent at refused 20; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp and dst port 80
        "#]],
    );
    check::<DictionaryAttack>(
        "@0s tx http/login every 500ms x19 10.0.0.5 <> 10.0.0.9:80 outcome=refused http.status=401
         @60s tx http/login every 1s x500 10.0.0.5 <> 10.0.0.9:80 outcome=accepted http.status=200
         @0s every 1s x500 10.0.0.5 <> 10.0.0.9:443 tcp APRSF 1200/12 3000/12 app=tls
         @0s tx http/login every 1s x100 10.0.0.6 <> 10.0.0.9:8080 outcome={refused,accepted}",
        expect![[""]],
    );
}

/// One password on many hosts, one try each.
#[test]
fn spraying() {
    check::<DictionaryAttack>(
        "tx smb/login every 20s x30 10.0.0.5 <> 10.0.1.{1..30}:445 outcome=refused",
        expect![[r#"
            DICTATTACK.SambaProtocol 90 % after 280 s, 3 findings, 30 targets: 30 Samba log-ins in 9.67 min from 10.0.0.5 to 30 targets, all refused
              targets >= spray_targets_min; silent at targets 15; src ip 10.0.0.5 and proto tcp and app smb
        "#]],
    );
    check::<DictionaryAttack>(
        "tx smb/login every 20s x30 10.0.0.5 <> 10.0.1.{1..14}:445 outcome=refused",
        expect![[""]],
    );
}
