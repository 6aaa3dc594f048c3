//! SYSCHECK: is the input worth trusting, and do the methods talk too much? Gives notices, not events: they tell of the
//! watching, not of the network. Everything goes by event time; one kind of notice is repeated once an hour.

mod setting;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use weir_model::{Batch, Event, Finding, FlowRecord, Item, Mac, NANOS_PER_S, Phase, Time, proto};

pub use setting::{KEYS, Key, Setting};

/// Length of an interval, seconds.
const BIN_S: i64 = 300;
/// Intervals whose least number of flows is the measure of a decrease: four hours.
const PAST_MAX: usize = 48;
/// Intervals before a decrease is judged: an hour.
const PAST_MIN: usize = 12;
/// Time between two notices of one kind.
const REPEAT_NS: i64 = 3_600 * NANOS_PER_S;
/// How far an exporter's active time-out may lie beside the wanted one, seconds (vendor's value).
const TIMEOUT_SLACK_S: f64 = 5.0;
/// Records of running flows from which a time-out is told.
const TIMEOUT_RECORDS_MIN: usize = 20;
/// Lengths of such records kept of one interval.
const TIMEOUT_RECORDS_MAX: usize = 1_000;
/// How long a method that flooded stays silent.
const SILENT_NS: i64 = 3_600 * NANOS_PER_S;

/// Something worth knowing about the watching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Event time.
    pub at: Time,
    /// The check: `MinSingle`.
    pub check: &'static str,
    /// What was found and what to do, for people.
    pub text: String,
}

/// Counts of one interval.
#[derive(Default)]
struct Interval {
    flows: u64,
    single: u64,
    broadcast: u64,
    duplicates: u64,
    /// Lengths of exporters' records of flows that go on, seconds.
    lengths: Vec<f64>,
}

/// The checks over a run.
pub struct SysCheck {
    setting: Setting,
    bin: Option<i64>,
    now: Interval,
    /// The first interval begins somewhere and is left out.
    cut: bool,
    /// Flows of past intervals, oldest first.
    past: VecDeque<u64>,
    /// Events opened in the interval and in the hour, by method.
    opened: BTreeMap<&'static str, u64>,
    opened_hour: VecDeque<(Time, u64)>,
    told: BTreeMap<&'static str, Time>,
    /// Methods that flooded, and until when they are silent.
    silent: BTreeMap<&'static str, Time>,
    /// Findings of those, since it was told last.
    passed_over: u64,
    notices: Vec<Notice>,
}

impl SysCheck {
    /// With these limits.
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            bin: None,
            now: Interval::default(),
            cut: true,
            past: VecDeque::new(),
            opened: BTreeMap::new(),
            opened_hour: VecDeque::new(),
            told: BTreeMap::new(),
            silent: BTreeMap::new(),
            passed_over: 0,
            notices: Vec::new(),
        }
    }

    /// Looks at a batch.
    pub fn batch(&mut self, batch: &Batch) {
        for item in batch.items() {
            match item {
                Item::Flow(flow) => self.now.count(flow),
                // The end is no time of day.
                Item::Tick(tick) if !tick.end => self.tick(tick.time),
                Item::Tick(_) | Item::Transaction(_) => {}
            }
        }
    }

    /// An event was opened.
    pub fn opened(&mut self, event: &Event) {
        let (code, at) = (event.lead.method.code, event.detected);
        let count = self.opened.entry(code).or_default();
        *count += 1;
        let (count, limit) = (*count, self.setting.events_max);
        if count > limit {
            let rest = if self.setting.deactivate_on_flood {
                self.silent.insert(code, at + SILENT_NS);
                "it is silent for an hour now"
            } else {
                "set syscheck.deactivate_on_flood = true to silence such methods"
            };
            self.tell(
                at,
                "MaxNewEvents",
                format!("{code} opened more than {limit} events within five minutes; look at its parameters; {rest}"),
            );
        }
        match self.opened_hour.back_mut() {
            Some((bin, count)) if bin.bin(BIN_S) == at.bin(BIN_S) => *count += 1,
            _ => self.opened_hour.push_back((at, 1)),
        }
        while self
            .opened_hour
            .front()
            .is_some_and(|(first, _)| at.since(*first) >= REPEAT_NS)
        {
            self.opened_hour.pop_front();
        }
        let (hour, limit) = (
            self.opened_hour.iter().map(|(_, count)| count).sum::<u64>(),
            self.setting.events_max_hour,
        );
        if hour > limit {
            self.tell(
                at,
                "MaxPerHour",
                format!("more than {limit} events were opened within an hour: choose the preset \"quiet\", or tune the methods that open most"),
            );
        }
    }

    /// Is this finding let through? Not when its method is silenced at the moment; the next notice tells how many were.
    pub fn hears(&mut self, finding: &Finding) -> bool {
        let (code, at) = (finding.method.code, finding.detected);
        match self.silent.get(code) {
            Some(until) if at < *until => {
                self.passed_over += 1;
                false
            }
            Some(_) => {
                self.silent.remove(code);
                let count = std::mem::take(&mut self.passed_over);
                self.tell(
                    at,
                    "DeactivateOnFlood",
                    format!("{code} speaks again; {count} findings of silenced methods were passed over"),
                );
                true
            }
            None => true,
        }
    }

    /// What has been found since the last call.
    pub fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn tell(&mut self, at: Time, check: &'static str, text: String) {
        let due = self
            .told
            .get(check)
            .is_none_or(|last| at.since(*last) >= REPEAT_NS);
        if due {
            self.told.insert(check, at);
            self.notices.push(Notice { at, check, text });
        }
    }

    fn tick(&mut self, time: Time) {
        let bin = time.bin(BIN_S);
        let Some(before) = self.bin.replace(bin).filter(|before| *before < bin) else {
            return;
        };
        let interval = std::mem::take(&mut self.now);
        self.opened.clear();
        if !std::mem::take(&mut self.cut) {
            self.judge(time, &interval);
            // Intervals without a single record are intervals all the same.
            for passed in before..bin.min(before + PAST_MAX as i64) {
                self.past
                    .push_back(if passed == before { interval.flows } else { 0 });
                while self.past.len() > PAST_MAX {
                    self.past.pop_front();
                }
            }
        }
    }

    fn judge(&mut self, at: Time, interval: &Interval) {
        let limits = self.setting;
        let shares = [
            (
                "MinSingle",
                interval.single,
                limits.single_max_pct,
                "of flows show one direction only: look whether the mirror port or the exporter sends both",
            ),
            (
                "MinBroadcast",
                interval.broadcast,
                limits.broadcast_max_pct,
                "of flows are broadcast and multicast: the port shows no other traffic of its network, look whether it mirrors",
            ),
            (
                "Duplicates",
                interval.duplicates,
                limits.duplicates_max_pct,
                "of flow records tell of flows that another exporter told of: export each link at one place",
            ),
        ];
        for (check, count, limit_pct, text) in shares {
            let share = count as f64 / interval.flows.max(1) as f64 * 100.0;
            if interval.flows >= limits.flows_min && share > limit_pct as f64 {
                self.tell(at, check, format!("{share:.0} % {text}"));
            }
        }
        let least = self.past.iter().copied().min().unwrap_or_default();
        let decrease = 100.0 - interval.flows as f64 / least.max(1) as f64 * 100.0;
        if self.past.len() >= PAST_MIN
            && least >= limits.flows_min
            && decrease > limits.decrease_max_pct as f64
        {
            self.tell(
                at,
                "MaxDecrease",
                format!(
                    "{} flows in five minutes, where it were {least} at least for hours: look at sensors and exporters",
                    interval.flows
                ),
            );
        }
        if let Some(length) = interval.usual_length()
            && (length - limits.timeout_s as f64).abs() > TIMEOUT_SLACK_S
        {
            self.tell(
                at,
                "DetectTimeout",
                format!(
                    "exporters report long flows every {length:.0} s: methods expect {} s, set the exporters' active time-out",
                    limits.timeout_s
                ),
            );
        }
    }
}

impl Interval {
    fn count(&mut self, flow: &FlowRecord) {
        if flow.phase == Phase::Start {
            return;
        }
        self.flows += 1;
        self.duplicates += u64::from(flow.duplicate);
        let group = flow.responder_mac.is_some_and(Mac::is_group) || is_group(flow);
        self.broadcast += u64::from(group);
        // A question without answer is no sign; data that go on without any word back are.
        let one_way = flow.key.proto == proto::TCP && !flow.answered() && flow.forward_total.packets > 1;
        self.single +=
            u64::from(one_way && flow.forward_total.payload_bytes > 0 || flow.reverse_total.is_none());
        if flow.phase == Phase::Update && flow.exporter.is_some() && self.lengths.len() < TIMEOUT_RECORDS_MAX
        {
            self.lengths.push(flow.end.secs_since(flow.start));
        }
    }

    /// The median length of records of running flows, when there are enough of them.
    fn usual_length(&self) -> Option<f64> {
        let mut lengths = self.lengths.clone();
        lengths.sort_by(f64::total_cmp);
        (lengths.len() >= TIMEOUT_RECORDS_MIN).then(|| lengths[lengths.len() / 2])
    }
}

fn is_group(flow: &FlowRecord) -> bool {
    use std::net::{IpAddr, Ipv4Addr};
    let ip = flow.key.responder_ip;
    ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}
