//! NDJSON: the event contract of the product, flow records by the element table, transactions by their fields.
//! Absent values are left out, never null; order is fixed, so that equal events are equal bytes.

use std::net::IpAddr;
use std::num::NonZeroU32;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use weir_model::elements::{Cell, ELEMENTS};
use weir_model::{Event, EventState, FlowRecord, Offender, Quantity, Target, Transaction, Value};

use crate::stamp::rfc3339;

/// One line for an event, without the line end.
pub fn event(event: &Event) -> String {
    line(&EventLine::of(event))
}

/// One line for a flow record.
pub fn flow(record: &FlowRecord) -> String {
    line(&FlowLine(record))
}

/// One line for a transaction.
pub fn transaction(transaction: &Transaction) -> String {
    line(&TransactionLine(transaction))
}

/// Serialising these types cannot fail: keys are strings and no number is a map key.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[derive(Serialize)]
struct EventLine<'a> {
    id: String,
    method: &'a str,
    submethod: &'a str,
    title: &'a str,
    priority: &'a str,
    probability: u8,
    risk: u8,
    state: &'a str,
    site: &'a str,
    feed: &'a str,
    instance: &'a str,
    source: Source<'a>,
    targets: Vec<Peer<'a>>,
    target_count: u64,
    first_flow: String,
    detected: String,
    last_update: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    updates: u32,
    reason: String,
    detail: Named<'a>,
    explanation: Explanation<'a>,
    attack: Vec<Attack>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    also: &'a [String],
    entities: Vec<String>,
    evidence: Evidence<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(flatten)]
    place: Located<'a>,
}

/// Where a host is registered.
#[derive(Default, Serialize)]
struct Located<'a> {
    /// Two letters of ISO 3166-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_name: Option<&'a str>,
}

impl<'a> Located<'a> {
    fn of(event: &'a Event, ip: Option<IpAddr>) -> Self {
        let Some(known) = ip.and_then(|ip| event.places.get(&ip)) else {
            return Self::default();
        };
        Self {
            country: known.place.country.map(|country| country.to_string()),
            as_number: known.place.as_number.map(NonZeroU32::get),
            as_name: known.as_name.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct Peer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(flatten)]
    place: Located<'a>,
}

#[derive(Serialize)]
struct Explanation<'a> {
    rule: String,
    inputs: Named<'a>,
    limits: Named<'a>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    baseline: Named<'a>,
    silent_below: Owned,
}

#[derive(Serialize)]
struct Attack {
    tactic: &'static str,
    technique: &'static str,
}

#[derive(Serialize)]
struct Evidence<'a> {
    flow_count: usize,
    query: String,
    flows: Vec<FlowLine<'a>>,
}

impl<'a> EventLine<'a> {
    fn of(event: &'a Event) -> Self {
        let lead = &event.lead;
        Self {
            id: event.id.to_string(),
            method: lead.method.code,
            submethod: lead.submethod.name,
            title: lead.method.title,
            priority: event.priority.word(),
            probability: lead.probability,
            risk: event.risk,
            state: match event.state {
                EventState::Open => "open",
                EventState::Closed => "closed",
            },
            site: event.site,
            feed: event.feed,
            instance: lead.instance,
            source: source(event),
            targets: event.targets.iter().map(|target| peer(event, target)).collect(),
            target_count: event.target_count,
            first_flow: rfc3339(event.first_flow),
            detected: rfc3339(event.detected),
            last_update: rfc3339(event.last_update),
            end: event.end.map(rfc3339),
            updates: event.updates,
            reason: crate::text::reason(event),
            detail: Named(&lead.detail),
            explanation: Explanation {
                rule: lead.rule_text(),
                inputs: Named(&lead.facts.inputs),
                limits: Named(&lead.facts.limits),
                baseline: Named(&lead.facts.baseline),
                silent_below: Owned(lead.silent_below()),
            },
            attack: lead
                .submethod
                .techniques
                .iter()
                .map(|known| Attack {
                    tactic: known.tactic,
                    technique: known.technique,
                })
                .collect(),
            also: &event.also,
            entities: entities(event),
            evidence: Evidence {
                flow_count: event.evidence.len(),
                query: lead.evidence.to_string(),
                flows: event.evidence.iter().map(FlowLine).collect(),
            },
        }
    }
}

fn source(event: &Event) -> Source<'_> {
    let Offender { ip, mac } = event.source;
    Source {
        ip: ip.map(|ip| ip.to_string()),
        mac: mac.map(|mac| mac.to_string()),
        place: Located::of(event, ip),
    }
}

fn peer<'a>(event: &'a Event, target: &Target) -> Peer<'a> {
    Peer {
        ip: target.ip.map(|ip| ip.to_string()),
        mac: target.mac.map(|mac| mac.to_string()),
        port: target.port,
        place: Located::of(event, target.ip),
    }
}

/// Everything an analyst may pivot on: addresses and ports, each once, in order of appearance.
fn entities(event: &Event) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |kind: &str, name: Option<String>| {
        let Some(name) = name.map(|name| format!("{kind}:{name}")) else {
            return;
        };
        if !all.contains(&name) {
            all.push(name);
        }
    };
    add("ip", event.source.ip.map(|ip| ip.to_string()));
    add("mac", event.source.mac.map(|mac| mac.to_string()));
    for target in &event.targets {
        add("ip", target.ip.map(|ip| ip.to_string()));
        add("mac", target.mac.map(|mac| mac.to_string()));
        add("port", target.port.map(|port| port.to_string()));
    }
    all
}

/// Named quantities as an object, in their order.
struct Named<'a>(&'a [(&'static str, Quantity)]);

impl Named<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object(self.0, serializer)
    }
}

struct Owned(Vec<(&'static str, Quantity)>);

impl Serialize for Owned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object(&self.0, serializer)
    }
}

fn object<S: Serializer>(all: &[(&'static str, Quantity)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in all {
        map.serialize_entry(name, &Plain(value))?;
    }
    map.end()
}

/// A quantity as a plain JSON value in its base unit.
struct Plain<'a>(&'a Quantity);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Quantity::Count(n) | Quantity::Bytes(n) => serializer.serialize_u64(*n),
            Quantity::Seconds(x) | Quantity::Ratio(x) => serializer.serialize_f64((x * 1e6).round() / 1e6),
            Quantity::Flag(flag) => serializer.serialize_bool(*flag),
            Quantity::Text(text) => serializer.serialize_str(text),
            Quantity::Ip(ip) => serializer.collect_str(ip),
            Quantity::Counts(all) => all.serialize(serializer),
            Quantity::Texts(all) => serializer.collect_seq(all.iter().map(|text| &**text)),
        }
    }
}

/// A flow record by the element table.
struct FlowLine<'a>(&'a FlowRecord);

impl Serialize for FlowLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for element in ELEMENTS {
            match (element.cell)(self.0) {
                None => {}
                Some(Cell::Number(n)) => map.serialize_entry(element.name, &n)?,
                Some(Cell::Flag(flag)) => map.serialize_entry(element.name, &flag)?,
                Some(Cell::Text(text)) => map.serialize_entry(element.name, &text)?,
                Some(Cell::Ip(ip)) => map.serialize_entry(element.name, &ip.to_string())?,
                Some(Cell::Mac(mac)) => map.serialize_entry(element.name, &mac.to_string())?,
                Some(Cell::Time(time)) => map.serialize_entry(element.name, &rfc3339(time))?,
            }
        }
        map.end()
    }
}

/// A transaction: common part, then the dissector's fields.
struct TransactionLine<'a>(&'a Transaction);

impl Serialize for TransactionLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(transaction) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("flow_id", &transaction.flow.to_string())?;
        map.serialize_entry("start", &rfc3339(transaction.start))?;
        map.serialize_entry("end", &rfc3339(transaction.end))?;
        map.serialize_entry("protocol", transaction.protocol.word())?;
        map.serialize_entry("kind", transaction.kind.word())?;
        if let Some(outcome) = transaction.outcome.word() {
            map.serialize_entry("outcome", outcome)?;
        }
        let key = &transaction.key;
        if !key.initiator_ip.is_unspecified() || !key.responder_ip.is_unspecified() {
            map.serialize_entry("src_ip", &key.initiator_ip.to_string())?;
            map.serialize_entry("dst_ip", &key.responder_ip.to_string())?;
        }
        if matches!(key.proto, weir_model::proto::TCP | weir_model::proto::UDP) {
            map.serialize_entry("src_port", &key.initiator_port)?;
            map.serialize_entry("dst_port", &key.responder_port)?;
        }
        map.serialize_entry("fields", &Fields(transaction))?;
        map.end()
    }
}

struct Fields<'a>(&'a Transaction);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.fields.len()))?;
        for (field, value) in &self.0.fields {
            match value {
                Value::Number(n) => map.serialize_entry(field.name, n)?,
                Value::Text(text) => map.serialize_entry(field.name, text)?,
                Value::Flag(flag) => map.serialize_entry(field.name, flag)?,
                Value::Ip(ip) => map.serialize_entry(field.name, &ip.to_string())?,
                Value::Mac(mac) => map.serialize_entry(field.name, &mac.to_string())?,
                Value::Texts(all) => map.serialize_entry(field.name, all)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
