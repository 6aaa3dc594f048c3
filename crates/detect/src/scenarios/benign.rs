//! Ordinary life of networks: nothing may be said.

use super::{quiet, told};

#[test]
fn a_busy_resolver_meets_dead_servers() {
    quiet(
        "every 20ms x9000 10.0.0.53 <> 198.51.{1..97}.{1..250}:53 udp 70/1 180/1
         @0s every 200ms x900 10.0.0.53 > 203.0.{1..89}.{1..250}:53 udp 140/2
         @0s every 1s x180 10.0.0.53 <> 198.51.{1..97}.{1..250}:53 tcp APSF 400/6 1500/6
         @0s every 4s x45 10.0.0.53 > 203.0.{1..89}.{1..250}:53 tcp S 180/3
         @0s every 10ms x18000 10.0.{1,2,3}.{1..200} <> 10.0.0.53:53 udp 70/1 180/1",
    );
}

#[test]
fn a_mail_server_meets_dead_exchangers() {
    quiet(
        "every 2s x300 10.0.0.25 <> 198.51.100.{1..250}:25 tcp APRSF 6000~60%/20 1500/16 app=smtp dur=3s
         @0s every 9s x66 10.0.0.25 > 203.0.113.{1..66}:25 tcp S 300/5 dur=60s
         @0s every 1s x600 198.51.100.{1..250} <> 10.0.0.25:25 tcp APRSF 6000~60%/20 1500/16 app=smtp dur=2s",
    );
}

/// The dead ones end last, when everything that worked is long over.
#[test]
fn a_browser_meets_dead_advertisers() {
    quiet(
        "every 100ms x200 10.0.0.5 <> 198.51.100.{1..200}:443 tcp APSF 3000/20 40000/40 dur=4s
         @3s every 200ms x40 10.0.0.5 > 203.0.113.{1..40}:443 tcp S 420/7 dur=127s
         @3s every 200ms x45 10.0.0.5 > 203.0.113.{1..45}:443 udp 3840/3 dur=6s",
    );
}

#[test]
fn a_crawler_meets_dead_sites() {
    quiet(
        "every 20ms x9000 10.0.0.7 <> 198.{1..9}.{1..97}.{1..250}:{443,443,80} tcp APSF 1500/10 40000/40 dur=2s
         @0s every 200ms x900 10.0.0.7 > 203.{1..7}.{1..89}.{1..250}:{443,443,80} tcp S 180/3 dur=7s
         @0s every 300ms x600 10.0.0.7 <> 203.{1..7}.{1..89}.{1..250}:{443,80} tcp S/RA",
    );
}

/// Named for what it is, and for no scan.
#[test]
fn a_peer_to_peer_client() {
    told(
        "@0s every 1s x600 10.0.0.8 <> 203.{0..7}.{1..97}.{1..250}:{10240..60000} tcp APSF 9000~90%/60 90000~90%/90 dur=20s
         @0s every 300ms x2000 10.0.0.8 > 198.{0..7}.{1..97}.{1..250}:{10241..60000} tcp S 180/3 dur=7s
         @0s every 100ms x6000 10.0.0.8:6881 <> 192.{0..7}.{1..97}.{1..250}:{6881,51413,1024,20000,30000} udp 130/1 300/1
         @0s every 100ms x6000 10.0.0.8:6881 > 193.{0..7}.{1..97}.{1..250}:{6881,51413,1024,20000,30000} udp 130/1",
        &["BITTORRENT.General 10.0.0.8"],
    );
}

/// 300 hosts each minute for half an hour, one in ten is down.
#[test]
fn a_monitoring_server() {
    for probe in [
        "icmp 168/2 168/2 icmp=8/0",
        "udp 170/2 340/2",
        "tcp SAF 200/4 160/3",
    ] {
        let (kind, port) = match &probe[..3] {
            "icm" => ("icmp 168/2 icmp=8/0", ""),
            "udp" => ("udp 255/3", ":161"),
            _ => ("tcp S 180/3", ":22"),
        };
        quiet(&format!(
            "@0s every 200ms x9000 10.0.0.9 <> 10.{{1,2}}.{{1,2,3}}.{{1..50}}{port} {probe}
             @0s every 2s x900 10.0.0.9 > 10.2.9.{{1..30}}{port} {kind}"
        ));
    }
}

/// Agentless: one round over many hosts and a few ports each; most are there.
#[test]
fn an_inventory_tool() {
    quiet(
        "@0s every 50ms x1500 10.0.0.9 <> 10.1.{1..7}.{1..250}:{22,135,161,443,445,5985} tcp APSF 900/8 2000/8
         @0s every 200ms x300 10.0.0.9 <> 10.1.{1..7}.{1..250}:{22,135,5985} tcp S/RA
         @0s every 500ms x100 10.0.0.9 > 10.1.{1..7}.{1..250}:{22,135,5985} tcp S 180/3",
    );
}

/// 500 users behind one address.
#[test]
fn an_address_gateway() {
    told(
        "@0s every 10ms x30000 192.168.0.1 <> 198.{1..9}.{1..97}.{1..250}:{443,443,443,80,993,8443} tcp APSF 3000/20 40000~90%/40 dur=3s
         @0s every 150ms x2000 192.168.0.1 > 203.{1..9}.{1..97}.{1..250}:{443,443,80,993,25,5222,8080} tcp S 180/3 dur=7s
         @0s every 50ms x6000 192.168.0.1 <> 198.{1..9}.{1..97}.{1..250}:{443,53,123,3478} udp 900/3 4000/5
         @0s every 300ms x1000 192.168.0.1 > 203.{1..9}.{1..97}.{1..250}:{443,53,123,3478,50000,51000,52000} udp 120/1
         @0s every 1s x300 192.168.0.1 <> 198.51.100.{1..200} icmp 168/2 168/2 icmp=8/0
         @0s every 30s x10 192.168.0.1 > 203.0.113.{1..10} icmp 168/2 icmp=8/0",
        &["VOIP.General 192.168.0.1"],
    );
}

#[test]
fn health_checks_of_a_load_balancer() {
    quiet(
        "@0s every 100ms x9000 10.0.0.2 <> 10.0.1.{1..20}:{22,80,443,3389,993,445,21,25,143,110} tcp SAF 200/4 120/2
         @0s every 100ms x9000 10.0.0.3 <> 10.0.1.{1..20}:{22,80,443,3389,993,445,21,25,143,110} tcp SAR/SA 160/3 60/1
         @0s every 1s x900 10.0.0.2 > 10.0.1.99:80 tcp S 180/3
         @0s every 2s x450 10.0.0.4 <> 10.0.1.{1..20}:22 tcp SAF 420/6 1200/5
         @0s every 2s x450 10.0.0.4 <> 10.0.1.{1..20}:25 tcp APSF 420/6 500/5",
    );
}

#[test]
fn automation_by_keys() {
    quiet(
        "@0s every 1s x200 10.0.0.6 <> 10.1.1.{1..200}:22 tcp APSF 5400~20%/32 6900~20%/30 dur=4s
         @0s every 1s x200 10.0.0.7 <> 10.1.1.{1..200}:22 tcp APSF 3900~9%/26 3900~9%/24 dur=4s app=ssh accepted=1
         @0s tx ssh/login every 1s x200 10.0.0.7 <> 10.1.1.{1..200}:22 outcome=accepted ssh.attempts={1,2}
         @0s every 1s x200 10.0.0.10 <> 10.1.1.{1..200}:5985 tcp APSF 5400~20%/32 6900~20%/30 dur=4s",
    );
}

#[test]
fn backups_at_night() {
    quiet(
        "@0s every 10min x20 10.0.0.6 <> 10.0.0.99:{22,445,443} tcp APSF 300MiB/250000 4MiB/90000 dur=9min
         @0s every 10s x200 10.0.0.6 <> 10.0.0.98:22 tcp APSF 9000~90%/40 9000~50%/40 dur=4s",
    );
}

#[test]
fn a_build_server_downloads() {
    quiet(
        "@0s every 30s x90 10.0.0.6 <> 198.51.100.{1..9}:443 tcp APSF 2MiB/40000 90MiB/70000 dur=20s
         @0s every 1s x900 10.0.0.6 <> 198.51.100.{1..90}:443 tcp APSF 2000/14 30000~80%/30 dur=1s",
    );
}

#[test]
fn a_video_call_and_a_synchronisation() {
    told(
        "@0s 10.0.0.5:50000 <> 198.51.100.9:3478 udp 300MiB/300000 260MiB/280000 dur=60min
         @0s every 20s x4 10.0.0.5:50001 > 198.51.100.{9,10}:3478 udp 400/4
         @0s 10.0.0.6 <> 198.51.100.20:443 tcp APS 30MiB/24000 900KiB/12000 dur=5min
         @0s 10.0.0.7:30000 <> 198.51.100.30:27015 udp 9MiB/90000 60MiB/90000 dur=60min
         @0s every 100ms x200 10.0.0.7:30001 <> 198.51.{1..97}.{1..200}:{27015..27030} udp 53/1 300/2
         @0s every 1s x20 10.0.0.7:30001 > 198.51.{1..97}.{1..200}:{27015..27030} udp 53/1",
        &["VOIP.General 10.0.0.5"],
    );
}

#[test]
fn people_mistype_and_services_have_old_passwords() {
    for protocol in ["smb", "imap", "smtp", "ssh", "vnc", "http", "pop3"] {
        quiet(&format!(
            "@0s tx {protocol}/login every 5s x6 10.0.0.5 <> 10.0.0.9:1000 outcome=refused
             @40s tx {protocol}/login 10.0.0.5 <> 10.0.0.9:1000 outcome=accepted
             @1h tx {protocol}/login every 5s x6 10.0.0.5 <> 10.0.0.9:1000 outcome=refused"
        ));
    }
}

/// The same refusal every 30 s all day, from one host at one server.
#[test]
fn an_expired_password_is_no_dictionary() {
    for protocol in ["smb", "imap", "smtp", "pop3", "http", "ftp"] {
        quiet(&format!(
            "@0s tx {protocol}/login every 30s x2880 10.0.0.5 <> 10.0.0.9:1000 outcome=refused http.uri=/a http.status=401 http.response_bytes=300"
        ));
    }
}

/// The first round of a negotiation fails, the second succeeds.
#[test]
fn a_fall_back_from_kerberos() {
    quiet(
        "@0s tx smb/login every 2s x200 10.0.0.5 <> 10.0.0.{9..40}:445 outcome={refused,accepted}
         @0s tx http/login every 2s x200 10.0.0.6 <> 10.0.0.9:80 outcome={refused,accepted} http.uri=/a http.status={401,200} http.response_bytes=300
         @0s tx smb/login every 1s x50 10.0.0.{100..149} <> 10.0.0.9:445 outcome=refused
         @1s tx smb/login every 1s x50 10.0.0.{100..149} <> 10.0.0.9:445 outcome=accepted",
    );
}

#[test]
fn mail_clients_and_mirrors_log_in_again_and_again() {
    quiet(
        "@0s tx imap/login every 60s x900 10.0.0.5 <> 10.0.0.9:143 outcome=accepted
         @0s every 60s x900 10.0.0.5 <> 10.0.0.9:143 tcp APSF 900/14 1800/14 app=imap accepted=1
         @0s every 60s x900 10.0.0.6 <> 10.0.0.9:993 tcp APSF 1700~9%/18 5200~9%/16 app=tls dur=2s
         @0s every 3s x60 10.0.{1..4}.{1..60} <> 10.0.0.9:993 tcp APSF 1700~9%/18 5200~9%/16 app=tls dur=2s
         @0s tx ftp/login every 1s x300 10.0.0.7 <> 198.51.100.9:21 outcome=accepted
         @0s every 1s x300 10.0.0.7 <> 198.51.100.9:21 tcp APSF 900/14 1800/14 app=ftp accepted=1
         @0s every 1s x300 10.0.0.7 <> 198.51.100.9:{30000..30900} tcp APSF 400/6 90000/80",
    );
}

#[test]
fn a_popular_web_server() {
    quiet(
        "@0s every 15ms x20000 203.{0..9}.{1..97}.{1..250} <> 10.0.0.80:443 tcp APSF 3000/20 40000/40 dur=2s
         @0s every 60ms x5000 198.{0..9}.{1..97}.{1..250} > 10.0.0.80:443 tcp S 180/3 dur=7s
         @0s every 60ms x3000 192.{0..9}.{1..97}.{1..250} <> 10.0.0.80:443 tcp SR/SA 100/2 60/1
         @0s every 60ms x3000 193.{0..9}.{1..97}.{1..250} <> 10.0.0.80:443 tcp APSR/APSF 900/9 9000/12 dur=9s",
    );
}

/// Port knocking; path discovery; a traceroute by each of its means.
#[test]
fn knocking_and_tracing() {
    quiet(
        "@0s every 500ms x5 10.0.0.5 > 10.0.0.9:{7000,8000,9000,7001,8001} tcp S
         @0s every 50ms x90 10.0.0.5 > 198.51.100.9:{33434..33523} udp 60/1 icmperr=11/0
         @0s every 50ms x90 10.0.0.5 > 198.51.100.9:80 tcp S icmperr=11/0
         @0s every 50ms x30 10.0.0.5 > 198.51.100.9 icmp 60/1 icmp=8/0 icmperr=11/0
         @0s every 1s x20 10.0.0.5 <> 198.51.100.9 icmp 1500/1 1500/1 icmp=8/0 icmppayload=1472
         @0s every 1s x20 10.0.0.1 > 10.0.0.5 icmp 60/1 icmp=3/4",
    );
}

/// Plain pings every second for an hour.
#[test]
fn a_patient_ping() {
    quiet("every 300s x12 10.0.0.5 <> 10.0.0.9 icmp 25200/300 25200/300 icmp=8/0 icmppayload=56 dur=300s");
}

#[test]
fn fifty_devices_discover_each_other() {
    quiet(
        "@0s every 20ms x15000 10.0.0.{1..50} > 239.255.255.250:1900 udp 1000/4 dur=3s
         @0s every 50ms x6000 10.0.0.{1..50}:5353 > 224.0.0.251:5353 udp 600/3 dur=2s
         @0s every 50ms x6000 fe80::{1..50} > ff02::fb udp 600/3 dur=2s
         @0s every 100ms x3000 10.0.0.{1..50}:137 > 10.0.0.255:137 udp 234/3
         @0s every 100ms x3000 10.0.0.{1..50}:68 > 255.255.255.255:67 udp 330/1
         @0s every 100ms x3000 10.0.0.{1..50}:68 <> 10.0.0.1:67 udp 330/1 330/1",
    );
}

/// Only what the clients send is seen, or only what the servers send.
#[test]
fn captures_of_one_direction() {
    quiet(
        "@0s every 100ms x3000 10.0.0.{1..50} > 198.51.{1..97}.{1..250}:{443,443,80} tcp APSF 3000/20 dur=4s
         @0s every 100ms x3000 10.0.0.{1..50} > 198.51.100.{1..9}:53 udp 70/1
         @0s every 1s x300 10.0.0.5 > 198.51.{1..97}.{1..250}:443 tcp SA 120/3",
    );
    quiet(
        "@0s every 100ms x3000 10.0.0.{1..50} < 198.51.{1..97}.{1..250}:{443,443,80} tcp APSF 30000/20 dur=4s
         @0s every 100ms x3000 10.0.0.{1..50} < 198.51.100.{1..9}:53 udp 170/1
         @0s every 1s x300 10.0.0.5 < 198.51.{1..97}.{1..250}:443 tcp SA 60/1",
    );
    // One busy client, whose lookups go to many servers, seen without their answers.
    quiet(
        "@0s every 100ms x3000 10.0.0.5 > 198.51.{1..97}.{1..250}:443 tcp APSF 3000/20 dur=4s
         @9s every 100ms x3000 10.0.0.5 > 198.51.{1..97}.{1..250}:53 udp 70/1",
    );
}

#[test]
fn captures_joined_in_the_middle() {
    quiet(
        "@0s every 10ms x300 10.0.0.5 <> 198.51.{1..97}.{1..250}:443 tcp AP/AP 3000/20 9000/20 first=A
         @0s every 10ms x300 10.0.0.5 > 198.51.{1..97}.{1..250}:443 tcp A 40/1 first=A
         @0s every 10ms x300 10.0.0.6 <> 198.51.{1..97}.{1..250}:443 tcp A/RA 40/1 40/1 first=A
         @0s every 10ms x300 10.0.0.7 <> 198.51.{1..97}.{1..250}:443 tcp FA/A 40/1 40/1 first=FA
         @0s every 10ms x300 10.0.0.7 <> 198.51.{1..97}.{1..250}:443 tcp R 40/1 first=R",
    );
}

#[test]
fn a_host_talks_to_itself() {
    quiet(
        "@0s every 10ms x300 10.0.0.5 <> 10.0.0.5:9000 tcp APSF 3000/20 9000/20
         @0s every 10ms x300 10.0.0.5 <> 10.0.0.5:53 udp 70/1 170/1
         @0s every 10ms x300 10.0.0.5 > 10.0.0.5:514 udp 170/1
         @0s every 1s x30 10.0.0.6 <> 10.0.0.6:9001 tcp S/RA
         @0s every 1s x20 fd00::5 > [fd00::5]:9001 tcp AP 300/3 first=A",
    );
}

/// A tenth of the packets is missing: openings or answers of some connections were not seen.
#[test]
fn packets_are_lost() {
    quiet(
        "@0s every 20ms x9000 10.0.0.5 <> 198.51.{1..97}.{1..250}:443 tcp APSF 3000/20 40000/40 dur=4s
         @0s every 200ms x900 10.0.0.5 <> 198.51.{1..97}.{1..250}:443 tcp AP/APS 3000/20 40000/40 dur=4s first=A
         @0s every 200ms x900 10.0.0.5 <> 198.51.{1..97}.{1..250}:443 tcp APSF/APF 3000/20 40000/40 dur=4s
         @0s every 200ms x900 10.0.0.5 > 198.51.{1..97}.{1..250}:53 udp 70/1
         @0s every 20ms x9000 10.0.0.5 <> 198.51.{1..97}.{1..250}:53 udp 70/1 170/1",
    );
}

/// One packet in a hundred: most flows are one packet of one side.
#[test]
fn packets_are_sampled() {
    quiet(
        "@0s every 20ms x3000 10.0.0.{1..9} > 198.51.{1..97}.{1..250}:443 tcp A 1500/1 first=A
         @0s every 20ms x3000 10.0.0.{1..9} < 198.51.{1..97}.{1..250}:443 tcp AP 1500/1
         @0s every 600ms x100 10.0.0.{1..9} > 198.51.{1..97}.{1..250}:443 tcp S 60/1
         @0s every 600ms x100 10.0.0.{1..9} > 198.51.{1..97}.{1..250}:443 tcp FA 40/1 first=FA",
    );
}

const ARP: &str = "arp.op=request arp.sender_mac=";

/// Changes of hardware address that are no attack: cable to Wi-Fi, failover, bridges, proxies.
#[test]
fn addresses_move_for_good_reasons() {
    let ask = |every: &str, from: &str, mac: &str, to: &str| {
        format!("@0s tx arp/query {every} {from} > {to} {ARP}{mac} arp.sender_ip={from} arp.target_ip={to}\n")
    };
    let told = |at: &str, from: &str, mac: &str, to: &str| {
        format!(
            "@{at} tx arp/query {to} > {from} arp.op=reply arp.sender_mac={mac} arp.sender_ip={from} arp.target_ip={to}\n"
        )
    };
    let announced = |at: &str, from: &str, mac: &str| {
        format!("@{at} tx arp/query {from} > {from} {ARP}{mac} arp.sender_ip={from} arp.target_ip={from}\n")
    };
    // A laptop changes from cable to Wi-Fi and announces itself.
    quiet(
        &(ask("every 30s x4", "10.0.0.5", "02:00:00:00:00:05", "10.0.0.1")
            + &announced("2min", "10.0.0.5", "02:00:00:00:01:05")
            + &announced("122s", "10.0.0.5", "02:00:00:00:01:05")
            + &announced("124s", "10.0.0.5", "02:00:00:00:01:05")),
    );
    // A cluster moves its address with its cards' own hardware addresses, announcing it by requests and by replies.
    let mut failover = String::new();
    for (nth, at) in ["60s", "61s", "62s", "63s"].iter().enumerate() {
        failover += &announced(at, "10.0.0.100", "02:00:00:00:00:b2");
        failover += &told(at, "10.0.0.100", "02:00:00:00:00:b2", "10.0.0.100");
        let _ = nth;
    }
    quiet(&(ask("every 10s x5", "10.0.0.100", "02:00:00:00:00:b1", "10.0.0.1") + &failover));
    // A router answers for hosts behind it (proxy ARP), asked each time.
    let mut proxy = String::new();
    for nth in 0..40 {
        let ip = format!("10.0.0.{}", 100 + nth);
        proxy += &format!(
            "@{nth}s tx arp/query 10.0.0.5 > {ip} {ARP}02:00:00:00:00:05 arp.sender_ip=10.0.0.5 arp.target_ip={ip}\n"
        );
        proxy += &told(
            &format!("{}ms", nth * 1000 + 1),
            &ip,
            "02:00:00:00:00:01",
            "10.0.0.5",
        );
    }
    quiet(&proxy);
    // Virtual routers.
    quiet(
        "@0s tx arp/query every 1s x300 10.0.0.1 > 10.0.0.1 arp.op=reply arp.sender_mac={00:00:5e:00:01:01,02:00:00:00:00:01,00:00:0c:07:ac:01} arp.sender_ip=10.0.0.1 arp.target_ip=10.0.0.1
         @0s every 1s x600 10.0.0.2:1985 > 224.0.0.2:1985 udp 48/1
         @0s every 1s x600 10.0.0.2 > 224.0.0.18 112 40/1",
    );
}

#[test]
fn privacy_addresses() {
    let mut text = String::new();
    for nth in 0..60 {
        text += &format!(
            "@{}min tx nd/query fe80::{nth} > ff02::1 nd.kind=na nd.target=2001:db8::{nth} nd.link_address=02:00:00:00:00:05 nd.override=true\n",
            nth
        );
        text += &format!(
            "@{nth}min every 1s x9 2001:db8::{nth} <> [2001:db8:1::9]:443 tcp APSF 3000/20 9000/20 mac=02:00:00:00:00:05\n"
        );
    }
    quiet(&text);
}

/// A client with broken IPv6 tries each site by it first, is left waiting and takes IPv4.
#[test]
fn routers_ask_for_hosts_that_left() {
    quiet(
        "@0s every 1s x600 10.0.0.1 <> 10.0.0.{10..200} arp 28/1 28/1
         @0s every 3s x200 10.0.0.1 > 10.0.0.{201..240} arp 84/3",
    );
}
