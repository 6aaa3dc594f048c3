//! The transaction of a line that begins with `tx`: protocol and kind, endpoints, and fields by their dotted names.
//! Fields are not checked here: a test in `weir` compares the names methods use with the dissectors' tables.

use weir_model::{
    Field, FieldKind, FlowId, Kind, Networks, Outcome, Protocol, Time, Transaction, Value, ethertype, proto,
};

use super::{Line, key, nanos, sighted};

/// Protocol and kind of a word such as `dns/query`.
pub(super) fn kind(line: &Line<'_>, word: &str) -> (Protocol, Kind) {
    let (protocol, kind) = word.split_once('/').unwrap_or_else(|| line.bad(word));
    let protocol = Protocol::ALL
        .iter()
        .copied()
        .find(|known| known.word() == protocol);
    let kinds = [
        Kind::Query,
        Kind::Handshake,
        Kind::Request,
        Kind::Login,
        Kind::Access,
        Kind::File,
        Kind::Mail,
        Kind::Lease,
        Kind::Ticket,
    ];
    let kind = kinds.into_iter().find(|known| known.word() == kind);
    protocol.zip(kind).unwrap_or_else(|| line.bad(word))
}

/// The transaction that starts at `start`.
pub(super) fn read(
    line: &mut Line<'_>,
    words: &[String],
    start: Time,
    protocol: Protocol,
    kind: Kind,
) -> Transaction {
    let (mut key, _) = key(line, words, 0);
    key.proto = if matches!(protocol, Protocol::Dns | Protocol::Dhcp) {
        proto::UDP
    } else {
        proto::TCP
    };
    if protocol == Protocol::Arp {
        (key.proto, key.ethertype) = (0, ethertype::ARP);
    }
    if protocol == Protocol::Goose {
        (key.proto, key.ethertype) = (0, ethertype::GOOSE);
        (key.initiator_port, key.responder_port) = (0, 0);
    }
    let mut transaction = Transaction::new(FlowId::derive(&key, start), key, protocol, kind, start);
    for word in &words[3..] {
        let (name, value) = word.split_once('=').unwrap_or_else(|| line.bad(word));
        match (name, value) {
            ("outcome", "refused") => transaction.outcome = Outcome::Refused,
            ("outcome", "accepted") => transaction.outcome = Outcome::Accepted,
            ("sighted", value) => sighted(line, &mut transaction.sightings, value),
            ("dur", value) => transaction.end = start + nanos(line, value),
            ("flow", value) => transaction.flow = FlowId(value.parse().unwrap_or_else(|_| line.bad(word))),
            ("vlan", value) => transaction.key.vlan = value.parse().ok(),
            (name, value) => set_field(&mut transaction, name, value),
        }
    }
    let inside = Networks::private();
    transaction.initiator_inside = inside.contains(key.initiator_ip);
    transaction.responder_inside = inside.contains(key.responder_ip);
    transaction
}

/// The notation does not know the dissectors' tables, so the field's type is read from the value.
fn set_field(transaction: &mut Transaction, name: &str, value: &str) {
    let (kind, value) = if let Ok(number) = value.parse() {
        (FieldKind::Number, Value::Number(number))
    } else if let Ok(ip) = value.parse() {
        (FieldKind::Ip, Value::Ip(ip))
    } else if let Ok(mac) = value.parse() {
        (FieldKind::Mac, Value::Mac(mac))
    } else if let Ok(flag) = value.parse() {
        (FieldKind::Flag, Value::Flag(flag))
    } else {
        (FieldKind::Text, Value::Text(value.into()))
    };
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let field: &'static Field = Box::leak(Box::new(Field {
        name,
        kind,
        label: name,
    }));
    transaction.set(field, value);
}
