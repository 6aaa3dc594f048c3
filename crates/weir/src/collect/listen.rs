//! Where the collector listens, as people write it: `udp://[::]:2055`, `tcp://:4739`, `tls://10.0.0.1:4740`, or a word
//! for a usual port. Every UDP listener takes every format; the words only spare remembering numbers.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Words and the listeners they stand for.
const WORDS: [(&str, Transport, u16); 4] = [
    ("netflow", Transport::Udp, 2055),
    ("ipfix", Transport::Udp, 4739),
    ("sflow", Transport::Udp, 6343),
    ("ipfix-tls", Transport::Tls, 4740),
];

/// How exports travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams of any format.
    Udp,
    /// IPFIX messages in a stream (RFC 7011, 10.4).
    Tcp,
    /// The same inside TLS.
    Tls,
}

impl Transport {
    const fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// One listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    pub transport: Transport,
    /// `[::]` takes IPv4 too.
    pub address: SocketAddr,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport.word(), self.address)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, transport, port)) = WORDS.iter().find(|(word, ..)| *word == text) {
            return Ok(Self {
                transport: *transport,
                address: SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), *port),
            });
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| usage(text))?;
        let transport = match scheme {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            _ => return Err(usage(text)),
        };
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| usage(text))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let ip = match host {
            "" | "*" => Ipv6Addr::UNSPECIFIED.into(),
            host => host.parse::<IpAddr>().map_err(|_| usage(text))?,
        };
        let port = port.parse().map_err(|_| usage(text))?;
        Ok(Self {
            transport,
            address: SocketAddr::new(ip, port),
        })
    }
}

fn usage(text: &str) -> String {
    format!(
        "{text:?} is no listener: write udp://ADDRESS:PORT, tcp://ADDRESS:PORT or tls://ADDRESS:PORT (no address: all), \
         or netflow, ipfix, sflow, ipfix-tls"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let check = |text: &str, shown: &str| match text.parse::<Listen>() {
            Ok(listen) => assert_eq!(listen.to_string(), shown),
            Err(why) => assert!(why.contains(shown), "{text}: {why}"),
        };
        check("udp://[::]:2055", "udp://[::]:2055");
        check("udp://:4739", "udp://[::]:4739");
        check("tcp://*:4739", "tcp://[::]:4739");
        check("tls://192.0.2.1:4740", "tls://192.0.2.1:4740");
        check("sflow", "udp://[::]:6343");
        check("ipfix-tls", "tls://[::]:4740");
        for wrong in ["2055", "udp://host:1", "quic://:1", "udp://:70000", ""] {
            check(wrong, "is no listener");
        }
    }
}
