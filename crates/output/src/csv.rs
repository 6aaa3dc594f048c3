//! Flow records as CSV (RFC 4180), columns by the element table. Text cells that a spreadsheet could run get a quote.

use weir_model::FlowRecord;
use weir_model::elements::{Cell, ELEMENTS};

use crate::stamp::rfc3339;

/// The header line.
pub fn flow_header() -> String {
    ELEMENTS
        .iter()
        .map(|element| element.name)
        .collect::<Vec<_>>()
        .join(",")
}

/// One line for a flow record.
pub fn flow(record: &FlowRecord) -> String {
    let mut line = String::with_capacity(512);
    for (at, element) in ELEMENTS.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        match (element.cell)(record) {
            None => {}
            Some(Cell::Number(n)) => line.push_str(&n.to_string()),
            Some(Cell::Flag(flag)) => line.push_str(if flag { "true" } else { "false" }),
            Some(Cell::Text(text)) => line.push_str(&cell(&text)),
            Some(Cell::Ip(ip)) => line.push_str(&ip.to_string()),
            Some(Cell::Mac(mac)) => line.push_str(&mac.to_string()),
            Some(Cell::Time(time)) => line.push_str(&rfc3339(time)),
        }
    }
    line
}

/// A text cell: quoted where commas, quotes or line ends are in it; never the start of a formula.
pub fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\0']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreadsheets_run_nothing() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }

    #[test]
    fn as_many_cells_as_columns() {
        let batch = weir_testkit::notation::batch("10.0.0.5 <> 10.0.0.9:445 tcp APRS 981/5 828/6");
        assert_eq!(
            flow(&batch.flows[0]).split(',').count(),
            flow_header().split(',').count()
        );
    }
}
