//! Order, overlap and every limit of the reassembly.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::packet::L4;

fn fragment(id: u32, offset: u32, more: bool, payload: &[u8]) -> Ip<'_> {
    Ip {
        src: Ipv4Addr::new(10, 0, 0, 1).into(),
        dst: Ipv4Addr::new(10, 0, 0, 2).into(),
        proto: 17,
        ttl: 64,
        tos: 0,
        total_bytes: payload.len() as u32 + 20,
        payload_bytes: payload.len() as u32,
        payload,
        fragment: Some(Fragment { id, offset, more }),
        transport: L4::Other,
    }
}

fn dropped(fragments: &Fragments) -> u64 {
    fragments.anomalies().of(Anomaly::FragmentDropped)
}

fn overlaps(fragments: &Fragments) -> u64 {
    fragments.anomalies().of(Anomaly::FragmentOverlap)
}

const NOW: Time = Time::from_secs(1_000);

#[test]
fn joins_in_any_order_and_ignores_copies() {
    let mut fragments = Fragments::new();
    assert_eq!(fragments.push(NOW, None, &fragment(7, 16, false, b"end")), None);
    assert_eq!(
        fragments.push(NOW, None, &fragment(7, 8, true, b"middle..")),
        None
    );
    assert_eq!(
        fragments.push(NOW, None, &fragment(7, 8, true, b"middle..")),
        None
    );
    let whole = fragments.push(NOW, None, &fragment(7, 0, true, b"start..."));
    assert_eq!(whole.as_deref(), Some(&b"start...middle..end"[..]));
    assert_eq!((overlaps(&fragments), dropped(&fragments)), (0, 0));
    assert_eq!((fragments.len(), fragments.held_bytes()), (0, 0));
}

#[test]
fn first_bytes_win() {
    let mut fragments = Fragments::new();
    assert_eq!(
        fragments.push(NOW, None, &fragment(7, 8, true, b"first...")),
        None
    );
    assert_eq!(
        fragments.push(NOW, None, &fragment(7, 0, true, b"--------second..third...")),
        None
    );
    let whole = fragments.push(NOW, None, &fragment(7, 24, false, b"."));
    assert_eq!(whole.as_deref(), Some(&b"--------first...third...."[..]));
    assert_eq!(overlaps(&fragments), 1);
}

#[test]
fn the_first_end_wins() {
    let mut fragments = Fragments::new();
    fragments.push(NOW, None, &fragment(7, 8, false, b"end"));
    fragments.push(NOW, None, &fragment(7, 8, false, b"another end"));
    fragments.push(NOW, None, &fragment(7, 16, true, b"beyond.."));
    assert_eq!(overlaps(&fragments), 2);
    assert!(
        fragments
            .push(NOW, None, &fragment(7, 0, true, b"start..."))
            .is_some()
    );
    fragments.push(NOW, None, &fragment(8, 16, true, b"beyond.."));
    fragments.push(NOW, None, &fragment(8, 8, false, b"end"));
    assert_eq!(overlaps(&fragments), 3);
}

#[test]
fn vlans_and_protocols_do_not_mix() {
    let mut fragments = Fragments::new();
    assert_eq!(
        fragments.push(NOW, Some(1), &fragment(7, 0, true, b"start...")),
        None
    );
    assert_eq!(fragments.push(NOW, Some(2), &fragment(7, 8, false, b"end")), None);
    assert_eq!(fragments.len(), 2);
    fragments.finish();
    assert_eq!(
        (fragments.len(), fragments.held_bytes(), dropped(&fragments)),
        (0, 0, 2)
    );
}

#[test]
fn unsound_fragments_leave_no_state() {
    let mut fragments = Fragments::new();
    fragments.push(NOW, None, &fragment(1, 0, true, b"odd"));
    fragments.push(NOW, None, &fragment(1, 8, true, b""));
    fragments.push(NOW, None, &fragment(1, 65_528, false, b"ping of death"));
    let mut cut = fragment(1, 0, true, b"cut.....");
    cut.payload_bytes = 800;
    fragments.push(NOW, None, &cut);
    assert_eq!((fragments.len(), dropped(&fragments)), (0, 4));
    let mut whole = fragment(1, 0, true, b"whole");
    whole.fragment = None;
    assert_eq!(fragments.push(NOW, None, &whole), None);
    assert_eq!(dropped(&fragments), 4);
}

#[test]
fn limit_of_lifetime() {
    let mut fragments = Fragments::new();
    fragments.push(NOW, None, &fragment(1, 0, true, b"start..."));
    let last_moment = NOW + LIFETIME_S * NANOS_PER_S;
    fragments.push(last_moment, None, &fragment(2, 0, true, b"start..."));
    assert_eq!(fragments.len(), 2);
    assert_eq!(
        fragments.push(last_moment + 1, None, &fragment(1, 8, false, b"late")),
        None
    );
    assert_eq!((fragments.len(), dropped(&fragments)), (2, 1));
}

#[test]
fn limit_of_pieces() {
    let mut fragments = Fragments::new();
    for piece in 0..PIECES_MAX as u32 {
        fragments.push(NOW, None, &fragment(1, piece * 16, true, b"8 bytes."));
    }
    assert_eq!((fragments.len(), dropped(&fragments)), (1, 0));
    fragments.push(NOW, None, &fragment(1, 2_048, true, b"8 bytes."));
    assert_eq!(
        (fragments.len(), dropped(&fragments), fragments.held_bytes()),
        (0, 1, 0)
    );
}

#[test]
fn limit_of_datagrams_evicts_the_oldest() {
    let mut fragments = Fragments::new();
    for id in 0..DATAGRAMS_MAX as u32 + 10 {
        fragments.push(NOW, None, &fragment(id, 0, true, b"start..."));
    }
    assert_eq!((fragments.len(), dropped(&fragments)), (DATAGRAMS_MAX, 10));
    assert!(
        fragments
            .push(NOW, None, &fragment(10, 8, false, b"end"))
            .is_some(),
        "10 is the oldest left"
    );
    assert!(
        fragments
            .push(NOW, None, &fragment(9, 8, false, b"end"))
            .is_none(),
        "9 was evicted"
    );
}

#[test]
fn limit_of_bytes_evicts_the_oldest() {
    let mut fragments = Fragments::new();
    let large = vec![0; 65_528];
    for id in 0..300 {
        fragments.push(NOW, None, &fragment(id, 0, true, &large));
        assert!(fragments.held_bytes() <= HELD_BYTES_MAX);
    }
    assert!(
        fragments.len() < 256 && fragments.len() > 250,
        "{}",
        fragments.len()
    );
    assert_eq!(dropped(&fragments), 300 - fragments.len() as u64);
}

#[test]
fn ages_stay_bounded_while_one_datagram_never_ends() {
    let mut fragments = Fragments::new();
    fragments.push(NOW, None, &fragment(0, 0, true, b"start..."));
    for id in 1..10_000 {
        fragments.push(NOW, None, &fragment(id, 0, true, b"start..."));
        assert!(
            fragments
                .push(NOW, None, &fragment(id, 8, false, b"end"))
                .is_some()
        );
        assert!(fragments.ages.len() <= AGES_MAX);
    }
    assert_eq!((fragments.len(), dropped(&fragments)), (1, 0));
}

proptest! {
    /// Cut at any units of 8 bytes, shuffled and repeated, the datagram comes out as it was.
    #[test]
    fn any_cut_comes_together(
        payload in prop::collection::vec(any::<u8>(), 9..2_000),
        order in prop::collection::vec(any::<u32>(), 64),
        unit in 4usize..40,
    ) {
        let unit_bytes = unit * 8;
        let count = payload.len().div_ceil(unit_bytes);
        let mut places: Vec<usize> = (0..count).collect();
        places.sort_by_key(|&place| order[place % order.len()]);
        let mut fragments = Fragments::new();
        let mut whole = None;
        for place in places {
            let start = place * unit_bytes;
            let end = payload.len().min(start + unit_bytes);
            let piece = fragment(1, start as u32, end < payload.len(), &payload[start..end]);
            prop_assert!(whole.is_none());
            whole = fragments.push(NOW, None, &piece);
        }
        prop_assert_eq!(whole, Some(payload));
        prop_assert_eq!(fragments.held_bytes(), 0);
    }

    /// Arbitrary fragments keep every limit and the account of bytes.
    #[test]
    fn limits_hold(
        pushed in prop::collection::vec((0u32..4, 0u32..200, any::<bool>(), 0usize..40, 0i64..20), 1..400)
    ) {
        let bytes = [7; 320];
        let mut fragments = Fragments::new();
        let mut now = NOW;
        for (id, offset, more, length, seconds) in pushed {
            now = now + seconds * NANOS_PER_S / 4;
            fragments.push(now, None, &fragment(id, offset * 8, more, &bytes[..length * 8]));
            let held: usize = fragments.datagrams.values().map(Datagram::cost).sum();
            prop_assert_eq!(held, fragments.held_bytes());
            prop_assert!(fragments.datagrams.values().all(|datagram| datagram.pieces.len() <= PIECES_MAX));
        }
    }
}
