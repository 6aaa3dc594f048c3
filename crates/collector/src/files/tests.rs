//! Small files of every format as text in, records as text out. Real files of the real programs are in `tests/files.rs`.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::*;
use crate::pairing::Pairing;

/// Reads a file as the program does: told by content, paired; the records, counters and trouble as text.
fn check(bytes: impl Into<Vec<u8>>, want: Expect) {
    want.assert_eq(&text(bytes.into()));
}

fn text(bytes: Vec<u8>) -> String {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let kind = match FileKind::of(head) {
        Ok(kind) => kind,
        Err(Untold(why)) => return format!("untold: {}\n", why.unwrap_or_default()),
    };
    let mut file = FlowFile::new(kind, head, Box::new(std::io::Cursor::new(bytes.clone())));
    let (mut pairing, mut read, mut out) = (Pairing::default(), Vec::new(), Vec::new());
    while file.step(&mut read) {}
    for flow in read {
        let end = flow.end;
        pairing.push(flow, end, &mut out);
    }
    pairing.finish(&mut out);
    let mut text = format!("{}\n", kind.word());
    for flow in &out {
        line(&mut text, flow);
    }
    let counts = file.counts();
    let FileCounts {
        records,
        others,
        repeated,
        lost,
        estimated,
        scaled,
        ..
    } = counts;
    for (what, times) in [
        ("others", others),
        ("repeated", repeated),
        ("lost", lost),
        ("estimated", estimated),
        ("scaled", scaled),
    ] {
        if *times > 0 {
            writeln!(text, "{what} {times}").unwrap();
        }
    }
    for (reason, times) in counts.reasons() {
        writeln!(text, "bad {} {times}", reason.word()).unwrap();
    }
    assert!(*records as usize >= out.len());
    text.extend(file.trouble().map(|trouble| format!("trouble: {trouble}\n")));
    text
}

fn line(text: &mut String, flow: &FlowRecord) {
    let key = &flow.key;
    let (from, to) = (key.initiator_ip, key.responder_ip);
    write!(
        text,
        "{} +{}ms {from}:{} > {to}:{} p{} {}/{}",
        flow.start,
        flow.end.since(flow.start) / 1_000_000,
        key.initiator_port,
        key.responder_port,
        key.proto,
        flow.forward.packets,
        flow.forward.bytes
    )
    .unwrap();
    match flow.reverse {
        Some(back) => write!(text, " {}/{}", back.packets, back.bytes).unwrap(),
        None => text.push_str(" ?"),
    }
    write!(
        text,
        " {:02x}/{:02x} {}",
        flow.forward_flags,
        flow.reverse_flags,
        flow.conn_state.word()
    )
    .unwrap();
    if !flow.history.as_str().is_empty() {
        write!(text, " {}", flow.history.as_str()).unwrap();
    }
    if let Some(protocol) = flow.protocol {
        write!(text, " {}", protocol.word()).unwrap();
    }
    text.push('\n');
}

#[test]
fn zeek_tsv() {
    check(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
         #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
         #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tcount\tstring\tcount\tcount\tcount\tcount\n\
         1300475167.096535\tCa\t10.0.0.5\t40000\t10.0.0.9\t22\ttcp\tssh\t2.5\t1000\t3000\tSF\t-\t0\tShADadFf\t12\t1632\t14\t3736\n\
         1300475168.000001\tCb\t10.0.0.5\t40001\t10.0.0.9\t23\ttcp\t-\t-\t-\t-\tS0\t-\t0\tS\t1\t60\t0\t0\n\
         1300475168.5\tCc\t10.0.0.5\t8\t10.0.0.9\t0\ticmp\t-\t1.0\t56\t56\tOTH\t-\t0\t-\t1\t84\t1\t84\n\
         1300475169\tCd\tnobody\t1\t10.0.0.9\t2\tudp\t-\t-\t-\t-\tS0\t-\t0\tD\t1\t60\t0\t0\n\
         half a line\n",
        expect![[r#"
            Zeek conn.log
            1300475167.096535000 +2500ms 10.0.0.5:40000 > 10.0.0.9:22 p6 12/1632 14/3736 1b/1b SF ShADadFf ssh
            1300475168.000001000 +0ms 10.0.0.5:40001 > 10.0.0.9:23 p6 1/60 0/0 02/00 S0 S
            1300475168.500000000 +1000ms 10.0.0.5:8 > 10.0.0.9:0 p1 1/84 1/84 00/00 OTH
            bad missing field 1
            bad address 1
        "#]],
    );
}

#[test]
fn zeek_json() {
    check(
        "{\"ts\":1300475167.096535,\"uid\":\"Ca\",\"id.orig_h\":\"fe80::1\",\"id.orig_p\":546,\"id.resp_h\":\"ff02::1:2\",\"id.resp_p\":547,\"proto\":\"udp\",\"duration\":0.25,\"orig_bytes\":100,\"resp_bytes\":0,\"conn_state\":\"S0\",\"history\":\"D\",\"orig_pkts\":2,\"orig_ip_bytes\":196,\"resp_pkts\":0,\"resp_ip_bytes\":0,\"tunnel_parents\":[]}\n\
         {\"ts\":\"2011-03-18T19:06:08.000001Z\",\"id.orig_h\":\"10.0.0.5\",\"id.orig_p\":40001,\"id.resp_h\":\"10.0.0.9\",\"id.resp_p\":445,\"proto\":\"tcp\",\"service\":\"gssapi,ntlm,smb\",\"conn_state\":\"RSTR\",\"history\":\"ShADdr\"}\n\
         {\"ts\":1300475167.0,\"id.orig_h\":\"10.0.0.5\"}\n{\"ts\":",
        expect![[r#"
            Zeek conn.log
            1300475167.096535000 +250ms fe80::1:546 > ff02::1:2:547 p17 2/196 0/0 00/00 S0 D
            1300475168.000001000 +0ms 10.0.0.5:40001 > 10.0.0.9:445 p6 0/0 ? 1a/1e RSTR ShADdr smb
            estimated 1
            bad syntax 1
            bad missing field 1
        "#]],
    );
    check(
        "{\"ts\":1.0,\"id.orig_h\":\"10.0.0.5\",\"id.resp_h\":\"10.0.0.9\",\"query\":\"a.example\"}\n",
        expect![[r#"
        untold: it is a Zeek log of something else than connections; give conn.log
    "#]],
    );
    check(
        "#separator \\x09\n#path\tdns\n#fields\tts\tid.orig_h\tid.resp_h\tproto\tquery\n",
        expect![[r#"
        untold: it is a Zeek log of something else than connections; give conn.log
    "#]],
    );
}

#[test]
fn eve() {
    check(
        "{\"timestamp\":\"2026-11-22T04:14:10.000000+0000\",\"flow_id\":1,\"event_type\":\"flow\",\"src_ip\":\"10.0.0.5\",\"src_port\":40000,\"dest_ip\":\"10.0.0.9\",\"dest_port\":445,\"proto\":\"TCP\",\"app_proto\":\"smb\",\"flow\":{\"pkts_toserver\":10,\"pkts_toclient\":8,\"bytes_toserver\":1200,\"bytes_toclient\":900,\"start\":\"2026-11-22T04:14:08.123456+0000\",\"end\":\"2026-11-22T05:14:09.123456+0100\",\"age\":1,\"state\":\"closed\",\"reason\":\"timeout\",\"alerted\":false},\"tcp\":{\"tcp_flags\":\"1b\",\"tcp_flags_ts\":\"1b\",\"tcp_flags_tc\":\"1a\",\"syn\":true}}\n\
         {\"timestamp\":\"2026-11-22T04:14:10.000000+0000\",\"event_type\":\"netflow\",\"src_ip\":\"10.0.0.5\",\"src_port\":40000,\"dest_ip\":\"10.0.0.9\",\"dest_port\":445,\"proto\":\"TCP\",\"netflow\":{\"pkts\":10,\"bytes\":1200,\"start\":\"2026-11-22T04:14:08.123456+0000\",\"end\":\"2026-11-22T04:14:09.123456+0000\",\"age\":1,\"min_ttl\":64,\"max_ttl\":64}}\n\
         {\"timestamp\":\"2026-11-22T04:14:10.000000+0000\",\"event_type\":\"alert\",\"src_ip\":\"10.0.0.5\",\"alert\":{\"signature\":\"x\"}}\n\
         {\"timestamp\":\"2026-11-22T04:14:10.000000+0000\",\"event_type\":\"flow\",\"src_ip\":\"10.0.0.5\",\"dest_ip\":\"10.0.0.9\",\"proto\":\"ICMP\",\"icmp_type\":8,\"icmp_code\":0,\"flow\":{\"pkts_toserver\":1,\"pkts_toclient\":0,\"bytes_toserver\":98,\"start\":\"2026-11-22T04:14:08Z\",\"end\":\"2026-11-22T04:14:08Z\"}}\n",
        expect![[r#"
            Suricata EVE log
            1795320848.123456000 +1000ms 10.0.0.5:40000 > 10.0.0.9:445 p6 10/1200 8/900 1b/1a S2 smb
            1795320848.000000000 +0ms 10.0.0.5:8 > 10.0.0.9:0 p1 1/98 0/0 00/00 S0
            others 1
            repeated 1
        "#]],
    );
    check(
        "{\"timestamp\":\"2026-11-22T04:14:10.000000+0000\",\"event_type\":\"netflow\",\"src_ip\":\"10.0.0.9\",\"src_port\":445,\"dest_ip\":\"10.0.0.5\",\"dest_port\":40000,\"proto\":\"TCP\",\"netflow\":{\"pkts\":8,\"bytes\":900,\"start\":\"2026-11-22T04:14:08.2Z\",\"end\":\"2026-11-22T04:14:09Z\"},\"tcp\":{\"tcp_flags\":\"1a\"}}\n\
         {\"timestamp\":\"2026-11-22T04:14:10.000000+0000\",\"event_type\":\"netflow\",\"src_ip\":\"10.0.0.5\",\"src_port\":40000,\"dest_ip\":\"10.0.0.9\",\"dest_port\":445,\"proto\":\"TCP\",\"netflow\":{\"pkts\":10,\"bytes\":1200,\"start\":\"2026-11-22T04:14:08.1Z\",\"end\":\"2026-11-22T04:14:09Z\"},\"tcp\":{\"tcp_flags\":\"1b\"}}\n",
        expect![[r#"
            Suricata EVE log
            1795320848.100000000 +900ms 10.0.0.5:40000 > 10.0.0.9:445 p6 10/1200 8/900 1b/1a S2
        "#]],
    );
}

#[test]
fn argus() {
    check(
        "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n\
         2011/08/10 09:46:53.047277,3550.182373,udp,10.0.0.5,2077,  <->,10.0.0.9,6881,CON,0,0,12,875,413,flow=Background\n\
         2011/08/10 09:46:53.048843,0.000883,tcp,10.0.0.5,1577,   ->,10.0.0.9,80,SRPA_SPA,0,0,9,2000,700,flow=Normal\n\
         2011/08/10 09:46:54,0.5,tcp,10.0.0.9,80,   <-,10.0.0.5,1578,FSPA_FSPA,0,0,4,240,120,x\n\
         2011/08/10 09:46:55,0,tcp,10.0.0.5,1579,   ->,10.0.0.9,81,S_,0,,1,60,60,x\n\
         2011/08/10 09:46:56,0,icmp,10.0.0.9,0x0303,   ->,10.0.0.5,0x4a51,URP,0,,1,70,70,x\n\
         2011/08/10 09:46:57,0,arp,10.0.0.9,,  who,10.0.0.5,,CON,,,2,120,60,x\n\
         2011/08/10 09:46:58,0,tcp,10.0.0.5,http,   ->,10.0.0.9,81,S_,0,,1,60,60,x\n",
        expect![[r#"
            Argus flows
            1312969613.047277000 +3550182ms 10.0.0.5:2077 > 10.0.0.9:6881 p17 6/329 6/378 00/00 SF
            1312969613.048843000 +0ms 10.0.0.5:1577 > 10.0.0.9:80 p6 5/630 4/1244 1e/1a RSTO
            1312969614.000000000 +500ms 10.0.0.5:1578 > 10.0.0.9:80 p6 2/92 2/92 1b/1b SF
            1312969615.000000000 +0ms 10.0.0.5:1579 > 10.0.0.9:81 p6 1/46 0/0 02/00 S0
            1312969616.000000000 +0ms 10.0.0.9:3 > 10.0.0.5:3 p1 1/56 0/0 00/00 S0
            others 1
            estimated 3
            bad number 1
        "#]],
    );
    check(
        "StartTime,LastTime,Flgs,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,SrcPkts,DstPkts,SrcBytes,DstBytes,SrcMac,DstMac,sTtl,dTtl,sVid\n\
         1795311749.797233,1795311750.797242, e        ,6,192.168.0.33,40000,   ->,192.168.0.80,22,REQ,3,0,222,0,02:00:00:00:00:01,02:00:00:00:00:02,64,,7\n",
        expect![[r#"
            Argus flows
            1795311749.797233000 +1000ms 192.168.0.33:40000 > 192.168.0.80:22 p6 3/180 0/0 02/00 S0
        "#]],
    );
    check(
        "StartTime,Flgs,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,TotPkts,TotBytes,State\n01:41:55.016395, e ,udp,0.0.0.0,bootpc,->,255.255.255.255,bootps,8,2736,INT\n",
        expect![[r#"
        untold: it is an Argus file whose times have no date; print it with `ra -nn -u -c , -s stime,dur,proto,saddr,sport,dir,daddr,dport,state,spkts,dpkts,sbytes,dbytes`
    "#]],
    );
}

#[test]
fn aws_vpc() {
    check(
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
         2 123456789010 eni-1 10.0.0.9 10.0.0.5 22 40000 6 15 4000 1418530010 1418530070 ACCEPT OK\n\
         2 123456789010 eni-1 10.0.0.5 10.0.0.9 40000 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n\
         2 123456789010 eni-2 10.0.0.5 10.0.0.9 40000 22 6 20 4249 1418530011 1418530071 ACCEPT OK\n\
         2 123456789010 eni-1 203.0.113.7 10.0.0.9 49761 3389 6 1 40 1418530010 1418530070 REJECT OK\n\
         2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - NODATA\n\
         2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - SKIPDATA\n\
         2 123456789010 eni-1 10.0.0.5 ten 1 2 6 1 40 1418530010 1418530070 ACCEPT OK\n",
        expect![[r#"
            AWS VPC flow log
            1418530010.000000000 +60000ms 10.0.0.5:40000 > 10.0.0.9:22 p6 20/4249 15/4000 00/00 OTH
            1418530010.000000000 +60000ms 203.0.113.7:49761 > 10.0.0.9:3389 p6 1/40 0/0 00/00 S0
            others 1
            repeated 1
            lost 1
            bad address 1
        "#]],
    );
    check(
        "2026-11-22T04:14:08.000Z 2 123456789010 eni-1 10.0.0.5 10.0.0.9 8 0 1 1 84 1418530010 1418530070 ACCEPT OK\n",
        expect![[r#"
            AWS VPC flow log
            1418530010.000000000 +60000ms 10.0.0.5:0 > 10.0.0.9:0 p1 1/84 ? 00/00 S0
        "#]],
    );
    check(
        "interface-id srcaddr dstaddr srcport dstport protocol tcp-flags type pkt-srcaddr pkt-dstaddr packets bytes start end action flow-direction log-status\n\
         eni-1 10.0.1.5 52.213.180.42 43416 5001 6 3 IPv4 10.0.0.62 52.213.180.42 8 568 1566848875 1566848933 ACCEPT egress OK\n\
         eni-1 52.213.180.42 10.0.0.62 5001 43416 6 19 IPv4 52.213.180.42 10.0.0.62 7 500 1566848875 1566848933 ACCEPT ingress OK\n",
        expect![[r#"
            AWS VPC flow log
            1566848875.000000000 +58000ms 10.0.0.62:43416 > 52.213.180.42:5001 p6 8/568 7/500 13/13 SF
        "#]],
    );
}

#[test]
fn azure() {
    check(
        r#"{"records":[{"time":"2018-11-13T12:00:35.389Z","systemId":"a","macAddress":"000D3AF8801A","category":"NetworkSecurityGroupFlowEvent","resourceId":"/SUB/NSG","operationName":"NetworkSecurityGroupFlowEvents","properties":{"Version":2,"flows":[{"rule":"Deny","flows":[{"mac":"000D3AF8801A","flowTuples":["1542110402,203.0.113.82,10.5.16.4,28746,443,U,I,D,B,,,,"]}]},{"rule":"Allow","flows":[{"mac":"000D3AF8801A","flowTuples":["1542110424,10.5.16.4,203.0.113.67,59831,443,T,O,A,B,,,,","1542110437,10.5.16.4,203.0.113.67,59831,443,T,O,A,E,1,66,1,60","1542110437,10.5.16.4,nobody,59831,443,T,O,A,E,1,66,1,66"]}]}]}}]}"#,
        expect![[r#"
            Azure flow log
            1542110402.000000000 +0ms 203.0.113.82:28746 > 10.5.16.4:443 p17 1/0 0/0 00/00 S0
            1542110424.000000000 +13000ms 10.5.16.4:59831 > 203.0.113.67:443 p6 1/66 1/60 00/00 OTH
            estimated 1
            bad address 1
        "#]],
    );
    check(
        r#"{"records":[{"time":"2022-09-14T09:00:52.5625085Z","flowLogVersion":4,"flowLogGUID":"a","macAddress":"112233445566","category":"FlowLogFlowEvent","flowLogResourceID":"/SUB/FL","targetResourceID":"/SUB/VNET","operationName":"FlowLogFlowEvent","flowRecords":{"flows":[{"aclID":"0","flowGroups":[{"rule":"DefaultRule","flowTuples":["1663146003599,10.0.0.6,192.0.2.180,23956,443,6,O,B,NX,0,0,0,0","1663146003637,10.0.0.6,192.0.2.180,23956,443,6,O,C,NX,3,767,2,1580","1663146003699,10.0.0.6,192.0.2.180,23956,443,6,O,E,NX,2,104,1,52"]},{"rule":"Block","flowTuples":["1663146005503,10.0.0.6,10.0.0.7,23957,445,6,O,D,NX,0,0,0,0"]}]}]}}]}"#,
        expect![[r#"
            Azure flow log
            1663146003.599000000 +38ms 10.0.0.6:23956 > 192.0.2.180:443 p6 3/767 2/1580 00/00 OTH
            1663146003.637000000 +62ms 10.0.0.6:23956 > 192.0.2.180:443 p6 2/104 1/52 00/00 OTH
            1663146005.503000000 +0ms 10.0.0.6:23957 > 10.0.0.7:445 p6 1/0 0/0 00/00 S0
            estimated 1
        "#]],
    );
}

#[test]
fn gcp_vpc() {
    check(
        r#"[{"insertId":"a","jsonPayload":{"bytes_sent":"4000","connection":{"dest_ip":"10.0.0.5","dest_port":40000,"protocol":6,"src_ip":"10.0.0.9","src_port":22},"end_time":"2019-03-05T19:34:37.212Z","packets_sent":"15","reporter":"SRC","start_time":"2019-03-05T19:34:36.5Z"},"logName":"projects/p/logs/vpc_flows"},
        {"jsonPayload":{"bytes_sent":"2000","connection":{"dest_ip":"10.0.0.9","dest_port":22,"protocol":6,"src_ip":"10.0.0.5","src_port":40000},"end_time":"2019-03-05T19:34:37.1Z","packets_sent":"18","reporter":"DEST","start_time":"2019-03-05T19:34:36.4Z"}},
        {"jsonPayload":{"bytes_sent":"2000","connection":{"dest_ip":"10.0.0.9","dest_port":22,"protocol":6,"src_ip":"10.0.0.5","src_port":40000},"end_time":"2019-03-05T19:34:37.1Z","packets_sent":"18","reporter":"SRC","start_time":"2019-03-05T19:34:36.4Z"}},
        {"textPayload":"x"}]"#,
        expect![[r#"
            GCP VPC flow log
            1551814476.400000000 +812ms 10.0.0.5:40000 > 10.0.0.9:22 p6 18/2000 15/4000 00/00 OTH
            others 1
            repeated 1
        "#]],
    );
}

/// A flow-tools file with these records, made by the layout of its header.
fn flow_tools(version: u16, records: &[u8]) -> Vec<u8> {
    let mut file = vec![0xcf, 0x10, 2, 3, 0, 0, 0, 22, 0, 2, 0, 2];
    file.extend(version.to_be_bytes());
    file.extend([0, 8, 0, 4, 0, 0, 0, 8]);
    file.extend(records);
    file
}

#[test]
fn flow_tools_files() {
    let words: [u32; 13] = [
        1_458_000_000,
        0,
        600_000,
        0xc000_0201,
        0x0a00_0005,
        0x0a00_0009,
        0,
        1,
        3,
        180,
        598_000,
        599_000,
        40_000 << 16 | 80,
    ];
    let mut record = words.map(u32::to_be_bytes).concat();
    record.extend([6, 0, 2, 0, 0, 0, 24, 24, 0, 0, 0, 0]);
    check(
        flow_tools(5, &record),
        expect![[r#"
        flow-tools file
        1457999998.000000000 +1000ms 10.0.0.5:40000 > 10.0.0.9:80 p6 3/180 ? 02/00 S0
    "#]],
    );
    check(
        flow_tools(5, &record[..60]),
        expect![[r#"
        flow-tools file
        bad record 1
        trouble: the last record is cut
    "#]],
    );
    check(
        flow_tools(8, &record),
        expect![[r#"
        untold: it is a flow-tools file of NetFlow v8 aggregates, which have no endpoints; give the file they were made from
    "#]],
    );
}

/// An nfdump file of layout 2, not packed, with these records (type and body).
fn nfdump(records: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (kind, body) in records {
        block.extend(kind.to_le_bytes());
        block.extend((body.len() as u16 + 4).to_le_bytes());
        block.extend(body);
    }
    let mut file = vec![0x0c, 0xa5, 2, 0];
    file.resize(40, 0);
    file.extend((records.len() as u32).to_le_bytes());
    file.extend((block.len() as u32).to_le_bytes());
    file.extend([3, 0, 0, 0]);
    file.extend(block);
    file
}

/// A flow of exporter 5: ten packets of 400 bytes one way, `out` packets "out", flags of the record.
fn nfdump_flow(out: u64, flags: u8) -> (u16, Vec<u8>) {
    let mut body = vec![3, 0, 0, 0, 5, 0, flags, 9, 1, 0, 52, 0];
    let times = [1_458_000_000_000_u64, 1_458_000_001_000, 0];
    for number in times.into_iter().chain([10, 400]) {
        body.extend(number.to_le_bytes());
    }
    body.extend([0x40, 0x9c, 80, 0, 6, 0x1b, 0, 0]);
    body.extend([2, 0, 12, 0, 5, 0, 0, 10, 9, 0, 0, 10, 6, 0, 28, 0]);
    for number in [1, out, out * 100] {
        body.extend(number.to_le_bytes());
    }
    (11, body)
}

#[test]
fn nfdump_counters_out_and_sampling() {
    // Sampler: id, interval, mode, exporter; exporter: version, address, family, number, id.
    let sampler = (9, vec![1, 0, 0, 0, 10, 0, 0, 0, 0, 0, 5, 0]);
    let mut exporter = vec![9, 0, 0, 0];
    exporter.extend([0; 8]);
    exporter.extend([7, 2, 0, 192, 0, 0, 0, 0, 2, 0, 5, 0, 0, 0, 0, 0]);
    // What came back; the same packets sent on; nothing said.
    check(
        nfdump(&[
            (7, exporter),
            nfdump_flow(7, 0),
            nfdump_flow(10, 0),
            nfdump_flow(0, 0),
        ]),
        expect![[r#"
            nfdump file
            1458000000.000000000 +1000ms 10.0.0.5:40000 > 10.0.0.9:80 p6 10/400 7/700 1b/00 S2
            1458000000.000000000 +1000ms 10.0.0.5:40000 > 10.0.0.9:80 p6 10/400 ? 1b/00 SH
            1458000000.000000000 +1000ms 10.0.0.5:40000 > 10.0.0.9:80 p6 10/400 ? 1b/00 SH
        "#]],
    );
    check(
        nfdump(&[nfdump_flow(0, 2), sampler, nfdump_flow(0, 2)]),
        expect![[r#"
            nfdump file
            1458000000.000000000 +1000ms 10.0.0.5:40000 > 10.0.0.9:80 p6 10/400 ? 1b/00 SH
            1458000000.000000000 +1000ms 10.0.0.5:40000 > 10.0.0.9:80 p6 1/40 ? 1b/00 SH
            scaled 1
        "#]],
    );
    let file = nfdump(&[nfdump_flow(0, 0)]);
    check(
        &file[..file.len() - 3],
        expect![[r#"
        nfdump file
        trouble: it is cut
    "#]],
    );
    check(
        &file[..38],
        expect![[r#"
        nfdump file
        trouble: it is cut
    "#]],
    );
    let mut other = file.clone();
    other[2] = 3;
    check(
        other,
        expect![[r#"
        untold: it is an nfdump file of layout 3; Weir reads layouts 1 and 2 (nfdump 1.5 to 1.7)
    "#]],
    );
}
