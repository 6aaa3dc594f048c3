//! One DNS exchange over UDP: a question and an answer with A records, an alias now and then, EDNS as resolvers send it.
//! Every pair has its own id in any 65,536 consecutive exchanges, so that a matcher by id alone cannot fail by chance.

use super::frame::Frames;
use super::names::hash;
use super::network::{self, Network};
use super::random::Random;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;
/// Compression pointer to the question's name, which always starts at offset 12.
const QUESTION_NAME: u16 = 0xc00c;
/// Response, recursion desired and available, no error.
const ANSWER_FLAGS: u16 = 0x8180;
const QUERY_FLAGS: u16 = 0x0100;
/// Time the resolver takes beyond the round trip, microseconds: mostly cached, sometimes recursive.
const RESOLVE_US: [u64; 5] = [80, 250, 900, 12_000, 90_000];

/// Builds exchange number `ordinal` for `name` into `frames`, starting at `start_us`.
pub(super) fn exchange(
    random: &mut Random,
    network: &mut Network,
    frames: &mut Frames,
    start_us: u64,
    ordinal: u64,
    name: &str,
    ipv6: bool,
) {
    let client = network.client(random, ipv6);
    let resolver = network::resolver(random, ipv6);
    // An odd factor permutes the 16-bit numbers.
    let id = (ordinal as u16).wrapping_mul(40_503).wrapping_add(12_345);
    let edns = random.chance(70);
    let identification = random.bits() as u16;
    let query = message(id, QUERY_FLAGS, name, &[], edns);
    frames.push_udp(start_us, &client, &resolver, identification, &query);
    let records = answers(random, name);
    let answer = message(id, ANSWER_FLAGS, name, &records, edns);
    let answer_us = start_us + 300 + random.quantile(&RESOLVE_US);
    frames.push_udp(answer_us, &resolver, &client, random.bits() as u16, &answer);
}

/// A resource record: owner as a pointer, type, time to live in seconds, data.
struct Record {
    owner: u16,
    kind: u16,
    ttl_s: u32,
    rdata: Vec<u8>,
}

fn answers(random: &mut Random, name: &str) -> Vec<Record> {
    let mut records = Vec::with_capacity(5);
    let mut owner = QUESTION_NAME;
    let ttl_s = random.pick(&[30, 60, 300, 3600]);
    if random.chance(25) {
        // "edge" + pointer to the question's name; its own offset is after the question and 12 bytes of record head.
        let alias = 12 + name.len() + 2 + 4 + 12;
        owner = 0xc000 | alias as u16;
        let mut rdata = vec![4];
        rdata.extend_from_slice(b"edge");
        rdata.extend_from_slice(&QUESTION_NAME.to_be_bytes());
        records.push(Record {
            owner: QUESTION_NAME,
            kind: TYPE_CNAME,
            ttl_s,
            rdata,
        });
    }
    let addresses = random.pick(&[1_u64, 1, 1, 2, 2, 4]);
    for address in 0..addresses {
        // The first address is the one a flow to this name uses.
        let rdata = network::server_ipv4(hash(name.as_bytes()).wrapping_add(address))
            .octets()
            .to_vec();
        records.push(Record {
            owner,
            kind: TYPE_A,
            ttl_s,
            rdata,
        });
    }
    records
}

fn message(id: u16, flags: u16, name: &str, records: &[Record], edns: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    for field in [id, flags, 1, records.len() as u16, 0, u16::from(edns)] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(&TYPE_A.to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    for record in records {
        out.extend_from_slice(&record.owner.to_be_bytes());
        out.extend_from_slice(&record.kind.to_be_bytes());
        out.extend_from_slice(&CLASS_IN.to_be_bytes());
        out.extend_from_slice(&record.ttl_s.to_be_bytes());
        out.extend_from_slice(&(record.rdata.len() as u16).to_be_bytes());
        out.extend_from_slice(&record.rdata);
    }
    if edns {
        // Root owner, OPT, 1,232 bytes of UDP payload, no flags, no options.
        out.push(0);
        out.extend_from_slice(&TYPE_OPT.to_be_bytes());
        out.extend_from_slice(&1232_u16.to_be_bytes());
        out.extend_from_slice(&[0; 6]);
    }
    out
}
