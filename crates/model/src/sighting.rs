//! A sighting: an indicator of a list was seen in a record. Enrichment looks indicators up and ties sightings to the
//! record, so that methods can weigh them without holding the lists.

use std::sync::Arc;

/// What kind of thing an indicator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndicatorKind {
    /// One address or a prefix.
    Address,
    /// An address with a port.
    Service,
    /// A domain and everything below it.
    Domain,
    /// Host, path and query of a web request.
    Url,
    Ja3,
    Ja4,
    /// SHA-1 or SHA-256 of a certificate.
    Certificate,
}

impl IndicatorKind {
    /// Lower-case word in outputs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Service => "service",
            Self::Domain => "domain",
            Self::Url => "url",
            Self::Ja3 => "ja3",
            Self::Ja4 => "ja4",
            Self::Certificate => "certificate",
        }
    }
}

/// What a list is for, which decides the method that speaks of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListClass {
    /// Hosts and names nobody should talk to: BLACKLIST.
    #[default]
    Threat,
    /// Classes of applications and sites: BLACKLIST.Application.
    Application,
    /// The indicators of one briefing: THREATS.
    Bundle,
}

impl ListClass {
    /// Word in the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Threat => "threat",
            Self::Application => "application",
            Self::Bundle => "bundle",
        }
    }
}

/// Where in a record the indicator was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeenAt {
    Initiator,
    Responder,
    /// A name asked of DNS.
    DnsName,
    /// The host of a web request or the server name of a TLS handshake.
    WebName,
    /// The target of a web request.
    WebTarget,
    /// A fingerprint of a TLS handshake.
    Handshake,
}

/// One indicator seen in one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub kind: IndicatorKind,
    pub at: SeenAt,
    pub class: ListClass,
    /// The indicator as the list has it, in normal form. Comes from strangers: escaped where it is shown.
    pub indicator: Box<str>,
    /// Name of the list.
    pub list: Box<str>,
    /// What the indicator is listed for; the list's category where the entry has none.
    pub category: Box<str>,
    /// Reputation, 0 (worst) to 100 (safe); below 20 is high risk.
    pub score: u8,
    /// Seconds from the indicator's last confirmation to this record, where the list says when that was.
    pub age_s: Option<u64>,
}

impl Sighting {
    /// Sightings tied to one record; a record on more lists than this is known well enough.
    pub const MAX: usize = 8;
}

/// Sightings of a record: almost always none, which then costs no memory.
pub type Sightings = Option<Arc<[Sighting]>>;
