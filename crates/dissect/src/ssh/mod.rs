//! SSH: banners, HASSH, agreed algorithms, and a verdict on the log-in judged from packet lengths (`authentication`).
//! Once the log-in is judged nothing more is wanted, so a long transfer costs nothing.

mod authentication;
mod fields;
mod kex;
mod stream;
#[cfg(test)]
mod tests;

use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transport};

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text};
use authentication::{Authentication, Verdict};
use kex::Offer;
use stream::{Piece, Stream};

/// SSH_MSG_KEXINIT.
const KEXINIT: u8 = 20;
/// SSH_MSG_KEXDH_REPLY and SSH_MSG_KEX_DH_GEX_REPLY: sent by servers only (RFC 4253 8, RFC 4419 5).
const KEXDH_REPLY: u8 = 31;
const GEX_REPLY: u8 = 33;
/// SSH_MSG_KEXDH_INIT and SSH_MSG_KEX_DH_GEX_INIT and _REQUEST: sent by clients only.
const CLIENT_ONLY: [u8; 3] = [30, 32, 34];

/// State of one SSH connection.
#[derive(Default)]
pub struct Ssh {
    streams: [Stream; 2],
    banners: [Option<Box<str>>; 2],
    offers: [Option<Offer>; 2],
    start: Option<Time>,
    handshake_sent: bool,
    /// The flow's initiator is the SSH server: the capture began in the middle.
    turned: bool,
    authentication: Authentication,
    /// When the client's first encrypted packet came.
    login_start: Option<Time>,
}

impl Dissector for Ssh {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Ssh,
        transports: &[Transport::Tcp],
        ports: &[22],
        about: "Banners, HASSH, agreed algorithms; one log-in per connection, judged from the lengths of encrypted packets. \
                User names, commands and files are not visible.",
        fields: fields::ALL,
    };

    fn probe(data: &[u8], _from: Side, _ports: (u16, u16)) -> Probe {
        const BANNER: &[u8] = b"SSH-";
        if data.starts_with(BANNER) {
            Probe::Match
        } else if BANNER.starts_with(data) {
            Probe::NeedMore
        } else {
            Probe::NoMatch
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, mut data } => {
                self.start.get_or_insert(time);
                loop {
                    let mut want = Want::More;
                    let mut stream = std::mem::take(&mut self.streams[from as usize]);
                    let taken = stream.next(&mut data, |piece| want = self.piece(piece, from, time, sink));
                    // Agreed lengths are set for both sides while a piece is handled.
                    stream.tag_len = stream.tag_len.or(self.streams[from as usize].tag_len);
                    self.streams[from as usize] = stream;
                    if want != Want::More {
                        return want;
                    }
                    if taken.is_none() {
                        return Want::More;
                    }
                }
            }
            // Lengths cannot be trusted any more: what is known is sent, without a guess at the log-in.
            Input::Gap { time, .. } => self.stop(time, sink),
            Input::End { time } => {
                self.send_handshake(time, sink);
                if self.authentication.has_begun() {
                    self.send_login(self.authentication.end(), time, sink);
                }
                Want::Nothing
            }
        }
    }
}

impl Ssh {
    fn piece(&mut self, piece: Piece<'_>, from: Side, time: Time, sink: &mut Sink<'_>) -> Want {
        match piece {
            Piece::Banner(line) => {
                self.banners[from as usize] = Some(text::bounded(line));
                // SSH 1 (RFC 4253 5.1: 1.99 means both) has another key exchange.
                if line.starts_with(b"SSH-1.") && !line.starts_with(b"SSH-1.99") {
                    return if self.banners.iter().all(Option::is_some) {
                        self.stop(time, sink)
                    } else {
                        Want::More
                    };
                }
                Want::More
            }
            Piece::Message(KEXINIT, payload) => {
                self.offers[from as usize] = Offer::read(payload);
                if self.offers.iter().all(Option::is_some) && self.banners.iter().all(Option::is_some) {
                    self.agree();
                }
                Want::More
            }
            Piece::Message(number, _) => {
                let by_server = matches!(number, KEXDH_REPLY | GEX_REPLY) && from == Side::Initiator;
                let by_client = CLIENT_ONLY.contains(&number) && from == Side::Responder;
                if (by_server || by_client) && !self.turned {
                    self.turned = true;
                    self.agree();
                }
                Want::More
            }
            Piece::Encrypted(len) => {
                self.send_handshake(time, sink);
                if self.client() == from {
                    self.login_start.get_or_insert(time);
                }
                let role = if self.turned { from.other() } else { from };
                match self.authentication.packet(role, len) {
                    Some(verdict) => {
                        self.send_login(verdict, time, sink);
                        Want::Nothing
                    }
                    None => Want::More,
                }
            }
            Piece::Nonsense => {
                sink.odd(Anomaly::ProtocolError);
                self.stop(time, sink)
            }
        }
    }

    const fn client(&self) -> Side {
        if self.turned {
            Side::Responder
        } else {
            Side::Initiator
        }
    }

    fn stop(&mut self, time: Time, sink: &mut Sink<'_>) -> Want {
        self.send_handshake(time, sink);
        if self.authentication.has_begun() {
            let verdict = Verdict {
                outcome: Outcome::Unknown,
                attempts: None,
            };
            self.send_login(verdict, time, sink);
        }
        Want::Nothing
    }

    /// Both offers are there: learn how packets will be cut.
    fn agree(&mut self) {
        let (client, server) = (self.client() as usize, self.client().other() as usize);
        let [Some(of_client), Some(of_server)] = [&self.offers[client], &self.offers[server]] else {
            return;
        };
        let lists = [
            (
                client,
                &of_client.cipher_to_server,
                &of_server.cipher_to_server,
                &of_client.mac_to_server,
                &of_server.mac_to_server,
            ),
            (
                server,
                &of_client.cipher_to_client,
                &of_server.cipher_to_client,
                &of_client.mac_to_client,
                &of_server.mac_to_client,
            ),
        ];
        for (side, cipher, cipher_known, mac, mac_known) in lists {
            let cipher = kex::agreed(cipher, cipher_known).unwrap_or_default();
            let mac = kex::agreed(mac, mac_known).unwrap_or_default();
            self.streams[side].tag_len = kex::readable_tag_len(cipher, mac);
        }
        let software = self.banners[client].as_deref().unwrap_or_default();
        self.authentication.skips_none = software.contains("paramiko");
    }

    fn send_handshake(&mut self, time: Time, sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.handshake_sent, true) {
            return;
        }
        let mut sent = sink.begin(Protocol::Ssh, Kind::Handshake, self.start.unwrap_or(time));
        sent.end = time;
        let (client, server) = (self.client() as usize, self.client().other() as usize);
        for (field, banner) in [
            (&fields::CLIENT, &self.banners[client]),
            (&fields::SERVER, &self.banners[server]),
        ] {
            if let Some(banner) = banner {
                sent.set_text(field, banner.clone());
            }
        }
        let hashes = [
            (client, &fields::HASSH, &fields::HASSH_ALGORITHMS),
            (server, &fields::HASSH_SERVER, &fields::HASSH_SERVER_ALGORITHMS),
        ];
        for (side, hassh, algorithms) in hashes {
            if let Some(offer) = &self.offers[side] {
                let (hash, made_of) = offer.hassh(side == client);
                sent.set_text(hassh, hash);
                sent.set_text(algorithms, made_of);
            }
        }
        if let [Some(mine), Some(theirs)] = [&self.offers[client], &self.offers[server]] {
            let chosen = [
                (&fields::KEX, &mine.kex, &theirs.kex),
                (&fields::CIPHER, &mine.cipher_to_server, &theirs.cipher_to_server),
                (&fields::MAC, &mine.mac_to_server, &theirs.mac_to_server),
            ];
            for (field, mine, theirs) in chosen {
                if let Some(name) = kex::agreed(mine, theirs) {
                    sent.set_text(field, text::bounded(name));
                }
            }
        }
        sink.emit(sent);
    }

    fn send_login(&self, verdict: Verdict, time: Time, sink: &mut Sink<'_>) {
        let mut login = sink.begin(Protocol::Ssh, Kind::Login, self.login_start.unwrap_or(time));
        login.end = time;
        login.outcome = verdict.outcome;
        if let Some(client) = &self.banners[self.client() as usize] {
            login.set_text(&fields::CLIENT, client.clone());
        }
        if let Some(attempts) = verdict.attempts {
            login.set_number(&fields::ATTEMPTS, attempts);
        }
        sink.emit(login);
    }
}
