//! Events as they are shown: in lists, in counts, and one with all that proves it.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use weir_store::event::Row;

use crate::window::Span;

/// An event in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EventRow {
    pub(crate) id: String,
    pub(crate) site: String,
    pub(crate) feed: String,
    /// Instance of the method; `default` where there is one.
    pub(crate) instance: String,
    /// Code of the method: `DICTATTACK`.
    pub(crate) method: String,
    pub(crate) submethod: String,
    pub(crate) title: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub(crate) priority: &'static str,
    /// 0 to 100.
    pub(crate) probability: i64,
    /// 0 to 100.
    pub(crate) risk: i64,
    /// `open` or `closed`: does the traffic go on?
    pub(crate) state: String,
    /// `new`, `acknowledged` or `resolved`: how far are people?
    pub(crate) workflow: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) assignee: Option<String>,
    pub(crate) false_positive: bool,
    /// Kept from retention.
    pub(crate) pinned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_user: Option<String>,
    pub(crate) target_count: i64,
    /// RFC 3339 in UTC, as all times.
    pub(crate) first_flow: String,
    pub(crate) detected: String,
    pub(crate) last_update: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
    pub(crate) updates: i64,
    /// Why, in one sentence with numbers.
    pub(crate) reason: String,
    pub(crate) labels: Vec<String>,
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<EventRow>,
    /// Give this as `cursor` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
    pub(crate) span: Span,
}

/// How many events, by what they are.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventFacets {
    pub(crate) total: i64,
    pub(crate) priority: Vec<Count>,
    pub(crate) method: Vec<Count>,
    /// `METHOD.Submethod`.
    pub(crate) submethod: Vec<Count>,
    pub(crate) source: Vec<Count>,
    pub(crate) target: Vec<Count>,
    pub(crate) state: Vec<Count>,
    pub(crate) workflow: Vec<Count>,
    pub(crate) label: Vec<Count>,
    /// ATT&CK.
    pub(crate) technique: Vec<Count>,
    pub(crate) feed: Vec<Count>,
    pub(crate) span: Span,
}

/// A value and how many have it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Count {
    pub(crate) value: String,
    pub(crate) count: i64,
}

/// Events by priority over time.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventHistogram {
    pub(crate) span: Span,
    /// Length of a step.
    pub(crate) step_s: f64,
    /// Steps with events, in order; those without are left out.
    pub(crate) steps: Vec<EventStep>,
}

/// One step of a histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EventStep {
    /// Start of the step, RFC 3339.
    pub(crate) start: String,
    pub(crate) informational: i64,
    pub(crate) low: i64,
    pub(crate) medium: i64,
    pub(crate) high: i64,
    pub(crate) critical: i64,
}

/// Everything that is kept of an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventDetail {
    #[serde(flatten)]
    pub(crate) row: EventRow,
    /// The event as it was raised, with its rule and frozen evidence.
    #[schema(value_type = EventDocument)]
    pub(crate) document: Box<RawValue>,
    /// Earlier states, oldest first.
    pub(crate) history: Vec<EventUpdate>,
    pub(crate) comments: Vec<Note>,
    pub(crate) categories: Vec<EventCategory>,
    /// Who marked it as false, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) false_positive_mark: Option<Note>,
}

/// An earlier state of an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventUpdate {
    pub(crate) state: String,
    pub(crate) updates: i64,
    pub(crate) at: String,
    pub(crate) risk: i64,
    pub(crate) probability: i64,
    pub(crate) target_count: i64,
    pub(crate) reason: String,
}

/// A category people put an event into, and how far it is there.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventCategory {
    pub(crate) category: String,
    /// `new`, `in work` or `solved`.
    pub(crate) state: String,
    pub(crate) author: String,
    pub(crate) at: String,
}

/// What somebody wrote.
#[derive(Serialize, ToSchema)]
pub(crate) struct Note {
    pub(crate) author: String,
    pub(crate) at: String,
    pub(crate) body: String,
}

/// The event as every output has it, one JSON object. Absent values are left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventDocument {
    id: String,
    method: String,
    submethod: String,
    title: String,
    priority: String,
    probability: u8,
    risk: u8,
    state: String,
    site: String,
    feed: String,
    instance: String,
    source: EventPeer,
    targets: Vec<EventPeer>,
    target_count: u64,
    first_flow: String,
    detected: String,
    last_update: String,
    end: Option<String>,
    updates: u32,
    reason: String,
    /// Details by their names: numbers, texts, lists.
    #[schema(value_type = Object)]
    detail: (),
    explanation: EventExplanation,
    attack: Vec<EventTechnique>,
    /// `METHOD.Submethod` of others that saw the same.
    also: Option<Vec<String>>,
    /// `ip:...`, `mac:...`, `port:...`.
    entities: Vec<String>,
    evidence: EventEvidence,
}

/// A source or target.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventPeer {
    ip: Option<String>,
    mac: Option<String>,
    port: Option<u16>,
    hostname: Option<String>,
    user: Option<String>,
    /// Two letters of ISO 3166-1, where a country database is configured.
    country: Option<String>,
    as_number: Option<u32>,
    as_name: Option<String>,
}

/// The rule that fired, with all its numbers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventExplanation {
    /// `attempts >= attempts_min and spread <= spread_max`
    rule: String,
    /// Measured values by name.
    #[schema(value_type = Object)]
    inputs: (),
    /// Limits by name, from parameters.
    #[schema(value_type = Object)]
    limits: (),
    /// Learned values by name.
    #[schema(value_type = Option<Object>)]
    baseline: (),
    /// The nearest value of each input that would not have fired.
    #[schema(value_type = Object)]
    silent_below: (),
}

/// ATT&CK.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventTechnique {
    tactic: String,
    technique: String,
}

/// What proves the event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventEvidence {
    /// Flows that are frozen here.
    flow_count: u64,
    /// The filter that finds all of them.
    query: String,
    /// Flow records: columns by name.
    #[schema(value_type = Vec<Object>)]
    flows: (),
}

impl From<Row> for EventRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            site: row.site,
            feed: row.feed,
            instance: row.instance,
            method: row.method,
            submethod: row.submethod,
            title: row.title,
            priority: row.priority,
            probability: row.probability,
            risk: row.risk,
            state: row.state,
            workflow: row.workflow,
            assignee: row.assignee,
            false_positive: row.false_positive,
            pinned: row.pinned,
            source_ip: row.source_ip,
            source_mac: row.source_mac,
            source_name: row.source_name,
            source_user: row.source_user,
            target_count: row.target_count,
            first_flow: row.first_flow,
            detected: row.detected,
            last_update: row.last_update,
            ended: row.ended,
            updates: row.updates,
            reason: row.reason,
            labels: row.labels,
        }
    }
}
