//! Bounded statistics that methods build their states from: distinct counts, spread, sliding counts, top lists.
//! Each has a fixed size, so that an attack cannot grow a cell.

mod distinct;
mod sliding;
mod spread;
mod top;

pub use distinct::Distinct;
pub use sliding::Sliding;
pub use spread::Spread;
pub use top::Top;
