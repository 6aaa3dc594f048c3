//! A writer of MaxMind DB files (version 2.0 of the published format), so that tests need no vendor's data.
//! Small and slow: a node a bit, 32-bit records, no shared values.

use ipnet::IpNet;

/// A value of a record.
#[derive(Clone, Debug)]
pub enum Value {
    Text(&'static str),
    Number(u32),
    Table(Vec<(&'static str, Value)>),
}

/// Marks where the metadata begins.
const METADATA: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// Bits of an IPv6 address before an IPv4 one that is kept under `::/96`.
const V4_BITS: u8 = 96;

/// The bytes of a file with these networks; a later network lies over an earlier one.
pub fn file(kind: &'static str, networks: &[(&str, Value)]) -> Vec<u8> {
    // Two records a node; below zero: data at that place, counted from one.
    let mut nodes: Vec<[i64; 2]> = vec![[0, 0]];
    let mut data = Vec::new();
    for (prefix, value) in networks {
        let place = data.len() as i64 + 1;
        write(value, &mut data);
        insert(&mut nodes, prefix.parse().expect("a prefix"), -place);
    }
    let mut bytes = Vec::new();
    let count = nodes.len() as i64;
    for record in nodes.iter().flatten() {
        let number = match record {
            0 => count,
            place if *place < 0 => count + 16 + (-place - 1),
            next => *next,
        };
        bytes.extend_from_slice(&(number as u32).to_be_bytes());
    }
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(&data);
    bytes.extend_from_slice(METADATA);
    metadata(kind, count as u32, &mut bytes);
    bytes
}

fn insert(nodes: &mut Vec<[i64; 2]>, prefix: IpNet, leaf: i64) {
    let (bits, len) = match prefix {
        IpNet::V4(net) => (u128::from(net.network().to_bits()), net.prefix_len() + V4_BITS),
        IpNet::V6(net) => (net.network().to_bits(), net.prefix_len()),
    };
    let mut node = 0;
    for at in 0..len {
        let side = (bits >> (127 - at) & 1) as usize;
        let record = nodes[node][side];
        if at + 1 == len {
            nodes[node][side] = leaf;
        } else if record > 0 {
            node = record as usize;
        } else {
            // What lay here lies now under both halves.
            nodes.push([record, record]);
            nodes[node][side] = nodes.len() as i64 - 1;
            node = nodes.len() - 1;
        }
    }
}

/// A control byte (or two) and what it announces. Types: 2 text, 6 u32, 7 map, 9 u64, 5 u16, 11 array.
fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (first, more) = if size < 29 {
        (size as u8, None)
    } else {
        (29, Some((size - 29) as u8))
    };
    if kind < 8 {
        out.push(kind << 5 | first);
    } else {
        out.extend_from_slice(&[first, kind - 7]);
    }
    out.extend(more);
}

fn number(kind: u8, value: u64, out: &mut Vec<u8>) {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    head(kind, bytes.len() - skip, out);
    out.extend_from_slice(&bytes[skip..]);
}

fn text(text: &str, out: &mut Vec<u8>) {
    head(2, text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(words) => text(words, out),
        Value::Number(value) => number(6, (*value).into(), out),
        Value::Table(rows) => {
            head(7, rows.len(), out);
            for (key, value) in rows {
                text(key, out);
                write(value, out);
            }
        }
    }
}

fn metadata(kind: &str, nodes: u32, out: &mut Vec<u8>) {
    head(7, 9, out);
    text("node_count", out);
    number(6, nodes.into(), out);
    for (key, value) in [
        ("record_size", 32),
        ("ip_version", 6),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        text(key, out);
        number(5, value, out);
    }
    text("build_epoch", out);
    number(9, 1_767_225_600, out);
    text("database_type", out);
    text(kind, out);
    text("languages", out);
    head(11, 0, out);
    text("description", out);
    head(7, 1, out);
    text("en", out);
    text("made by a test", out);
}
