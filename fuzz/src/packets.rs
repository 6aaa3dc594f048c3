//! A run of packets out of any bytes: frames as they are, segments that hang together, fragments, and repeats.

use weir_model::{NANOS_PER_S, Time};

/// A frame with its stamp; always Ethernet.
pub struct Frame {
    pub time: Time,
    pub bytes: Vec<u8>,
}

/// Frames per run: enough for every threshold of a method to be within reach, few enough for a fast run.
const FRAMES_MAX: usize = 2048;
/// Service ports the segments choose from: those of the dissectors, and one of nobody.
const PORTS: [u16; 16] = [
    80, 443, 22, 21, 25, 53, 445, 110, 143, 23, 5900, 88, 3389, 67, 5353, 4444,
];
/// TCP flags the segments choose from.
const FLAGS: [u8; 8] = [0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0x00];

/// What a step makes of its bytes.
struct Step<'a> {
    kind: u8,
    /// Hosts, ports and flags are picked by these.
    pick: [u8; 3],
    data: &'a [u8],
}

/// Reads steps of `kind wait pick pick pick length bytes` until nothing is left.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut time = Time::from_secs(1_700_000_000);
    let mut seqs = [[1_u32; 2]; 256];
    while let [kind, wait, a, b, c, len, rest @ ..] = bytes {
        if frames.len() >= FRAMES_MAX {
            break;
        }
        let scale = if kind & 0x80 == 0 { 1 } else { 8 };
        let (data, behind) = rest.split_at(rest.len().min(usize::from(*len) * scale));
        bytes = behind;
        time = time + wait_ns(*wait);
        let step = Step {
            kind: kind & 0x0f,
            pick: [*a, *b, *c],
            data,
        };
        let times = if kind & 0x70 == 0x70 {
            1 + usize::from(*c)
        } else {
            1
        };
        for turn in 0..times.min(FRAMES_MAX - frames.len()) {
            frames.push(Frame {
                time,
                bytes: frame(&step, turn, &mut seqs),
            });
            if times > 1 {
                time = time + i64::from(*wait) * 1_000_000;
            }
        }
    }
    frames
}

/// Mostly small steps; the last values jump by time-outs, by years, and back.
fn wait_ns(wait: u8) -> i64 {
    match wait {
        0..=199 => i64::from(wait) * 1_000_000,
        200..=239 => i64::from(wait - 199) * NANOS_PER_S,
        240..=247 => i64::from(wait - 239) * 400 * NANOS_PER_S,
        248..=250 => -i64::from(wait - 247) * 5 * NANOS_PER_S,
        251 => 4_000 * 86_400 * NANOS_PER_S,
        252 => -4_000 * 86_400 * NANOS_PER_S,
        253 => -100_000 * NANOS_PER_S,
        254 => 3 * 86_400 * NANOS_PER_S,
        255 => i64::MAX / 4,
    }
}

fn frame(step: &Step<'_>, turn: usize, seqs: &mut [[u32; 2]; 256]) -> Vec<u8> {
    let [a, b, c] = step.pick;
    // Repeats go through hosts or ports, as scans do.
    let (far, near) = match c & 3 {
        1 => (turn as u32, 0),
        2 => (0, turn as u32),
        _ => (0, 0),
    };
    let client = 0x0a00_0001 + u32::from(a & 0x0f) + (near << 8);
    let server = [0x0a00_0101, 0xc633_6401][usize::from(a >> 7)] + u32::from(b & 7) + far;
    let port = PORTS[usize::from(b >> 4)].wrapping_add(if c & 3 == 3 { turn as u16 } else { 0 });
    let (from, to) = if a & 0x40 == 0 {
        ((client, 40_000 + u16::from(c >> 4)), (server, port))
    } else {
        ((server, port), (client, 40_000 + u16::from(c >> 4)))
    };
    let side = usize::from(a & 0x40 != 0);
    let flow = usize::from(a & 0x0f ^ b);
    match step.kind {
        0 => step.data.to_vec(),
        1 => ethernet(0x0806, step.data),
        2 => ethernet(0x86dd, step.data),
        3 => ipv4(from.0, to.0, c, 0, step.data),
        // A fragment: where and of what is in the picks.
        4 | 5 => ipv4(from.0, to.0, 17, u16::from(c) << 5 & 0x3fff, step.data),
        6 => ipv4(from.0, to.0, 1, 0, step.data),
        7 | 8 => ipv4(from.0, to.0, 17, 0, &udp(from.1, to.1, step.data)),
        // Segments in order, and some before, behind or over what was sent.
        kind => {
            let flags = FLAGS[usize::from(c >> 1 & 7)];
            let seq = &mut seqs[flow][side];
            let shown = match kind {
                13 => seq.wrapping_add(u32::from(c) * 64),
                14 => seq.wrapping_sub(u32::from(c)),
                15 => u32::from_be_bytes([c, b, a, kind]),
                _ => *seq,
            };
            if kind < 13 {
                *seq = seq.wrapping_add(step.data.len() as u32 + u32::from(flags & 3 != 0));
            }
            let ack = seqs[flow][1 - side];
            let segment = tcp(from.1, to.1, [shown, ack], flags, step.data);
            ipv4(from.0, to.0, 6, 0, &segment)
        }
    }
}

fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let macs = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    [&macs[..], &ethertype.to_be_bytes(), payload].concat()
}

fn ipv4(from: u32, to: u32, proto: u8, place: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(((payload.len() + 20) as u16).to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, proto, 0, 0]);
    packet.extend(from.to_be_bytes());
    packet.extend(to.to_be_bytes());
    packet.extend(payload);
    ethernet(0x0800, &packet)
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let words = [from, to, (payload.len() + 8) as u16, 0];
    let mut datagram: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    datagram.extend(payload);
    datagram
}

fn tcp(from: u16, to: u16, numbers: [u32; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment: Vec<u8> = [from, to].iter().flat_map(|port| port.to_be_bytes()).collect();
    segment.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    segment.extend([0x50, flags, 0xfa, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}
