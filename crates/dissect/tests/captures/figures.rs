//! What the captures must give: counts that tshark gives for the same file, by the filters named beside them.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use weir_model::{Kind, Protocol, Transaction, Value};

use crate::replay;

/// Counts of transactions of one protocol and kind, by outcome and the values of these fields.
fn check(capture: &str, protocol: Protocol, kind: Kind, fields: &[&str], expected: &Expect) {
    let Some(path) = replay::find(capture) else { return };
    let mut counts = BTreeMap::<String, usize>::new();
    let of_kind = |transaction: &&Transaction| transaction.protocol == protocol && transaction.kind == kind;
    for transaction in replay::transactions(&path).iter().filter(of_kind) {
        let mut line = transaction.outcome.word().unwrap_or("unknown").to_owned();
        for field in fields {
            line.push(' ');
            line.push_str(&show(transaction.get(field)));
        }
        *counts.entry(line).or_default() += 1;
    }
    let lines: Vec<_> = counts
        .iter()
        .map(|(line, count)| format!("{count} {line}\n"))
        .collect();
    expected.assert_eq(&lines.concat());
}

fn show(value: Option<&Value>) -> String {
    match value {
        None => "-".to_owned(),
        Some(Value::Text(text)) => text.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Texts(texts)) => texts.join("|"),
        Some(other) => format!("{other:?}"),
    }
}

const LATERAL: &str = "attack/lateral-elcabezzonn/elcabezzonn+Pcaps";

/// Every transaction of the file named by `SHOW`, for looking at by eye: `SHOW=x.pcap cargo test show -- --ignored`.
#[test]
#[ignore = "a viewer, not a check"]
fn show_capture() {
    let Some(path) = std::env::var("SHOW").ok().and_then(|name| replay::find(&name)) else {
        return;
    };
    for transaction in replay::transactions(&path) {
        let verdict = transaction.outcome.word().unwrap_or("unknown");
        let protocol = transaction.protocol.word();
        eprint!(
            "{:?} {protocol} {} {verdict}",
            transaction.flow,
            transaction.kind.word()
        );
        for (field, value) in &transaction.fields {
            eprint!(" {}={}", field.name, show(Some(value)));
        }
        eprintln!();
    }
}

/// Every capture there is: no dissector may panic. Slow, so not part of the usual run.
#[test]
#[ignore = "replays some hundred captures"]
fn no_capture_panics() {
    for path in replay::all() {
        eprintln!("{}: {}", path.display(), replay::transactions(&path).len());
    }
}

/// tshark: `smb2.cmd == 1 && smb2.flags.response == 1 && smb2.nt_status != 0xc0000016`.
#[test]
fn smb_on_windows_10() {
    check(
        "attack/policy-cleartext/packetrat+packethunting/smb-on-windows-10.pcap",
        Protocol::Smb,
        Kind::Login,
        &["smb.status", "smb.user", "smb.version"],
        &expect![[r#"
            1 accepted 00000000  1
            1 accepted 00000000 Willi Wireshark 3.1.1
            1 refused C000006D Tim Tester 3.1.1
            4 refused C000006D user 3.1.1
        "#]],
    );
}

#[test]
fn smb_psexec() {
    let capture = &format!("{LATERAL}/psexec_cmd.pcap");
    check(
        capture,
        Protocol::Smb,
        Kind::Access,
        &["smb.share", "smb.user"],
        &expect![[r#"
            2 accepted \\192.168.1.195\ADMIN$ choppydog
            2 accepted \\192.168.1.195\IPC$ choppydog
        "#]],
    );
    check(
        capture,
        Protocol::Smb,
        Kind::File,
        &["smb.file", "smb.action", "smb.write_bytes"],
        &expect![[r#"
            2 accepted PSEXESVC write 19044
            2 accepted PSEXESVC.exe create 145568
            2 accepted PSEXESVC.exe delete -
        "#]],
    );
}

/// By eye in tshark: 11 connections, 2 to 4 requests behind "none" each, every answer 56 bytes long; no session.
/// The controls are sessions of people.
#[test]
fn ssh_guessing_and_sessions() {
    let zeek = "conf/zeek/Traces/zeek+zeek/testing/btest/Traces/ssh/sshguess.pcap";
    let guessing = "attack/bruteforce-ssh";
    let hydra = &format!("{guessing}/Trace-Share+Dataset/SSH-Hydra/hydra-1_tasks.pcap");
    let ncrack = &format!("{guessing}/Trace-Share+Dataset/SSH-Ncrack/ncrack-paranoid.pcap");
    let found = &format!("{guessing}/cisco+joy/test/pcaps/kali-password-attack_hydra.pcap");
    let normal = &format!("{guessing}/cisco+joy/test/pcaps/kali-normal-ssh.pcap");
    let ndpi = "conf/ndpi/ntop+nDPI/tests/cfgs/default/pcap/ssh.pcap";
    let login =
        |capture, expected: Expect| check(capture, Protocol::Ssh, Kind::Login, &["ssh.attempts"], &expected);
    login(
        zeek,
        expect![[r#"
        7 refused 2
        2 refused 3
        2 refused 4
    "#]],
    );
    login(
        hydra,
        expect![[r#"
        60 refused 6
        1 unknown -
    "#]],
    );
    login(
        ncrack,
        expect![[r#"
        110 refused 1
    "#]],
    );
    login(
        found,
        expect![[r#"
        1 accepted 1
        5 refused 1
        1 unknown -
    "#]],
    );
    login(
        normal,
        expect![[r#"
        1 accepted 1
    "#]],
    );
    login(
        ndpi,
        expect![[r#"
        1 accepted 1
        1 accepted 3
    "#]],
    );
}

/// HASSH as in the `hasshServer` and `hassh` of Suricata's test for the same capture.
#[test]
fn ssh_hassh() {
    check(
        "conf/suricata-verify/OISF+suricata-verify/tests/ssh-hassh/input.pcap",
        Protocol::Ssh,
        Kind::Handshake,
        &["ssh.hassh", "ssh.hassh_server"],
        &expect![[r#"
            1 unknown 2dd6531c7e89d3c925db9214711be76a 6832f1ce43d4397c2c0a3e2f8c94334e
        "#]],
    );
}

/// tshark: `ftp.response.code == 530` gives 30, all to 192.168.56.1; the others by eye.
#[test]
fn ftp_logins_and_files() {
    let zeek = "conf/zeek/Traces/zeek+zeek/testing/btest/Traces/ftp/bruteforce.pcap";
    let download = "attack/policy-cleartext/packetrat+packethunting/OFAC-ftp-download.pcap";
    check(
        zeek,
        Protocol::Ftp,
        Kind::Login,
        &["ftp.user", "ftp.code"],
        &expect![[r#"
            30 refused bro 530
        "#]],
    );
    check(
        download,
        Protocol::Ftp,
        Kind::Login,
        &["ftp.user"],
        &expect![[r#"
            1 accepted anonymous
        "#]],
    );
    check(
        download,
        Protocol::Ftp,
        Kind::File,
        &["ftp.command", "ftp.file", "ftp.code"],
        &expect![[r#"
            1 accepted RETR /fac_delim/sdn.csv 226
        "#]],
    );
}

/// tshark: `kerberos.msg_type == 13` gives 13 in the first; `kerberos.error_code == 6` the unknown ones in the second.
#[test]
fn kerberos_tickets_and_guessing() {
    check(
        "conf/ndpi/ntop+nDPI/tests/cfgs/default/pcap/kerberos-login.pcap",
        Protocol::Kerberos,
        Kind::Ticket,
        &["krb.request", "krb.cipher"],
        &expect![[r#"
            13 accepted TGS rc4-hmac
        "#]],
    );
    check(
        "attack/lateral-pcap-attack/sbousseaden+PCAP-ATTACK/CredAccess/CA_kerbrute_passwordspray_kerberos_AS-REQ.pcapng",
        Protocol::Kerberos,
        Kind::Login,
        &["krb.client", "krb.error_name"],
        &expect![[r#"
            1 accepted normal -
            1 refused HD01 KDC_ERR_C_PRINCIPAL_UNKNOWN
            1 refused HD02 KDC_ERR_C_PRINCIPAL_UNKNOWN
            1 refused admin KDC_ERR_C_PRINCIPAL_UNKNOWN
            1 refused admin02 KDC_ERR_C_PRINCIPAL_UNKNOWN
            1 refused administrator KDC_ERR_PREAUTH_FAILED
            1 refused backdoor KDC_ERR_PREAUTH_FAILED
            1 refused bob KDC_ERR_C_PRINCIPAL_UNKNOWN
            1 refused svc-01 KDC_ERR_C_PRINCIPAL_UNKNOWN
            1 refused svc-02 KDC_ERR_C_PRINCIPAL_UNKNOWN
        "#]],
    );
}

/// tshark: `smtp.response.code == 235`, `imap.response.status`, `pop.response.indicator`, `telnet.data`.
#[test]
fn mail_and_telnet_logins() {
    let ndpi = "conf/ndpi/ntop+nDPI/tests/cfgs/default/pcap";
    let cleartext = "attack/policy-cleartext/packetrat+packethunting";
    let login = |capture: &str, protocol, user, expected: Expect| {
        check(capture, protocol, Kind::Login, &[user], &expected);
    };
    let mails = &format!("{cleartext}/SMTP-Emails-SSNs-CreditCards.pcap");
    login(
        mails,
        Protocol::Smtp,
        "smtp.user",
        expect![[r#"
        2 accepted dave@infosecs.cf
    "#]],
    );
    check(
        mails,
        Protocol::Smtp,
        Kind::Mail,
        &["smtp.to", "smtp.subject"],
        &expect![[r#"
            1 accepted sean@infosecs.cf Breach follow-up
            1 accepted sean@infosecs.cf Order info
        "#]],
    );
    login(
        &format!("{ndpi}/imap.pcap"),
        Protocol::Imap,
        "imap.user",
        expect![[r#"
        1 accepted samir
    "#]],
    );
    login(
        &format!("{ndpi}/pop3.pcap"),
        Protocol::Pop3,
        "pop3.user",
        expect![[r#"
        1 accepted cicciopernacchio@mail.com
        2 accepted digitalinvestigator@networksims.com
        1 refused digitalinvestigator@networksims.com
    "#]],
    );
    login(
        &format!("{cleartext}/Telnet-login.pcap"),
        Protocol::Telnet,
        "telnet.user",
        expect![[r#"
            1 accepted test
        "#]],
    );
}

/// tshark: `rdp.rt_cookie` and `rdp.negReq.selectedProtocol`.
#[test]
fn rdp_connection_requests() {
    check(
        "attack/bruteforce-rdp/initconf+RDP-bruteforce/tests/Traces/RDP-sHost_sAccount_mPasswords.pcap",
        Protocol::Rdp,
        Kind::Handshake,
        &["rdp.cookie", "rdp.protocol"],
        &expect![[r#"
            1 accepted - credssp
            312 accepted hello credssp
            3 unknown hello -
        "#]],
    );
    check(
        "conf/ndpi/ntop+nDPI/tests/cfgs/default/pcap/rdp3.pcap",
        Protocol::Rdp,
        Kind::Handshake,
        &["rdp.cookie", "rdp.protocol", "rdp.client_name"],
        &expect![[r#"
            1 accepted Administr standard SEPTU
        "#]],
    );
}

/// tshark: `iec60870_104` by type of frame, `iec60870_asdu.typeid` and `iec60870_asdu.causetx`; two data units there are cut
/// short and are not read here.
#[test]
fn iec104_with_damage() {
    check(
        "ics/iti/ITI+ICS-Security-Tools/pcaps/IEC60870-5-104/TestDissectIec104.pcap",
        Protocol::Iec104,
        Kind::Request,
        &["iec104.frame", "iec104.type", "iec104.cause"],
        &expect![[r#"
            1 refused I 45 6
            1 refused I 45 7
            1 refused I 46 7
            1 unknown I 1 20
            1 unknown I 100 10
            1 unknown I 100 6
            1 unknown I 100 7
            1 unknown I 103 6
            1 unknown I 103 7
            1 unknown I 3 20
            1 unknown I 30 3
            3 unknown I 45 6
            2 unknown I 45 7
            1 unknown I 46 6
            2 unknown I 70 4
            6 unknown STARTDT act - -
            6 unknown STARTDT con - -
            7 unknown TESTFR act - -
            7 unknown TESTFR con - -
        "#]],
    );
}

/// tshark: `sip` by `sip.Method`, `sip.Status-Code` and `sip.CSeq.method`.
#[test]
fn sip_scanner_and_telephones() {
    check(
        "conf/ipfixprobe/CESNET+ipfixprobe/tests/functional/inputs/sip.pcap",
        Protocol::Sip,
        Kind::Request,
        &["sip.method", "sip.status", "sip.user_agent"],
        &expect![[r#"
            1 accepted REGISTER 200 friendly-scanner
            8 refused REGISTER 401 friendly-scanner
            8 unknown INVITE - friendly-scanner
            1 unknown INVITE 401 friendly-scanner
            6 unknown REGISTER 401 friendly-scanner
        "#]],
    );
}
