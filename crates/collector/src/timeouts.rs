//! The time-outs of an exporter, as its records show them: exporters rarely tell them, and methods that look at durations
//! and volumes of long flows mean something else when flows are cut every minute.

use weir_model::{EndReason, NANOS_PER_S, Time, tcp_flags};

use crate::one_way::OneWay;

/// Width of a step of the histograms, seconds. Exporters scan their caches every few seconds.
const STEP_S: i64 = 5;
/// Longest time-out told apart: an hour.
const STEPS: usize = 721;
/// Records at one step that make it a time-out and not chance.
const RECORDS_MIN: u32 = 5;

/// Histograms of how long records last and how long after their end they come.
#[derive(Default)]
pub(crate) struct Timeouts {
    /// Made with the first record: strangers cost nothing here.
    steps: Option<Box<Steps>>,
}

struct Steps {
    lasting: [u32; STEPS],
    late: [u32; STEPS],
}

impl Timeouts {
    /// Learns from a record exported at `export`.
    pub(crate) fn see(&mut self, one: &OneWay, export: Time) {
        let steps = self.steps.get_or_insert_with(|| {
            Box::new(Steps {
                lasting: [0; STEPS],
                late: [0; STEPS],
            })
        });
        let closed = one.flags & (tcp_flags::FIN | tcp_flags::RST) != 0;
        if closed && one.end_reason != EndReason::Active {
            return;
        }
        count(&mut steps.lasting, one.end.since(one.start));
        if one.end_reason == EndReason::Idle {
            count(&mut steps.late, export.since(one.end));
        }
    }

    /// Active and idle time-out in seconds, to the step; `None` when the records do not show one.
    pub(crate) fn estimate(&self) -> (Option<u32>, Option<u32>) {
        let Some(steps) = &self.steps else {
            return (None, None);
        };
        // A cut flow lasts the active time-out or little less, and no flow lasts longer.
        let last = steps.lasting.iter().rposition(|&records| records > 0);
        let active = last.and_then(|last| {
            let first = last.saturating_sub(1).max(1);
            let records: u32 = steps.lasting[first.min(last)..=last].iter().sum();
            (last > 0 && records >= RECORDS_MIN).then_some((last as i64 * STEP_S) as u32)
        });
        let most = (0..STEPS).max_by_key(|&step| (steps.late[step], STEPS - step));
        let idle = most
            .filter(|&step| step > 0 && steps.late[step] >= RECORDS_MIN)
            .map(|step| (step as i64 * STEP_S) as u32);
        (active, idle)
    }
}

/// Counts a time at the nearest step.
fn count(steps: &mut [u32; STEPS], nanos: i64) {
    let step = (nanos + STEP_S * NANOS_PER_S / 2) / (STEP_S * NANOS_PER_S);
    if let Some(records) = usize::try_from(step).ok().and_then(|step| steps.get_mut(step)) {
        *records = records.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testkit::notation;

    #[test]
    fn cut_flows_show_the_active_timeout_and_silence_the_idle_one() {
        let mut flow = notation::batch("10.0.0.5 <> 10.0.0.9:443 tcp").flows.remove(0);
        flow.forward_flags = tcp_flags::SYN | tcp_flags::ACK;
        let mut timeouts = Timeouts::default();
        assert_eq!(timeouts.estimate(), (None, None));
        for at in 0..20 {
            let lasting_s = if at < 6 { 300 - at % 3 } else { at };
            flow.end = flow.start + lasting_s * NANOS_PER_S;
            timeouts.see(&OneWay::of(flow.clone()), flow.end + (15 + at % 2) * NANOS_PER_S);
        }
        assert_eq!(timeouts.estimate(), (Some(300), Some(15)));
    }
}
