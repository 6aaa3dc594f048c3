//! The program: configuration, the pipeline that owns all threads and queues, and the command line.

pub mod cli;
pub mod config;
pub mod pipeline;
pub mod reading;
pub mod summary;
