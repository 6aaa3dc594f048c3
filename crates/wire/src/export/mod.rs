//! Flow exports as values: NetFlow v1, v5, v7 and v9, IPFIX and sFlow v5, one datagram or message at a time.
//! Holds no state between messages: templates come out as values and go back in as compiled plans, so that whoever keeps
//! sessions (the collector) decides how long and how many. Nothing here panics or trusts a length.

pub mod elements;
mod encode;
mod lists;
mod message;
mod plan;
mod row;
pub mod sflow;
mod targets;
mod template;
mod time;
mod unnamed;

#[cfg(test)]
mod tests;

pub use encode::Encoder;
pub use message::{Format, Header, Message, Set, Sets, sniff};
pub use plan::{Plan, Reading, Taken};
pub use row::{Moment, Row, Sampling, Told};
pub use template::{Definition, Definitions, Field, Template};

/// Why a message, or the rest of it, could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// Shorter than its header, or its version is none we know.
    Header,
    /// The header's length or count does not fit the bytes.
    MessageLength,
    /// A set is shorter than its own header or longer than its message.
    SetLength,
    /// A set id that the format reserves.
    SetId,
    /// A template is cut, has no fields, an id below 256, or records of no bytes.
    Template,
    /// A template has more fields than [`Template::FIELDS_MAX`].
    TemplateFields,
    /// A data record of variable length runs past its set.
    Record,
    /// An sFlow sample or record is cut or has an impossible length.
    Sample,
}

impl Fault {
    /// Every fault, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::Header,
        Self::MessageLength,
        Self::SetLength,
        Self::SetId,
        Self::Template,
        Self::TemplateFields,
        Self::Record,
        Self::Sample,
    ];

    /// Stable word in outputs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::MessageLength => "message_length",
            Self::SetLength => "set_length",
            Self::SetId => "set_id",
            Self::Template => "template",
            Self::TemplateFields => "template_fields",
            Self::Record => "record",
            Self::Sample => "sample",
        }
    }
}
