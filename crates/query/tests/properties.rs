//! What must hold for every filter and every record: the back ends agree, text and tree are the same thing, pruning
//! never loses a row, and no text makes the parser panic.

mod common;

use common::{flows, ips, macs, trees};
use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{FlowFilter, FlowRecord, Protocol, ethertype, proto};
use weir_query::{
    Bounds, Catalog, Columns, FlowColumns, NoLists, Selection, Slice, Statistics, Verdict, complete, explain,
    parse, select, sql, verdict,
};

/// Exact statistics of a batch.
struct Exact<'a>(&'a FlowColumns<'a>);

impl Exact<'_> {
    fn of<T: Copy + Ord>(values: &[T], valid: &Selection, bounds: fn(T, T) -> Bounds) -> Bounds {
        let least = valid.iter().map(|row| values[row]).min();
        let greatest = valid.iter().map(|row| values[row]).max();
        least
            .zip(greatest)
            .map_or(Bounds::Empty, |(low, high)| bounds(low, high))
    }
}

impl Statistics for Exact<'_> {
    fn bounds(&self, column: &str) -> Option<Bounds> {
        Some(match self.0.column(column) {
            Slice::Missing | Slice::Lists(..) => return None,
            Slice::Numbers(values, valid) => Self::of(values, valid, Bounds::Numbers),
            Slice::Times(values, valid) => Self::of(values, valid, Bounds::Times),
            Slice::Addresses(values, valid) => Self::of(values, valid, Bounds::Addresses),
            Slice::Texts(_, texts, _) => match (texts.iter().min(), texts.iter().max()) {
                (Some(low), Some(high)) => Bounds::Texts(low.clone(), high.clone()),
                _ => Bounds::Empty,
            },
        })
    }

    fn complete(&self, column: &str) -> bool {
        match self.0.column(column) {
            Slice::Missing => false,
            Slice::Numbers(_, valid)
            | Slice::Times(_, valid)
            | Slice::Addresses(_, valid)
            | Slice::Texts(_, _, valid)
            | Slice::Lists(_, _, valid) => valid.count() == self.0.rows(),
        }
    }
}

fn flow_filters() -> impl Strategy<Value = FlowFilter> {
    use proptest::option::of;
    let ports = proptest::sample::select(vec![53, 80, 443, 445]);
    let protos = proptest::sample::select(vec![proto::TCP, proto::UDP, proto::ICMP, proto::GRE]);
    let kinds = proptest::sample::select(vec![ethertype::IPV4, ethertype::IPV6, ethertype::ARP]);
    let apps = proptest::sample::select(Protocol::ALL.to_vec());
    (
        of(ips()),
        of(ips()),
        of(ips()),
        of(ports),
        of(protos),
        of(kinds),
        of(macs()),
        of(apps),
    )
        .prop_map(
            |(initiator, responder, host, responder_port, proto, ethertype, initiator_mac, protocol)| {
                FlowFilter {
                    initiator,
                    responder,
                    host,
                    responder_port,
                    // Methods name a port only of protocols that have ports; ICMP types stand in the same field of the key.
                    proto: proto.or(responder_port.map(|_| proto::TCP)).map(|number| {
                        if responder_port.is_some() && number != proto::UDP {
                            proto::TCP
                        } else {
                            number
                        }
                    }),
                    ethertype,
                    initiator_mac,
                    protocol,
                    since: None,
                }
            },
        )
}

/// A record whose address and protocol belong together: methods never ask for an address of a frame without one.
fn fits_itself(flow: &FlowRecord) -> bool {
    flow.key.is_ip() || flow.key.ethertype == ethertype::ARP && flow.key.proto == 0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_and_columns_agree(tree in trees(), records in vec(flows(), 0..70)) {
        let columns = FlowColumns::new(&records);
        let all = Selection::all(records.len());
        let selected = select(&tree, &columns, &all);
        for (row, flow) in records.iter().enumerate() {
            prop_assert_eq!(selected.contains(row), tree.matches(flow), "{} on {:?}", tree, flow);
        }
        let read = tree.columns();
        prop_assert!(columns.touched().iter().all(|name| read.contains(name)));
    }

    #[test]
    fn a_selection_is_never_left(tree in trees(), records in vec(flows(), 1..70), mask in any::<u64>()) {
        let columns = FlowColumns::new(&records);
        let within = Selection::from_fn(records.len(), |row| mask >> (row % 64) & 1 == 1);
        let selected = select(&tree, &columns, &within);
        for (row, flow) in records.iter().enumerate() {
            prop_assert_eq!(selected.contains(row), within.contains(row) && tree.matches(flow));
        }
    }

    #[test]
    fn printed_trees_parse_to_themselves(tree in trees()) {
        let text = tree.to_string();
        let again = parse(&text, Catalog::flows(), &NoLists);
        prop_assert_eq!(again.as_ref(), Ok(&tree), "{}", text);
        prop_assert!(!explain(&tree).is_empty());
    }

    #[test]
    fn pruning_loses_no_row(tree in trees(), records in vec(flows(), 1..12)) {
        let columns = FlowColumns::new(&records);
        let fitting = records.iter().filter(|flow| tree.matches(flow)).count();
        match verdict(&tree, &Exact(&columns)) {
            Verdict::NoRow => prop_assert_eq!(fitting, 0, "{}", tree),
            Verdict::EveryRow => prop_assert_eq!(fitting, records.len(), "{}", tree),
            Verdict::SomeRows => {}
        }
    }

    #[test]
    fn sql_binds_every_value(tree in trees()) {
        let sql = sql(&tree);
        prop_assert!(!sql.text.contains('\''), "{}", sql.text);
        for (at, parameter) in sql.parameters.iter().enumerate() {
            let place = format!("{{p{at}:{}}}", parameter.sql_type());
            prop_assert_eq!(sql.text.matches(&place).count(), 1);
        }
        let open = |text: &str, c| text.matches(c).count();
        prop_assert_eq!(open(&sql.text, '('), open(&sql.text, ')'));
        prop_assert_eq!(open(&sql.text, '{'), sql.parameters.len());
    }

    #[test]
    fn queries_of_findings_select_what_the_finding_says(filter in flow_filters(), flow in flows()) {
        prop_assume!(fits_itself(&flow));
        let parsed = parse(&filter.to_string(), Catalog::flows(), &NoLists);
        prop_assert!(parsed.is_ok(), "{}: {:?}", filter, parsed);
        if let Ok(parsed) = parsed {
            prop_assert_eq!(parsed.matches(&flow), filter.matches(&flow), "{} on {:?}", filter, flow);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), cursor in 0_usize..80) {
        let lists = |name: &str| Some(vec![name.to_owned()]);
        if let Err(error) = parse(&text, Catalog::flows(), &lists) {
            let escapes = error.to_string().contains('\u{1b}');
            prop_assert!(!escapes);
        }
        complete(&text, cursor, Catalog::flows(), &lists);
    }

    #[test]
    fn no_row_of_words_makes_it_panic(
        words in vec(
            proptest::sample::select(vec![
                "src", "dst", "port", "ip", "in", "[", "]", "(", ")", "not", "and", "or", "!", "80", "10.0.0.0/8",
                "@list", "flags", "S/SA", "bytes", ">", "<=", "1M", "~", "=~", "\"a*\"", "app", "dns", "exists",
                "start", "2026-11-01T08", "any", "inside", "no", ",", "'", "#", "\\", "é", "1-0", "-", "..", "/",
            ]),
            0..12,
        ),
        cursor in 0_usize..80,
    ) {
        let text = words.join(" ");
        let lists = |_: &str| Some(vec!["1".to_owned()]);
        if let Ok(tree) = parse(&text, Catalog::flows(), &lists) {
            let again = parse(&tree.to_string(), Catalog::flows(), &lists);
            prop_assert_eq!(again, Ok(tree));
        }
        complete(&text, cursor, Catalog::flows(), &lists);
    }
}
