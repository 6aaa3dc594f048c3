//! Flow logs of Google Cloud VPCs, as log entries (exported lines, or the array `gcloud logging read` prints) or as bare
//! payloads. Each record tells one direction as one side reports it; packets are sampled by a rate nobody is told.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use weir_model::FlowRecord;

use super::twice::Twice;
use super::{Bad, FileCounts, Format, stamp, told};

/// What is read of an entry: everything stands in `jsonPayload`, or at the top where the payload is bare.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry<'a> {
    #[serde(borrow, rename = "jsonPayload")]
    payload: Option<Box<Entry<'a>>>,
    #[serde(borrow)]
    connection: Option<Connection<'a>>,
    #[serde(borrow)]
    reporter: Option<Cow<'a, str>>,
    #[serde(borrow)]
    bytes_sent: Option<&'a RawValue>,
    #[serde(borrow)]
    packets_sent: Option<&'a RawValue>,
    #[serde(borrow)]
    start_time: Option<&'a RawValue>,
    #[serde(borrow)]
    end_time: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Connection<'a> {
    #[serde(borrow)]
    src_ip: Option<&'a RawValue>,
    #[serde(borrow)]
    src_port: Option<&'a RawValue>,
    #[serde(borrow)]
    dest_ip: Option<&'a RawValue>,
    #[serde(borrow)]
    dest_port: Option<&'a RawValue>,
    #[serde(borrow)]
    protocol: Option<&'a RawValue>,
}

/// Reader of such a log.
#[derive(Default)]
pub(super) struct GcpVpc {
    twice: Twice,
}

impl Format for GcpVpc {
    fn take(&mut self, object: &str, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad> {
        let entry: Entry<'_> = serde_json::from_str(object).map_err(|_| Bad::Syntax)?;
        let entry = entry.payload.as_deref().unwrap_or(&entry);
        let Some(connection) = &entry.connection else {
            counts.others += 1;
            return Ok(());
        };
        let text = |value| told::plain(value).ok_or(Bad::Field);
        let (src, dst) = (
            told::address(text(connection.src_ip)?)?,
            told::address(text(connection.dest_ip)?)?,
        );
        let protocol = told::number(text(connection.protocol)?)?;
        let start = stamp::moment(text(entry.start_time)?)?;
        let end = stamp::moment(text(entry.end_time)?)?;
        let mut row = told::row(src, dst, protocol, start, end);
        let port = |value| told::plain(value).map_or(Ok(0), told::number::<u16>);
        (row.src_port, row.dst_port) = (port(connection.src_port)?, port(connection.dest_port)?);
        let count = |value| told::plain(value).map_or(Ok(0), told::number::<u64>);
        (row.packets, row.bytes) = (count(entry.packets_sent)?, count(entry.bytes_sent)?);
        let point = entry.reporter.as_deref().unwrap_or_default();
        // The source's report of one direction comes from the machine that is the destination of the other's.
        let sides = [(src, row.src_port), (dst, row.dst_port)];
        let point = match point {
            "SRC" => format!("{}", sides[0].0),
            "DEST" => format!("{}", sides[1].0),
            other => other.to_owned(),
        };
        if self.twice.told_by_other(sides[0], sides[1], protocol, &point) {
            counts.repeated += 1;
            return Ok(());
        }
        out.push(told::flow_without_icmp(&row)?);
        Ok(())
    }
}
