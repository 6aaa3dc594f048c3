//! The event contract as text: a change here is a change of a promise.

use std::collections::BTreeMap;
use std::net::IpAddr;

use expect_test::expect;
use weir_model::{
    Clause, Country, EventId, Facts, Finding, FlowFilter, FlowKey, Kind, Manual, Maturity, MethodMeta,
    Outcome, Place, Priority, Protocol, Reads, Scope, SubmethodMeta, Technique, Time, Whereabouts, ethertype,
    proto,
};

use super::*;

static META: MethodMeta = MethodMeta {
    code: "DICTATTACK",
    slug: "dictattack",
    family: "brute",
    title: "Dictionary attack",
    submethods: &[SubmethodMeta {
        name: "SambaProtocol",
        about: "",
        rules: &[&[
            Clause::at_least("attempts", "attempts_min"),
            Clause::at_most("spread", "spread_max"),
        ]],
        reason: "{attempts} Samba log-ins in {span} from {source} to {target}",
        needs: &[],
        techniques: &[Technique {
            tactic: "TA0006",
            technique: "T1110.001",
        }],
    }],
    priority: Priority::High,
    maturity: Maturity::Stable,
    scope: Scope::Service,
    reads: Reads::ENDED_FLOWS,
    needs: &[],
    same_as: &[],
    manual: Manual {
        what: "",
        basis: "",
        bias: "",
        false_positives: "",
        response: "",
    },
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn key() -> FlowKey {
    FlowKey {
        initiator_ip: ip("192.168.0.33"),
        responder_ip: ip("192.168.0.252"),
        initiator_port: 50_000,
        responder_port: 445,
        proto: proto::TCP,
        ethertype: ethertype::IPV4,
        vlan: None,
    }
}

fn example() -> Event {
    let start = Time::from_secs(1_600_000_000);
    let end = start + 22_902_000_000;
    let lead = Finding {
        method: &META,
        submethod: &META.submethods[0],
        instance: "default",
        source: Offender {
            ip: Some(ip("192.168.0.33")),
            mac: "1c:75:08:04:7a:5f".parse().ok(),
        },
        targets: vec![Target::service(ip("192.168.0.252"), 445)],
        target_count: 1,
        first_flow: start,
        last_flow: end,
        detected: end,
        probability: 100,
        facts: Facts::new()
            .input("attempts", Quantity::Count(195))
            .input("spread", Quantity::Ratio(0.02))
            .limit("attempts_min", Quantity::Count(20))
            .limit("spread_max", Quantity::Ratio(0.25)),
        rule: META.submethods[0].rules[0],
        detail: vec![
            ("FlowCount", Quantity::Count(195)),
            ("PortList", Quantity::Counts(vec![445])),
        ],
        evidence: FlowFilter {
            initiator: Some(ip("192.168.0.33")),
            responder_port: Some(445),
            ..FlowFilter::default()
        },
        last: true,
        cell: 1,
    };
    Event {
        id: EventId::derive(end, 7),
        state: EventState::Closed,
        priority: Priority::High,
        risk: 72,
        site: "default",
        feed: "default",
        source: lead.source,
        targets: lead.targets.clone(),
        target_count: 1,
        first_flow: start,
        detected: end,
        last_update: end,
        end: Some(end),
        updates: 0,
        also: vec!["SMBGUESS.General".to_owned()],
        places: BTreeMap::from([(
            "192.168.0.33".parse().unwrap(),
            Whereabouts {
                place: Place {
                    country: Country::from_code("CZ"),
                    as_number: NonZeroU32::new(64_500),
                },
                as_name: Some("Example Net".into()),
            },
        )]),
        evidence: vec![FlowRecord::new(key(), start)],
        lead,
    }
}

#[test]
fn the_event_contract() {
    expect![[r#"{"id":"0174876e-d976-7000-8000-000000000007","method":"DICTATTACK","submethod":"SambaProtocol","title":"Dictionary attack","priority":"high","probability":100,"risk":72,"state":"closed","site":"default","feed":"default","instance":"default","source":{"ip":"192.168.0.33","mac":"1c:75:08:04:7a:5f","country":"CZ","as_number":64500,"as_name":"Example Net"},"targets":[{"ip":"192.168.0.252","port":445}],"target_count":1,"first_flow":"2020-09-13T12:26:40Z","detected":"2020-09-13T12:27:02.902Z","last_update":"2020-09-13T12:27:02.902Z","end":"2020-09-13T12:27:02.902Z","updates":0,"reason":"195 Samba log-ins in 22.9 s from 192.168.0.33 to 192.168.0.252:445","detail":{"FlowCount":195,"PortList":[445]},"explanation":{"rule":"attempts >= attempts_min and spread <= spread_max","inputs":{"attempts":195,"spread":0.02},"limits":{"attempts_min":20,"spread_max":0.25},"silent_below":{"attempts":20,"spread":0.25}},"attack":[{"tactic":"TA0006","technique":"T1110.001"}],"also":["SMBGUESS.General"],"entities":["ip:192.168.0.33","mac:1c:75:08:04:7a:5f","ip:192.168.0.252","port:445"],"evidence":{"flow_count":1,"query":"src ip 192.168.0.33 and dst port 445","flows":[{"flow_id":"cbb584bc07dd3144","phase":"end","flow_start":"2020-09-13T12:26:40Z","start":"2020-09-13T12:26:40Z","end":"2020-09-13T12:26:40Z","end_reason":1,"ethertype":2048,"proto":6,"src_ip":"192.168.0.33","src_port":50000,"dst_ip":"192.168.0.252","dst_port":445,"initiator_reason":"first_packet","src_packets":0,"src_bytes":0,"src_payload_bytes":0,"src_tcp_flags":"......","dst_tcp_flags":"......","src_ttl":0,"tos":0,"community_id":"1:18DWYWPJwMFVqGiFZP7dW6OzJZU=","conn_state":"OTH","src_inside":false,"dst_inside":false}]}}"#]]
    .assert_eq(&event(&example()));
}

#[test]
fn transactions_leave_out_what_is_not_there() {
    static STATUS: weir_model::Field = weir_model::Field::text("smb.status", "Status");
    let mut login = Transaction::new(
        weir_model::FlowId(7),
        key(),
        Protocol::Smb,
        Kind::Login,
        Time::from_secs(0),
    );
    login.outcome = Outcome::Refused;
    login.set_text(&STATUS, "C000006D");
    expect![[r#"{"flow_id":"0000000000000007","start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:00:00Z","protocol":"smb","kind":"login","outcome":"refused","src_ip":"192.168.0.33","dst_ip":"192.168.0.252","src_port":50000,"dst_port":445,"fields":{"smb.status":"C000006D"}}"#]]
    .assert_eq(&transaction(&login));
}
