//! Data that leaves: how much goes out, to whom, and how lopsided the exchange is.

pub mod country;
pub mod upload;
