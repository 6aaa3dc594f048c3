//! Integration tests of the benchmark in one binary: the generator against independent readers, the harness against a
//! stand-in for Weir.

mod against_tshark;
mod generator;
mod harness;
mod reader;
