//! A transaction: one application exchange (a query and its answer, a log-in, a request), tied to its flow.
//! Protocols differ in fields, so a transaction carries rows of named values; the names are the filter words.

use std::net::IpAddr;

use crate::{FlowId, FlowKey, Mac, Sightings, Time};

/// Application protocols Weir can name. Word, service ports and fields live with each dissector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Arp,
    BitTorrent,
    Dhcp,
    Dnp3,
    Dns,
    Ftp,
    Goose,
    Http,
    Iec104,
    Imap,
    Kerberos,
    Modbus,
    Nd,
    OpenVpn,
    Pop3,
    Rdp,
    Sip,
    Smb,
    Smtp,
    Ssh,
    Stratum,
    Telnet,
    Tls,
    Vnc,
    WireGuard,
}

impl Protocol {
    /// Every protocol, in the order of their words.
    pub const ALL: &'static [Self] = &[
        Self::Arp,
        Self::BitTorrent,
        Self::Dhcp,
        Self::Dnp3,
        Self::Dns,
        Self::Ftp,
        Self::Goose,
        Self::Http,
        Self::Iec104,
        Self::Imap,
        Self::Kerberos,
        Self::Modbus,
        Self::Nd,
        Self::OpenVpn,
        Self::Pop3,
        Self::Rdp,
        Self::Sip,
        Self::Smb,
        Self::Smtp,
        Self::Ssh,
        Self::Stratum,
        Self::Telnet,
        Self::Tls,
        Self::Vnc,
        Self::WireGuard,
    ];

    /// Lower-case word in outputs and filters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Arp => "arp",
            Self::BitTorrent => "bittorrent",
            Self::Dhcp => "dhcp",
            Self::Dnp3 => "dnp3",
            Self::Dns => "dns",
            Self::Ftp => "ftp",
            Self::Goose => "goose",
            Self::Http => "http",
            Self::Iec104 => "iec104",
            Self::Imap => "imap",
            Self::Kerberos => "kerberos",
            Self::Modbus => "modbus",
            Self::Nd => "nd",
            Self::OpenVpn => "openvpn",
            Self::Pop3 => "pop3",
            Self::Rdp => "rdp",
            Self::Sip => "sip",
            Self::Smb => "smb",
            Self::Smtp => "smtp",
            Self::Ssh => "ssh",
            Self::Stratum => "stratum",
            Self::Telnet => "telnet",
            Self::Tls => "tls",
            Self::Vnc => "vnc",
            Self::WireGuard => "wireguard",
        }
    }
}

/// What carries an application protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Tcp,
    Udp,
    /// ICMPv6 neighbour discovery.
    Icmp6,
    /// Directly on the link (ARP, GOOSE).
    Link,
}

/// What kind of exchange a transaction is, across protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A question and its answer (DNS, ARP, ND).
    Query,
    /// Set-up of a channel (TLS handshake, SSH key exchange, RDP connection request).
    Handshake,
    /// A request and its response (HTTP, Modbus), or a message of a protocol that has no answers (IEC 104).
    Request,
    /// One attempt to log in; `outcome` is the protocol's verdict.
    Login,
    /// Access to a share, mailbox or directory.
    Access,
    /// A file opened, read, written or transferred.
    File,
    /// A mail handed over.
    Mail,
    /// An address lease (DHCP).
    Lease,
    /// A Kerberos ticket asked for.
    Ticket,
}

impl Kind {
    /// Lower-case word in outputs and filters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Handshake => "handshake",
            Self::Request => "request",
            Self::Login => "login",
            Self::Access => "access",
            Self::File => "file",
            Self::Mail => "mail",
            Self::Lease => "lease",
            Self::Ticket => "ticket",
        }
    }
}

/// The protocol's own verdict on an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not said, not seen, or not of this protocol.
    #[default]
    Unknown,
    Accepted,
    Refused,
}

impl Outcome {
    /// Word in outputs, absent for unknown.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Accepted => Some("accepted"),
            Self::Refused => Some("refused"),
        }
    }
}

/// Type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Number,
    Text,
    Flag,
    Ip,
    Mac,
    /// Several texts.
    Texts,
}

/// One row of a dissector's field table: defines the column, the filter word and the label.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Dotted name, protocol first: `dns.query`, `smb.status`.
    pub name: &'static str,
    pub kind: FieldKind,
    /// Label for people, with the unit where there is one.
    pub label: &'static str,
}

impl Field {
    /// A numeric field.
    pub const fn number(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            kind: FieldKind::Number,
            label,
        }
    }
    /// A text field.
    pub const fn text(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            kind: FieldKind::Text,
            label,
        }
    }
    /// A yes/no field.
    pub const fn flag(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            kind: FieldKind::Flag,
            label,
        }
    }
    /// An address field.
    pub const fn ip(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            kind: FieldKind::Ip,
            label,
        }
    }
    /// A hardware address field.
    pub const fn mac(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            kind: FieldKind::Mac,
            label,
        }
    }
    /// A field of several texts.
    pub const fn texts(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            kind: FieldKind::Texts,
            label,
        }
    }
}

/// A value of a field. Texts come from attackers: bounded by the dissector, escaped by whoever shows them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(u64),
    Text(Box<str>),
    Flag(bool),
    Ip(IpAddr),
    Mac(Mac),
    Texts(Vec<Box<str>>),
}

/// Fields room is made for at once; a TLS handshake has 14.
const FIELDS_USUAL: usize = 16;

/// One application exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// Position in the pipeline's total order; shared with flow records and ticks.
    pub seq: u64,
    pub flow: FlowId,
    /// Key of the flow; initiator and responder are the flow's.
    pub key: FlowKey,
    /// First byte of the request and last byte of the answer.
    pub start: Time,
    pub end: Time,
    pub protocol: Protocol,
    pub kind: Kind,
    pub outcome: Outcome,
    /// Values by field, in the dissector's order, each field at most once.
    pub fields: Vec<(&'static Field, Value)>,
    /// Is the endpoint in an inside network? Set by enrichment.
    pub initiator_inside: bool,
    pub responder_inside: bool,
    /// Indicators of configured lists seen in the exchange. Set by enrichment.
    pub sightings: Sightings,
}

impl Transaction {
    /// A transaction without fields.
    pub fn new(flow: FlowId, key: FlowKey, protocol: Protocol, kind: Kind, start: Time) -> Self {
        Self {
            seq: 0,
            flow,
            key,
            start,
            end: start,
            protocol,
            kind,
            outcome: Outcome::Unknown,
            fields: Vec::with_capacity(FIELDS_USUAL),
            initiator_inside: false,
            responder_inside: false,
            sightings: None,
        }
    }

    /// Sets a field, which is one row of a dissector's table (told apart by where it lies); the value's type must be the
    /// field's.
    pub fn set(&mut self, field: &'static Field, value: Value) {
        debug_assert!(
            matches!(
                (field.kind, &value),
                (FieldKind::Number, Value::Number(_))
                    | (FieldKind::Text, Value::Text(_))
                    | (FieldKind::Flag, Value::Flag(_))
                    | (FieldKind::Ip, Value::Ip(_))
                    | (FieldKind::Mac, Value::Mac(_))
                    | (FieldKind::Texts, Value::Texts(_))
            ),
            "{} given a value of another type",
            field.name
        );
        if matches!(&value, Value::Texts(all) if all.is_empty()) {
            self.fields.retain(|(known, _)| !std::ptr::eq(*known, field));
            return;
        }
        match self
            .fields
            .iter_mut()
            .find(|(known, _)| std::ptr::eq(*known, field))
        {
            Some((_, slot)) => *slot = value,
            None => self.fields.push((field, value)),
        }
    }

    /// Sets a text field.
    pub fn set_text(&mut self, field: &'static Field, text: impl Into<Box<str>>) {
        self.set(field, Value::Text(text.into()));
    }

    /// Sets a numeric field.
    pub fn set_number(&mut self, field: &'static Field, number: impl Into<u64>) {
        self.set(field, Value::Number(number.into()));
    }

    /// Value of the field with this dotted name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(field, _)| field.name == name)
            .map(|(_, value)| value)
    }

    /// Text of the field with this dotted name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Number of the field with this dotted name.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Flag of the field with this dotted name.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Address of the field with this dotted name.
    pub fn ip(&self, name: &str) -> Option<IpAddr> {
        match self.get(name)? {
            Value::Ip(ip) => Some(*ip),
            _ => None,
        }
    }

    /// Hardware address of the field with this dotted name.
    pub fn mac(&self, name: &str) -> Option<Mac> {
        match self.get(name)? {
            Value::Mac(mac) => Some(*mac),
            _ => None,
        }
    }
}
