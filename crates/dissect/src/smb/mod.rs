//! SMB 1, 2 and 3 over TCP, direct or behind NetBIOS session service: log-ins, shares and files with their NT status.
//! Messages are matched by id and told apart by their flags, so that captures joined late or turned round still work.

mod exchange;
mod fields;
mod frame;
mod request;
mod smb1;
mod smb2;
mod status;
#[cfg(test)]
mod tests;

use weir_model::{Anomaly, Protocol, Transport};

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};
use exchange::Exchange;
use frame::{Frame, Framer};

/// Places where the framing was lost before the flow is given up: a lossy capture has some, another protocol many.
const LOST_MAX: u32 = 16;

/// State of one SMB connection.
#[derive(Default)]
pub struct Smb {
    framers: [Framer; 2],
    exchange: Exchange,
    lost: u32,
    encrypted: bool,
}

impl Dissector for Smb {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Smb,
        transports: &[Transport::Tcp],
        ports: &[445, 139],
        about: "Log-ins (NTLM names, NT status), shares connected, files opened, read, written, deleted, renamed. SMB 3 \
                encryption hides shares and files; Kerberos hides the user name.",
        fields: fields::ALL,
    };

    fn probe(data: &[u8], _from: Side, ports: (u16, u16)) -> Probe {
        const SESSION_REQUEST: &[u8] = b"\x81\0\0\x44\x20";
        if (data.first() == Some(&0) && data.get(4..).is_some_and(frame::is_protocol_id))
            || data.starts_with(SESSION_REQUEST)
        {
            return Probe::Match;
        }
        if !Self::META.is_usual(ports) {
            let short = data.len() < 8 && data.first().is_none_or(|&first| matches!(first, 0 | 0x81));
            return if short { Probe::NeedMore } else { Probe::NoMatch };
        }
        // Joined in the middle of a message: on the usual ports the next beginning is enough.
        if frame::next_message(data).is_some() {
            Probe::Match
        } else {
            Probe::NeedMore
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        let (exchange, encrypted, lost) = (&mut self.exchange, &mut self.encrypted, &mut self.lost);
        let time = match input {
            Input::Bytes { time, .. } | Input::Gap { time, .. } | Input::End { time } => time,
        };
        let mut on_frame = |frame: Frame<'_>| match frame {
            _ if *encrypted => {}
            Frame::Message(head) => match head.first() {
                Some(0xff) => smb1::read(head, time, exchange, sink),
                Some(0xfe) => smb2::read(head, time, exchange, sink),
                Some(0xfd) => *encrypted = true,
                _ => {}
            },
            Frame::Lost => {
                sink.odd(Anomaly::ProtocolError);
                *lost += 1;
            }
        };
        match input {
            Input::Bytes { from, data, .. } => self.framers[from as usize].feed(data, &mut on_frame),
            Input::Gap { from, len, .. } => self.framers[from as usize].gap(len, &mut on_frame),
            Input::End { .. } => {
                self.exchange.finish(time, sink);
                return Want::Nothing;
            }
        }
        if self.encrypted || self.lost > LOST_MAX {
            self.exchange.finish(time, sink);
            return Want::Nothing;
        }
        Want::More
    }
}
