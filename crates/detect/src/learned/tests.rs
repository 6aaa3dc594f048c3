//! Texts of other versions, damaged ones, and more cells than there is room for. That a restart does not show is
//! checked by every test of a method that learns (`testing::check`).

use serde_json::json;

use super::*;
use crate::Shard;
use crate::behaviour::peers::Peers;
use crate::policy::telnet::Telnet;
use crate::testing::{halves, instance, run, shards};

const FLOWS: &str = "@1s every 60s x900 10.0.0.{1..9} <> 10.0.1.{11..20}:443 tcp APRSF 900/9 9000/9";

/// What PEERS keeps of nine hosts.
fn checkpoint() -> Checkpoint {
    let (first, _) = halves(&weir_testkit::notation::batch(FLOWS));
    let mut learners = shards(&[instance::<Peers>("{}")], 2);
    run(&mut learners, &first);
    let mut merged = Checkpoint::merge(learners.iter_mut().map(Shard::learned));
    assert_eq!(merged.len(), 1);
    merged.remove(0)
}

fn restore(text: &str) -> Result<Restored, RestoreError> {
    shards(&[instance::<Peers>("{}")], 1)[0].restore(text)
}

#[test]
fn the_end_does_not_forget() {
    let batch = weir_testkit::notation::batch(FLOWS);
    let instances = [instance::<Peers>("{}")];
    let cells = |shard: Shard| {
        let mut shard = [shard];
        run(&mut shard, &batch);
        shard[0].learned()[0].cells
    };
    assert_eq!(cells(Shard::new(0, 1, &instances)), 0);
    assert_eq!(cells(Shard::new(0, 1, &instances).keeping()), 9);
}

#[test]
fn a_method_that_keeps_nothing_says_nothing() {
    let mut shard = shards(&[instance::<Telnet>("{}")], 1).remove(0);
    assert!(shard.learned().is_empty());
    let text = checkpoint().text();
    let unwanted = RestoreError::Unwanted {
        method: "PEERS".into(),
        instance: "default".into(),
    };
    assert_eq!(shard.restore(&text), Err(unwanted.clone()));
    let text = text.replacen("PEERS", "TELNET", 1);
    assert!(matches!(shard.restore(&text), Err(RestoreError::Unwanted { .. })));
}

#[test]
fn texts_of_others() {
    let text = checkpoint().text();
    assert!(matches!(restore(""), Err(RestoreError::Unreadable(_))));
    assert!(matches!(restore("PEERS\n"), Err(RestoreError::Unreadable(_))));
    for newer in [
        text.replacen("\"version\":1", "\"version\":2", 1),
        text.replacen("\"format\":1", "\"format\":2", 1),
    ] {
        let error = restore(&newer).unwrap_err();
        assert!(matches!(error, RestoreError::Newer { .. }), "{error}");
        assert!(error.to_string().contains("newer Weir"));
    }
}

/// Whatever is cut off or overwritten costs the cells it touches and nothing else.
#[test]
fn damaged_texts() {
    let text = checkpoint().text();
    let header = text.find('\n').unwrap();
    for cut in (header + 1..text.len()).step_by(97) {
        let restored = restore(&text[..cut]).unwrap();
        assert!(
            restored.refused <= 1 && restored.cells <= 9,
            "{cut}: {restored:?}"
        );
    }
    let mut lines: Vec<&str> = text.lines().collect();
    lines[3] = "{}\t{}";
    lines[4] = lines[5];
    let restored = restore(&lines.join("\n")).unwrap();
    assert_eq!(
        (restored.cells, restored.refused),
        (7, 2),
        "one unreadable, one twice"
    );
    let restored = restore(&text.replace("\"past\":[", "\"past\":[-1,")).unwrap();
    assert_eq!((restored.cells, restored.refused), (0, 9));
}

/// The silent cells go first, and are counted.
#[test]
fn no_more_than_there_is_room_for() {
    let mut room = Room::new(12);
    for line in ["newest", "older", "x", "oldest"] {
        room.add(Some(line.to_owned()));
    }
    room.add(None);
    assert_eq!(room.left_out, 3);
    assert_eq!(room.finish(), ("x\nnewest\n".to_owned(), 2));
}

#[test]
fn old_layouts_are_upgraded() {
    const KEPT: Learned<u64> = Learned::version(2).upgrade(|from, old| match (from, old) {
        (1, Value::Object(old)) => old.get("count").cloned(),
        _ => None,
    });
    let cell = SavedCell::new(&CellKey::network(), Time(5), vec![("Sub".into(), None, Time(3))]);
    let mut line = KEPT.line(&cell, &7).unwrap();
    assert_eq!(KEPT.state(2, &line), Some(7));
    assert_eq!(KEPT.state(1, &line), None);
    line.truncate(line.len() - 1);
    line.push_str(&json!({"count": 9}).to_string());
    assert_eq!(KEPT.state(1, &line), Some(9));
    assert_eq!(SavedCell::of_line(&line).unwrap().key(), CellKey::network());
}
