//! Too much of something, on purpose.

pub mod dos;
pub mod icmpanom;
pub mod reflectdos;
pub mod sipflood;
pub mod srvna;
