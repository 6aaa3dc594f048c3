//! Network performance of one flow in bounded state: round trip of the handshake, server response time, segments sent again
//! or overtaken, and how packets follow each other. What the figures mean is told in `weir_model::Performance`.
//!
//! Out of order or sent again? A segment behind the highest sequence number was sent again when its bytes were seen before.
//! When it fills a hole, time decides (as in Wireshark and tcptrace): a sender learns of a loss no sooner than a round trip
//! later, so a hole filled within three quarters of the handshake's round trip (3 ms where it is not known) was reordering
//! and anything later is a retransmission whose first copy was lost before this point. Three quarters, because handshakes
//! are slower than what follows. When in doubt a segment counts as sent again.

use weir_model::tcp_flags::{ACK, RST, SYN};
use weir_model::{Measured, Spread, Time};
use weir_wire::packet::Tcp;

use crate::tcp::{Order, TcpConn};

/// Reordering is judged by this where no round trip is known, microseconds (Wireshark's value).
const REORDERING_MAX_US: u32 = 3_000;
/// Leading bits kept of delays and jitter: within 0.4 %, and stores need half of the room.
const SPREAD_BITS: u32 = 8;

/// What the next packet may answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaited {
    #[default]
    Nothing,
    /// The SYN-ACK.
    Responder,
    /// The ACK that ends the handshake.
    Initiator,
    /// First data of a response.
    Response,
}

/// Handshake and exchanges of a flow: what is asked, and how long answers took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exchanges {
    /// When the awaiting began.
    since: Time,
    /// Response times of this part.
    sum_us: u64,
    count: u32,
    min_us: u32,
    max_us: u32,
    /// Round trips, kept for the whole flow.
    server_us: Measured,
    client_us: Measured,
    awaited: Awaited,
    /// The round trips are told: they are of an earlier part.
    handshake_told: bool,
}

/// How packets of each side (0 = initiator) follow each other: of TCP by their numbers, of other protocols by their times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ways {
    paces: [Pace; 2],
    /// When the oldest hole opened.
    holes: [Time; 2],
    /// Was there a delay before this part? Otherwise there is one difference less than there are delays.
    going_on: [bool; 2],
    retransmitted: [u32; 2],
    out_of_order: [u32; 2],
}

/// Sums over the gaps between packets of one direction.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Last packet; [`Time::MIN`] while there was none.
    last: Time,
    delay_sum: f64,
    delay_squares: f64,
    jitter_sum: f64,
    jitter_squares: f64,
    delay_min: u32,
    delay_max: u32,
    jitter_min: u32,
    jitter_max: u32,
    /// The last delay, when there was one.
    gap_us: Measured,
    /// Delays of this part.
    count: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            last: Time::MIN,
            delay_sum: 0.0,
            delay_squares: 0.0,
            jitter_sum: 0.0,
            jitter_squares: 0.0,
            delay_min: u32::MAX,
            delay_max: 0,
            jitter_min: u32::MAX,
            jitter_max: 0,
            gap_us: Measured::NONE,
            count: 0,
        }
    }
}

impl Pace {
    fn packet(&mut self, time: Time) {
        let last = std::mem::replace(&mut self.last, time);
        if last == Time::MIN {
            return;
        }
        let gap_us = micros(last, time);
        let delay = f64::from(gap_us);
        self.delay_sum += delay;
        self.delay_squares += delay * delay;
        self.delay_min = self.delay_min.min(gap_us);
        self.delay_max = self.delay_max.max(gap_us);
        self.count = self.count.saturating_add(1);
        if let Some(before) = self.gap_us.get() {
            let difference_us = gap_us.abs_diff(before);
            let jitter = f64::from(difference_us);
            self.jitter_sum += jitter;
            self.jitter_squares += jitter * jitter;
            self.jitter_min = self.jitter_min.min(difference_us);
            self.jitter_max = self.jitter_max.max(difference_us);
        }
        self.gap_us = Measured::of(gap_us.into());
    }

    /// The next part begins: its first gap reaches back to the last packet of this one.
    fn begin_part(&mut self) {
        *self = Self {
            last: self.last,
            gap_us: self.gap_us,
            ..Self::default()
        };
    }

    fn delay(&self) -> Spread {
        let (sum, squares) = (self.delay_sum, self.delay_squares);
        spread(self.count, sum, squares, (self.delay_min, self.delay_max))
    }

    fn jitter(&self, going_on: bool) -> Spread {
        let (sum, squares) = (self.jitter_sum, self.jitter_squares);
        // Without a difference there is no least one.
        let count = match self.jitter_min {
            u32::MAX => 0,
            _ => self.count.saturating_sub(u32::from(!going_on)),
        };
        spread(count, sum, squares, (self.jitter_min, self.jitter_max))
    }
}

fn spread(count: u32, sum: f64, squares: f64, (min, max): (u32, u32)) -> Spread {
    if count == 0 {
        return Spread::default();
    }
    let mean = sum / f64::from(count);
    let variance = squares / f64::from(count) - mean * mean;
    Spread {
        min_us: coarse(min),
        avg_us: coarse((mean + 0.5) as u32),
        max_us: coarse(max),
        dev_us: coarse((variance.max(0.0).sqrt() + 0.5) as u32),
    }
}

/// The leading bits of a number, rounded.
fn coarse(number: u32) -> Measured {
    let drop = (u32::BITS - number.leading_zeros()).saturating_sub(SPREAD_BITS);
    let half = (1_u64 << drop) >> 1;
    Measured::of((u64::from(number) + half) >> drop << drop)
}

/// Microseconds between two moments; none when the stamps go back.
fn micros(from: Time, to: Time) -> u32 {
    u32::try_from(to.since(from).max(0) / 1_000).unwrap_or(u32::MAX - 1)
}

impl Exchanges {
    /// Takes a TCP segment whose place is `order`; `conn` has taken it already.
    pub(crate) fn segment(&mut self, from: usize, time: Time, tcp: &Tcp<'_>, order: Order, conn: &TcpConn) {
        if tcp.flags & RST != 0 {
            self.awaited = Awaited::Nothing;
        } else if tcp.flags & SYN != 0 {
            self.handshake(from, time, tcp, conn);
        } else if from == 0 {
            if self.awaited == Awaited::Initiator && tcp.flags & ACK != 0 {
                self.client_us = Measured::of(micros(self.since, time).into());
                self.awaited = Awaited::Nothing;
            }
            self.request(time, tcp, order);
        } else if self.awaited == Awaited::Response
            && tcp.payload_bytes > 0
            && conn.covers(0, tcp.ack)
            && let Some(network_us) = self.server_us.get()
        {
            self.response(time, network_us);
        }
    }

    /// Takes a datagram of a protocol of questions and answers.
    pub(crate) fn datagram(&mut self, from: usize, time: Time) {
        if from == 0 {
            (self.awaited, self.since) = (Awaited::Response, time);
        } else if self.awaited == Awaited::Response {
            self.response(time, 0);
        }
    }

    /// The latest SYN, and the latest SYN-ACK, are what is answered.
    fn handshake(&mut self, from: usize, time: Time, tcp: &Tcp<'_>, conn: &TcpConn) {
        let answer = tcp.flags & ACK != 0;
        match (from, answer, self.awaited) {
            (0, false, _) if !self.client_us.is_some() => self.awaited = Awaited::Responder,
            (1, true, Awaited::Responder) if conn.stream_start(0) == Some(tcp.ack) => {
                self.server_us = Measured::of(micros(self.since, time).into());
                self.awaited = Awaited::Initiator;
            }
            (1, true, Awaited::Initiator) => {}
            (1, true, Awaited::Nothing) if conn.stream_start(0).is_none() => {
                self.awaited = Awaited::Initiator
            }
            _ => return,
        }
        self.since = time;
    }

    /// Data of the initiator: the end of a request, for all that is known. Sent again, nobody can say which copy was answered.
    fn request(&mut self, time: Time, tcp: &Tcp<'_>, order: Order) {
        if tcp.payload_bytes == 0 || !self.server_us.is_some() {
            return;
        }
        match order {
            Order::Apart => {}
            Order::Again => self.awaited = Awaited::Nothing,
            Order::Next | Order::Ahead | Order::Late => {
                (self.awaited, self.since) = (Awaited::Response, time);
            }
        }
    }

    fn response(&mut self, time: Time, network_us: u32) {
        let took_us = micros(self.since, time).saturating_sub(network_us);
        self.min_us = if self.count == 0 {
            took_us
        } else {
            self.min_us.min(took_us)
        };
        self.max_us = self.max_us.max(took_us);
        self.sum_us = self.sum_us.saturating_add(took_us.into());
        self.count = self.count.saturating_add(1);
        self.awaited = Awaited::Nothing;
    }

    /// Both parts of the handshake.
    pub(crate) fn rtt_us(&self) -> Option<u32> {
        let (server_us, client_us) = self.server_us.get().zip(self.client_us.get())?;
        Some(server_us.saturating_add(client_us))
    }

    /// What was measured so far is told: the next part begins.
    pub(crate) fn begin_part(&mut self) {
        self.handshake_told = self.client_us.is_some();
        (self.sum_us, self.count, self.min_us, self.max_us) = (0, 0, 0, 0);
    }

    fn told(&self, told: &mut weir_model::Performance) {
        if !self.handshake_told {
            (told.rtt_server_us, told.rtt_client_us) = (self.server_us, self.client_us);
            told.rtt_us = self.rtt_us().into();
        }
        if let Some(mean_us) = self.sum_us.checked_div(self.count.into()) {
            told.srt_us = Measured::of(mean_us);
            told.srt_min_us = Measured::of(self.min_us.into());
            told.srt_max_us = Measured::of(self.max_us.into());
            told.srt_count = Measured::of(self.count.into());
        }
    }
}

impl Ways {
    /// After two packets, given by sender and time.
    pub(crate) fn begun(packets: [(usize, Time); 2]) -> Box<Self> {
        let mut ways = Box::<Self>::default();
        for (from, time) in packets {
            ways.paces[from].packet(time);
        }
        ways
    }

    /// Takes the time of a packet.
    pub(crate) fn packet(&mut self, from: usize, time: Time) {
        self.paces[from].packet(time);
    }

    /// Counts a TCP segment by its place.
    pub(crate) fn count(&mut self, from: usize, time: Time, order: Order, rtt_us: Option<u32>) {
        let counter = match order {
            Order::Apart | Order::Next => return,
            Order::Ahead => {
                self.holes[from] = time;
                return;
            }
            Order::Late
                if micros(self.holes[from], time) < rtt_us.map_or(REORDERING_MAX_US, |rtt| rtt / 4 * 3) =>
            {
                &mut self.out_of_order[from]
            }
            Order::Late | Order::Again => &mut self.retransmitted[from],
        };
        *counter = counter.saturating_add(1);
    }

    /// What was measured so far is told: the next part begins.
    pub(crate) fn begin_part(&mut self) {
        self.going_on = self.paces.map(|pace| pace.gap_us.is_some());
        self.paces.iter_mut().for_each(Pace::begin_part);
        (self.retransmitted, self.out_of_order) = ([0; 2], [0; 2]);
    }
}

/// The figures of a part of a flow; `tcp` says which sides sent segments in it.
pub(crate) fn told(
    exchanges: &Exchanges,
    ways: Option<&Ways>,
    tcp: [bool; 2],
) -> Option<Box<weir_model::Performance>> {
    let mut told = weir_model::Performance::default();
    exchanges.told(&mut told);
    for (side, way) in [&mut told.forward, &mut told.reverse].into_iter().enumerate() {
        let counted = |of: Option<u32>| Measured::from(tcp[side].then_some(of.unwrap_or(0)));
        way.retransmitted = counted(ways.map(|ways| ways.retransmitted[side]));
        way.out_of_order = counted(ways.map(|ways| ways.out_of_order[side]));
        if let Some(ways) = ways {
            let pace = &ways.paces[side];
            (way.delay, way.jitter) = (pace.delay(), pace.jitter(ways.going_on[side]));
        }
    }
    told.boxed()
}

#[cfg(test)]
mod tests;
