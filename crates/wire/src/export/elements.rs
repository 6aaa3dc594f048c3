//! The table of information elements: IANA registry, NetFlow v9 additions and the enterprises people have.
//! The rows are data (`elements.tsv`): a new element is one line there; which ones fill a flow record is in `targets.rs`.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Enterprise number of reverse elements (RFC 5103): the same ids, seen from the responder.
pub const PEN_REVERSE: u32 = 29_305;
/// Stands for the scope fields of NetFlow v9 options, which are no information elements. No enterprise has this number.
pub const PEN_V9_SCOPE: u32 = u32::MAX;

/// One information element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InformationElement {
    /// Enterprise number; 0 is the IANA registry.
    pub pen: u32,
    pub id: u16,
    pub name: &'static str,
    /// Abstract type (RFC 7012), such as `unsigned64`.
    pub kind: &'static str,
}

/// The element with this enterprise number and id. A reverse element is found under its forward name.
pub fn find(pen: u32, id: u16) -> Option<&'static InformationElement> {
    let pen = if pen == PEN_REVERSE { 0 } else { pen };
    table().get(&(pen, id))
}

/// Is this one of the structured types of RFC 6313?
pub fn is_list(pen: u32, id: u16) -> bool {
    find(pen, id).is_some_and(|element| {
        matches!(
            element.kind,
            "basicList" | "subTemplateList" | "subTemplateMultiList"
        )
    })
}

/// Name for people: `octetDeltaCount`, `reverse octetDeltaCount`, or `e12345id77` for one not in the table.
pub fn name(pen: u32, id: u16) -> String {
    match find(pen, id) {
        Some(element) if pen == PEN_REVERSE => format!("reverse {}", element.name),
        Some(element) => element.name.to_owned(),
        None => format!("e{pen}id{id}"),
    }
}

fn table() -> &'static HashMap<(u32, u16), InformationElement> {
    static TABLE: OnceLock<HashMap<(u32, u16), InformationElement>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let rows = include_str!("elements.tsv").lines().filter_map(row);
        rows.map(|element| ((element.pen, element.id), element)).collect()
    })
}

fn row(line: &'static str) -> Option<InformationElement> {
    let mut cells = line.split('\t');
    Some(InformationElement {
        pen: cells.next()?.parse().ok()?,
        id: cells.next()?.parse().ok()?,
        name: cells.next()?,
        kind: cells.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_row() {
        let lines = include_str!("elements.tsv")
            .lines()
            .filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), table().len());
    }

    #[test]
    fn names_of_registry_reverse_and_unknown() {
        assert_eq!(name(0, 1), "octetDeltaCount");
        assert_eq!(name(PEN_REVERSE, 2), "reverse packetDeltaCount");
        assert_eq!(name(39_499, 338), "tlsSni");
        assert_eq!(name(1, 2), "e1id2");
        assert!(is_list(0, 291) && !is_list(0, 1));
    }
}
