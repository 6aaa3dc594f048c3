//! What an interval of one pair looks like: counts by the traits that each protocol has.

use serde::{Deserialize, Serialize};
use weir_model::{NANOS_PER_S, Protocol, Transaction};

/// One protocol: submethod, protocol, and the names of its features.
pub(super) struct Family {
    pub(super) submethod: &'static str,
    pub(super) protocol: Protocol,
    pub(super) features: &'static [&'static str],
}

/// The protocols, by role of cells.
pub(super) const FAMILIES: [Family; 4] = [
    Family {
        submethod: "Modbus",
        protocol: Protocol::Modbus,
        features: &[
            "requests",
            "unanswered requests",
            "request bytes",
            "answer bytes",
            "answer time in ms",
            "read",
            "write",
            "diagnostic",
            "other",
            "undefined",
            "errors",
        ],
    },
    Family {
        submethod: "DNP3",
        protocol: Protocol::Dnp3,
        features: &[
            "requests",
            "unanswered requests",
            "request bytes",
            "answer bytes",
            "answer time in ms",
            "read",
            "write",
            "confirm",
            "control",
            "freeze",
            "application control",
            "configuration",
            "time",
            "unsolicited",
            "other functions",
            "refused",
            "restarts indicated",
        ],
    },
    Family {
        submethod: "IEC104",
        protocol: Protocol::Iec104,
        features: &[
            "data units of the master",
            "data units of the outstation",
            "bytes of the master",
            "bytes of the outstation",
            "objects",
            "link control",
            "monitoring",
            "commands",
            "system",
            "parameters",
            "files",
            "reserved types",
            "periodic",
            "spontaneous",
            "activations",
            "interrogated",
            "negative",
        ],
    },
    Family {
        submethod: "GOOSE",
        protocol: Protocol::Goose,
        features: &[
            "messages",
            LEAST_MESSAGES,
            GREATEST_MESSAGES,
            "bytes",
            "bytes of the shortest message",
            "bytes of the longest message",
            MEAN_BYTES,
            "changes of state",
            "messages marked as a test",
        ],
    },
];

const LEAST_MESSAGES: &str = "least messages in half a minute";
const GREATEST_MESSAGES: &str = "most messages in half a minute";
const MEAN_BYTES: &str = "bytes of a message in the mean";
/// Half minutes of an interval.
const PARTS: usize = 10;
const PART_S: i64 = 30;

/// Index of the family a transaction belongs to.
pub(super) fn role(transaction: &Transaction) -> Option<u8> {
    FAMILIES
        .iter()
        .position(|family| family.protocol == transaction.protocol)
        .map(|at| at as u8)
}

/// The counts of an interval, in the order of the family's features.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    counts: Vec<f64>,
    /// Exchanges with an answer, and their time in ms: the mean is a feature.
    answered: u64,
    answer_ms: f64,
    pub(super) messages: u64,
    /// Messages of a group's member in each half minute.
    #[serde(default)]
    parts: Vec<u32>,
    /// Shortest and longest of them, bytes.
    #[serde(default)]
    sizes: Option<(u64, u64)>,
}

/// Bit of DNP3's internal indications that tells of a restart.
const RESTART: u64 = 0x8000;

impl Tally {
    fn add(&mut self, family: &Family, feature: &str, value: f64) {
        if self.counts.is_empty() {
            self.counts = vec![0.0; family.features.len()];
        }
        let at = family.features.iter().position(|known| *known == feature);
        debug_assert!(at.is_some(), "{feature} is no feature of {}", family.submethod);
        if let Some(count) = at.and_then(|at| self.counts.get_mut(at)) {
            *count += value;
        }
    }

    /// Counts a transaction.
    pub(super) fn take(&mut self, family: &Family, transaction: &Transaction) {
        self.messages += 1;
        match family.protocol {
            Protocol::Iec104 => self.iec104(family, transaction),
            Protocol::Goose => self.goose(family, transaction),
            Protocol::Dnp3 => {
                self.exchange(family, transaction, ["dnp3.request_bytes", "dnp3.response_bytes"]);
                let class = transaction.text("dnp3.class").unwrap_or_default();
                let known = family.features.iter().find(|feature| **feature == class);
                self.add(family, known.copied().unwrap_or("other functions"), 1.0);
                if transaction.outcome == weir_model::Outcome::Refused {
                    self.add(family, "refused", 1.0);
                }
                if transaction.number("dnp3.iin").unwrap_or_default() & RESTART != 0 {
                    self.add(family, "restarts indicated", 1.0);
                }
            }
            _ => {
                self.exchange(
                    family,
                    transaction,
                    ["modbus.request_bytes", "modbus.response_bytes"],
                );
                self.add(
                    family,
                    transaction.text("modbus.class").unwrap_or("undefined"),
                    1.0,
                );
                if transaction.number("modbus.exception").is_some() {
                    self.add(family, "errors", 1.0);
                }
            }
        }
    }

    fn exchange(&mut self, family: &Family, transaction: &Transaction, [request, response]: [&str; 2]) {
        self.add(family, "requests", 1.0);
        self.add(
            family,
            "request bytes",
            transaction.number(request).unwrap_or_default() as f64,
        );
        match transaction.number(response) {
            Some(bytes) => {
                self.add(family, "answer bytes", bytes as f64);
                self.answered += 1;
                self.answer_ms += transaction.end.secs_since(transaction.start) * 1_000.0;
            }
            None => self.add(family, "unanswered requests", 1.0),
        }
    }

    fn iec104(&mut self, family: &Family, transaction: &Transaction) {
        if transaction.text("iec104.frame") != Some("I") {
            return self.add(family, "link control", 1.0);
        }
        let bytes = transaction.number("iec104.bytes").unwrap_or_default() as f64;
        let master = transaction.ip("iec104.sender") == Some(transaction.key.initiator_ip);
        let (units, sum) = match master {
            true => ("data units of the master", "bytes of the master"),
            false => ("data units of the outstation", "bytes of the outstation"),
        };
        self.add(family, units, 1.0);
        self.add(family, sum, bytes);
        self.add(
            family,
            "objects",
            transaction.number("iec104.objects").unwrap_or_default() as f64,
        );
        let group = match transaction.number("iec104.type").unwrap_or_default() {
            1..=44 => "monitoring",
            45..=69 => "commands",
            70..=109 => "system",
            110..=119 => "parameters",
            120..=127 => "files",
            _ => "reserved types",
        };
        self.add(family, group, 1.0);
        let cause = match transaction.number("iec104.cause").unwrap_or_default() {
            1 | 2 => Some("periodic"),
            3 => Some("spontaneous"),
            6..=10 => Some("activations"),
            20..=41 => Some("interrogated"),
            _ => None,
        };
        if let Some(cause) = cause {
            self.add(family, cause, 1.0);
        }
        if transaction.flag("iec104.negative").unwrap_or_default() {
            self.add(family, "negative", 1.0);
        }
    }

    fn goose(&mut self, family: &Family, transaction: &Transaction) {
        let bytes = transaction.number("goose.bytes").unwrap_or_default();
        let (least, greatest) = self.sizes.unwrap_or((bytes, bytes));
        self.sizes = Some((least.min(bytes), greatest.max(bytes)));
        self.add(family, "messages", 1.0);
        self.add(family, "bytes", bytes as f64);
        if transaction.flag("goose.test").unwrap_or_default() {
            self.add(family, "messages marked as a test", 1.0);
        }
        // Whoever changes state counts its messages from zero again.
        if transaction.number("goose.sequence") == Some(0) {
            self.add(family, "changes of state", 1.0);
        }
        self.parts.resize(PARTS, 0);
        let part = transaction.start.0.div_euclid(PART_S * NANOS_PER_S);
        self.parts[part.rem_euclid(PARTS as i64) as usize] += 1;
    }

    /// The counts, with those in their places that are known when the interval is over.
    pub(super) fn values(&self, family: &Family) -> Vec<f64> {
        let mut values = self.counts.clone();
        values.resize(family.features.len(), 0.0);
        let place = |feature: &str| family.features.iter().position(|known| *known == feature);
        let bytes = place("bytes").map_or(0.0, |at| values[at]);
        let mut put = |feature: &str, value: f64| {
            if let Some(at) = place(feature) {
                values[at] = value;
            }
        };
        if self.answered > 0 {
            put("answer time in ms", self.answer_ms / self.answered as f64);
        }
        if let (Some((least, greatest)), Some(most)) = (self.sizes, self.parts.iter().max()) {
            put(
                LEAST_MESSAGES,
                self.parts.iter().min().copied().unwrap_or_default().into(),
            );
            put(GREATEST_MESSAGES, (*most).into());
            put("bytes of the shortest message", least as f64);
            put("bytes of the longest message", greatest as f64);
            put(MEAN_BYTES, bytes / self.messages.max(1) as f64);
        }
        values
    }
}
