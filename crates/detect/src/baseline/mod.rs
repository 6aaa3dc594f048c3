//! Bounded statistics that methods build their states from: distinct counts, spread, sliding counts, top lists.
//! Each has a fixed size, so that an attack cannot grow a cell.

mod distinct;
mod spread;

pub use distinct::Distinct;
pub use spread::Spread;
