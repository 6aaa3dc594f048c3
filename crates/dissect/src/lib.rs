//! Application protocols: bytes of a flow in, transactions and anomalies out. One protocol = one file (or folder) plus
//! one registry line. A dissector borrows from the packet, never fails, and bounds everything it keeps.

pub mod arp;
pub mod bittorrent;
pub mod dhcp;
pub mod dnp3;
pub mod dns;
mod fields;
pub mod ftp;
pub mod goose;
pub mod http;
pub mod iec104;
pub mod imap;
pub mod kerberos;
mod le;
mod lines;
pub mod modbus;
pub mod nd;
mod ntlmssp;
pub mod openvpn;
mod pending;
pub mod pop3;
pub mod rdp;
mod registry;
mod sasl;
mod session;
pub mod sip;
pub mod smb;
pub mod smtp;
pub mod ssh;
pub mod stratum;
pub mod telnet;
#[cfg(test)]
mod testing;
pub mod text;
pub mod tls;
pub mod vnc;
mod waiting;
pub mod wireguard;

pub use registry::{Entry, REGISTRY, entry, usual};
pub use session::Session;

use weir_model::{
    Anomaly, AnomalyCounts, Field, FlowId, FlowKey, Kind, Protocol, Time, Transaction, Transport,
};

/// Which end of the flow sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Initiator,
    Responder,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

/// What a dissector is fed, in order per side.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// TCP: the next bytes of that side's stream, cut anywhere. UDP and below: one whole datagram or frame payload.
    Bytes { from: Side, time: Time, data: &'a [u8] },
    /// TCP: this many bytes of that side's stream are missing (lost in capture, or cut by its snap length).
    Gap { from: Side, time: Time, len: u64 },
    /// The flow is over; what is pending may be sent as it is.
    End { time: Time },
}

/// Answer of [`Dissector::probe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    Match,
    /// Could be; decide when more bytes of this side are there.
    NeedMore,
    NoMatch,
}

/// What a dissector wants after a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Further input.
    More,
    /// Nothing more of this flow: reassembly of it stops, which is what makes long transfers cheap.
    Nothing,
    /// What follows is another protocol (STARTTLS): a new dissector gets the rest.
    HandOver(Protocol),
}

/// What a dissector says of itself.
#[derive(Debug)]
pub struct DissectorMeta {
    pub protocol: Protocol,
    pub transports: &'static [Transport],
    /// Usual service ports: they order the probes and name a flow whose content says nothing.
    pub ports: &'static [u16],
    /// What it sees and what it does not, for the reference.
    pub about: &'static str,
    /// Fields of its transactions: columns, filter words, labels.
    pub fields: &'static [&'static Field],
}

impl DissectorMeta {
    /// Is one of these a usual service port?
    pub fn is_usual(&self, ports: (u16, u16)) -> bool {
        self.ports.contains(&ports.0) || self.ports.contains(&ports.1)
    }
}

/// One application protocol. The value is the state of one flow.
pub trait Dissector: Default + Send + 'static {
    const META: DissectorMeta;

    /// Could these first bytes of one side be this protocol? Pure, cheap, no state. `ports` are (sender, receiver).
    fn probe(data: &[u8], from: Side, ports: (u16, u16)) -> Probe;

    /// Takes the next input. Emits transactions and counts anomalies through `sink`.
    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want;
}

/// Where a dissector's results go, with what it may know of its flow.
pub struct Sink<'a> {
    pub flow: FlowId,
    pub key: &'a FlowKey,
    pub transactions: &'a mut Vec<Transaction>,
    pub anomalies: &'a mut AnomalyCounts,
}

impl Sink<'_> {
    /// A new transaction of this flow, not sent yet.
    pub fn begin(&self, protocol: Protocol, kind: Kind, start: Time) -> Transaction {
        Transaction::new(self.flow, *self.key, protocol, kind, start)
    }

    /// Sends a finished transaction.
    pub fn emit(&mut self, transaction: Transaction) {
        self.transactions.push(transaction);
    }

    /// Counts something odd in the content.
    pub fn odd(&mut self, anomaly: Anomaly) {
        self.anomalies.count(anomaly);
    }
}
