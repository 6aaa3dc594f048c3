//! Name resolution: who asks whom, how often, and how.

pub mod dnsanomaly;
pub mod dnsquery;
pub mod dohdet;
pub mod randomdomain;
