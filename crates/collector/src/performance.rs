//! What exporters tell of network performance, as flow records keep it: microseconds, absent where it was not measured.

use weir_model::{Measured, Performance, Spread, WayPerformance, proto, tcp_flags};
use weir_wire::export::{Row, Told};

/// The figures of a row; nothing when none was told, which is the rule.
pub(crate) fn of(row: &Row, proto: u8) -> Option<Box<Performance>> {
    if row.told == Told::default() {
        return None;
    }
    let told = &row.told;
    let tcp = proto == proto::TCP;
    let sent = [
        row.packets.max(row.packets_total),
        row.reverse_packets.unwrap_or(0),
    ];
    // A direction without packets sent nothing again, and only TCP numbers what it sends.
    let count = |counts: [u32; 2], side: usize| match counts[side].checked_sub(1) {
        Some(count) if tcp && sent[side] > 0 => Measured::of(count.into()),
        _ => Measured::NONE,
    };
    let way = |side: usize| WayPerformance {
        retransmitted: count(told.retransmitted, side),
        out_of_order: count(told.out_of_order, side),
        ..WayPerformance::default()
    };
    let mut figures = Performance {
        srt_us: mean(told.srt_us, told.responses),
        srt_min_us: time(told.srt_min_us),
        srt_max_us: time(told.srt_max_us),
        forward: way(0),
        reverse: way(1),
        ..Performance::default()
    };
    if figures.srt_us.is_some() {
        figures.srt_count = time(told.responses);
    }
    if tcp {
        figures.rtt_client_us = mean(told.client_us, told.connections);
        // YAF tells the time to the first answer whatever it answers: a handshake has a SYN.
        if row.flags & tcp_flags::SYN != 0 {
            figures.rtt_server_us = mean(told.server_us, told.connections);
        }
        let parts = figures.rtt_client_us.get().zip(figures.rtt_server_us.get());
        let sum = parts.map(|(client_us, server_us)| client_us.saturating_add(server_us));
        figures.rtt_us = mean(told.rtt_us, told.connections).or(sum.into());
    }
    (figures.forward.delay, figures.forward.jitter) = (spread(told.delay_us), spread(told.jitter_us));
    figures.boxed()
}

/// A time; zero is what exporters tell when they measured nothing.
fn time(micros: u32) -> Measured {
    Some(micros).filter(|&micros| micros > 0).into()
}

/// The mean of a sum over so many; a time that is no sum has none told.
fn mean(sum: u32, over: u32) -> Measured {
    time(if over > 1 { sum / over } else { sum })
}

/// Least, mean, greatest and deviation, when there is any of them.
fn spread(told: [u32; 4]) -> Spread {
    if told == [0; 4] {
        return Spread::default();
    }
    let [min_us, avg_us, max_us, dev_us] = told.map(|micros| Measured::of(micros.into()));
    Spread {
        min_us,
        avg_us,
        max_us,
        dev_us,
    }
}

/// The figures of two directions of one flow, the initiator's record first.
pub(crate) fn joined(
    one: Option<Box<Performance>>,
    answer: Option<Box<Performance>>,
) -> Option<Box<Performance>> {
    let Some(mut answer) = answer else { return one };
    answer.turn();
    let Some(mut one) = one else { return Some(answer) };
    one.reverse = answer.reverse;
    one.rtt_us = one.rtt_us.or(answer.rtt_us);
    one.rtt_client_us = one.rtt_client_us.or(answer.rtt_client_us);
    one.rtt_server_us = one.rtt_server_us.or(answer.rtt_server_us);
    if !one.srt_us.is_some() {
        (one.srt_us, one.srt_count) = (answer.srt_us, answer.srt_count);
        (one.srt_min_us, one.srt_max_us) = (answer.srt_min_us, answer.srt_max_us);
    }
    Some(one)
}
