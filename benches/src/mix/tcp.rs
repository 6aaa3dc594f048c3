//! A whole TCP connection as a tap next to the client sees it: handshake, segments with delayed acknowledgements, FIN
//! teardown. Sequence numbers, options and checksums are exact; there is no loss, so every byte stream is complete.

use super::frame::{ACK, Endpoint, FIN, Frames, PSH, SYN, Segment};
use super::random::Random;

/// Round trip to the server, microseconds.
const ROUND_TRIP_US: [u64; 5] = [300, 4_000, 12_000, 28_000, 60_000];
/// Gap between segments of one burst, microseconds: about 1 Gbit/s.
const SEGMENT_GAP_US: u64 = 12;
/// Segments a receiver acknowledges at once: two by RFC 1122, more where the network card coalesces them.
const SEGMENTS_PER_ACK: [u8; 4] = [2, 4, 8, 8];

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client = 0,
    Server = 1,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

struct Half {
    endpoint: Endpoint,
    next_seq: u32,
    /// Segments of this side that the other has not acknowledged.
    unacknowledged: u8,
    identification: u16,
    timestamp: u32,
}

/// One connection being written into `frames`.
pub(super) struct Connection<'a> {
    frames: &'a mut Frames,
    halves: [Half; 2],
    now_us: u64,
    round_trip_us: u64,
    timestamps: bool,
    segment_max: usize,
    segments_per_ack: u8,
}

impl<'a> Connection<'a> {
    /// Writes the three-way handshake; the first SYN is at `start_us`.
    pub(super) fn open(
        frames: &'a mut Frames,
        random: &mut Random,
        start_us: u64,
        client: Endpoint,
        server: Endpoint,
    ) -> Self {
        let half = |random: &mut Random, endpoint| Half {
            endpoint,
            next_seq: random.bits() as u32,
            unacknowledged: 0,
            identification: random.bits() as u16,
            timestamp: random.bits() as u32,
        };
        // Windows does not offer timestamps by default; everybody else does.
        let timestamps = client.hops <= 64;
        let network_max = if client.address.is_ipv4() { 1460 } else { 1440 };
        let mut connection = Self {
            halves: [half(random, client), half(random, server)],
            frames,
            now_us: start_us,
            round_trip_us: random.quantile(&ROUND_TRIP_US),
            timestamps,
            segment_max: if timestamps { network_max - 12 } else { network_max },
            segments_per_ack: random.pick(&SEGMENTS_PER_ACK),
        };
        connection.handshake(network_max as u16);
        connection
    }

    /// Sends `payload` in segments of at most the negotiated size, with the acknowledgements it provokes on the way.
    pub(super) fn send(&mut self, side: Side, payload: &[u8]) {
        let mut rest = payload;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.len().min(self.segment_max));
            rest = after;
            self.now_us += SEGMENT_GAP_US;
            let flags = if rest.is_empty() { PSH | ACK } else { ACK };
            self.emit(side, flags, chunk);
            self.halves[side as usize].unacknowledged += 1;
            if self.halves[side as usize].unacknowledged >= self.segments_per_ack {
                self.acknowledge(side.other());
            }
        }
    }

    /// Lets time pass: the other side thinks, a user reads.
    pub(super) fn pause(&mut self, time_us: u64) {
        self.now_us += time_us;
    }

    /// One round trip, after which the server may answer.
    pub(super) fn round_trip(&mut self) {
        self.now_us += self.round_trip_us;
    }

    /// A pure acknowledgement from `side`, if it owes one.
    pub(super) fn acknowledge(&mut self, side: Side) {
        if self.halves[side.other() as usize].unacknowledged == 0 {
            return;
        }
        self.now_us += match side {
            Side::Client => 4,
            Side::Server => self.round_trip_us,
        };
        self.emit(side, ACK, &[]);
    }

    /// The server's delayed acknowledgement of a request, which few stacks send before the answer is ready.
    pub(super) fn acknowledge_soon(&mut self, random: &mut Random) {
        if self.halves[Side::Client as usize].unacknowledged > 0 && random.chance(10) {
            self.emit(Side::Server, ACK, &[]);
        }
    }

    /// FIN from `first`, FIN from the other side, last acknowledgement.
    pub(super) fn close(mut self, first: Side) {
        self.now_us += 150;
        self.emit(first, FIN | ACK, &[]);
        self.now_us += self.round_trip_us;
        self.emit(first.other(), FIN | ACK, &[]);
        self.now_us += self.round_trip_us;
        self.emit(first, ACK, &[]);
    }

    fn handshake(&mut self, network_max: u16) {
        let [high, low] = network_max.to_be_bytes();
        // MSS, SACK permitted, timestamps, no-op, window scale 7; without timestamps in the order Windows uses.
        let mut options = vec![2, 4, high, low];
        if self.timestamps {
            options.extend_from_slice(&[4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7]);
        } else {
            options.extend_from_slice(&[1, 3, 3, 8, 1, 1, 4, 2]);
        }
        self.emit_with(Side::Client, SYN, &mut options, 8, &[]);
        self.now_us += self.round_trip_us;
        self.emit_with(Side::Server, SYN | ACK, &mut options, 8, &[]);
        self.now_us += 25;
        self.emit(Side::Client, ACK, &[]);
    }

    fn emit(&mut self, side: Side, flags: u8, payload: &[u8]) {
        let mut options = [1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
        let used = if self.timestamps { options.len() } else { 0 };
        self.emit_with(side, flags, &mut options[..used], 4, payload);
    }

    /// `timestamp_at` is where the timestamp values start in `options`, if the connection uses them.
    fn emit_with(&mut self, side: Side, flags: u8, options: &mut [u8], timestamp_at: usize, payload: &[u8]) {
        let milliseconds = (self.now_us / 1000) as u32;
        let [from, to] = match side {
            Side::Client => [0, 1],
            Side::Server => [1, 0],
        };
        if self.timestamps {
            let value = self.halves[from].timestamp.wrapping_add(milliseconds);
            let echo = if flags == SYN {
                0
            } else {
                self.halves[to].timestamp.wrapping_add(milliseconds)
            };
            options[timestamp_at..timestamp_at + 4].copy_from_slice(&value.to_be_bytes());
            options[timestamp_at + 4..timestamp_at + 8].copy_from_slice(&echo.to_be_bytes());
        }
        let ack = if flags & ACK == 0 {
            0
        } else {
            self.halves[to].next_seq
        };
        let window = if flags & SYN == 0 { 501 } else { 64_240 };
        let half = &self.halves[from];
        let segment = Segment {
            seq: half.next_seq,
            ack,
            flags,
            window,
            options,
            payload,
        };
        self.frames.push_tcp(
            self.now_us,
            &half.endpoint,
            &self.halves[to].endpoint,
            half.identification,
            segment,
        );
        let half = &mut self.halves[from];
        half.identification = half.identification.wrapping_add(1);
        let consumed = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        half.next_seq = half.next_seq.wrapping_add(consumed);
        self.halves[to].unacknowledged = 0;
    }
}
