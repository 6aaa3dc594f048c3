//! Words for numbers in reasons.

use weir_model::Quantity;

/// `1 sender`, `12,000 senders`.
pub(crate) fn counted(number: u64, one: &str, more: &str) -> String {
    let word = if number == 1 { one } else { more };
    format!("{} {word}", Quantity::Count(number))
}
