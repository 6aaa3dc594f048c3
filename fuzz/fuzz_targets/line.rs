//! A run of packets through the whole line in this thread: meter, enrichment, every method, triage, and each output.
//! Methods are run without the guard that switches a panicking one off.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use weir::config::Config;
use weir_detect::Shard;
use weir_enrich::Enricher;
use weir_fuzz::packets::frames;
use weir_meter::Meter;
use weir_model::{Anomaly, Batch};
use weir_output::text::Style;
use weir_output::{csv, json, text};
use weir_triage::{Change, Triage};
use weir_wire::{LinkType, decode};

fuzz_target!(|data: &[u8]| {
    let config = Config::default();
    let instances = config.instances(false).expect("the defaults are good");
    let mut meter = Meter::new(config.meter);
    let mut enricher = Enricher::new(None);
    let mut shard = Shard::new(0, 1, &instances);
    let mut triage = Triage::new(config.triage.clone());
    let mut batch = Batch::default();
    let mut consume = |batch: Batch, enricher: &mut Enricher| {
        for batch in enricher.push(batch) {
            let batch = Arc::new(batch);
            let emissions = shard.run(&batch);
            let findings = emissions
                .into_iter()
                .map(|emission| (emission.seq, emission.finding));
            for change in triage.batch(&batch, findings.collect()) {
                show(&change);
            }
            for flow in &batch.flows {
                assert!(!json::flow(flow).contains('\n') && !csv::flow(flow).contains('\n'));
            }
            for transaction in &batch.transactions {
                assert!(!json::transaction(transaction).contains('\n'));
            }
        }
    };
    for frame in frames(data) {
        let packet = decode(LinkType::Ethernet, &frame.bytes, frame.bytes.len() as u32);
        meter.packet(frame.time, &packet, &mut batch);
        if batch.len() >= 64 {
            consume(std::mem::take(&mut batch), &mut enricher);
        }
    }
    meter.finish(&mut batch);
    consume(batch, &mut enricher);
    assert_eq!(meter.anomalies().of(Anomaly::PluginPanic), 0);
    assert!(shard.stats().iter().all(|stats| !stats.panicked));
});

fn show(change: &Change) {
    let (Change::Opened(event) | Change::Updated(event) | Change::Closed(event)) = change;
    assert!(!json::event(event).contains('\n'));
    let style = Style {
        colour: false,
        width: 110,
        verbose: true,
    };
    let shown = text::event(event, style);
    assert!(!shown.contains('\u{1b}'));
}
