//! The values every stage speaks: flow records, transactions, findings, events and the words that describe them.
//! No I/O, no threads, no wire formats: everything here is inert data with small pure helpers.

mod anomaly;
mod batch;
pub mod community_id;
pub mod elements;
mod event;
mod false_positive;
mod filter;
mod finding;
mod flow;
mod mac;
mod method;
mod networks;
mod performance;
mod perspective;
mod place;
mod quantity;
mod sighting;
mod time;
mod transaction;

pub use anomaly::{Anomaly, AnomalyCounts};
pub use batch::{Batch, Item, Tick};
pub use event::{Event, EventId, EventState};
pub use false_positive::{
    Conditions, ConditionsError, FALSE_POSITIVE_ENTRIES_MAX, FalsePositiveRule, Suspect,
};
pub use filter::FlowFilter;
pub use finding::{Facts, Finding, Offender, Target, strength};
pub use flow::{
    ConnState, Counters, EndReason, FlowId, FlowKey, FlowRecord, History, InitiatorReason, Logins, Phase,
    ethertype, proto, tcp_flags,
};
pub use mac::Mac;
pub use method::{
    Clause, Manual, Maturity, MethodMeta, Need, Op, ParamMeta, Priority, Reads, Rule, Scope, SubmethodMeta,
    Technique, rule_text,
};
pub use networks::Networks;
pub use performance::{Measured, Performance, Spread, WayPerformance};
pub use perspective::{
    PERSPECTIVE_ENTRIES_MAX, PERSPECTIVE_FILTER_BYTES_MAX, PERSPECTIVE_RULES_MAX, Perspective,
    PerspectiveError, PerspectiveFile, PerspectiveRule, Seen,
};
pub use place::{Country, Place, Places, Whereabouts};
pub use quantity::Quantity;
pub use sighting::{IndicatorKind, ListClass, SeenAt, Sighting, Sightings};
pub use time::{NANOS_PER_S, Time};
pub use transaction::{Field, FieldKind, Kind, Outcome, Protocol, Transaction, Transport, Value};
