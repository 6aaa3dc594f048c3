//! What a search may not do: take more memory than allowed, go on when told to stop, read what cannot fit.

use weir_query::Catalog;

use super::records::{Folder, parsed, part, records, sources};
use crate::flow::search::{
    Control, Cut, Figure, Found, Groups, Key, Measure, RowOrder, Search, SearchError, Shape, Source, View,
    run,
};
use crate::flow::to_batch;

fn grouped(keys: &[&str], measures: Vec<Figure>) -> Shape {
    let fields = keys.iter().map(|name| Catalog::flows().field(name).unwrap());
    Shape::Groups(Groups {
        keys: fields.map(|field| Key::of(field).unwrap()).collect(),
        measures: measures.into_iter().map(|what| Measure::new("m", what)).collect(),
        order: None,
        limit: Some(1),
    })
}

fn search(filter: &str, shape: Shape) -> Search {
    Search {
        filter: parsed(filter),
        view: View::Biflow,
        shape,
    }
}

#[test]
fn memory_is_refused_with_a_way_out() {
    let source = [Source::Batch(to_batch(&records(1, 4_000)).unwrap())];
    let bytes = Catalog::flows().field("bytes").unwrap().clone();
    let shapes = [
        grouped(
            &["src_ip", "dst_ip", "src_port", "dst_port", "start"],
            vec![Figure::Records],
        ),
        grouped(&["src_ip", "src_port"], vec![Figure::Quantile(bytes, 0.5)]),
        Shape::List {
            order: RowOrder::Stored,
            limit: None,
        },
    ];
    for shape in shapes {
        let search = search("any", shape);
        let small = Control::new(1, 64 << 10);
        let refused = run(&search, &source, &small).unwrap_err();
        assert!(matches!(refused, SearchError::Budget { .. }), "{refused}");
        assert!(
            refused.to_string().contains("or raise the memory limit"),
            "{refused}"
        );
        assert!(run(&search, &source, &Control::new(1, 64 << 20)).is_ok());
    }
}

#[test]
fn a_cancelled_search_ends() {
    let source = [Source::Batch(to_batch(&records(2, 100)).unwrap())];
    let control = Control::default();
    control.cancel();
    let search = search("any", Shape::Exists);
    assert!(matches!(
        run(&search, &source, &control),
        Err(SearchError::Cancelled)
    ));
}

#[test]
fn a_search_is_cancelled_while_it_runs() {
    let batch = to_batch(&records(3, 20_000)).unwrap();
    let source: Vec<Source> = (0..200).map(|_| Source::Batch(batch.clone())).collect();
    let control = Control::new(2, 256 << 20);
    let search = search("bytes > 1", grouped(&["ip"], vec![Figure::Records]));
    let ended = std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&search, &source, &control));
        while control.progress().0 == 0 {
            std::thread::yield_now();
        }
        control.cancel();
        running.join().unwrap()
    });
    assert!(matches!(ended, Err(SearchError::Cancelled)));
    let (done, all) = control.progress();
    assert!(done < all && all == 4_000_000, "{done} of {all}");
}

#[test]
fn progress_reaches_the_end() {
    let folder = Folder::new();
    let control = Control::default();
    run(
        &search(
            "any",
            Shape::Groups(Groups {
                keys: Vec::new(),
                measures: vec![Measure::new("flows", Figure::Records)],
                order: None,
                limit: None,
            }),
        ),
        &sources(&folder, &records(4, 300)),
        &control,
    )
    .unwrap();
    assert_eq!(control.progress(), (300, 300));
}

#[test]
fn what_cannot_fit_is_not_read() {
    let folder = Folder::new();
    let mut flows = records(5, 1_000);
    flows.sort_by_key(|flow| (flow.key.initiator_ip, flow.start));
    let source = [part(&folder, "sorted.parquet", &flows, 250)];
    let cost = |filter: &str| {
        let search = search(filter, grouped(&[], vec![Figure::Records]));
        let answer = run(&search, &source, &Control::default()).unwrap();
        let Found::Table(table) = answer.found else {
            panic!("{filter}");
        };
        let wanted = flows.iter().filter(|flow| search.filter.matches(flow)).count();
        let found: u64 = answer.cost.rows_fitting;
        assert_eq!(found, wanted as u64, "{filter}");
        assert_eq!(table.rows.len(), usize::from(wanted > 0), "{filter}");
        answer.cost
    };
    // Statistics of row groups, of pages, and bloom filters of addresses no statistics can rule out.
    assert_eq!(cost("dst port 9999").pieces_pruned, 4);
    assert_eq!(cost("first > 2027-01-01").pieces_pruned, 4);
    assert_eq!(cost("dst ip 10.0.1.77 and proto tcp").pieces_pruned, 4);
    assert_eq!(cost("dst ip 10.0.1.77 or ip 10.1.1.99").pieces_pruned, 4);
    let narrow = cost("src ip 10.0.1.3");
    assert!(narrow.pieces_pruned >= 2 && narrow.rows_read < 200, "{narrow:?}");
    assert_eq!(cost("phase end").rows_read, 1_000);
}

#[test]
fn questions_without_sense_are_told() {
    let refused = |shape| {
        run(&search("any", shape), &[], &Control::default())
            .unwrap_err()
            .to_string()
    };
    let field = |name: &str| Catalog::flows().field(name).unwrap().clone();
    assert_eq!(
        refused(grouped(&["src_ip"], vec![Figure::Sum(field("src_ip"))])),
        "src_ip holds no numbers of this kind"
    );
    assert!(
        refused(Shape::Series {
            bucket_ns: 0,
            measures: Vec::new()
        })
        .contains("longer than nothing")
    );
    let mut cut = Key::of(&field("src_port")).unwrap();
    cut.cut = Cut::Prefix { v4: 24, v6: 64 };
    let shape = Shape::Groups(Groups {
        keys: vec![cut],
        measures: Vec::new(),
        order: None,
        limit: None,
    });
    assert_eq!(refused(shape), "src_port cannot be cut this way");
    let order = RowOrder::By {
        value: field("app"),
        descending: false,
    };
    assert!(refused(Shape::List { order, limit: None }).starts_with("app gives no order"));
    let gone = part(&Folder::new(), "gone.parquet", &records(1, 1), 1);
    let error = run(&search("any", Shape::Exists), &[gone], &Control::default()).unwrap_err();
    assert!(matches!(error, SearchError::Gone(path) if path == "gone.parquet"));
}

#[test]
fn a_long_series_is_refused() {
    let source = [Source::Batch(to_batch(&records(6, 300)).unwrap())];
    let shape = Shape::Series {
        bucket_ns: 1_000,
        measures: vec![Measure::new("flows", Figure::Records)],
    };
    let refused = run(&search("any", shape), &source, &Control::default()).unwrap_err();
    assert!(
        matches!(refused, SearchError::TooManyBuckets(spans) if spans > 1_000_000),
        "{refused}"
    );
}
