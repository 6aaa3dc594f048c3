//! Golden cases: the project's own recordings and the events they must give. `UPDATE_EXPECT=1` blesses; read the diff.

use std::fmt::Write;

use expect_test::expect_file;
use weir_model::Event;

use crate::run::{case, incident, root, run};

fn shown(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let lead = &event.lead;
        let _ = writeln!(
            text,
            "{} {}.{} {} %: {}",
            event.priority,
            lead.method.code,
            lead.submethod.name,
            lead.probability,
            weir_output::text::reason(event)
        );
        let also = event.also.join(" ");
        let _ = writeln!(
            text,
            "  {}; {} flows kept; also [{also}]",
            lead.rule_text(),
            event.evidence.len()
        );
    }
    text
}

#[test]
fn every_recording_gives_its_events() {
    let mut seen = 0;
    let mut folders: Vec<_> = std::fs::read_dir(root().join("captures"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    for folder in folders {
        let Some(capture) = case(&folder) else { continue };
        let (kept, summary) = run(&[capture], 1);
        assert!(
            summary.troubles.is_empty(),
            "{}: {:?}",
            folder.display(),
            summary.troubles
        );
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("benign") {
            assert_eq!(shown(&kept.events), "", "{name} must be silent");
        }
        expect_file![folder.join("events.txt")].assert_eq(&shown(&kept.events));
        seen += 1;
    }
    assert!(seen >= 2, "only {seen} recordings found");
}

/// The case the product is judged by: three events, with these figures, and nothing else.
#[test]
fn the_incident_is_told_in_three_events() {
    let (kept, _) = run(&[incident()], 1);
    let names: Vec<_> = kept
        .events
        .iter()
        .map(|event| format!("{}.{}", event.lead.method.code, event.lead.submethod.name))
        .collect();
    assert_eq!(
        names,
        ["DICTATTACK.SambaProtocol", "SCANS.TCPSYN", "UPLOAD.General"]
    );
    let guess: serde_json::Value = serde_json::from_str(&weir_output::json::event(&kept.events[0])).unwrap();
    assert_eq!(guess["detail"]["FlowCount"], 195);
    assert_eq!(guess["detail"]["PortList"], serde_json::json!([445]));
    assert_eq!(guess["detail"]["AverageIntervalMs"], 117);
    assert_eq!(guess["probability"], 100);
    assert_eq!(guess["target_count"], 1);
    assert_eq!(guess["source"]["ip"], "192.168.0.33");
    assert_eq!(
        guess["targets"],
        serde_json::json!([{"ip": "192.168.0.252", "port": 445}])
    );
    assert_eq!(guess["attack"][0]["technique"], "T1110.001");
    assert_eq!(guess["evidence"]["flow_count"], 20);
    assert!(
        kept.events
            .iter()
            .all(|event| event.source.ip == "192.168.0.33".parse().ok())
    );
}
