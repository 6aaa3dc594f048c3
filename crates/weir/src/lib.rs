//! The program: configuration, the pipeline that owns all threads and queues, and the command line.
//! A library so that tests and `xtask` can call what the binary runs.

pub mod cli;
pub mod collect;
pub mod config;
pub mod events;
mod exports;
pub mod fetch;
mod hunting;
mod learning;
mod order;
pub mod pipeline;
pub mod reading;
mod replay;
pub mod serve;
mod shutdown;
mod storing;
pub mod summary;
pub mod syscheck;
mod trial;
