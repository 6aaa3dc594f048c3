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

/// Adds to a list that most cells keep one or two items in: it grows by doubling from one, not from four.
pub(crate) fn push_sparing<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().max(1));
    }
    list.push(item);
}
