//! The services people guess passwords of, and what one failed try looks like as a flow. Sizes are IP bytes of whole
//! flows, so that plain flow records serve; the bands for SSH, RDP and telnet start from NEMEA's detector (CESNET).

use weir_model::{Counters, FlowRecord, Protocol, proto};

/// Band of one direction of a failed try.
#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) packets: (u64, u64),
    pub(crate) bytes: (u64, u64),
}

impl Band {
    fn holds(&self, counters: Counters) -> bool {
        (self.packets.0..=self.packets.1).contains(&counters.packets)
            && (self.bytes.0..=self.bytes.1).contains(&counters.bytes)
    }
}

/// What a session with one to a few refused tries looks like.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) forward: Band,
    pub(crate) reverse: Band,
}

impl Shape {
    const fn new(packets: (u64, u64), forward: (u64, u64), reverse: (u64, u64)) -> Self {
        Self {
            forward: Band {
                packets,
                bytes: forward,
            },
            reverse: Band {
                packets,
                bytes: reverse,
            },
        }
    }

    /// Could the ended flow be a failed try? It must be a session, and inside the band both ways.
    pub(crate) fn holds(&self, flow: &FlowRecord) -> bool {
        flow.established()
            && self.forward.holds(flow.forward_total)
            && self.reverse.holds(flow.reverse_total_or_zero())
    }

    /// Did more pass than a failed try ever needs: is this a session in which somebody works?
    pub(crate) fn exceeded_by(&self, flow: &FlowRecord) -> bool {
        flow.established()
            && (flow.forward_total.bytes > self.forward.bytes.1
                || flow.reverse_total_or_zero().bytes > self.reverse.bytes.1)
    }
}

/// One service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) submethod: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) ports: &'static [u16],
    /// None: flows alone never tell a try from ordinary use.
    pub(crate) shape: Option<Shape>,
    /// Several tries fit in one session and clients rarely open many: fewer tries suffice.
    pub(crate) plain_terminal: bool,
}

/// Hydra's libssh sends about 2.0 kB a try, ncrack 2.8 kB, an old OpenSSH client with three tries 4.2 kB; present
/// OpenSSH clients with a key send more than 5 kB, which keeps most automation out.
pub(crate) const SSH_SHAPE: Shape = Shape::new((8, 40), (900, 4_500), (1_000, 6_000));

/// From a refused log-in of the oldest kind (1.7 kB each way) to one log-in screen drawn. Below it lie the probes of
/// scanners and health checks, which ask for a connection and no more.
pub(crate) const RDP_SHAPE: Shape = Shape {
    forward: Band {
        packets: (7, 100),
        bytes: (1_200, 8_000),
    },
    reverse: Band {
        packets: (5, 190),
        bytes: (1_000, 100_000),
    },
};

/// Every service, in the order of the submethods.
pub(crate) const SERVICES: &[Service] = &[
    // A mail that is handed over is larger than the forward band: newsletters of one size are no tries.
    service(
        "SMTPProtocol",
        Protocol::Smtp,
        &[25, 465, 587],
        Shape::new((5, 30), (300, 2_000), (400, 8_000)),
    ),
    service(
        "SambaProtocol",
        Protocol::Smb,
        &[139, 445],
        Shape::new((4, 20), (600, 3_000), (500, 3_000)),
    ),
    service(
        "VNCProtocol",
        Protocol::Vnc,
        &[5900, 5901, 5902, 5903, 5904, 5905, 5906, 5907, 5908, 5909, 5910],
        Shape::new((4, 20), (220, 1_200), (220, 1_500)),
    ),
    service(
        "IMAPProtocol",
        Protocol::Imap,
        &[143, 993],
        Shape::new((5, 30), (300, 2_500), (300, 8_000)),
    ),
    service(
        "POP3Protocol",
        Protocol::Pop3,
        &[110, 995],
        Shape::new((5, 30), (300, 2_500), (300, 8_000)),
    ),
    Service {
        plain_terminal: true,
        ..service(
            "FTPProtocol",
            Protocol::Ftp,
            &[21],
            Shape::new((4, 30), (220, 1_500), (220, 2_500)),
        )
    },
    service("SSHProtocol", Protocol::Ssh, &[22], SSH_SHAPE),
    Service {
        plain_terminal: true,
        ..service(
            "TelnetProtocol",
            Protocol::Telnet,
            &[23],
            Shape::new((9, 50), (450, 3_000), (450, 5_000)),
        )
    },
    service("RDPProtocol", Protocol::Rdp, &[3389], RDP_SHAPE),
    Service {
        shape: None,
        ..service("HTTPProtocol", Protocol::Http, &[], SSH_SHAPE)
    },
];

const fn service(
    submethod: &'static str,
    protocol: Protocol,
    ports: &'static [u16],
    shape: Shape,
) -> Service {
    Service {
        submethod,
        protocol,
        ports,
        shape: Some(shape),
        plain_terminal: false,
    }
}

/// Number of the service that speaks this protocol.
pub(crate) fn of_protocol(protocol: Protocol) -> Option<u8> {
    SERVICES
        .iter()
        .position(|service| service.protocol == protocol)
        .map(|at| at as u8)
}

/// Number of the service of a flow: by content where content was seen (TLS hides it, then the port says), else by port.
pub(crate) fn of_flow(flow: &FlowRecord) -> Option<u8> {
    match flow.protocol {
        Some(protocol) if flow.protocol_by_content && protocol != Protocol::Tls => of_protocol(protocol),
        _ if flow.key.proto == proto::TCP => SERVICES
            .iter()
            .position(|service| service.ports.contains(&flow.key.responder_port))
            .map(|at| at as u8),
        _ => None,
    }
}

/// Would a refusal on this flow be invisible? True for encrypted protocols and where no content was seen; in a
/// protocol read in the clear, no log-in seen means that there was none.
pub(crate) fn hides_verdicts(flow: &FlowRecord) -> bool {
    !flow.protocol_by_content
        || matches!(
            flow.protocol,
            None | Some(Protocol::Ssh | Protocol::Rdp | Protocol::Tls)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_before_port() {
        let batch = weir_testkit::notation::batch(
            "10.0.0.5 <> 10.0.0.9:22 tcp APRS 2000/16 2100/25
             10.0.0.5 <> 10.0.0.9:22 tcp APRS 2000/16 2100/25 app=http
             10.0.0.5 <> 10.0.0.9:2222 tcp APRS 2000/16 2100/25 app=ssh
             10.0.0.5 <> 10.0.0.9:993 tcp APRS 2000/16 2100/25 app=tls
             10.0.0.5 <> 10.0.0.9:143 tcp APRS 2000/16 2100/25 app=imap",
        );
        let shown: Vec<_> = batch
            .flows
            .iter()
            .map(|flow| {
                (
                    of_flow(flow).map(|at| SERVICES[usize::from(at)].submethod),
                    hides_verdicts(flow),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (Some("SSHProtocol"), true),
                (Some("HTTPProtocol"), false),
                (Some("SSHProtocol"), true),
                (Some("IMAPProtocol"), true),
                (Some("IMAPProtocol"), false),
            ]
        );
    }
}
