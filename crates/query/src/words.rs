//! Words that stand for values: names of IP protocols, and the closed vocabularies of text columns. A word outside a
//! closed vocabulary is an error, because it would silently match nothing.

use weir_model::{ConnState, Protocol, proto};

/// Names of IP protocols.
pub(crate) const PROTOCOLS: &[(&str, u8)] = &[
    ("tcp", proto::TCP),
    ("udp", proto::UDP),
    ("icmp", proto::ICMP),
    ("icmp6", proto::ICMP6),
    ("icmpv6", proto::ICMP6),
    ("igmp", proto::IGMP),
    ("gre", proto::GRE),
    ("esp", proto::ESP),
    ("sctp", proto::SCTP),
];

/// All words the text column can hold; `None` when it can hold any text.
pub(crate) fn closed(column: &str) -> Option<Vec<&'static str>> {
    Some(match column {
        "app" => Protocol::ALL.iter().map(|app| app.word()).collect(),
        "conn_state" => ConnState::ALL.iter().map(|state| state.word()).collect(),
        "phase" => vec!["start", "update", "end"],
        "app_by" => vec!["content", "port"],
        "initiator_reason" => vec!["syn", "protocol", "port", "first_packet"],
        "outcome" => vec!["accepted", "refused"],
        "kind" => vec![
            "query",
            "handshake",
            "request",
            "login",
            "access",
            "file",
            "mail",
            "lease",
            "ticket",
        ],
        _ => return None,
    })
}

/// Number of an IP protocol by its name.
pub(crate) fn protocol(word: &str) -> Option<u64> {
    let found = PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, number)| u64::from(*number))
}

/// Name of an IP protocol.
pub fn protocol_name(number: u64) -> Option<&'static str> {
    let found = PROTOCOLS.iter().find(|(_, known)| u64::from(*known) == number);
    found.map(|(name, _)| *name)
}

/// Greatest value the column can hold, so that a slip such as `port 70000` is told.
pub fn greatest(field: &str) -> u64 {
    let ends = |ending: &str| field == ending || field.ends_with(&format!("_{ending}"));
    if ends("port") || ends("ethertype") {
        u64::from(u16::MAX)
    } else if ends("asn") {
        u64::from(u32::MAX)
    } else if ends("vlan") {
        4095
    } else if ["proto", "tos", "ttl", "icmp_type", "icmp_code"]
        .into_iter()
        .any(ends)
    {
        u64::from(u8::MAX)
    } else {
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::{InitiatorReason, Kind, Outcome};

    #[test]
    fn vocabularies_hold_what_the_model_says() {
        let has = |column, word| closed(column).unwrap().contains(&word);
        for kind in [
            Kind::Query,
            Kind::Handshake,
            Kind::Request,
            Kind::Login,
            Kind::Access,
        ] {
            assert!(has("kind", kind.word()));
        }
        for kind in [Kind::File, Kind::Mail, Kind::Lease, Kind::Ticket] {
            assert!(has("kind", kind.word()));
        }
        for reason in [
            InitiatorReason::Syn,
            InitiatorReason::Protocol,
            InitiatorReason::Port,
            InitiatorReason::FirstPacket,
        ] {
            assert!(has("initiator_reason", reason.word()));
        }
        for outcome in [Outcome::Accepted, Outcome::Refused] {
            assert!(has("outcome", outcome.word().unwrap()));
        }
    }
}
