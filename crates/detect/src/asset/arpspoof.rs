//! ARPSPOOF: somebody claims an address that is another's, to stand between two hosts. One cell per claimed address
//! tells conflicts and takeovers, one cell per hardware address tells who claims several addresses or shouts.

mod claims;
mod meta;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use weir_model::{
    Facts, FlowFilter, FlowRecord, Kind, Mac, MethodMeta, Protocol, Quantity, Target, Time, Transaction,
    ethertype,
};

use crate::address::is_group;
use crate::words::counted;
use crate::{CellKey, Cells, Findings, Method, Window};
use claims::{Address, Call, Claimant, is_customary};

/// Kinds of cells, by role.
const ARP_ADDRESS: u8 = 0;
const ND_ADDRESS: u8 = 1;
const CLAIMANT: u8 = 2;
/// A claim within this of a question is its answer, seconds.
const ANSWER_S: f64 = 5.0;

crate::params! {
    /// Silence of the known holder after which an address may change hands unremarked, seconds (new lease, new card).
    takeover_silence_s: u32 = 600, 10..=86_400;
    /// Times an address goes to and fro between hardware addresses. More ignores machines with two cards.
    changes_min: u32 = 3, 1..=1000;
    /// Answers nobody asked for that make a single change suspicious: poisoning must be repeated, a takeover is told once.
    unasked_min: u32 = 3, 1..=1000;
    /// The same for a gateway's address, which is the usual prey and seldom moves.
    gateway_unasked_min: u32 = 2, 1..=1000;
    /// Distinct hosts that ask for an address before it counts as a gateway; two suffice for .1 and .254.
    gateway_askers_min: u32 = 5, 1..=10_000;
    /// Addresses one hardware address claims within `takeover_silence_s`.
    addresses_min: u32 = 2, 2..=1000;
    /// Answers pushed at once after an own question to the same host, as poisoning tools do.
    pushed_min: u32 = 1, 1..=1000;
    /// Announcements and pushed answers of one hardware address in a minute that make a storm.
    storm_per_minute_min: u32 = 100, 5..=1_000_000;
}

/// What one cell remembers: of an address or of a claimant.
#[derive(Default)]
pub struct State {
    address: Address,
    claimant: Claimant,
    silence_s: u32,
    last: Option<Time>,
}

/// See the file.
pub struct ArpSpoof;

/// A claim to an address, or a question for one.
#[derive(Clone, Copy, Debug)]
struct Message {
    /// The address claimed by the sender, with its hardware address.
    claim: Option<(IpAddr, Mac)>,
    /// The address spoken of by the other side: asked for, or told.
    other: Option<IpAddr>,
    reply: bool,
    announcement: bool,
}

impl Message {
    fn of(transaction: &Transaction) -> Option<Self> {
        match transaction.protocol {
            Protocol::Arp => {
                let (sender, target) = (transaction.ip("arp.sender_ip")?, transaction.ip("arp.target_ip")?);
                let claimed = transaction
                    .mac("arp.sender_mac")
                    .filter(|_| !sender.is_unspecified());
                Some(Self {
                    claim: claimed.filter(|mac| counts(*mac)).map(|mac| (sender, mac)),
                    other: Some(target).filter(|target| *target != sender),
                    reply: transaction.text("arp.op") == Some("reply"),
                    announcement: sender == target,
                })
            }
            Protocol::Nd => {
                let target = transaction.ip("nd.target")?;
                match transaction.text("nd.kind")? {
                    "na" => {
                        let mac = transaction.mac("nd.link_address").filter(|mac| counts(*mac));
                        let overrides = transaction.flag("nd.override").unwrap_or(false);
                        Some(Self {
                            claim: mac.filter(|_| overrides).map(|mac| (target, mac)),
                            other: None,
                            reply: true,
                            announcement: false,
                        })
                    }
                    "ns" => Some(Self {
                        claim: None,
                        other: Some(target),
                        reply: false,
                        announcement: false,
                    }),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Virtual router addresses move between machines by design; groups and zero are nobody's.
fn counts(mac: Mac) -> bool {
    !mac.is_virtual_router() && !mac.is_group() && !mac.is_zero()
}

impl Method for ArpSpoof {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;

    fn window(params: &Params) -> Window {
        // A holder silent for longer has lost its claim, so nothing older need be remembered.
        Window::idle_s(params.takeover_silence_s)
    }

    fn cells_of_flow(_params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        // Traffic between two hosts of ours shows who really has an address. What a router passes on bears the router's
        // hardware address, but nobody claims such an address by ARP, so it does no harm.
        let neighbours =
            flow.initiator_inside && flow.responder_inside && key.is_ip() && !is_group(key.responder_ip);
        if neighbours && !key.initiator_ip.is_unspecified() && flow.initiator_mac.is_some_and(counts) {
            let role = if key.ethertype == ethertype::IPV6 {
                ND_ADDRESS
            } else {
                ARP_ADDRESS
            };
            cells.add(on_link(CellKey::initiator(key).role(role), key.vlan));
        }
    }

    fn cells_of_transaction(_params: &Params, transaction: &Transaction, cells: &mut Cells) {
        let Some(message) = Message::of(transaction) else {
            return;
        };
        let vlan = transaction.key.vlan;
        let role = if transaction.protocol == Protocol::Nd {
            ND_ADDRESS
        } else {
            ARP_ADDRESS
        };
        if let Some((ip, mac)) = message.claim {
            cells.add(on_link(CellKey::host(ip).role(role), vlan));
            if role == ARP_ADDRESS {
                cells.add(on_link(CellKey::link(mac).role(CLAIMANT), vlan));
            }
        }
        if let Some(asked) = message.other.filter(|_| !message.reply) {
            cells.add(on_link(CellKey::host(asked).role(role), vlan));
        }
    }

    fn breaks(_params: &Params, state: &State, start: Time) -> bool {
        state
            .last
            .is_some_and(|last| start.secs_since(last) > f64::from(state.silence_s))
    }

    fn on_flow(params: &Params, state: &mut State, _cell: &CellKey, flow: &FlowRecord) {
        state.silence_s = params.takeover_silence_s;
        if let Some(mac) = flow.initiator_mac {
            state
                .address
                .seen(mac, flow.end, f64::from(params.takeover_silence_s));
            state.last = state.last.max(Some(flow.end));
        }
    }

    fn on_transaction(params: &Params, state: &mut State, cell: &CellKey, transaction: &Transaction) {
        let Some(message) = Message::of(transaction) else {
            return;
        };
        let at = transaction.start;
        state.silence_s = params.takeover_silence_s;
        state.last = state.last.max(Some(at));
        match message.claim {
            Some((ip, _)) if cell.role == CLAIMANT => {
                state
                    .claimant
                    .claim(ip, message.other, message.reply, message.announcement, at);
            }
            Some((ip, mac)) if ip == cell.host => {
                let call = if !message.reply || state.address.asked_within(at, ANSWER_S) {
                    Call::Asked
                } else if message.announcement {
                    Call::Announced
                } else {
                    Call::Unasked
                };
                let silence_s = f64::from(params.takeover_silence_s);
                state.address.claim(mac, message.other, call, at, silence_s);
            }
            _ => {
                let asker = message.claim.map_or(transaction.key.initiator_ip, |(ip, _)| ip);
                state.address.ask(asker, at);
            }
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        if cell.role == CLAIMANT {
            judge_claimant(params, state, cell, out);
        } else {
            judge_address(params, state, cell, out);
        }
    }
}

/// Each VLAN is a link of its own: behind a router the same address bears the router's hardware address.
fn on_link(cell: CellKey, vlan: Option<u16>) -> CellKey {
    CellKey { vlan, ..cell }
}

fn count(value: u32) -> Quantity {
    Quantity::Count(u64::from(value))
}

fn judge_address(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let address = &state.address;
    if address.changes == 0 {
        return;
    }
    let (Some(owner), Some(offender), Some((first, last))) =
        (address.owner(), address.offender(), address.span)
    else {
        return;
    };
    let nd = cell.role == ND_ADDRESS;
    let gateway = address.is_gateway(cell.host, params.gateway_askers_min.into());
    // Who stands between a host and its gateway lies to both: that is one attack, whichever lie is seen.
    let between = gateway || is_customary(cell.host) || address.told.iter().copied().any(is_customary);
    let submethod = match (nd, between) {
        (true, _) => "NeighbourAdvert",
        (false, true) => "Gateway",
        (false, false) => "Conflict",
    };
    if !out.due(submethod) {
        return;
    }
    let unasked = offender.unasked();
    // The facts of the claimant's rule are named, too, so that one set of rules serves both kinds of cell.
    let facts = Facts::new()
        .input("changes", count(address.changes))
        .input("unasked", count(unasked))
        .input("gateway_unasked", count(if gateway { unasked } else { 0 }))
        .input("asked_by", Quantity::Count(address.askers.count()))
        .input("addresses", Quantity::Count(1))
        .input("pushed", Quantity::Count(0))
        .limit("changed", Quantity::Count(1));
    let signs = [
        (address.changes, "change of hands", "changes of hands"),
        (unasked, "answer nobody asked for", "answers nobody asked for"),
    ];
    let Some(verdict) = out.judge(submethod, with_limits(params, facts)) else {
        return;
    };
    let targets = address.told.iter().copied().map(Target::ip);
    // The claimed address is the prey's, not the offender's: the hardware address alone names who did it.
    verdict
        .source_link(offender.mac)
        .targets(targets, address.told.len() as u64)
        .span(first, last)
        .detail("MAC", Quantity::Text(offender.mac.to_string().into()))
        .detail("OwnerMAC", Quantity::Text(owner.to_string().into()))
        .detail("Claimed", Quantity::Ip(cell.host))
        .detail("Before", Quantity::Text(format!(" (before: {owner})").into()))
        .detail("Told", Quantity::Text(told(address.told.len()).into()))
        .detail("Signs", Quantity::Text(listed(&signs).into()))
        .evidence(FlowFilter {
            ethertype: (!nd).then_some(ethertype::ARP),
            initiator_mac: Some(offender.mac),
            protocol: nd.then_some(Protocol::Nd),
            ..FlowFilter::default()
        });
}

fn judge_claimant(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let (claimant, Some(mac)) = (&state.claimant, cell.mac) else {
        return;
    };
    let Some((first, last)) = claimant.span else {
        return;
    };
    let addresses = claimant.addresses.count();
    let conflict = claimant.pushed >= params.pushed_min && addresses >= u64::from(params.addresses_min);
    let storm = claimant.per_minute_max >= u64::from(params.storm_per_minute_min);
    let between = claimant
        .listed
        .iter()
        .chain(&claimant.told)
        .copied()
        .any(is_customary);
    let name = if between { "Gateway" } else { "Conflict" };
    for (submethod, worth) in [(name, conflict), ("Storm", storm)] {
        if !worth || !out.due(submethod) {
            continue;
        }
        let facts = Facts::new()
            .input("changes", Quantity::Count(0))
            .input("unasked", Quantity::Count(0))
            .input("gateway_unasked", Quantity::Count(0))
            .input("addresses", Quantity::Count(addresses))
            .input("pushed", count(claimant.pushed))
            .input("per_minute", Quantity::Count(claimant.per_minute_max))
            .limit("changed", Quantity::Count(1))
            .limit("storm_per_minute_min", count(params.storm_per_minute_min));
        let Some(verdict) = out.judge(submethod, with_limits(params, facts)) else {
            continue;
        };
        let claimed: Vec<Box<str>> = claimant.listed.iter().map(|ip| ip.to_string().into()).collect();
        let addresses = u32::try_from(addresses).unwrap_or(u32::MAX);
        let signs = [
            (addresses, "address claimed", "addresses claimed"),
            (
                claimant.pushed,
                "answer pushed behind an own question",
                "answers pushed behind own questions",
            ),
        ];
        verdict
            .source_mac(Some(mac))
            .targets(
                claimant.told.iter().copied().map(Target::ip),
                claimant.told.len() as u64,
            )
            .span(first, last)
            .detail("MAC", Quantity::Text(mac.to_string().into()))
            .detail("OwnerMAC", Quantity::Text("unknown".into()))
            .detail("Claimed", Quantity::Texts(claimed))
            .detail("Before", Quantity::Text("".into()))
            .detail("Told", Quantity::Text(told(claimant.told.len()).into()))
            .detail("Signs", Quantity::Text(listed(&signs).into()))
            .evidence(FlowFilter {
                ethertype: Some(ethertype::ARP),
                initiator_mac: Some(mac),
                ..FlowFilter::default()
            });
    }
}

/// To whom it is told, where anybody is named.
fn told(hosts: usize) -> String {
    match hosts {
        0 => String::new(),
        hosts => format!(" to {}", counted(hosts as u64, "host", "hosts")),
    }
}

/// What was counted, in words; what was not seen is left out.
fn listed(signs: &[(u32, &str, &str)]) -> String {
    let seen = signs.iter().filter(|(number, ..)| *number > 0);
    let words = seen.map(|(number, one, more)| counted((*number).into(), one, more));
    words.collect::<Vec<_>>().join(", ")
}

fn with_limits(params: &Params, facts: Facts) -> Facts {
    facts
        .limit("changes_min", count(params.changes_min))
        .limit("unasked_min", count(params.unasked_min))
        .limit("gateway_unasked_min", count(params.gateway_unasked_min))
        .limit("addresses_min", count(params.addresses_min))
        .limit("pushed_min", count(params.pushed_min))
        .limit("gateway_askers_min", count(params.gateway_askers_min))
}

/// Which transactions it reads.
const READS: &[(Protocol, Kind)] = &[(Protocol::Arp, Kind::Query), (Protocol::Nd, Kind::Query)];
