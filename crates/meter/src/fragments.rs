//! Later IP fragments carry no ports: the first fragment teaches which flow they belong to.
//! Only counting needs this; putting the payload together again is the work of `weir_wire::Fragments`.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use ahash::RandomState;
use weir_wire::packet::Ip;

use crate::key::{self, Sighting};

/// Fragmented packets remembered at once; the oldest is forgotten first. More are in flight only in an attack,
/// where later fragments may well be counted to a flow without ports.
const PACKETS_MAX: usize = 4096;

/// What the fragments of one packet share (RFC 791, RFC 8200).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct FragmentKey {
    src: IpAddr,
    dst: IpAddr,
    vlan: Option<u16>,
    proto: u8,
    id: u32,
}

/// Flows of the fragmented packets seen lately.
#[derive(Default)]
pub(crate) struct FragmentFlows {
    known: HashMap<FragmentKey, Sighting, RandomState>,
    order: VecDeque<FragmentKey>,
}

impl FragmentFlows {
    /// Which flow a packet belongs to; for a later fragment the first one's, or one without ports.
    pub(crate) fn sight(&mut self, ip: &Ip<'_>, vlan: Option<u16>) -> Sighting {
        let (ports, one_way) = key::ports(ip);
        let own = Sighting::of_ip(ip, vlan, ports, one_way);
        let Some(fragment) = ip.fragment else { return own };
        let key = FragmentKey {
            src: ip.src,
            dst: ip.dst,
            vlan,
            proto: ip.proto,
            id: fragment.id,
        };
        if fragment.offset > 0 {
            return self.known.get(&key).copied().unwrap_or(own);
        }
        if self.known.insert(key, own).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > PACKETS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        own
    }
}
