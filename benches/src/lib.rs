//! What `make bench` is made of: a generator of a known traffic mix and a harness that runs Weir and its peers on one
//! file. It is a library with a thin binary so that the tests can hold the generator against independent readers.

pub mod collect;
pub mod compare;
pub mod detect;
pub mod mix;
pub mod search;
pub mod serve;
pub mod store;
