//! The one filter language: nfdump's and tcpdump's words and typed fields, parsed into one tree that the flow search,
//! the command line, the API, suppression rules and stores evaluate. Three back ends give the same answer: a record
//! ([`Expr::matches`]), columns of a batch ([`select`]), SQL text ([`sql`]).
//!
//! ```
//! use weir_query::{Catalog, NoLists, parse};
//! let filter = parse("dst port 445 and bytes > 1M", Catalog::flows(), &NoLists)?;
//! assert_eq!(filter.to_string(), "dst port 445 and bytes > 1M");
//! # Ok::<(), weir_query::QueryError>(())
//! ```

mod batch;
pub mod behaviour;
mod column;
mod complete;
mod error;
mod explain;
mod field;
mod lex;
pub mod limits;
mod lists;
mod parse;
mod print;
mod prune;
mod ranges;
mod reference;
mod row;
mod selection;
mod sql;
mod tree;
mod value;
mod words;

pub use batch::{Columns, FlowColumns, Slice, select};
pub use column::{Column, FLOW_COLUMNS, Kind, Scalar, Unit, address, mac_number};
pub use complete::{Suggestion, complete};
pub use error::{QueryError, nearest};
pub use explain::explain;
pub use field::{Catalog, Field, Reads, SHORTHANDS, Shorthand};
pub use lists::{Lists, NoLists};
pub use parse::{parse, parse_behaviour};
pub use prune::{Bounds, Statistics, Verdict, may_match, verdict};
pub use ranges::{Point, Ranges};
pub use reference::reference;
pub use selection::Selection;
pub use sql::{Parameter, Sql, sql};
pub use tree::{Check, Expr, FlagTest, Order, Pattern, Set, Test, TextTest, Words};
pub use words::{greatest, protocol_name};
