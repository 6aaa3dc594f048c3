//! Each check with an input that calls for it, and one just below.

use weir_testkit::notation;

use super::*;

/// Checks told of for flow notation, in order.
fn checks(text: &str) -> Vec<&'static str> {
    checks_of(&notation::batch(text))
}

fn checks_of(batch: &Batch) -> Vec<&'static str> {
    let mut check = SysCheck::new(Setting::default());
    check.batch(batch);
    check.take().into_iter().map(|notice| notice.check).collect()
}

/// Twenty minutes of ordinary flows, four a second, with something else among them.
fn with(other: &str) -> String {
    format!("@0s every 250ms x4800 10.0.0.{{1..50}} <> 198.51.100.7:443 tcp APRSF 900/9 9000/9\n{other}")
}

#[test]
fn nothing_to_tell() {
    assert!(checks(&with("")).is_empty());
    // Unanswered questions are traffic, not a fault of the mirror port.
    assert!(checks("@0s every 100ms x12000 10.0.0.5 > 10.0.{0..9}.{1..250}:22 tcp S 60/1").is_empty());
}

#[test]
fn one_direction_only() {
    let one_way = "@0s every 50ms x24000 10.0.0.{1..50} > 198.51.100.7:443 tcp APSF 9000/9";
    assert_eq!(checks(&with(one_way)), ["MinSingle"]);
    assert!(checks(&with(&one_way.replace("50ms x24000", "100ms x12000"))).is_empty());
}

#[test]
fn broadcast_alone() {
    let noise = "@0s every 50ms x24000 10.0.0.{1..50} > 239.255.255.250:1900 udp 200/1";
    assert_eq!(checks(&with(noise)), ["MinBroadcast"]);
    assert!(checks(&with(&noise.replace("50ms x24000", "100ms x12000"))).is_empty());
}

#[test]
fn told_twice_by_exporters() {
    let mut batch = notation::batch(&with(""));
    for flow in batch.flows.iter_mut().step_by(4) {
        flow.duplicate = true;
    }
    assert_eq!(checks_of(&batch), ["Duplicates"]);
    for flow in batch.flows.iter_mut().step_by(8) {
        flow.duplicate = false;
    }
    assert!(checks_of(&batch).is_empty());
}

#[test]
fn a_sensor_falls_silent() {
    let usual = "@0s every 250ms x24000 10.0.0.{1..50} <> 198.51.100.7:443 tcp APRSF 900/9 9000/9\n";
    let less = "@6000s every 5s x400 10.0.0.{1..50} <> 198.51.100.7:443 tcp APRSF 900/9 9000/9";
    assert_eq!(checks(&format!("{usual}{less}")), ["MaxDecrease"]);
    assert!(checks(&format!("{usual}{}", less.replace("5s x400", "1s x2000"))).is_empty());
}

#[test]
fn long_flows_reported_late() {
    let exported = |length: &str| {
        let mut batch = notation::batch(&with(&format!(
            "@0s every 10s x120 10.0.0.5 <> 198.51.100.9:443 tcp AP 9000/9 9000/9 phase=update dur={length}"
        )));
        for flow in &mut batch.flows {
            flow.exporter = Some([192, 0, 2, 1].into());
        }
        checks_of(&batch)
    };
    assert_eq!(exported("60s"), ["DetectTimeout"]);
    assert!(exported("303s").is_empty());
}

/// Past the limit one notice, and silence where that is wanted.
#[test]
fn too_many_events() {
    let limits = Setting {
        events_max: 3,
        events_max_hour: 5,
        deactivate_on_flood: true,
        ..Setting::default()
    };
    let mut check = SysCheck::new(limits);
    let mut event = event();
    let start = event.detected;
    let at = |second: i64, finding: &Finding| Finding {
        detected: start + second * NANOS_PER_S,
        ..finding.clone()
    };
    for second in 0..8 {
        event.detected = start + second * NANOS_PER_S;
        check.opened(&event);
        assert_eq!(check.hears(&at(second, &event.lead)), second < 3, "{second}");
    }
    let told: Vec<_> = check.take().into_iter().map(|notice| notice.check).collect();
    assert_eq!(told, ["MaxNewEvents", "MaxPerHour"]);
    assert!(check.hears(&at(3_700, &event.lead)));
    let again = check.take();
    assert!(
        again[0]
            .text
            .ends_with("speaks again; 5 findings of silenced methods were passed over"),
        "{again:?}"
    );
}

/// Some event, as a scan makes it.
fn event() -> Event {
    use weir_triage::{Change, Triage, TriageConfig};
    let batch = notation::batch("@0s every 10ms x400 10.0.0.5 > 10.0.1.{1..200}:22 tcp S 60/1");
    let instances = crate::config::Config::default().instances(true).unwrap();
    let mut shard = weir_detect::Shard::new(0, 1, &instances);
    let found = shard
        .run(&batch)
        .into_iter()
        .map(|one| (one.seq, one.finding))
        .collect();
    let changes = Triage::new(TriageConfig::default()).batch(batch.into(), found);
    let opened = changes.into_iter().find_map(|change| match change {
        Change::Opened(event) => Some(*event),
        _ => None,
    });
    opened.expect("a scan is an event")
}
