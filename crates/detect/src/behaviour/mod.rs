//! How a host usually behaves towards others, and when it stops behaving so.

pub mod bpatterns;
pub mod brokensen;
pub mod divcom;
pub mod geodist;
pub mod peers;
