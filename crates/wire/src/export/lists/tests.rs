//! Lists as YAF sends them, lists in lists, lists that say nothing, and elements without a name.

use weir_model::Mac;

use super::super::tests::{Bytes, read_all};
use super::super::unnamed::CHARS_MAX;
use super::super::{Row, Taken};

/// Semantics (RFC 6313, 4.4).
const NONE_OF: u8 = 0;
const ALL_OF: u8 = 3;
const UNDEFINED: u8 = 255;

/// A message of flow records (source, destination, packets, one field of this element) and two templates for lists:
/// 301 tells YAF's TCP flags, 302 hardware addresses and an element that no table names.
fn message(element: u16, values: &[Vec<u8>]) -> Vec<u8> {
    let templates = Bytes::default()
        .u16(&[300, 4, 8, 4, 12, 4, 2, 4, element, 0xffff])
        .u16(&[301, 3, 0x8000 | 14, 1])
        .u32(&[6_871])
        .u16(&[0x8000 | 15, 1])
        .u32(&[6_871])
        .u16(&[2, 8])
        .u16(&[302, 3, 56, 6, 80, 6, 0x8000 | 77, 2])
        .u32(&[12_345]);
    let mut data = Bytes::default();
    for value in values {
        data = data
            .u32(&[0x0a00_0001, 0x0a00_0002, 5])
            .u8(255)
            .u16(&[value.len() as u16]);
        data.0.extend(value);
    }
    Bytes::default().set(2, templates).set(300, data).ipfix()
}

fn flags() -> Bytes {
    Bytes::default().u8(0x02).u8(0x1b).u32(&[0, 999])
}

fn addresses() -> Bytes {
    Bytes::default().u16(&[1, 2, 3, 4, 5, 6, 0xbeef])
}

fn one(element: u16, value: Vec<u8>) -> (Row, Taken, String) {
    let (rows, faults, taken, text) = read_all(&message(element, &[value]));
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(rows.len(), 1);
    (rows[0], taken, text)
}

#[test]
fn what_yaf_tells_in_a_multi_list_belongs_to_the_flow() {
    let mut value = Bytes::default().u8(ALL_OF);
    for (template, body) in [(301_u16, flags()), (302, addresses())] {
        value = value.u16(&[template, body.0.len() as u16 + 4]);
        value.0.extend(body.0);
    }
    let (row, taken, text) = one(293, value.0);
    assert_eq!((row.first_flags, row.flags), (0x02, 0x1b));
    assert_eq!(row.src_mac, Some(Mac([0, 1, 0, 2, 0, 3])));
    assert_eq!(row.packets, 5, "the list's count is not the flow's");
    assert_eq!((taken.lists, taken.lists_passed), (1, 0));
    assert_eq!(text, "e12345id77=beef");
    assert_eq!(row.unnamed, (0, 15));
}

#[test]
fn sub_template_list_and_basic_list() {
    let mut value = Bytes::default().u8(UNDEFINED).u16(&[301]);
    value.0.extend([flags().0, vec![0; 10]].concat());
    let (row, taken, _) = one(292, value.0);
    assert_eq!((row.first_flags, taken.lists_passed), (0x02, 0));
    // Time to live of the first packet, then of others.
    let (row, taken, _) = one(291, Bytes::default().u8(4).u16(&[192, 1]).u8(61).u8(7).0);
    assert_eq!((row.ttl, taken.lists_passed), (61, 0));
    let (row, _, _) = one(291, Bytes::default().u8(4).u16(&[192, 0xffff]).u8(1).u8(61).0);
    assert_eq!(row.ttl, 61);
}

#[test]
fn lists_that_say_nothing_are_counted() {
    let of_none = Bytes::default().u8(NONE_OF).u16(&[192, 1]).u8(61).0;
    let not_known = Bytes::default().u8(ALL_OF).u16(&[999]).u32(&[1]).0;
    let cut = Bytes::default().u8(ALL_OF).u16(&[301]).u8(2).0;
    let lies = Bytes::default().u8(ALL_OF).u16(&[301, 3]).0;
    for (element, value) in [
        (291, of_none),
        (292, not_known),
        (292, cut),
        (293, lies),
        (293, vec![]),
    ] {
        let (row, taken, text) = one(element, value.clone());
        assert_eq!((taken.lists, taken.lists_passed), (1, 1), "{element} {value:?}");
        assert_eq!((row.ttl, row.flags, text.len()), (0, 0, 0));
    }
}

#[test]
fn depth_is_bounded() {
    let mut value = Bytes::default().u8(ALL_OF).u16(&[192, 1]).u8(61).0;
    let mut found = Vec::new();
    for _ in 0..8 {
        found.push(one(291, value.clone()).0.ttl);
        let mut around = Bytes::default()
            .u8(ALL_OF)
            .u16(&[291, 0xffff])
            .u8(value.len() as u8);
        around.0.extend(value);
        value = around.0;
    }
    assert_eq!(found, [61, 61, 61, 61, 0, 0, 0, 0]);
}

#[test]
fn elements_without_a_name_stay_raw_within_a_bound() {
    let templates = Bytes::default().u16(&[300, 3, 8, 4, 0x8000 | 9, 2]).u32(&[4_242]);
    let templates = templates.u16(&[0x8000 | 10, 300]).u32(&[4_242]);
    let mut data = Bytes::default();
    for at in [1_u16, 2] {
        data = data.u32(&[0x0a00_0001]).u16(&[at]);
        data.0.extend([0; 300]);
    }
    let (rows, faults, taken, text) = read_all(&Bytes::default().set(2, templates).set(300, data).ipfix());
    assert!(faults.is_empty());
    let told = |row: &Row| &text[row.unnamed.0 as usize..row.unnamed.1 as usize];
    assert_eq!(
        (told(&rows[0]), told(&rows[1])),
        ("e4242id9=0001", "e4242id9=0002")
    );
    assert_eq!(taken.unnamed_cut, 2);
    assert!(text.len() <= 2 * CHARS_MAX);
}
