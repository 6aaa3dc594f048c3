//! Every shared capture opens or fails with a clear error: no panic, no endless run. Controls stay silent.

use std::time::{Duration, Instant};

use weir_model::{Anomaly, Priority};

use crate::run::{files_below, run, shared};

/// Longest a single capture may take, in the profile the tests are built with.
const RUN_MAX: Duration = Duration::from_secs(60);

#[test]
fn every_capture_is_read_or_refused() {
    let Some(folder) = shared() else { return };
    let (mut read, mut refused) = (0, 0);
    for path in files_below(&folder) {
        let name = path.to_string_lossy().into_owned();
        if ![".pcap", ".pcapng", ".cap", ".trace", ".pcap_", ".pcap.gz"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            continue;
        }
        let started = Instant::now();
        let (_, summary) = run(std::slice::from_ref(&path), 1);
        assert!(started.elapsed() < RUN_MAX, "{name}: {:?}", started.elapsed());
        assert_eq!(
            summary.anomalies.of(Anomaly::PluginPanic),
            0,
            "{name}: a plug-in panicked"
        );
        if summary.nothing_read() {
            refused += 1;
            assert!(
                summary
                    .troubles
                    .iter()
                    .all(|trouble| trouble.len() > name.len() + 10),
                "{:?}",
                summary.troubles
            );
        } else {
            read += 1;
        }
    }
    assert!(read > 400, "{read} read, {refused} refused");
}

#[test]
fn controls_are_silent() {
    let Some(folder) = shared() else { return };
    let truth = std::fs::read_to_string(folder.join("truth.tsv")).unwrap();
    let mut controls = 0;
    for row in truth
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>())
    {
        let (path, expect, also_ok, forbid) = (row[0], row[4], row[5], row[6]);
        if !expect.is_empty() || forbid != "*" {
            continue;
        }
        controls += 1;
        let (kept, _) = run(&[folder.join(path)], 1);
        let allowed: Vec<&str> = also_ok.split('|').collect();
        for event in kept
            .events
            .iter()
            .filter(|event| event.priority > Priority::Informational)
        {
            let code = event.lead.method.code;
            assert!(allowed.contains(&code), "{path}: {code}: {}", event.lead.reason());
        }
    }
    assert!(controls >= 15, "{controls} controls");
}
