//! The tables in ClickHouse: the statements that make them, on one server or a cluster, and what is done to those that are
//! there already: columns of a later schema are added, the TTL is set, strangers' tables are refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::schema::VERSION;
use super::rows::Reader;
use super::table::Table;
use super::{Client, ClientError, Place};

/// Blocks whose tokens a table remembers: hours of one block a second.
const TOKENS_KEPT: u32 = 20_000;

/// Where the tables of a definition lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One server.
    Server,
    /// Shards and replicas of the cluster of this name: local tables and one over all of them.
    Cluster(String),
}

/// Columns that follow from others: name, type, expression.
fn aliases(table: Table) -> Vec<(&'static str, &'static str, String)> {
    const MOMENT: &str = "DateTime64(9, 'UTC')";
    let moment = |sign: &str| format!("fromUnixTimestamp64Nano(toUnixTimestamp64Nano(start) {sign}, 'UTC')");
    let mut aliases = vec![
        ("end", MOMENT, moment("+ duration_ns")),
        ("flow_id", "String", "lower(hex(flow_number))".to_owned()),
        ("community_id", "Nullable(String)", community_id()),
    ];
    if table == Table::Flows {
        let error = "if(icmp_error_type IS NULL, NULL, concat(toString(icmp_error_type), '/', toString(icmp_error_code)))";
        aliases.push(("flow_start", MOMENT, moment("- coalesce(before_ns, 0)")));
        aliases.push(("icmp_error", "Nullable(String)", error.to_owned()));
    }
    aliases
}

/// The Community ID of `weir_model::community_id`, with seed 0, as an expression: twenty random bytes a row are dearer to
/// store than to compute for the rows that are asked.
fn community_id() -> String {
    let one_way = "((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR \
         (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN \
         (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145)))";
    // Address and port of a side, as bytes: those of IPv4 are the last four.
    let side = |name: &str| {
        let port = format!("coalesce({name}_port, {name}_selector, 0)");
        let hex = format!("unhex(hex(coalesce({name}_ip, toIPv6('::'))))");
        format!(
            "concat(substring({hex}, if(ethertype = 2048, 13, 1)), char(bitShiftRight({port}, 8), bitAnd({port}, 255)))"
        )
    };
    let (from, to) = (side("src"), side("dst"));
    let ordered = |word: &str, plain: &str| format!("if({one_way}, {plain}, {word}({from}, {to}))");
    let hashed = "concat(char(0, 0), substring(a, 1, length(a) - 2), substring(b, 1, length(b) - 2), char(n, 0), \
         if(n IN (1, 6, 17, 58, 132), concat(substring(a, -2), substring(b, -2)), ''))";
    format!(
        "if(proto IS NULL, NULL, arrayElement(arrayMap((a, b, n) -> concat('1:', base64Encode(SHA1({hashed}))), \
         [{}], [{}], [coalesce(proto, 0)]), 1))",
        ordered("least", &from),
        ordered("greatest", &to)
    )
}

/// The comment of a table, which says which schema it has.
fn comment() -> String {
    format!("weir schema {VERSION}")
}

/// The statements that make the tables of a database, for people who make them by hand.
pub fn definition(database: &str, layout: &Layout, days: Option<u32>) -> Vec<String> {
    let mut statements = Vec::new();
    match layout {
        Layout::Server => statements.push(format!("CREATE DATABASE IF NOT EXISTS \"{database}\"")),
        Layout::Cluster(cluster) => {
            statements.push(format!(
                "CREATE DATABASE IF NOT EXISTS \"{database}\" ON CLUSTER '{cluster}'"
            ));
        }
    }
    for table in Table::ALL {
        statements.extend(create(table, database, layout, days));
    }
    statements
}

fn create(table: Table, database: &str, layout: &Layout, days: Option<u32>) -> Vec<String> {
    let name = table.name();
    let (local, engine, settings) = match layout {
        Layout::Server => (
            format!("\"{database}\".\"{name}\""),
            "MergeTree".to_owned(),
            // A block that was taken is on the disk; its token is known for hours.
            format!(
                ", fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = {TOKENS_KEPT}"
            ),
        ),
        Layout::Cluster(cluster) => (
            format!("\"{database}\".\"{name}_local\" ON CLUSTER '{cluster}'"),
            format!("ReplicatedMergeTree('/clickhouse/tables/{{shard}}/{database}/{name}', '{{replica}}')"),
            format!(", replicated_deduplication_window = {TOKENS_KEPT}"),
        ),
    };
    let mut text = format!("CREATE TABLE IF NOT EXISTS {local} (\n");
    for (name, stored) in table.stored() {
        let _ = writeln!(text, "    \"{name}\" {} {},", stored.sql_type(), stored.codec());
    }
    for (name, kind, expression) in aliases(table) {
        let _ = writeln!(text, "    \"{name}\" {kind} ALIAS {expression},");
    }
    // Sorted by hour, so the least and greatest start of a granule are near each other and rule it out by time.
    text += "    INDEX start_range \"start\" TYPE minmax GRANULARITY 1,\n";
    text += "    INDEX dst_bloom \"dst_ip\" TYPE bloom_filter GRANULARITY 4,\n";
    text += "    INDEX src_bloom \"src_ip\" TYPE bloom_filter GRANULARITY 4\n";
    let _ = write!(
        text,
        ") ENGINE = {engine}\nPARTITION BY \"day\"\nORDER BY ({})\n{}SETTINGS allow_nullable_key = 1{settings}\nCOMMENT '{}'",
        table.order(),
        days.map(|days| format!("TTL {}\n", ttl(days)))
            .unwrap_or_default(),
        comment()
    );
    let Layout::Cluster(cluster) = layout else {
        return vec![text];
    };
    let over = format!(
        "CREATE TABLE IF NOT EXISTS \"{database}\".\"{name}\" ON CLUSTER '{cluster}' AS \"{database}\".\"{name}_local\"\n\
         ENGINE = Distributed('{cluster}', '{database}', '{name}_local', flow_number)\nCOMMENT '{}'",
        comment()
    );
    vec![text, over]
}

fn ttl(days: u32) -> String {
    format!("day + toIntervalDay({days})")
}

/// Makes what is missing: database, tables, columns of a later schema, the TTL asked for.
///
/// # Errors
/// When ClickHouse refuses, or a table is of a later version of this program or not ours.
pub(super) fn migrate(client: &Client) -> Result<(), ClientError> {
    let place = client.place();
    if place.migrate {
        for statement in definition(&place.database, &Layout::Server, place.days) {
            client.run(&statement)?;
        }
    }
    for table in Table::ALL {
        check(client, table)?;
    }
    Ok(())
}

fn refused(place: &Place, message: String) -> ClientError {
    ClientError::Refused {
        at: place.shown(),
        code: 0,
        message,
    }
}

/// Compares a table with what is written to it, and extends it where that is allowed.
fn check(client: &Client, table: Table) -> Result<(), ClientError> {
    let place = client.place();
    let (database, name) = (&place.database, table.name());
    let engine = check_version(client, name)?;
    let known = check_columns(client, table)?;
    for (column, kind, expression) in aliases(table) {
        if place.migrate && !known.contains_key(column) {
            client.run(&format!(
                "ALTER TABLE \"{database}\".\"{name}\" ADD COLUMN IF NOT EXISTS \"{column}\" {kind} ALIAS {expression}"
            ))?;
        }
    }
    match place.days {
        Some(days) if place.migrate && !engine.contains(&format!("toIntervalDay({days})")) => client.run(
            &format!("ALTER TABLE \"{database}\".\"{name}\" MODIFY TTL {}", ttl(days)),
        ),
        _ => Ok(()),
    }
}

/// Is the table there, ours, and not newer than this program? Its engine with all settings.
fn check_version(client: &Client, name: &str) -> Result<String, ClientError> {
    let place = client.place();
    let question = format!(
        "SELECT comment, engine_full FROM system.tables WHERE database = '{}' AND name = '{name}' FORMAT RowBinary",
        place.database
    );
    let about = client.ask(&question, &[], 1 << 20)?;
    let mut reader = Reader::new(&about.bytes);
    let (Some(comment), Some(engine)) = (reader.text(), reader.text()) else {
        return Err(refused(
            place,
            format!(
                "there is no table {name}; leave migrate=false away, or make it (docs/guide/clickhouse.md)"
            ),
        ));
    };
    let version = comment
        .strip_prefix("weir schema ")
        .and_then(|text| text.parse::<u32>().ok());
    match version {
        Some(version) if version > VERSION => Err(refused(
            place,
            format!("the table {name} is of schema {version}, written by a newer Weir; use that one"),
        )),
        Some(_) => Ok(engine.to_owned()),
        None => Err(refused(
            place,
            format!("the table {name} is not Weir's (its comment has no schema); take another database"),
        )),
    }
}

/// Adds the columns that a table lacks. Those it had before, with their types.
fn check_columns(client: &Client, table: Table) -> Result<BTreeMap<String, String>, ClientError> {
    let place = client.place();
    let (database, name) = (&place.database, table.name());
    let question = format!(
        "SELECT name, type FROM system.columns WHERE database = '{database}' AND table = '{name}' FORMAT RowBinary"
    );
    let columns = client.ask(&question, &[], 1 << 20)?;
    let mut reader = Reader::new(&columns.bytes);
    let mut known = BTreeMap::new();
    while let (Some(name), Some(kind)) = (reader.text(), reader.text()) {
        known.insert(name.to_owned(), kind.to_owned());
    }
    for (column, stored) in table.stored() {
        let wanted = stored.sql_type();
        match known.get(column) {
            Some(kind) if *kind == wanted => {}
            Some(kind) => {
                return Err(refused(
                    place,
                    format!("column {column} of the table {name} is {kind}, not {wanted}: it is not Weir's"),
                ));
            }
            None if place.migrate => client.run(&format!(
                "ALTER TABLE \"{database}\".\"{name}\" ADD COLUMN IF NOT EXISTS \"{column}\" {wanted} {}",
                stored.codec()
            ))?,
            None => return Err(refused(place, format!("the table {name} has no column {column}"))),
        }
    }
    Ok(known)
}
