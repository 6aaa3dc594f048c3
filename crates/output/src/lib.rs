//! Public encodings: events, flow records and transactions as JSON, CSV and text for people. Nothing else prints them,
//! so what leaves Weir is escaped and ordered in one place.

pub mod csv;
pub mod escape;
pub mod json;
pub mod stamp;
pub mod text;
