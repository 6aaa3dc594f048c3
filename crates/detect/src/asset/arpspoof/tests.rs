//! One attack, one near miss and one harmless look-alike per submethod.

use expect_test::expect;

use crate::asset::arpspoof::ArpSpoof;
use crate::testing::check;

const OWNER: &str = "02:00:00:00:00:01";
const OTHER: &str = "02:00:00:00:00:66";

/// `ip` tells `to` that it is at `mac`.
fn arp(op: &str, mac: &str, ip: &str, to: &str) -> String {
    let from = if op == "reply" { (to, ip) } else { (ip, to) };
    format!(
        "tx arp/query {} > {} arp.op={op} arp.sender_mac={mac} arp.sender_ip={ip} arp.target_ip={to}\n",
        from.0, from.1
    )
}

fn spaced(messages: &[String]) -> String {
    let at = |(nth, message): (usize, &String)| format!("@{}s {message}", nth * 10);
    messages.iter().enumerate().map(at).collect()
}

#[test]
fn to_and_fro() {
    let (owner, other) = (
        arp("request", OWNER, "10.0.0.9", "10.0.0.2"),
        arp("request", OTHER, "10.0.0.9", "10.0.0.3"),
    );
    let turns = [owner.clone(), other.clone(), owner, other];
    check::<ArpSpoof>(
        &spaced(&turns),
        expect![[r#"
            ARPSPOOF.Conflict 50 % after 30 s, 2 findings, 2 targets: 02:00:00:00:00:66 claims 10.0.0.9 (before: 02:00:00:00:00:01) to 2 hosts within 20 s: 3 changes of hands
              changes >= changes_min; silent at changes 3; src mac 02:00:00:00:00:66 and ethertype 0x0806
        "#]],
    );
    check::<ArpSpoof>(&spaced(&turns[..3]), expect![[""]]);
}

#[test]
fn gateway_pressed() {
    let asks = |nth: usize| {
        arp(
            "request",
            &format!("02:00:00:00:01:0{nth}"),
            &format!("10.0.0.1{nth}"),
            "10.0.0.1",
        )
    };
    let mut turns: Vec<String> = (1..6).map(asks).collect();
    turns.push(arp("reply", OWNER, "10.0.0.1", "10.0.0.15"));
    turns.push(arp("reply", OTHER, "10.0.0.1", "10.0.0.11"));
    check::<ArpSpoof>(&spaced(&turns), expect![[""]]);
    turns.push(arp("reply", OTHER, "10.0.0.1", "10.0.0.11"));
    check::<ArpSpoof>(
        &spaced(&turns),
        expect![[r#"
            ARPSPOOF.Gateway 50 % after 70 s, 2 findings, 2 targets: 02:00:00:00:00:66 puts itself between hosts and their gateway: claims 10.0.0.1 (before: 02:00:00:00:00:01) to 2 hosts within 10 s, 1 change of hands, 2 answers nobody asked for
              gateway_unasked >= gateway_unasked_min and changes >= changed; silent at gateway_unasked 2, changes 1; src mac 02:00:00:00:00:66 and ethertype 0x0806
        "#]],
    );
}

#[test]
fn traffic_shows_the_owner() {
    let mut turns = vec!["10.0.0.9 <> 10.0.0.2:445 tcp SAF mac=02:00:00:00:00:01\n".to_owned()];
    turns.extend(std::iter::repeat_n(
        arp("reply", OTHER, "10.0.0.9", "10.0.0.2"),
        3,
    ));
    check::<ArpSpoof>(
        &spaced(&turns),
        expect![[r#"
            ARPSPOOF.Conflict 50 % after 30 s, 2 findings, 1 targets: 02:00:00:00:00:66 claims 10.0.0.9 (before: 02:00:00:00:00:01) to 1 host within 20 s: 1 change of hands, 3 answers nobody asked for
              unasked >= unasked_min and changes >= changed; silent at unasked 3, changes 1; src mac 02:00:00:00:00:66 and ethertype 0x0806
        "#]],
    );
}

#[test]
fn several_addresses_pushed() {
    let text = [
        arp("request", OTHER, "10.0.0.1", "10.0.0.7"),
        "@53us ".to_owned() + &arp("reply", "02:00:00:00:00:07", "10.0.0.7", "10.0.0.1"),
        "@66us ".to_owned() + &arp("reply", OTHER, "10.0.0.1", "10.0.0.7"),
        "@10s ".to_owned() + &arp("request", OTHER, "10.0.0.5", "10.0.0.1"),
    ];
    check::<ArpSpoof>(
        &text.concat(),
        expect![[r#"
            ARPSPOOF.Gateway 50 % after 10 s, 2 findings, 2 targets: 02:00:00:00:00:66 puts itself between hosts and their gateway: claims 10.0.0.1, 10.0.0.5 to 2 hosts within 10 s, 2 addresses claimed, 1 answer pushed behind an own question
              addresses >= addresses_min and pushed >= pushed_min; silent at addresses 2, pushed 1; src mac 02:00:00:00:00:66 and ethertype 0x0806
        "#]],
    );
    check::<ArpSpoof>(&text[..3].concat(), expect![[""]]);
}

#[test]
fn asked_back_after_a_while_is_not_pushed() {
    // A host with a second address asks the gateway, which checks it half a second later by a question of its own.
    let text = [
        arp("request", OWNER, "10.0.0.40", "10.0.0.2"),
        "@600ms ".to_owned() + &arp("request", "02:00:00:00:00:02", "10.0.0.2", "10.0.0.40"),
        "@600ms ".to_owned() + &arp("reply", OWNER, "10.0.0.40", "10.0.0.2"),
        "@8s ".to_owned() + &arp("request", OWNER, "10.0.0.42", "10.0.0.2"),
    ];
    check::<ArpSpoof>(&text.concat(), expect![[""]]);
}

#[test]
fn moves_and_virtual_routers_are_harmless() {
    let mut turns = Vec::new();
    // A router with two addresses, asked and answering; a new lease after long silence; a failover with announcements.
    for nth in [1, 2, 1, 2] {
        turns.push(arp(
            "request",
            "02:00:00:00:00:07",
            "10.0.0.7",
            &format!("10.0.0.{nth}"),
        ));
        turns.push(arp("reply", OWNER, &format!("10.0.0.{nth}"), "10.0.0.7"));
    }
    turns.extend([
        arp("request", OTHER, "10.0.0.1", "10.0.0.1"),
        arp("reply", OTHER, "10.0.0.1", "10.0.0.1"),
    ]);
    for mac in [
        "00:00:5e:00:01:01",
        OTHER,
        "00:00:5e:00:01:01",
        OTHER,
        "00:00:5e:00:01:01",
    ] {
        turns.push(arp("reply", mac, "10.0.0.250", "10.0.0.7"));
    }
    let mut text = spaced(&turns);
    for minute in [20, 40, 60, 80] {
        let mac = if minute % 40 == 0 { OWNER } else { OTHER };
        text += &format!("@{minute}min {}", arp("request", mac, "10.0.0.30", "10.0.0.1"));
    }
    text += "@0s tx arp/query every 1s x9 0.0.0.0 > 10.0.0.9 arp.op=request arp.sender_mac=02:00:00:00:00:99 arp.sender_ip=0.0.0.0 arp.target_ip=10.0.0.9\n";
    check::<ArpSpoof>(&text, expect![[""]]);
}

#[test]
fn storm() {
    let shout = |mac: &str, count: u32| {
        format!(
            "@0s tx arp/query every 500ms x{count} 10.0.0.{{1..250}} > 10.0.0.{{1..250}} arp.op=reply arp.sender_mac={mac} arp.sender_ip=10.0.0.{{1..250}} arp.target_ip=10.0.0.{{1..250}}\n"
        )
    };
    check::<ArpSpoof>(
        &(shout(OTHER, 100) + &shout(OWNER, 99)),
        expect![[r#"
            ARPSPOOF.Storm 50 % after 49 s, 2 findings, 0 targets: 02:00:00:00:00:66 made 100 announcements of addresses within a minute (addresses: 100)
              per_minute >= storm_per_minute_min; silent at per_minute 100; src mac 02:00:00:00:00:66 and ethertype 0x0806
        "#]],
    );
}

#[test]
fn neighbour_advertisements() {
    let advert = |mac: &str, over: bool| {
        format!(
            "tx nd/query fe80::9 > ff02::1 nd.kind=na nd.target=fe80::9 nd.link_address={mac} nd.override={over}\n"
        )
    };
    let pressed = [
        advert(OWNER, true),
        advert(OTHER, true),
        advert(OTHER, true),
        advert(OTHER, true),
    ];
    check::<ArpSpoof>(
        &spaced(&pressed),
        expect![[r#"
            ARPSPOOF.NeighbourAdvert 50 % after 30 s, 2 findings, 0 targets: 02:00:00:00:00:66 advertises fe80::9 (before: 02:00:00:00:00:01) within 20 s: 1 change of hands, 3 answers nobody asked for
              unasked >= unasked_min and changes >= changed; silent at unasked 3, changes 1; src mac 02:00:00:00:00:66 and app nd
        "#]],
    );
    check::<ArpSpoof>(&spaced(&pressed[..3]), expect![[""]]);
    let proxy = [
        advert(OWNER, true),
        advert(OTHER, false),
        advert(OTHER, false),
        advert(OTHER, false),
    ];
    check::<ArpSpoof>(&spaced(&proxy), expect![[""]]);
}
