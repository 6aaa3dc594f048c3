//! Real exports of many vendors: everything decodes, values agree with the expected results beside the files, and broken
//! files are counted under the fault their name says. Skipped, visibly, where the captures are not at hand.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "figures and skips are for whoever runs the tests"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use weir_capture::CaptureFile;
use weir_collector::{Collector, Counts};
use weir_model::{FlowRecord, Time};
use weir_wire::export::{Fault, Message};
use weir_wire::packet::{L4, Net};

const EXPORTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 2055);

/// The folder `flow` of the captures, if there.
fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");
    let root = std::env::var_os("WEIR_CAPTURES").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let folder = root.join("flow");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no captures at {}", folder.display());
    None
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

/// Feeds a file: a capture's UDP payloads, an IPFIX file's messages, or one datagram.
fn feed(collector: &mut Collector, path: &Path, out: &mut Vec<FlowRecord>) {
    if path.extension().is_some_and(|end| end == "pcap") {
        let mut file = CaptureFile::open(path).unwrap();
        while let Some(raw) = file.next() {
            let packet = weir_wire::decode(raw.link, raw.data, raw.frame_bytes);
            if let Net::Ip(ip) = packet.net
                && let L4::Udp(udp) = ip.transport
            {
                let from = SocketAddr::new(ip.src, udp.src_port);
                collector.datagram(from, raw.time, udp.payload, out);
            }
        }
        return;
    }
    let bytes = std::fs::read(path).unwrap();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let whole = framed(rest).unwrap_or(rest.len()).min(rest.len());
        let (message, behind) = rest.split_at(whole);
        let arrival = Message::open(message).map_or(Time(0), |message| message.header.export);
        collector.datagram(EXPORTER, arrival, message, out);
        rest = behind;
    }
}

/// Length of the message at the start, where the format tells: files hold several in a row.
fn framed(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0, 5, high, low, ..] => Some(24 + 48 * usize::from(u16::from_be_bytes([*high, *low]))),
        _ => Message::ipfix_bytes(bytes),
    }
}

fn collect(paths: &[PathBuf]) -> (Vec<FlowRecord>, Counts) {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    for path in paths {
        feed(&mut collector, path, &mut out);
    }
    collector.finish(&mut out);
    (out, collector.counts())
}

/// Files below `folder` whose names end so.
fn files(part: &str, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(folder) = folder() {
        walk(&folder.join(part), &mut found);
    }
    found.retain(|path| ends.iter().any(|end| path.to_string_lossy().ends_with(end)));
    found
}

/// What is compared: addresses, ports, bytes and packets of one direction.
type Values = (String, String, u64, u64, u64, u64);

/// Each direction that passed traffic, as a one-way record.
fn values(flow: &FlowRecord) -> Vec<Values> {
    let key = &flow.key;
    let (from, to) = (key.initiator_ip.to_string(), key.responder_ip.to_string());
    let (from_port, to_port) = (key.initiator_port.into(), key.responder_port.into());
    let mut values = Vec::new();
    if flow.forward.packets > 0 {
        values.push((
            from.clone(),
            to.clone(),
            from_port,
            to_port,
            flow.forward.bytes,
            flow.forward.packets,
        ));
    }
    if let Some(back) = flow.reverse.filter(|back| back.packets > 0) {
        values.push((to, from, to_port, from_port, back.bytes, back.packets));
    }
    values
}

/// Takes `want` out of `got`; returns what was not there.
fn without<T: PartialEq>(got: &mut Vec<T>, want: Vec<T>) -> Vec<T> {
    let mut missing = Vec::new();
    for one in want {
        match got.iter().position(|other| *other == one) {
            Some(at) => drop(got.swap_remove(at)),
            None => missing.push(one),
        }
    }
    missing
}

/// The fields of a line of expected results (InfluxDB line protocol).
fn expected(line: &str) -> Option<Values> {
    let fields: BTreeMap<&str, &str> = line
        .split([' ', ','])
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"').trim_end_matches('u')))
        .collect();
    let number = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| fields.get(name)?.parse().ok())
            .unwrap_or(0)
    };
    Some((
        fields.get("src")?.to_string(),
        fields.get("dst")?.to_string(),
        number(&["src_port"]),
        number(&["dst_port"]),
        number(&["in_bytes", "in_total_bytes"]),
        number(&["in_packets", "in_total_packets"]),
    ))
}

#[test]
fn expected_results_beside_the_files() {
    let part = "telegraf/influxdata+telegraf/plugins/inputs/netflow/testcases/";
    // How many expected records are not to be had, with the reason.
    for (case, records, lacking) in [
        ("netflow_v5_example", 8, 0),
        ("netflow_v9_example", 8, 0),
        ("ipfix_example", 29, 0),
        // Nothing but options.
        ("ipfix_options", 0, 0),
        ("issue_13305", 2, 0),
        // The message claims two bytes less than its last set needs: a fault, counted, and not a record.
        ("issue_14370", 1, 1),
        ("ipfix_pen_35632", 2, 0),
    ] {
        let bins = files(&format!("{part}{case}"), &[".bin"]);
        let Some(path) = files(&format!("{part}{case}"), &["expected.out"]).pop() else {
            return;
        };
        let (flows, counts) = collect(&bins);
        assert_eq!(counts.records, records, "{case}: {counts:?}");
        let text = std::fs::read_to_string(path).unwrap();
        let want: Vec<_> = text
            .lines()
            .filter_map(expected)
            .filter(|want| want.5 > 0)
            .collect();
        let mut got: Vec<_> = flows.iter().flat_map(values).collect();
        // The reverse totals of RFC 5103 are beyond the tool that wrote the expected results.
        let missing = without(&mut got, want);
        assert_eq!(
            missing.len(),
            lacking,
            "{case}: missing {missing:?}, left {got:?}"
        );
    }
}

#[test]
fn sflow_samples_as_expected() {
    let part = "telegraf/influxdata+telegraf/plugins/inputs/netflow/testcases/sflow_issue_15918";
    let Some(path) = files(part, &["expected.out"]).pop() else {
        return;
    };
    let (flows, counts) = collect(&files(part, &[".bin"]));
    assert_eq!((counts.records, counts.counter_samples), (6, 1));
    assert!(flows.iter().all(|flow| flow.sampling == 200));
    let text = std::fs::read_to_string(path).unwrap();
    let want = text.lines().filter_map(|line| {
        let field = |name: &str| {
            Some(
                line.split_once(&format!(",{name}="))?
                    .1
                    .split(',')
                    .next()?
                    .trim_matches('"'),
            )
        };
        let bytes = field("ipv4_total_len")?
            .trim_end_matches('u')
            .parse::<u64>()
            .ok()?;
        Some((field("src")?.to_owned(), field("dst")?.to_owned(), bytes))
    });
    let want: Vec<_> = want.collect();
    assert_eq!(want.len(), 4);
    let mut got: Vec<_> = flows
        .iter()
        .flat_map(values)
        .map(|(src, dst, _, _, bytes, _)| (src, dst, bytes))
        .collect();
    assert_eq!(without(&mut got, want), []);
}

#[test]
fn values_agree_with_tshark() {
    for path in files("graylog", &[".pcap"]) {
        let fields = ["cflow.srcaddr", "cflow.dstaddr", "cflow.octets", "cflow.packets"];
        let mut command = std::process::Command::new("tshark");
        command
            .arg("-r")
            .arg(&path)
            .args(["-d", "udp.port==2055,cflow", "-d", "udp.port==9996,cflow"]);
        command.args(["-T", "fields", "-E", "aggregator=,"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let Ok(output) = command.output() else {
            eprintln!("skipped: no tshark");
            return;
        };
        let mut want = Vec::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let columns: Vec<Vec<&str>> = line.split('\t').map(|cell| cell.split(',').collect()).collect();
            for (at, src) in columns[0].iter().enumerate().filter(|(_, src)| !src.is_empty()) {
                want.push([src, columns[1][at], columns[2][at], columns[3][at]].map(str::to_owned));
            }
        }
        let (flows, _) = collect(std::slice::from_ref(&path));
        let one_way = flows.iter().flat_map(values);
        let mut got: Vec<_> = one_way
            .map(|(src, dst, _, _, bytes, packets)| [src, dst, bytes.to_string(), packets.to_string()])
            .collect();
        let all = want.len();
        let missing = without(&mut got, want);
        println!(
            "{}: {all} by tshark, {} missing, {} more",
            path.display(),
            missing.len(),
            got.len()
        );
        assert!(
            missing.is_empty(),
            "{}: {missing:?}, left {got:?}",
            path.display()
        );
    }
}

#[test]
fn broken_files_give_the_errors_of_their_names() {
    let check = |name: &str, want: &[Fault]| {
        for path in files("", &[name]) {
            let faults: Vec<_> = collect(&[path]).1.faults().map(|(fault, _)| fault).collect();
            assert_eq!(faults, want, "{name}");
        }
    };
    check("bad-length-in-set.ipfix", &[Fault::MessageLength]);
    check("bad-length-in-set-very-long.ipfix", &[Fault::MessageLength]);
    check("bad-template-field-count.ipfix", &[Fault::TemplateFields]);
    check("header-and-zeros.ipfix", &[Fault::SetLength]);
    check("netflow5_test_invalid01.dat", &[Fault::MessageLength]);
    check("netflow5_test_invalid02.dat", &[Fault::MessageLength]);
    for name in [
        "only-data-no-templates.ipfix",
        "missing-template-258.ipfix",
        "dataset-only.ipfix",
    ] {
        for path in files("", &[name]) {
            let counts = collect(&[path]).1;
            assert!(
                counts.sets_parked > 0 && counts.faults().next().is_none(),
                "{name}: {counts:?}"
            );
        }
    }
}

/// One exporter's files: its templates, and data of them. In either order the same records come.
#[test]
fn data_before_or_after_its_template() {
    let mut vendors: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in files("logstash-codec", &[".dat"]) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let vendor = [
            "_tpl",
            "_data",
            "_opttpl",
            "_extended",
            "_dpi",
            "_netstream_varstring",
        ]
        .iter()
        .filter_map(|end| name.find(end))
        .min();
        if let Some(at) = vendor {
            // Two devices of one maker that used the same template id for different things.
            let device = if name.contains("_extended") {
                "_extended"
            } else {
                ""
            };
            vendors
                .entry(format!("{}{device}", &name[..at]))
                .or_default()
                .push(path);
        }
    }
    for (vendor, mut paths) in vendors {
        let (_, before) = collect(&paths);
        paths.reverse();
        let (_, after) = collect(&paths);
        println!("{vendor}: {before:?}");
        assert_eq!(
            (before.records, before.options),
            (after.records, after.options),
            "{vendor}"
        );
    }
}

#[test]
fn every_file_is_read() {
    let (mut all, mut flows) = (Counts::default(), 0);
    let paths = files("", &[".dat", ".pcap", ".ipfix", ".bin"]);
    for path in &paths {
        let (read, counts) = collect(std::slice::from_ref(path));
        println!(
            "{}: {} flows {:?}",
            path.display(),
            read.len(),
            counts.faults().collect::<Vec<_>>()
        );
        flows += read.len();
        all.merge(&counts);
    }
    println!("{} files, {flows} flows, {all:?}", paths.len());
    assert!(paths.is_empty() || all.records > 1_400);
}
