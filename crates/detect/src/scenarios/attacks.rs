//! Variants of attacks, slower, wider or more disguised than the recorded ones: they must be told.

use super::told;

#[test]
fn ssh_guessing_in_several_ways() {
    // Each 25 s; from five sources; one password on 30 hosts; with success at the end.
    told(
        "tx ssh/login every 25s x60 203.0.113.2 <> 10.0.0.9:22 outcome=refused ssh.attempts=1 dur=3s",
        &["SSHDICT.General 203.0.113.2: no success seen"],
    );
    told(
        "every 25s x60 203.0.113.2 <> 10.0.0.9:22 tcp APRSF 2025~3%/17 3171~2%/25 dur=3s",
        &["SSHDICT.General 203.0.113.2"],
    );
    told(
        "every 15s x75 203.0.113.{1..5} <> 10.0.0.9:22 tcp APRSF 2025~3%/17 3171~2%/25 dur=3s",
        &["SSHDICT.General 203.0.113.1: 5 sources"],
    );
    told(
        "tx ssh/login every 7s x30 203.0.113.2 <> 10.0.0.{1..30}:22 outcome=refused ssh.attempts=1",
        &[
            "SSHDICT.General 203.0.113.2: 30 targets",
            "DICTATTACK.SSHProtocol 203.0.113.2: 30 targets",
        ],
    );
    told(
        "tx ssh/login every 2s x40 203.0.113.2 <> 10.0.0.9:22 outcome=refused ssh.attempts=1 dur=1s
         tx ssh/login 203.0.113.2 <> 10.0.0.9:22 outcome=accepted dur=1s",
        &[
            "SSHDICT.General 203.0.113.2: a session that worked followed",
            "DICTATTACK.SSHProtocol 203.0.113.2: the guess succeeded",
        ],
    );
}

#[test]
fn guessing_of_shares() {
    // Several tries in each connection; slow; one try at 30 hosts.
    told(
        "@0s tx smb/login every 200ms x60 10.0.0.5 <> 10.0.0.9:445 outcome=refused
         @0s every 2s x6 10.0.0.5 <> 10.0.0.9:445 tcp APSF 6000~30%/50 5000~30%/50 refused=10 app=smb dur=2s",
        &["DICTATTACK.SambaProtocol 10.0.0.5: 60 Samba log-ins"],
    );
    told(
        "tx smb/login every 8s x40 10.0.0.5 <> 10.0.0.9:445 outcome=refused",
        &["DICTATTACK.SambaProtocol 10.0.0.5"],
    );
    told(
        "tx smb/login every 1s x30 10.0.0.5 <> 10.0.0.{101..130}:445 outcome=refused",
        &["DICTATTACK.SambaProtocol 10.0.0.5: 30 targets"],
    );
}

#[test]
fn guessing_of_desktops() {
    told(
        "every 4s x40 10.0.0.5 <> 10.0.0.9:3389 tcp APRSF 1900~3%/14 1973~2%/10 app=tls dur=2s",
        &["RDPDICT.General 10.0.0.5", "DICTATTACK.RDPProtocol 10.0.0.5"],
    );
    told(
        "every 60s x30 10.0.0.5 <> 10.0.0.9:3389 tcp APRSF 1900~3%/14 1973~2%/10 app=rdp dur=2s",
        &["RDPDICT.General 10.0.0.5"],
    );
}

#[test]
fn file_transfer_log_ins_in_parallel() {
    told(
        "@0s tx ftp/login every 3s x20 10.0.0.5 <> 10.0.0.9:21 outcome=refused dur=2s
         @1s tx ftp/login every 3s x20 10.0.0.5 <> 10.0.0.9:21 outcome=refused dur=2s
         @2s tx ftp/login every 3s x20 10.0.0.5 <> 10.0.0.9:21 outcome=refused dur=2s",
        &["DICTATTACK.FTPProtocol 10.0.0.5: 60 FTP log-ins"],
    );
}

#[test]
fn polite_and_hasty_port_scans() {
    // One probe each 400 ms, and thousands at once; ports that refuse, and some that are open.
    told(
        "every 400ms x1000 10.0.0.5 <> 10.0.0.9:{1..1000} tcp S/RA",
        &["SCANS.TCPSYN 10.0.0.5: vertical"],
    );
    told(
        "every 1ms x1000 10.0.0.5 > 10.0.0.9:{1..1000} tcp S
         @0s every 100ms x10 10.0.0.5 <> 10.0.0.9:{2001..2010} tcp SR/SA",
        &["SCANS.TCPSYN 10.0.0.5: vertical"],
    );
    told(
        "every 5ms x1000 10.0.0.5 <> 10.0.0.9:{1..1000} tcp S/RA 120/2 80/2
         @0s every 100ms x10 10.0.0.5 <> 10.0.0.9:{2001..2010} tcp SAR/SA",
        &["SCANS.TCPSYN 10.0.0.5: vertical"],
    );
}

/// One port of a large network; one in twenty answers.
#[test]
fn a_fast_sweep_of_a_large_network() {
    told(
        "@0s every 1ms x19000 203.0.113.5 > 10.7.{0..250}.{1..249}:443 tcp S
         @0s every 20ms x950 203.0.113.5 <> 10.8.{0..250}.{1..249}:443 tcp SR/SA",
        &["SCANS.TCPSYN 203.0.113.5: horizontal"],
    );
}

#[test]
fn datagram_scans_with_few_errors() {
    told(
        "@0s every 500ms x200 10.0.0.5 > 10.0.0.9:{1..200} udp 28/1
         @0s every 5s x20 10.0.0.5 > 10.0.0.9:{201..220} udp 28/1 icmperr=3/3",
        &["SCANS.UDP 10.0.0.5: vertical"],
    );
}

#[test]
fn scans_in_the_new_protocol() {
    told(
        "every 10ms x200 2001:db8::5 > [2001:db8:1::9]:{1..200} tcp S",
        &["SCANS.TCPSYN 2001:db8::5: vertical"],
    );
    told(
        "every 10ms x200 2001:db8::5 > [2001:db8:1::{100..299}]:22 tcp S",
        &["SCANS.TCPSYN 2001:db8::5: horizontal"],
    );
}

/// A protecting gateway completes every handshake: all ports of one host seem open.
#[test]
fn scans_through_a_gateway_that_answers_everything() {
    told(
        "every 10ms x1000 203.0.113.5 <> 10.0.0.9:{1..1000} tcp SR/SA 100/2 44/1",
        &["SCANS.TCPSYN 203.0.113.5: vertical"],
    );
}

#[test]
fn slow_questions_for_hardware_addresses() {
    told(
        "every 1s x250 10.0.0.5 > 10.0.0.{1..250} arp 28/1",
        &["SCANS.ARP 10.0.0.5"],
    );
}

#[test]
fn a_finishing_scan_half_answered() {
    told(
        "every 10ms x20 10.0.0.5 > 10.0.0.9:{1..20} tcp F
         every 10ms x20 10.0.0.5 <> 10.0.0.9:{21..40} tcp F/RA",
        &["SCANS.TCPFIN 10.0.0.5: 40 ports"],
    );
}

#[test]
fn half_open_floods() {
    told(
        "every 2ms x4000 10.{1..97}.{1..200}.9:{1024..60000} > 10.0.0.80:{80,443} tcp S 40/1",
        &["DOS.SYNFlood 10.0.0.80: 2 ports", "DOS.Volumetric 10.0.0.80"],
    );
    // The server answers what it can.
    told(
        "every 2ms x4000 203.{1..97}.{1..200}.9:{1024..60000} <> 10.0.0.80:{80,443} tcp S/SA 40/1 220/5",
        &["DOS.SYNFlood 10.0.0.80"],
    );
}

#[test]
fn a_flood_of_large_echo_requests() {
    told(
        "10.0.0.5 <> 10.0.0.9 icmp 56MiB/40000 56MiB/40000 icmp=8/0 icmppayload=1472 dur=20s",
        &["ICMPANOM.PingFlood 10.0.0.5", "ICMPANOM.LargePayload 10.0.0.5"],
    );
}

#[test]
fn amplified_answers_in_fragments() {
    told(
        "@0s every 10ms x800 198.51.100.{1..50}:53 > 10.0.0.9:33000 udp 1500/1
         @0s every 10ms x500 198.51.100.{1..50}:0 > 10.0.0.9:0 udp 3000/2",
        &["DOS.Volumetric 10.0.0.9"],
    );
}

/// The gateway has been seen; two forged answers a second apart, then quiet.
#[test]
fn a_gateway_claimed_in_two_packets() {
    let mut text = String::new();
    for nth in 1..6 {
        text += &format!(
            "@{nth}s tx arp/query 10.0.0.1{nth} > 10.0.0.1 arp.op=request arp.sender_mac=02:00:00:00:01:0{nth} arp.sender_ip=10.0.0.1{nth} arp.target_ip=10.0.0.1\n"
        );
    }
    let reply = |at: u32, mac: &str| {
        format!(
            "@{at}s tx arp/query 10.0.0.11 > 10.0.0.1 arp.op=reply arp.sender_mac={mac} arp.sender_ip=10.0.0.1 arp.target_ip=10.0.0.11\n"
        )
    };
    text += &reply(6, "02:00:00:00:00:01");
    text += &reply(60, "02:00:00:00:00:66");
    text += &reply(61, "02:00:00:00:00:66");
    told(&text, &["ARPSPOOF.Gateway 02:00:00:00:00:66"]);
}

/// Victim and gateway are lied to, both in the name of the other: one attack.
#[test]
fn one_spoofer_is_one_event() {
    let arp = |at: u32, op: &str, mac: &str, ip: &str, to: &str| {
        format!(
            "@{at}s tx arp/query {ip} > {to} arp.op={op} arp.sender_mac={mac} arp.sender_ip={ip} arp.target_ip={to}\n"
        )
    };
    let mut text = arp(0, "request", "02:00:00:00:00:21", "10.0.0.21", "10.0.0.9")
        + &arp(1, "request", "02:00:00:00:00:01", "10.0.0.1", "10.0.0.21")
        + &arp(2, "request", "02:00:00:00:00:66", "10.0.0.66", "10.0.0.1");
    for nth in 0..10 {
        text += &arp(
            20 + 2 * nth,
            "reply",
            "02:00:00:00:00:66",
            "10.0.0.1",
            "10.0.0.21",
        );
        text += &arp(
            20 + 2 * nth,
            "reply",
            "02:00:00:00:00:66",
            "10.0.0.21",
            "10.0.0.1",
        );
    }
    told(&text, &["ARPSPOOF.Gateway 02:00:00:00:00:66"]);
}
