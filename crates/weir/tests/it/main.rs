//! The whole line from capture to events, in one test binary: golden cases, determinism, conformance, broken input,
//! command line.

mod cli;
mod collect;
mod conformance;
mod corpus;
mod determinism;
mod events;
mod exports;
mod flows;
mod golden;
mod hostile;
mod lists;
mod outer;
mod past;
mod performance;
mod profiles;
mod run;
mod serve;
mod store;
mod tables;
