//! A run of packets through the meter: nothing panics, every cap holds, and no packet is lost or counted twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_fuzz::packets::frames;
use weir_meter::{Meter, MeterConfig};
use weir_model::{Anomaly, Batch, Item, Phase};
use weir_wire::{LinkType, decode};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    // Small caps, so that a short run reaches them; the usual ones every other time.
    let mut config = MeterConfig::default();
    if choice & 1 == 1 {
        config.flows_max = 8;
        config.stream_bytes_max = 256;
        config.stream_bytes_total_max = 1024;
        config.active_timeout_s = 5;
    }
    config.start_records = choice & 2 != 0;
    let mut meter = Meter::new(config);
    let mut out = Batch::default();
    let mut packets = 0;
    for frame in frames(data) {
        packets += 1;
        let packet = decode(LinkType::Ethernet, &frame.bytes, frame.bytes.len() as u32);
        meter.packet(frame.time, &packet, &mut out);
        let stats = meter.stats();
        assert!(stats.flows_active <= config.flows_max as u64);
        assert!(stats.stream_bytes_waiting <= config.stream_bytes_total_max as u64);
    }
    meter.finish(&mut out);
    let stats = meter.stats();
    assert_eq!(
        (stats.packets, stats.flows_active, stats.stream_bytes_waiting),
        (packets, 0, 0)
    );
    assert_eq!(meter.anomalies().of(Anomaly::PluginPanic), 0);
    check(&out, packets);
});

/// The records hold what the packets held, in one total order.
fn check(out: &Batch, packets: u64) {
    let counted = out
        .flows
        .iter()
        .map(|flow| flow.forward.packets + flow.reverse_or_zero().packets);
    assert_eq!(counted.sum::<u64>(), packets);
    for flow in out.flows.iter().filter(|flow| flow.phase != Phase::Start) {
        assert!(flow.start <= flow.end && flow.flow_start <= flow.start);
        assert!(flow.forward_total.packets >= flow.forward.packets);
    }
    let seqs: Vec<u64> = out
        .items()
        .map(|item| match item {
            Item::Flow(flow) => flow.seq,
            Item::Transaction(transaction) => transaction.seq,
            Item::Tick(tick) => tick.seq,
        })
        .collect();
    assert!(seqs.is_sorted_by(|one, other| one < other));
}
