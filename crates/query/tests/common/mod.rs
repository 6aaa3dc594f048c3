//! Random flow records and random trees for the property tests, drawn from few values so that comparisons often hold.

use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weir_model::{
    ConnState, Counters, Country, FlowKey, FlowRecord, Mac, Measured, Performance, Phase, Place, Protocol,
    Time, ethertype, proto,
};
use weir_query::{
    Catalog, Check, Expr, Field, FlagTest, Kind, Order, Pattern, Set, TextTest, Words, address, mac_number,
};

/// Seconds since 1970 around which the records lie.
pub(crate) const NOW_S: i64 = 1_767_225_600;

pub(crate) fn ips() -> impl Strategy<Value = std::net::IpAddr> {
    prop_oneof![
        (0_u8..4, 0_u8..4).prop_map(|(c, d)| [10, 0, c, d].into()),
        Just([8, 8, 8, 8].into()),
        (0_u16..4).prop_map(|last| [0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into()),
    ]
}

pub(crate) fn macs() -> impl Strategy<Value = Mac> {
    (0_u8..3).prop_map(|last| Mac([2, 0, 0, 0, 0, last]))
}

fn counters() -> impl Strategy<Value = Counters> {
    (
        0_u64..5,
        prop_oneof![Just(0), 0_u64..3000, 999_990_u64..1_000_010, 0_u64..1 << 40],
    )
        .prop_map(|(packets, bytes)| Counters {
            packets,
            bytes,
            payload_bytes: bytes / 2,
        })
}

fn places() -> impl Strategy<Value = Place> {
    let country = prop_oneof![
        Just(None),
        Just(Country::from_code("CZ")),
        Just(Country::from_code("DE"))
    ];
    (country, 0_u32..4).prop_map(|(country, number)| Place {
        country,
        as_number: NonZeroU32::new(number),
    })
}

prop_compose! {
    fn keys()(
        initiator_ip in ips(),
        responder_ip in ips(),
        initiator_port in prop_oneof![0_u16..4, 1020_u16..1030, Just(u16::MAX)],
        responder_port in prop_oneof![Just(53), Just(80), Just(443), Just(445)],
        proto in prop_oneof![Just(proto::TCP), Just(proto::UDP), Just(proto::ICMP), Just(0), any::<u8>()],
        ethertype in prop_oneof![
            3 => Just(ethertype::IPV4), 2 => Just(ethertype::IPV6), 1 => Just(ethertype::ARP), 1 => Just(0x88cc)
        ],
        vlan in option::of(0_u16..3),
    ) -> FlowKey {
        FlowKey { initiator_ip, responder_ip, initiator_port, responder_port, proto, ethertype, vlan }
    }
}

/// Some figures of each kind.
fn performance(figures: &[Option<u32>]) -> Performance {
    let mut figures = figures.iter().map(|figure| Measured::from(*figure));
    let mut next = || figures.next().unwrap_or_default();
    let mut told = Performance {
        rtt_us: next(),
        srt_us: next(),
        ..Performance::default()
    };
    (told.forward.retransmitted, told.reverse.retransmitted) = (next(), next());
    (told.forward.jitter.max_us, told.reverse.jitter.max_us) = (next(), next());
    told
}

prop_compose! {
    pub(crate) fn flows()(
        key in keys(),
        start in prop_oneof![Just(0), -3_i64..3, 0_i64..1_000_000_000],
        nanos in prop_oneof![Just(0), 0_i64..5_000_000_000, Just(1_000_000)],
        forward in counters(),
        reverse in option::of(counters()),
        flags in (0_u16..256, 0_u16..256),
        mac in (option::of(macs()), option::of(macs())),
        phase in prop_oneof![Just(Phase::Start), Just(Phase::Update), Just(Phase::End)],
        state in prop_oneof![Just(ConnState::S0), Just(ConnState::SF), Just(ConnState::Rej)],
        app in option::of(prop_oneof![Just(Protocol::Dns), Just(Protocol::Http), Just(Protocol::Tls)]),
        icmp in option::of((0_u8..4, 0_u8..2)),
        (inside, places) in ((any::<bool>(), any::<bool>()), (places(), places())),
        (letters, figures) in ("[SsAaDdFf]{0,4}", option::of(vec(option::of(0_u32..3000), 6))),
    ) -> FlowRecord {
        let start = Time::from_secs(NOW_S) + start;
        let mut flow = FlowRecord::new(key, start);
        flow.end = start + nanos;
        (flow.forward, flow.reverse) = (forward, reverse);
        (flow.forward_total, flow.reverse_total) = (forward, reverse);
        (flow.forward_flags, flow.reverse_flags) = flags;
        (flow.initiator_mac, flow.responder_mac) = mac;
        (flow.phase, flow.conn_state, flow.protocol, flow.icmp) = (phase, state, app, icmp);
        (flow.initiator_inside, flow.responder_inside) = inside;
        (flow.initiator_place, flow.responder_place) = places;
        letters.bytes().for_each(|letter| flow.history.push(letter));
        flow.performance = figures.and_then(|figures| performance(&figures).boxed());
        flow
    }
}

/// Numbers near those of the records.
fn numbers(field: &Field) -> BoxedStrategy<u64> {
    match field.name.rsplit('_').next() {
        Some("port") => {
            prop_oneof![Just(53), Just(80), Just(443), Just(445), 0_u64..4, 1020_u64..1030].boxed()
        }
        Some("ethertype") => prop_oneof![Just(0x0800), Just(0x86dd), Just(0x0806)].boxed(),
        Some("asn" | "vlan" | "ttl" | "tos" | "proto" | "type" | "code") => (0_u64..20).boxed(),
        Some("duration") => prop_oneof![Just(0), Just(1_000_000), 0_u64..5_000_000_000].boxed(),
        _ => prop_oneof![0_u64..5, 0_u64..3000, 999_990_u64..1_000_010, Just(u64::MAX)].boxed(),
    }
}

fn ranges<T: Ord + Copy + std::fmt::Debug + 'static>(
    one: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Vec<(T, T)>> {
    let one = one.boxed();
    let range =
        (one.clone(), one, any::<bool>()).prop_map(
            |(a, b, single)| {
                if single { (a, a) } else { (a.min(b), a.max(b)) }
            },
        );
    vec(range, 1..4)
}

fn open<T: Ord + Copy + std::fmt::Debug>(
    one: impl Strategy<Value = T>,
    least: T,
    greatest: T,
) -> impl Strategy<Value = Vec<(T, T)>> {
    (one, any::<bool>()).prop_map(move |(end, up)| vec![if up { (end, greatest) } else { (least, end) }])
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("S0".to_owned()),
        Just("end".to_owned()),
        Just("SaD".to_owned()),
        "[SsAaDd]{0,3}",
        "\\PC{0,6}",
    ]
}

/// Words a text column may be compared with.
fn words(field: &Field) -> BoxedStrategy<String> {
    let closed: &[&str] = match field.name {
        "app" => &["dns", "http", "tls", "ssh"],
        "conn_state" => &["S0", "SF", "REJ", "OTH"],
        "phase" => &["start", "update", "end"],
        "app_by" => &["content", "port"],
        "initiator_reason" => &["syn", "first_packet"],
        "country" | "src_country" | "dst_country" => &["CZ", "DE", "US"],
        _ => return texts().boxed(),
    };
    proptest::sample::select(closed.to_vec())
        .prop_map(str::to_owned)
        .boxed()
}

fn text_tests(field: &Field) -> BoxedStrategy<TextTest> {
    let glob = "[SaD*?0\\\\]{0,4}".prop_filter_map("pattern", |text| Pattern::glob(&text).ok());
    let known = vec![
        "S", "^S", "D$", "[SF]0", "S.*D", "a|d", "^.?$", "(S|a){2}", "\\d", "a+",
    ];
    let regex = proptest::sample::select(known).prop_filter_map("pattern", |text| Pattern::regex(text).ok());
    prop_oneof![
        vec(words(field), 1..4).prop_map(|all| TextTest::Is(Words::of(all.iter().map(String::as_str)))),
        texts().prop_map(|part| TextTest::Contains(part.into())),
        glob.prop_map(TextTest::Glob),
        regex.prop_map(TextTest::Regex),
    ]
    .boxed()
}

fn flag_tests() -> BoxedStrategy<Check> {
    prop_oneof![
        (0_u64..256).prop_map(FlagTest::All),
        (1_u64..256)
            .prop_filter("one bit is the same as all", |bits| bits.count_ones() > 1)
            .prop_map(FlagTest::AnyOf),
        (0_u64..256, 0_u64..256).prop_map(|(set, of)| FlagTest::Exactly { set: set & of, of }),
    ]
    .prop_map(Check::TcpFlags)
    .boxed()
}

fn checks(field: &Field) -> BoxedStrategy<Check> {
    let check = match field.kind {
        Kind::Number(_) => prop_oneof![ranges(numbers(field)), open(numbers(field), 0, u64::MAX)]
            .prop_map(|ranges| Check::Numbers(Set::of(ranges)))
            .boxed(),
        Kind::Rate(_) => {
            let orders = [
                Order::Less,
                Order::LessOrEqual,
                Order::Equal,
                Order::MoreOrEqual,
                Order::More,
            ];
            let wanted = prop_oneof![
                Just(0.0),
                Just(0.5),
                0.0_f64..2000.0,
                (0_u32..3000).prop_map(f64::from)
            ];
            (proptest::sample::select(orders.to_vec()), wanted)
                .prop_map(|(order, wanted)| Check::Rate(order, wanted))
                .boxed()
        }
        Kind::Time => {
            let moment = (-3_i64..1_000_000_000).prop_map(|nanos| NOW_S * 1_000_000_000 + nanos);
            prop_oneof![ranges(moment.clone()), open(moment, i64::MIN, i64::MAX)]
                .prop_map(|ranges| Check::Times(Set::of(ranges)))
                .boxed()
        }
        Kind::Address => {
            let net = (ips(), 90_u32..129).prop_map(|(ip, bits)| {
                let host = (1_u128 << (128 - bits)) - 1;
                vec![(address(ip) & !host, address(ip) | host)]
            });
            prop_oneof![ranges(ips().prop_map(address)), net]
                .prop_map(|ranges| Check::Addresses(Set::of(ranges)))
                .boxed()
        }
        Kind::Mac => ranges(macs().prop_map(mac_number))
            .prop_map(|ranges| Check::Numbers(Set::of(ranges)))
            .boxed(),
        Kind::Flag => any::<bool>().prop_map(Check::Flag).boxed(),
        Kind::TcpFlags => flag_tests(),
        Kind::Text | Kind::Texts => text_tests(field).prop_map(Check::Text).boxed(),
    };
    prop_oneof![12 => check, 1 => Just(Check::Present)].boxed()
}

fn tests() -> impl Strategy<Value = Expr> {
    proptest::sample::select(Catalog::flows().fields().to_vec())
        .prop_flat_map(|field| checks(&field).prop_map(move |check| Expr::test(&field, check)))
}

pub(crate) fn trees() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![1 => Just(Expr::Any), 15 => tests()];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Expr::and),
            vec(inner.clone(), 2..4).prop_map(Expr::or),
            inner.prop_map(Expr::negate),
        ]
    })
}
