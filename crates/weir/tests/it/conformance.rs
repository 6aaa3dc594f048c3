//! Agreement with others: Community ID vectors of its authors, packet and byte totals of tshark.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use weir_model::{community_id, proto};

use crate::run::{files_below, run, shared, skipped};

/// The authors' baseline: protocol, addresses, ports, id per row; each id must appear among our flows of their captures.
#[test]
fn community_ids_of_the_specification() {
    let Some(folder) = shared() else { return };
    let folder = folder.join("conf/community-id/corelight+community-id-spec");
    let baseline = std::fs::read_to_string(folder.join("baseline/baseline_deflt.json")).unwrap();
    let baseline: serde_json::Value = serde_json::from_str(&baseline).unwrap();
    let mut ours = Vec::new();
    for path in files_below(&folder.join("pcaps")) {
        let (kept, _) = run(std::slice::from_ref(&path), 1);
        ours.extend(
            kept.flows
                .iter()
                .filter_map(|flow| community_id::of(&flow.key, 0)),
        );
    }
    let expected = ids(&baseline);
    assert!(expected.len() >= 20, "{} ids in the baseline", expected.len());
    let missing: Vec<_> = expected.iter().filter(|id| !ours.contains(id)).collect();
    assert!(missing.is_empty(), "not produced: {missing:?}");
}

/// Every text that looks like a Community ID, wherever it stands.
fn ids(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) if text.starts_with("1:") => vec![text.clone()],
        serde_json::Value::Array(all) => all.iter().flat_map(ids).collect(),
        serde_json::Value::Object(all) => all.values().flat_map(ids).collect(),
        _ => Vec::new(),
    }
}

/// Captures of plain Ethernet and IP, with TCP and UDP, some with losses and odd ends.
const COMPARED: [&str; 10] = [
    "attack/mixed-chrissanders/chrissanders+packets/synscan.pcapng",
    "attack/bruteforce-ssh/cisco+joy/test/pcaps/kali-normal-ssh.pcap",
    "attack/lateral-elcabezzonn/elcabezzonn+Pcaps/psexec_cmd.pcap",
    "attack/lateral-elcabezzonn/elcabezzonn+Pcaps/winrm_psremote_05-16.pcap",
    "attack/lateral-elcabezzonn/elcabezzonn+Pcaps/smbexec.pcap",
    "benign/try-zeek/zeek+try-zeek/manager/static/pcaps/http.pcap",
    "benign/retina/stanford-esrg+retina/traces/quic.pcap",
    "conf/zeek/Traces/zeek+zeek/testing/btest/Traces/ftp/bruteforce.pcap",
    "conf/zeek/Traces/zeek+zeek/testing/btest/Traces/ssh/sshguess.pcap",
    "attack/mixed-markofu/markofu+pcaps/NetworkForensics/evidence05.pcap",
];

/// One conversation without direction: protocol and both ends, sorted.
type Conversation = (u8, [(IpAddr, u16); 2]);

#[test]
fn conversations_of_tshark() {
    let Some(folder) = shared() else { return };
    if Command::new("tshark").arg("-v").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI must have tshark");
        return skipped("tshark is not installed");
    }
    for name in COMPARED {
        let theirs = by_tshark(&folder.join(name));
        let ours = by_weir(&folder.join(name));
        assert!(!theirs.is_empty(), "{name}: tshark sees nothing");
        assert_eq!(ours, theirs, "{name}");
    }
}

/// Packets and IP bytes per conversation, port reuse summed.
fn by_weir(path: &Path) -> BTreeMap<Conversation, (u64, u64)> {
    let (kept, _) = run(&[path.to_owned()], 1);
    let mut sums = BTreeMap::new();
    for flow in kept
        .flows
        .iter()
        .filter(|flow| matches!(flow.key.proto, proto::TCP | proto::UDP))
    {
        let mut ends = [
            (flow.key.initiator_ip, flow.key.initiator_port),
            (flow.key.responder_ip, flow.key.responder_port),
        ];
        ends.sort_unstable();
        let sum: &mut (u64, u64) = sums.entry((flow.key.proto, ends)).or_default();
        let reverse = flow.reverse_or_zero();
        sum.0 += flow.forward.packets + reverse.packets;
        sum.1 += flow.forward.bytes + reverse.bytes;
    }
    sums
}

fn by_tshark(path: &Path) -> BTreeMap<Conversation, (u64, u64)> {
    let fields = [
        "ip.proto",
        "ipv6.nxt",
        "ip.src",
        "ip.dst",
        "ipv6.src",
        "ipv6.dst",
        "ip.len",
        "ipv6.plen",
        "tcp.srcport",
        "tcp.dstport",
        "udp.srcport",
        "udp.dstport",
    ];
    // An ICMP error quotes a packet; only the outer one counts.
    let mut command = Command::new("tshark");
    command
        .args([
            "-n",
            "-T",
            "fields",
            "-E",
            "occurrence=f",
            "-Y",
            "(tcp or udp) and not icmp and not icmpv6",
            "-r",
        ])
        .arg(path);
    fields.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output = command.output().expect("tshark runs");
    let mut sums = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let cell: Vec<&str> = line.split('\t').collect();
        let tcp = !cell[8].is_empty();
        let ip = |four: usize, six: usize| {
            cell[four]
                .parse::<IpAddr>()
                .or_else(|_| cell[six].parse())
                .expect("an address")
        };
        let port = |tcp_at: usize| {
            let text = cell[if tcp { tcp_at } else { tcp_at + 2 }];
            text.parse().expect("a port")
        };
        let mut ends = [(ip(2, 4), port(8)), (ip(3, 5), port(9))];
        ends.sort_unstable();
        let bytes = cell[6]
            .parse::<u64>()
            .unwrap_or_else(|_| cell[7].parse::<u64>().expect("a length") + 40);
        let sum: &mut (u64, u64) = sums
            .entry((if tcp { proto::TCP } else { proto::UDP }, ends))
            .or_default();
        sum.0 += 1;
        sum.1 += bytes;
    }
    sums
}
