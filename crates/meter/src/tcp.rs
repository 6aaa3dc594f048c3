//! What TCP headers say of a connection: Zeek's history letters and connection state, without keeping payload.
//! Analysts read both like words, so the meanings follow Zeek (`conn.log`); they work with dissection off.

use weir_model::tcp_flags::{ACK, FIN, RST, SYN};
use weir_model::{ConnState, History};
use weir_wire::packet::Tcp;

/// State of one end, in Zeek's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// Sent nothing yet.
    #[default]
    Inactive,
    SynSent,
    SynAckSent,
    /// Sent something without a handshake seen: joined in the middle.
    Partial,
    Established,
    /// Sent FIN.
    Closed,
    /// Sent RST.
    Reset,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct TcpEnd {
    /// Initial sequence number, when `isn_known`.
    isn: u32,
    /// Sequence number behind the highest byte sent, when `top_known`.
    top: u32,
    /// Bytes below `top` that were jumped over and may still come (reordering) or be lost.
    missing: u32,
    /// Where they are, at the most, when any are missing.
    hole: u32,
    hole_end: u32,
    /// Letters already in the history, one bit each.
    seen: u16,
    gaps: u16,
    repeats: u16,
    zero_windows: u16,
    state: End,
    isn_known: bool,
    top_known: bool,
}

/// Where a segment stands among those of its end before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// It takes no sequence number, or only keeps the connection alive or probes a closed window.
    Apart,
    /// Further than all before it.
    Next,
    /// Further, behind bytes that were jumped over; no others were missing.
    Ahead,
    /// It fills such a hole: overtaken on its way, or lost before this point and sent again.
    Late,
    /// It was seen before.
    Again,
}

impl Order {
    /// Is there nothing to count?
    pub(crate) const fn is_plain(self) -> bool {
        matches!(self, Self::Apart | Self::Next)
    }
}

/// Both ends of a connection, initiator first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TcpConn {
    ends: [TcpEnd; 2],
}

/// Initiator's index in pairs; the responder's is 1.
const INITIATOR: usize = 0;
const RESPONDER: usize = 1;

impl TcpConn {
    /// Takes one segment of the end `from` (0 = initiator).
    pub(crate) fn segment(&mut self, from: usize, tcp: &Tcp<'_>, history: &mut History) -> Order {
        self.letters(from, tcp, history);
        let order = self.sequence(from, tcp, history);
        self.transition(from, tcp.flags);
        order
    }

    /// Does an acknowledgement cover everything the end `from` has sent?
    pub(crate) fn covers(&self, from: usize, ack: u32) -> bool {
        let end = &self.ends[from];
        end.top_known && ack.wrapping_sub(end.top) as i32 >= 0
    }

    /// Does a SYN of the end `from` with this sequence number begin another connection than the one held here?
    pub(crate) fn is_other_isn(&self, from: usize, seq: u32) -> bool {
        let end = &self.ends[from];
        !end.isn_known || end.isn != seq
    }

    /// Sequence number of the first byte of the end's stream, when its SYN was seen.
    pub(crate) fn stream_start(&self, from: usize) -> Option<u32> {
        let end = &self.ends[from];
        end.isn_known.then(|| end.isn.wrapping_add(1))
    }

    /// Over: RST, or FIN both ways.
    pub(crate) fn is_closed(&self) -> bool {
        let [initiator, responder] = &self.ends;
        initiator.state == End::Reset
            || responder.state == End::Reset
            || (initiator.state == End::Closed && responder.state == End::Closed)
    }

    /// Letters of what the header shows at once.
    fn letters(&mut self, from: usize, tcp: &Tcp<'_>, history: &mut History) {
        let flags = tcp.flags;
        match flags & (SYN | FIN | RST) {
            0 => {}
            SYN => self.once(from, if flags & ACK == 0 { b's' } else { b'h' }, history),
            FIN => self.once(from, b'f', history),
            RST => self.once(from, b'r', history),
            several if several & SYN != 0 => self.once(from, b'q', history),
            _ => self.once(from, b'i', history),
        }
        if tcp.payload_bytes > 0 {
            self.once(from, b'd', history);
        } else if flags & (SYN | FIN | RST | ACK) == ACK {
            self.once(from, b'a', history);
        }
        if tcp.window == 0 && flags & (SYN | FIN | RST) == 0 {
            let count = bump(&mut self.ends[from].zero_windows);
            repeat(from, b'w', count, history);
        }
    }

    /// Follows sequence numbers: retransmissions of this end, content gaps of the other.
    fn sequence(&mut self, from: usize, tcp: &Tcp<'_>, history: &mut History) -> Order {
        if tcp.flags & RST != 0 {
            return Order::Apart;
        }
        let unanswered = self.ends[1 - from].state == End::Inactive;
        let end = &mut self.ends[from];
        let mut order = end.bare(tcp);
        // Nobody answered so far: the stream will begin where the latest try says.
        if tcp.flags & SYN != 0 && (!end.isn_known || unanswered) {
            end.isn = tcp.seq;
            end.isn_known = true;
            end.top = tcp.seq.wrapping_add(1);
            end.top_known = true;
        }
        let start = if tcp.flags & SYN != 0 {
            tcp.seq.wrapping_add(1)
        } else {
            tcp.seq
        };
        if tcp.payload_bytes > 0 {
            order = end.take(start, tcp.payload_bytes);
            if order == Order::Again {
                let count = bump(&mut end.repeats);
                repeat(from, b't', count, history);
            }
        }
        if tcp.flags & ACK != 0 && self.ends[1 - from].acknowledge(tcp.ack) {
            let count = bump(&mut self.ends[1 - from].gaps);
            repeat(1 - from, b'g', count, history);
        }
        order
    }

    /// Zeek's transitions: a handshake establishes both ends at the SYN-ACK; FIN closes and RST resets the sender.
    fn transition(&mut self, from: usize, flags: u16) {
        let (state, other) = (self.ends[from].state, self.ends[1 - from].state);
        let closed = state == End::Closed && other == End::Closed;
        self.ends[from].state = match state {
            End::Reset => End::Reset,
            // A reset after an orderly end is only haste.
            _ if closed => End::Closed,
            _ if flags & RST != 0 => End::Reset,
            _ if flags & FIN != 0 => End::Closed,
            End::Closed => End::Closed,
            _ if flags & (SYN | ACK) == SYN | ACK && other == End::SynSent => {
                self.ends[1 - from].state = End::Established;
                End::Established
            }
            End::Inactive if flags & (SYN | ACK) == SYN | ACK => End::SynAckSent,
            End::Inactive if flags & SYN != 0 => End::SynSent,
            End::Inactive => End::Partial,
            kept => kept,
        };
    }

    /// Zeek's `conn_state`, by the states of both ends.
    pub(crate) fn conn_state(&self, payload_any: bool) -> ConnState {
        let (orig, resp) = (self.ends[INITIATOR].state, self.ends[RESPONDER].state);
        let silent = |end| matches!(end, End::Inactive | End::Partial);
        match (orig, resp) {
            (End::SynSent | End::SynAckSent, End::Reset) => ConnState::Rej,
            (End::Reset, End::Reset) if !payload_any => ConnState::Rej,
            (orig, End::Reset) if silent(orig) => ConnState::RstRH,
            (_, End::Reset) => ConnState::RstR,
            (End::Reset, resp) if silent(resp) => ConnState::RstOS0,
            (End::Reset, _) => ConnState::RstO,
            (End::Closed, End::Closed) => ConnState::SF,
            (End::Closed, resp) if silent(resp) => ConnState::Sh,
            (End::Closed, _) => ConnState::S2,
            (orig, End::Closed) if silent(orig) => ConnState::ShR,
            (_, End::Closed) => ConnState::S3,
            (End::SynSent, End::Inactive) => ConnState::S0,
            (End::Established, End::Established) => ConnState::S1,
            _ => ConnState::Oth,
        }
    }

    fn once(&mut self, from: usize, letter: u8, history: &mut History) {
        let bit = 1u16
            << (LETTERS_ONCE
                .iter()
                .position(|&known| known == letter)
                .unwrap_or(0) as u16);
        if self.ends[from].seen & bit == 0 {
            self.ends[from].seen |= bit;
            history.push(cased(from, letter));
        }
    }
}

/// Letters kept once per direction; the position is the bit in [`TcpEnd::seen`].
const LETTERS_ONCE: [u8; 8] = [b's', b'h', b'a', b'd', b'f', b'r', b'q', b'i'];

impl TcpEnd {
    /// Where a segment without payload stands: SYN and FIN take a number of their own. Before it changes anything.
    fn bare(&self, tcp: &Tcp<'_>) -> Order {
        let again = match tcp.flags & (SYN | FIN) {
            0 => return Order::Apart,
            SYN => self.isn_known && self.isn == tcp.seq,
            _ => self.state == End::Closed && self.top_known && self.top == tcp.seq,
        };
        if again { Order::Again } else { Order::Next }
    }

    /// Takes a segment's sequence range, and says where it stands.
    fn take(&mut self, start: u32, len: u32) -> Order {
        let behind = start.wrapping_add(len);
        if !self.top_known {
            self.top = behind;
            self.top_known = true;
            return Order::Next;
        }
        let jumped = start.wrapping_sub(self.top) as i32;
        if behind.wrapping_sub(self.top) as i32 > 0 {
            let first = self.missing == 0;
            if jumped > 0 {
                self.hole = if first { self.top } else { self.hole };
                self.hole_end = start;
                self.missing = self.missing.saturating_add(jumped as u32);
            }
            self.top = behind;
            return match jumped {
                1.. if first => Order::Ahead,
                // One byte of it was let through to probe a closed window.
                -1.. => Order::Next,
                _ if first => Order::Again,
                _ => Order::Late,
            };
        }
        if jumped == -1 && len == 1 {
            return Order::Apart;
        }
        let in_hole =
            start.wrapping_sub(self.hole) as i32 >= 0 && self.hole_end.wrapping_sub(start) as i32 > 0;
        if self.missing == 0 || !in_hole {
            return Order::Again;
        }
        self.missing = self.missing.saturating_sub(len);
        Order::Late
    }

    /// The other end acknowledges up to `ack`; true when that covers bytes that were never seen.
    fn acknowledge(&mut self, ack: u32) -> bool {
        // FIN takes a number of its own: an ACK one behind the last byte is no gap.
        let beyond = ack.wrapping_sub(self.top) as i32;
        if !self.top_known || beyond < 0 || (beyond <= 1 && self.missing == 0) {
            return false;
        }
        if beyond > 1 {
            self.top = ack;
        }
        self.missing = 0;
        true
    }
}

fn bump(counter: &mut u16) -> u16 {
    *counter = counter.saturating_add(1);
    *counter
}

/// Letters that repeat do so at 1, 10, 100, ... occurrences.
fn repeat(from: usize, letter: u8, count: u16, history: &mut History) {
    if matches!(count, 1 | 10 | 100 | 1000 | 10_000) {
        history.push(cased(from, letter));
    }
}

fn cased(from: usize, letter: u8) -> u8 {
    if from == INITIATOR {
        letter.to_ascii_uppercase()
    } else {
        letter
    }
}
