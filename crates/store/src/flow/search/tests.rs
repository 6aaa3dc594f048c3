//! The search against a plain model: random records, random filters, every shape, in memory and from parts.

mod clickhouse;
mod limits;
mod model;
mod records;
mod shapes;
mod transactions;
